package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/model/picture"
	"github.com/ladon-ml/ladon/pipeline"
)

var matchCommand = command{
	name:    "match",
	args:    "-text TEXT… FILE…",
	summary: "say how well texts and pictures match, or search pictures by text",
	help: `
Takes a model with a tower for texts and one for pictures (CLIP). Prints one line of
JSON a picture, {"image":…,"texts":[{"text":…,"score":…,"logit":…}]}, the best text
first; a picture's scores are the softmax of its logits. -text may stand several times.
With -top K it searches: one line a text, {"text":…,"images":[{"image":…,"score":…,
"logit":…}]}, the K best pictures of all, where the score is the cosine of the vectors.
Arguments are files, or folders of them. A picture that cannot be read is named, the
rest is done, and the exit code is 1.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		f := matchFlags{src: needModelFlag(fs)}
		fs.Func("text", "a `TEXT` to compare the pictures with", func(s string) error {
			if !utf8.ValidString(s) {
				return fmt.Errorf("byte %d is not UTF-8", invalidUTF8([]byte(s)))
			}
			f.texts = append(f.texts, s)
			return nil
		})
		top := countFlag(fs, "top", 0, 0, "search: for each text the `K` best pictures; 0: compare")
		readable := readableFlag(fs)
		return func(c *call) (err error) {
			if err := f.src.need("match"); err != nil {
				return err
			}
			if len(f.texts) == 0 {
				return errors.New("match: -text is needed")
			}
			if f.people, err = c.readable(*readable); err != nil {
				return err
			}
			f.top = *top
			return f.run(c)
		}
	},
}

type matchFlags struct {
	src    *modelSource
	texts  []string
	top    int
	people bool
}

func (f *matchFlags) run(c *call) error {
	if _, err := c.pictureFiles(); err != nil {
		return err
	}
	m, err := f.src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	matcher, err := m.Matcher()
	if err != nil {
		return err
	}
	texts, err := matcher.Texts(c.ctx, pipeline.EmbedConfig{Truncated: func(i, kept int) {
		c.warnf("-text %s is cut to the model's %d tokens", abridge(f.texts[i]), kept)
	}}, f.texts...)
	if err != nil {
		return err
	}
	var all []found
	err = c.eachPicture(func(files []string, pics []*picture.Picture) error {
		vectors, err := matcher.Pictures(c.ctx, pics...)
		if err != nil {
			return err
		}
		for i, row := range matcher.Compare(texts, vectors) {
			if f.top > 0 {
				all = append(all, found{files[i], row})
			} else if err := f.writePicture(c, files[i], row); err != nil {
				return err
			}
		}
		return c.stdout.Flush()
	})
	if unread := new(unreadError); err != nil && !errors.As(err, &unread) || f.top == 0 {
		return err
	}
	for i := range f.texts {
		if err := f.writeText(c, i, all); err != nil {
			return err
		}
	}
	return err
}

// found is a picture with its matches.
type found struct {
	image string
	texts []pipeline.Match // in the order of -text
}

// writePicture writes a picture's texts.
func (f *matchFlags) writePicture(c *call, file string, row []pipeline.Match) error {
	order := bestFirst(len(row), func(i int) float32 { return row[i].Logit })
	name := func(i int) string { return f.texts[i] }
	if f.people {
		return writeMatches(c, file, order, name, func(i int) float32 { return row[i].Score })
	}
	line := appendString([]byte(`{"image":`), file)
	line, err := appendMatches(append(line, `,"texts":[`...), `{"text":`, order, name, func(i int) (score, logit float32) { return row[i].Score, row[i].Logit })
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	_, err = c.stdout.Write(line)
	return err
}

// writeText writes the best pictures of text t.
func (f *matchFlags) writeText(c *call, t int, all []found) error {
	order := bestFirst(len(all), func(i int) float32 { return all[i].texts[t].Cosine })
	order = order[:min(f.top, len(order))]
	name := func(i int) string { return all[i].image }
	if f.people {
		return writeMatches(c, f.texts[t], order, name, func(i int) float32 { return all[i].texts[t].Cosine })
	}
	line := appendString([]byte(`{"text":`), f.texts[t])
	line, err := appendMatches(append(line, `,"images":[`...), `{"image":`, order, name, func(i int) (score, logit float32) {
		return all[i].texts[t].Cosine, all[i].texts[t].Logit
	})
	if err != nil {
		return err
	}
	_, err = c.stdout.Write(line)
	return err
}

// bestFirst orders n things by score.
func bestFirst(n int, score func(i int) float32) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(score(j), score(i)) })
	return order
}

// appendMatches appends the members of a list, and ends the line.
func appendMatches(line []byte, open string, order []int, name func(i int) string, of func(i int) (score, logit float32)) (_ []byte, err error) {
	for n, i := range order {
		if n > 0 {
			line = append(line, ',')
		}
		score, logit := of(i)
		line = appendString(append(line, open...), name(i))
		if line, err = appendFloat(append(line, `,"score":`...), score); err != nil {
			return nil, err
		}
		if line, err = appendFloat(append(line, `,"logit":`...), logit); err != nil {
			return nil, err
		}
		line = append(line, '}')
	}
	return append(line, "]}\n"...), nil
}

// writeMatches writes them for people.
func writeMatches(c *call, asked string, order []int, name func(i int) string, score func(i int) float32) error {
	rows := make([][]string, len(order))
	for n, i := range order {
		rows[n] = []string{shownScore(score(i)), oneLine(name(i))}
	}
	return c.writeReadable(asked, rows)
}
