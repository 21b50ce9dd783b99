package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/tokenizer"
	"github.com/ladon-ml/ladon/pipeline"
)

var perplexityCommand = command{
	name:    "perplexity",
	args:    "FILE",
	summary: "say how well a language model predicts a text",
	help: `
By llama-perplexity's definition: the text's tokens are cut into chunks of -ctx,
each read by itself (with the tokenizer's first token in place of its own, where
there is one), and the second half of each counts. Prints the perplexity and its
standard error. One line end at the end of the file is left out, and what spells
special tokens is text.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := needModelFlag(fs)
		ctx := countFlag(fs, "ctx", 512, 4, "`tokens` of a chunk")
		chunks := countFlag(fs, "chunks", 0, 1, "read at most `N` chunks (default all)")
		return func(c *call) error { return runPerplexity(c, src, *ctx, *chunks) }
	},
}

func runPerplexity(c *call, src *modelSource, chunk, chunks int) error {
	if err := src.need("perplexity"); err != nil {
		return err
	}
	if len(c.args) != 1 {
		return errors.New("perplexity: one text file is needed")
	}
	file := c.args[0]
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if i := invalidUTF8(text); i >= 0 {
		return fmt.Errorf("%s: byte %d is not UTF-8", file, i)
	}
	m, err := src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	// What generation_config.json says does not matter here, but the head does.
	if _, err := m.Generator(); err != nil {
		if task, ok := errors.AsType[*pipeline.TaskError](err); ok {
			return task
		}
	}
	ids, bos, err := rawTokens(m.Tokenizer(), string(bytes.TrimSuffix(text, []byte{'\n'})))
	if err != nil {
		return inFile(file, err)
	}
	var bar *progress
	p, err := generate.MeasurePerplexity(c.ctx, m.Model(), model.SessionOptions{}, ids, generate.PerplexityOptions{
		Context: chunk, Chunks: chunks, BOS: bos,
		Progress: func(p generate.Perplexity, chunks int) {
			if bar == nil {
				bar = newProgress(c.stderr, chunks, "chunks")
			}
			bar.set(p.Chunks)
		},
	})
	if bar != nil {
		bar.finish()
	}
	switch {
	case err != nil:
		return inFile(file, err)
	case math.IsNaN(p.Value) || math.IsInf(p.Value, 0):
		return fmt.Errorf("%s: %s: the perplexity is %v", src.name(), file, p.Value)
	case c.json:
		return writeFacts(c, []fact{{"perplexity", p.Value}, {"error", p.Error}, {"chunks", p.Chunks}, {"ctx", p.Context}, {"tokens", len(ids)}, {"counted", p.Counted}})
	}
	_, err = fmt.Fprintf(c.stdout, "perplexity %.4f ± %.4f (%d chunks of %d tokens, %d counted)\n", p.Value, p.Error, p.Chunks, p.Context, p.Counted)
	return err
}

// rawTokens gives the tokens of a text, and the one that the tokenizer puts before
// every text, if it does, as the first of them. What spells special tokens is text.
func rawTokens(t *tokenizer.Tokenizer, text string) (ids []int32, bos *int32, err error) {
	var empty, enc tokenizer.Encoding
	if _, err := t.AppendEncode(&empty, "", tokenizer.Options{MaxLen: -1}); err != nil {
		return nil, nil, err
	}
	if id, ok := t.RoleID("bos_token"); ok && len(empty.IDs) > 0 && empty.IDs[0] == id {
		ids, bos = append(ids, id), &id
	}
	if _, err := t.AppendEncode(&enc, text, tokenizer.Options{NoSpecial: true, Literal: true, MaxLen: -1, IDsOnly: true}); err != nil {
		return nil, nil, err
	}
	return append(ids, enc.IDs...), bos, nil
}
