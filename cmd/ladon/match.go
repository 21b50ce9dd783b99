package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
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
With -save the pictures' vectors go to a file, FILE.safetensors, which -in takes in
place of the pictures from then on; without -text nothing more is done. Arguments are
files, or folders of them. A picture that cannot be read is named, the rest is done,
and the exit code is 1.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		f := matchFlags{src: needModelFlag(fs)}
		fs.Func("text", "a `TEXT` to compare the pictures with", func(s string) error {
			if !utf8.ValidString(s) {
				return fmt.Errorf("byte %d is not UTF-8", invalidUTF8([]byte(s)))
			}
			f.texts = append(f.texts, s)
			return nil
		})
		top := countFlag(fs, "top", 0, 0, "search: for each text the `K` best pictures; 0: compare, or with -in 10")
		fs.Var(pathValue{&f.in}, "in", "search what -save made, in place of pictures")
		fs.Var(pathValue{&f.save}, "save", "keep the vectors of the pictures in `FILE.safetensors`")
		readable := readableFlag(fs)
		return func(c *call) (err error) {
			if err := f.src.need("match"); err != nil {
				return err
			}
			switch {
			case len(f.texts) == 0 && f.save == "":
				return errors.New("match: -text is needed")
			case f.save != "" && !strings.HasSuffix(f.save, indexSuffix):
				return fmt.Errorf("match: -save %s: its name must end in %s", f.save, indexSuffix)
			case f.in != "" && len(c.args) > 0:
				return errors.New("match: pictures and -in exclude each other")
			}
			if f.people, err = c.readable(*readable); err != nil {
				return err
			}
			if f.top = *top; f.top == 0 && f.in != "" {
				f.top = 10
			}
			return f.run(c)
		}
	},
}

type matchFlags struct {
	src      *modelSource
	texts    []string
	top      int
	in, save string
	people   bool
}

func (f *matchFlags) run(c *call) error {
	if f.in == "" {
		if _, err := c.pictureFiles(); err != nil {
			return err
		}
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
	if f.top > 0 || f.save != "" {
		return f.search(c, matcher, texts)
	}
	return c.eachPicture(func(files []string, pics []*picture.Picture) error {
		vectors, err := matcher.Pictures(c.ctx, pics...)
		if err != nil {
			return err
		}
		for i, row := range matcher.Compare(texts, vectors) {
			if err := f.writePicture(c, files[i], row); err != nil {
				return err
			}
		}
		return c.stdout.Flush()
	})
}

// writePicture writes a picture's texts.
func (f *matchFlags) writePicture(c *call, file string, row []pipeline.Match) error {
	order := bestFirst(len(row), func(i int) float32 { return row[i].Logit })
	list := make([]matched, len(order))
	for n, i := range order {
		list[n] = matched{f.texts[i], row[i].Score, row[i].Logit}
	}
	return f.write(c, "image", file, "text", list)
}

// matched is something that was compared with another, under its name.
type matched struct {
	name         string
	score, logit float32
}

// write writes what something was compared with, which is one of two kinds of
// things, and the others of the other kind.
func (f *matchFlags) write(c *call, kind, name, others string, list []matched) (err error) {
	if f.people {
		rows := make([][]string, len(list))
		for i, m := range list {
			rows[i] = []string{shownScore(m.score), oneLine(m.name)}
		}
		return c.writeReadable(name, rows)
	}
	line := appendString([]byte(`{"`+kind+`":`), name)
	line = append(line, `,"`+others+`s":[`...)
	for i, m := range list {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendString(append(line, `{"`+others+`":`...), m.name)
		if line, err = appendFloat(append(line, `,"score":`...), m.score); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if line, err = appendFloat(append(line, `,"logit":`...), m.logit); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		line = append(line, '}')
	}
	_, err = c.stdout.Write(append(line, "]}\n"...))
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
