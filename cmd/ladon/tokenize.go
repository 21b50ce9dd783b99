package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
	"github.com/ladon-ml/ladon/model/weights"
)

var tokenizeCommand = command{
	name:    "tokenize",
	args:    "JSON… (or lines of JSON on standard input)",
	summary: "turn texts into token ids, or ids into texts",
	help: `
Each line (or argument) is a JSON string, or a pair of texts as a list of two,
and gives {"ids":[…],"tokens":[…],"type_ids":[…]}. With -decode it is a list of
ids and gives a JSON string, without the special tokens.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := modelFlag(fs)
		decode := fs.Bool("decode", false, "turn lists of ids into texts")
		noSpecial := fs.Bool("no-special", false, "leave out the special tokens that tokenizer.json adds")
		return func(c *call) error { return runTokenize(c, src, *decode, *noSpecial) }
	},
}

func runTokenize(c *call, src *modelSource, decode, noSpecial bool) error {
	tok, err := src.tokenizer(c)
	if err != nil {
		return err
	}
	t := &tokenizeWriter{c: c, tok: tok, opts: tokenizer.Options{NoSpecial: noSpecial}}
	one := t.encode
	if decode {
		one = t.decode
	}
	if len(c.args) > 0 {
		for i, arg := range c.args {
			if !utf8.ValidString(arg) {
				return fmt.Errorf("argument %d: byte %d is not UTF-8", i+1, invalidUTF8([]byte(arg)))
			}
			if err := one([]byte(arg), fmt.Sprintf("argument %d", i+1)); err != nil {
				return err
			}
		}
		return nil
	}
	lines := newLineReader(c.ctx, c.stdin)
	for {
		line, err := lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := one(line, fmt.Sprintf("standard input: line %d", lines.line)); err != nil {
			return err
		}
		if !lines.ready() {
			if err := c.stdout.Flush(); err != nil {
				return err
			}
		}
	}
}

// tokenizer loads the tokenizer alone, where it lies in a folder.
func (s *modelSource) tokenizer(c *call) (*tokenizer.Tokenizer, error) {
	if s.path == "" {
		m, err := s.open(c)
		if err != nil {
			return nil, err
		}
		return m.Tokenizer(), m.Close()
	}
	if t, err := tokenizer.LoadFS(os.DirFS(s.path), "."); err == nil || !s.gguf() {
		return t, inFile(s.path, err)
	}
	set, err := weights.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	return model.Tokenizer(set)
}

// gguf tells whether the model is a GGUF file, or a folder with one.
func (s *modelSource) gguf() bool {
	if info, err := os.Stat(s.path); err != nil || !info.IsDir() {
		return err == nil
	}
	name, err := weights.FindGGUF(os.DirFS(s.path), ".", s.path)
	return err != nil || name != ""
}

// tokenizeWriter encodes and prints line after line in the same memory.
type tokenizeWriter struct {
	c      *call
	tok    *tokenizer.Tokenizer
	opts   tokenizer.Options
	enc    tokenizer.Encoding
	tokens []string
	out    []byte
}

func (t *tokenizeWriter) encode(line []byte, place string) error {
	text, opts := "", t.opts
	if err := json.Unmarshal(line, &text); err != nil {
		var pair []string
		if json.Unmarshal(line, &pair) != nil || len(pair) != 2 {
			return fmt.Errorf("%s: want a JSON string or a list of two, not %s", place, abridge(string(line)))
		}
		text, opts.Pair, opts.HasPair = pair[0], pair[1], true
	}
	t.enc.Reset()
	cut, err := t.tok.AppendEncode(&t.enc, text, opts)
	if err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	if cut {
		t.c.warnf("%s is cut to the tokenizer's %d tokens", place, t.enc.Len())
	}
	t.tokens = t.tok.AppendTokens(t.tokens[:0], &t.enc)
	out := append(t.out[:0], `{"ids":`...)
	out = appendInts(out, t.enc.IDs)
	out = append(out, `,"tokens":`...)
	out = appendStrings(out, t.tokens)
	out = append(out, `,"type_ids":`...)
	out = appendInts(out, t.enc.TypeIDs)
	t.out = append(out, '}', '\n')
	_, err = t.c.stdout.Write(t.out)
	return err
}

func (t *tokenizeWriter) decode(line []byte, place string) error {
	var ids []int32
	if err := json.Unmarshal(line, &ids); err != nil || ids == nil {
		return fmt.Errorf("%s: want a list of ids, not %s", place, abridge(string(line)))
	}
	t.out = append(appendString(t.out[:0], t.tok.Decode(ids, true)), '\n')
	_, err := t.c.stdout.Write(t.out)
	return err
}
