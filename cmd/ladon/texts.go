package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A batch of texts is embedded, printed and forgotten, so that any number of
// lines runs in the same memory; the limits keep the pipeline's own batches full.
const (
	batchTexts = 512
	batchBytes = 1 << 20
)

// A textSource gives the texts of a command: its arguments, or the lines of
// standard input where it has none.
type textSource struct {
	args  []string
	lines *lineReader // nil: args
	given int         // texts given so far
}

func (c *call) texts() *textSource {
	if len(c.args) > 0 {
		return &textSource{args: c.args}
	}
	if isTerminal(c.stdin) {
		fmt.Fprintln(c.stderr, "ladon: reading texts from the terminal, one a line, until the end of input")
	}
	return &textSource{lines: newLineReader(c.ctx, c.stdin)}
}

// next appends the next batch of texts to dst: all that are at hand, up to the
// limits, so that a program which writes one line and waits for its answer gets
// it. It gives io.EOF, with no text, at the end, and may give texts together
// with an error that stands behind them.
func (s *textSource) next(ctx context.Context, dst []string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	if s.lines == nil {
		return s.nextArgs(dst)
	}
	for bytes := 0; len(dst) == 0 || s.lines.ready(); {
		line, err := s.lines.next()
		if err != nil {
			return dst, err
		}
		dst = append(dst, string(line))
		s.given++
		if bytes += len(line); bytes >= batchBytes || len(dst) >= batchTexts {
			break
		}
	}
	return dst, nil
}

func (s *textSource) nextArgs(dst []string) ([]string, error) {
	if s.given == len(s.args) {
		return dst, io.EOF
	}
	for bytes := 0; s.given < len(s.args) && bytes < batchBytes && len(dst) < batchTexts; s.given++ {
		text := s.args[s.given]
		if !utf8.ValidString(text) {
			return dst, fmt.Errorf("text %d: byte %d is not UTF-8", s.given+1, invalidUTF8([]byte(text)))
		}
		bytes += len(text)
		dst = append(dst, text)
	}
	return dst, nil
}

// A textBatch is some of a command's texts.
type textBatch struct {
	texts    []string
	place    func(i int) string // names texts[i] for a message
	progress func(done int)     // is told how many of them are done

	truncated func(i, kept int) // warns of texts[i], which was cut
}

// eachBatch hands the command's texts to do, some at a time, and shows how far it
// has come. Texts that stand before one that cannot be read are still done.
func (c *call) eachBatch(do func(*textBatch) error) error {
	source, total := c.texts(), -1
	if source.lines == nil {
		total = len(c.args)
	}
	bar := newProgress(c.stderr, total, "texts")
	defer bar.finish()
	for done := 0; ; {
		batch, rerr := source.next(c.ctx, nil)
		if len(batch) > 0 {
			place := func(i int) string { return source.place(done + i) }
			err := do(&textBatch{
				texts:    batch,
				place:    place,
				progress: func(n int) { bar.set(done + n) },
				truncated: func(i, kept int) {
					c.warnf("%s is cut to the model's %d tokens", place(i), kept)
				},
			})
			if err != nil {
				return err
			}
		}
		done += len(batch)
		bar.set(done)
		switch {
		case errors.Is(rerr, io.EOF):
			return nil
		case rerr != nil:
			return rerr
		}
	}
}

// all gives every text at once.
func (s *textSource) all(ctx context.Context) ([]string, error) {
	var texts []string
	for {
		batch, err := s.next(ctx, nil)
		texts = append(texts, batch...)
		switch {
		case errors.Is(err, io.EOF):
			return texts, nil
		case err != nil:
			return nil, err
		}
	}
}

// place names a text for a message: the line it stands on, or which argument
// it is. i counts from 0 over all texts.
func (s *textSource) place(i int) string {
	if s.lines != nil {
		return fmt.Sprintf("line %d", i+1)
	}
	return fmt.Sprintf("text %d (%s)", i+1, abridge(s.args[i]))
}

// abridge quotes the beginning of a text.
func abridge(text string) string {
	const most = 40
	if len(text) <= most {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%q…", strings.ToValidUTF8(text[:most], ""))
}
