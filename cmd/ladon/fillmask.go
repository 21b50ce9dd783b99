package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/ladon-ml/ladon/pipeline"
)

var fillMaskCommand = command{
	name:    "fill-mask",
	args:    "TEXT… (or lines on standard input)",
	summary: "say which words may stand where texts have masks",
	help: `
Texts hold the tokenizer's mask token, as "The river is [MASK]." Prints one line of
JSON a text: {"text":…,"masks":[[{"score":…,"token":…,"token_str":…,"sequence":…},
…],…]}, a list for each mask, the likeliest first, where token is an id and
sequence the whole text with it. Scores are probabilities over the vocabulary.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		f := &fillMaskFlags{src: needModelFlag(fs)}
		f.top = countFlag(fs, "top", 5, 1, "give the likeliest `N` tokens for each mask")
		fs.Func("targets", "choose among these `WORDS`, separated by commas, only", func(s string) error {
			for word := range strings.SplitSeq(s, ",") {
				if word == "" {
					return errors.New("words, separated by commas")
				}
				f.targets = append(f.targets, word)
			}
			return nil
		})
		readable := readableFlag(fs)
		return func(c *call) (err error) {
			if f.people, err = c.readable(*readable); err != nil {
				return err
			}
			return f.run(c)
		}
	},
}

type fillMaskFlags struct {
	src     *modelSource
	top     *int
	targets []string
	people  bool // read what is printed
}

func (f *fillMaskFlags) run(c *call) error {
	if err := f.src.need("fill-mask"); err != nil {
		return err
	}
	m, err := f.src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	filler, err := m.MaskFiller()
	if err != nil {
		return err
	}
	cfg := pipeline.FillConfig{Top: *f.top}
	for _, word := range f.targets {
		id, exact, err := filler.Target(word)
		if err != nil {
			return fmt.Errorf("-targets: %w", err)
		}
		if !exact {
			token, _ := m.Tokenizer().IDToToken(id)
			c.warnf("-targets: %q is no token of the model; %q, with which it begins, stands for it", word, token)
		}
		cfg.Targets = append(cfg.Targets, id)
	}
	return c.eachBatch(func(b *textBatch) error {
		var failed error
		fills, err := filler.Fill(c.ctx, cfg, b.texts...)
		if bad, ok := errors.AsType[*pipeline.TextError](err); ok {
			// What stands before is answered.
			failed = fmt.Errorf("%s: %w", b.place(bad.Index), bad.Err)
			fills, err = filler.Fill(c.ctx, cfg, b.texts[:bad.Index]...)
		}
		if err != nil {
			return err
		}
		if err := f.write(c, b.texts, fills); err != nil {
			return err
		}
		return failed
	})
}

func (f *fillMaskFlags) write(c *call, texts []string, fills [][][]pipeline.Fill) (err error) {
	var line []byte
	for i, masks := range fills {
		if f.people {
			if err := c.writeReadable(texts[i], fillRows(masks)); err != nil {
				return err
			}
			continue
		}
		if line, err = appendFills(line[:0], texts[i], masks); err != nil {
			return err
		}
		if _, err := c.stdout.Write(line); err != nil {
			return err
		}
	}
	return c.stdout.Flush()
}

// fillRows is for people.
func fillRows(masks [][]pipeline.Fill) (rows [][]string) {
	for i, mask := range masks {
		for _, fill := range mask {
			row := []string{shownScore(fill.Score), oneLine(fill.Token), oneLine(fill.Text)}
			if len(masks) > 1 {
				row = append([]string{fmt.Sprintf("mask %d", i+1)}, row...)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func appendFills(line []byte, text string, masks [][]pipeline.Fill) (_ []byte, err error) {
	line = append(appendString(append(line, `{"text":`...), text), `,"masks":[`...)
	for i, mask := range masks {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, '[')
		for j, fill := range mask {
			if j > 0 {
				line = append(line, ',')
			}
			if line, err = appendFloat(append(line, `{"score":`...), fill.Score); err != nil {
				return nil, err
			}
			line = strconv.AppendInt(append(line, `,"token":`...), int64(fill.ID), 10)
			line = appendString(append(line, `,"token_str":`...), fill.Token)
			line = append(appendString(append(line, `,"sequence":`...), fill.Text), '}')
		}
		line = append(line, ']')
	}
	return append(line, "]}\n"...), nil
}
