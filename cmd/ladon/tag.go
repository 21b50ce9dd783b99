package main

import (
	"flag"
	"strconv"
	"strings"

	"github.com/ladon-ml/ladon/pipeline"
)

var tagCommand = command{
	name:    "tag",
	args:    "TEXT… (or lines on standard input)",
	summary: "find named entities in texts, or whatever a token classifier labels",
	help: `
Prints one line of JSON a text, in order:
{"text":…,"entities":[{"label":…,"score":…,"start":…,"end":…,"text":…}]}, where start
and end are bytes of the text. Tokens become entities as in transformers: none gives
every token; simple joins neighbours of one label, where B- begins an entity and I- goes
on; first, average and max do so with whole words, which have the label of their first
token, of their average scores, or of their surest token. The default is first where
the tokenizer marks the pieces of words, as BERT's does, and else simple. A text longer
than the model is read in overlapping windows.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := needModelFlag(fs)
		how := ""
		fs.Var(choiceValue{&how, []string{"none", "simple", "first", "average", "max"}}, "aggregation", "make entities by `STRATEGY`: none, simple, first, average or max")
		ignore := fs.String("ignore", "O", "leave out entities with one of these `LABELS`, separated by commas")
		stride := countFlag(fs, "stride", 0, 0, "let neighbouring windows have `N` tokens in common (default: a quarter of a window)")
		readable := readableFlag(fs)
		return func(c *call) error {
			if err := src.need("tag"); err != nil {
				return err
			}
			cfg := pipeline.TagConfig{Ignore: splitList(*ignore), Stride: *stride}
			if given(fs, "stride") && *stride == 0 {
				cfg.Stride = -1
			}
			if how != "" {
				var err error
				if cfg.Aggregation, err = pipeline.ParseAggregation(how); err != nil {
					return err
				}
			}
			people, err := c.readable(*readable)
			if err != nil {
				return err
			}
			return runTag(c, src, cfg, people)
		}
	},
}

// splitList splits at commas and drops blanks around names and empty names.
func splitList(s string) []string {
	list := []string{}
	for name := range strings.SplitSeq(s, ",") {
		if name = strings.TrimSpace(name); name != "" {
			list = append(list, name)
		}
	}
	return list
}

func runTag(c *call, src *modelSource, cfg pipeline.TagConfig, people bool) error {
	m, err := src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	tagger, err := m.Tagger()
	if err != nil {
		return err
	}
	return c.eachBatch(func(b *textBatch) error {
		cfg.Progress = b.progress
		found, err := tagger.Tag(c.ctx, cfg, b.texts...)
		if err != nil {
			return err
		}
		if people {
			return writeTagsReadable(c, b.texts, found)
		}
		return writeTags(c, b.texts, found)
	})
}

func writeTags(c *call, texts []string, found [][]pipeline.Entity) (err error) {
	var line []byte
	for i, text := range texts {
		line = append(appendString(append(line[:0], `{"text":`...), text), `,"entities":[`...)
		for j, e := range found[i] {
			if j > 0 {
				line = append(line, ',')
			}
			if line, err = appendLabel(append(line, '{'), e.Label); err != nil {
				return err
			}
			line = strconv.AppendInt(append(line, `,"start":`...), int64(e.Start), 10)
			line = strconv.AppendInt(append(line, `,"end":`...), int64(e.End), 10)
			line = append(appendString(append(line, `,"text":`...), e.Text), '}')
		}
		if _, err := c.stdout.Write(append(line, "]}\n"...)); err != nil {
			return err
		}
	}
	return c.stdout.Flush()
}

func writeTagsReadable(c *call, texts []string, found [][]pipeline.Entity) error {
	for i, text := range texts {
		rows := make([][]string, len(found[i]))
		for j, e := range found[i] {
			rows[j] = []string{e.Label.Label, shownScore(e.Score), oneLine(e.Text)}
		}
		if err := c.writeReadable(text, rows); err != nil {
			return err
		}
	}
	return nil
}
