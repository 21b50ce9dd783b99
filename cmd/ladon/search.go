package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ladon-ml/ladon/pipeline"
)

var searchCommand = command{
	name:    "search",
	args:    "-in FILE TEXT… (or queries as lines on standard input)",
	summary: "find the lines of a file that are most like a text",
	help: `
Compares the vector of every line of -in with that of each query and prints one line
of JSON a query: {"query":…,"hits":[{"index":…,"text":…,"score":…}]}, the most like
first, where index counts the lines from 0 and the score is the cosine. The answer is
exact; lines that are equally like come in their order. With -save the vectors go to a
file, FILE.safetensors, which -in takes in place of the lines from then on; without a
query nothing more is done. The model must be the one that the file was made with.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		s := searcher{src: modelFlag(fs)}
		fs.Var(pathValue{&s.in}, "in", "search the lines of `FILE`, or what -save made of them")
		fs.Var(pathValue{&s.save}, "save", "keep the vectors in `FILE.safetensors`")
		top := countFlag(fs, "top", 10, 1, "give the `N` lines that are most like")
		var queries []string
		fs.Func("query", "look for `TEXT`; may be given several times, or as arguments", func(text string) error {
			queries = append(queries, text)
			return nil
		})
		readable := readableFlag(fs)
		return func(c *call) (err error) {
			if s.in == "" {
				return errors.New("search: -in is needed")
			}
			if s.save != "" && !strings.HasSuffix(s.save, indexSuffix) {
				return fmt.Errorf("search: -save %s: its name must end in %s", s.save, indexSuffix)
			}
			if s.readable, err = c.readable(*readable); err != nil {
				return err
			}
			s.top = *top
			c.args = append(queries, c.args...)
			return s.run(c)
		}
	},
}

// indexSuffix tells files of vectors from files of lines.
const indexSuffix = ".safetensors"

type searcher struct {
	src      *modelSource
	in, save string
	top      int
	readable bool

	embedder *pipeline.Embedder
	index    *pipeline.Index
	texts    []string // nil: the index has none
	vectors  []float32
	line     []byte
}

func (s *searcher) run(c *call) (err error) {
	m, err := s.src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	if s.embedder, err = m.Embedder(); err != nil {
		return err
	}
	load := s.embedLines
	if strings.HasSuffix(s.in, indexSuffix) {
		load = s.openIndex
	}
	if err := load(c); err != nil {
		return err
	}
	defer s.index.Close()
	if s.save != "" {
		if err := s.index.Write(s.save, s.texts); err != nil {
			return err
		}
		if len(c.args) == 0 {
			return nil
		}
	}
	return c.eachBatch(func(b *textBatch) error { return s.search(c, b) })
}

// openIndex reads the file that -save made, and embeds its first text again: with
// another model nothing would be found, without a word.
func (s *searcher) openIndex(c *call) (err error) {
	if s.index, s.texts, err = pipeline.OpenIndex(s.in, pipeline.WithThreads(c.threads)); err != nil {
		return err
	}
	if err := s.checkModel(c); err != nil {
		s.index.Close()
		return inFile(s.in, err)
	}
	return nil
}

func (s *searcher) checkModel(c *call) error {
	if dim := s.embedder.Dim(); s.index.Dim() != dim {
		return fmt.Errorf("vectors of %d components, but %s gives %d: it was made with another model", s.index.Dim(), s.src.name(), dim)
	}
	if len(s.texts) == 0 {
		return nil
	}
	v, err := s.embedder.AppendEmbed(c.ctx, nil, s.texts[0])
	if err != nil {
		return err
	}
	own, err := pipeline.NewIndex(s.index.Dim())
	if err != nil {
		return err
	}
	defer own.Close()
	if err := own.Add(v); err != nil {
		return err
	}
	hits, _, err := own.AppendSearch(c.ctx, nil, 1, s.index.AppendVector(nil, 0))
	if err != nil {
		return err
	}
	// Types and instruction sets differ by far less.
	if like := hits[0].Score; like < 0.9 && strings.TrimSpace(s.texts[0]) != "" {
		return fmt.Errorf("%s gives its first text a vector of cosine %.3f with the one there: it was made with another model", s.src.name(), like)
	}
	return nil
}

// embedLines makes an index of the lines of a file.
func (s *searcher) embedLines(c *call) (err error) {
	f, err := os.Open(s.in)
	if err != nil {
		return err
	}
	defer f.Close()
	if s.index, err = pipeline.NewIndex(s.embedder.Dim(), pipeline.WithThreads(c.threads)); err != nil {
		return err
	}
	if err := s.addLines(c, f); err != nil {
		s.index.Close()
		return err
	}
	return nil
}

func (s *searcher) addLines(c *call, f *os.File) error {
	source := &textSource{lines: newLineReader(c.ctx, f)}
	source.lines.name = s.in
	bar := newProgress(c.stderr, -1, "lines")
	defer bar.finish()
	cuts := 0
	cfg := pipeline.EmbedConfig{Truncated: func(_, _ int) { cuts++ }}
	for {
		batch, rerr := source.next(c.ctx, nil)
		var err error
		if s.vectors, err = s.embedder.AppendEmbedWith(c.ctx, s.vectors[:0], cfg, batch...); err != nil {
			return inFile(s.in, err)
		}
		if err := s.index.Add(s.vectors); err != nil {
			return inFile(s.in, fmt.Errorf("after line %d: %w", len(s.texts), err))
		}
		s.texts = append(s.texts, batch...)
		bar.set(len(s.texts))
		if errors.Is(rerr, io.EOF) {
			break
		}
		if rerr != nil {
			return rerr
		}
	}
	if len(s.texts) == 0 {
		return fmt.Errorf("%s: no lines to search", s.in)
	}
	if cuts > 0 {
		c.warnf("cut to what the model takes: %d of the %d lines of %s", cuts, len(s.texts), s.in)
	}
	return nil
}

// search answers some queries.
func (s *searcher) search(c *call, b *textBatch) (err error) {
	s.vectors, err = s.embedder.AppendEmbedWith(c.ctx, s.vectors[:0], pipeline.EmbedConfig{Truncated: b.truncated}, b.texts...)
	if err != nil {
		return err
	}
	dim := s.index.Dim()
	queries := make([][]float32, len(b.texts))
	for i := range queries {
		queries[i] = s.vectors[i*dim : (i+1)*dim]
	}
	all, n, err := s.index.AppendSearch(c.ctx, nil, s.top, queries...)
	if err != nil {
		return err
	}
	for i, text := range b.texts {
		hits := all[i*n : (i+1)*n]
		if s.readable {
			err = s.writeReadable(c, text, hits)
		} else {
			err = s.write(c, text, hits)
		}
		if err != nil {
			return err
		}
	}
	return c.stdout.Flush()
}

func (s *searcher) write(c *call, query string, hits []pipeline.Hit) (err error) {
	line := append(appendString(append(s.line[:0], `{"query":`...), query), `,"hits":[`...)
	for i, h := range hits {
		if i > 0 {
			line = append(line, ',')
		}
		line = strconv.AppendInt(append(line, `{"index":`...), int64(h.Index), 10)
		if s.texts != nil {
			line = appendString(append(line, `,"text":`...), s.texts[h.Index])
		}
		if line, err = appendFloat(append(line, `,"score":`...), h.Score); err != nil {
			return err
		}
		line = append(line, '}')
	}
	s.line = append(line, "]}\n"...)
	_, err = c.stdout.Write(s.line)
	return err
}

func (s *searcher) writeReadable(c *call, query string, hits []pipeline.Hit) error {
	rows := make([][]string, len(hits))
	for i, h := range hits {
		rows[i] = []string{shownScore(h.Score), strconv.Itoa(h.Index + 1)}
		if s.texts != nil {
			rows[i] = append(rows[i], oneLine(s.texts[h.Index]))
		}
	}
	return c.writeReadable(query, rows)
}
