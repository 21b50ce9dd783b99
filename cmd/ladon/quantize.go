package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/pipeline"
)

var quantizeCommand = command{
	name:    "quantize",
	summary: "write a checkpoint with smaller weights: int8 as the kernels read them, or GGUF",
	help: `
As safetensors, every row of a matrix becomes bytes and a float32 scale; norms,
biases and small heads stay float32. The folder gets the tokenizer's and the
settings' files too. With -texts, the vectors of both checkpoints are compared on
the lines of a file.

As GGUF (-format gguf, or an -out that ends with .gguf), the matrices of a
language model become -type, as far as their rows are whole blocks of it: of Q4_K,
Q5_K and Q6_K, whose blocks are of 256, rows that are not become Q5_0, Q5_1 and
Q8_0. Word embeddings and the last matrix get no less than 6 bits. The tokenizer
comes from a GGUF file; that of a folder is not written into one.

With -text, perplexities of both are measured on a file, as ladon perplexity does
it, and how often they find the same token the likeliest.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		var q quantizeFlags
		q.src = needModelFlag(fs)
		fs.Var(pathValue{&q.out}, "out", "the `DIR` (empty, or not there yet) or GGUF file to write")
		fs.Var(choiceValue{&q.format, []string{"safetensors", "gguf"}}, "format", "write `FORMAT`: safetensors or gguf")
		fs.Var(choiceValue{&q.kind, ggufTypeNames()}, "type", "the `TYPE` of GGUF matrices: "+strings.Join(ggufTypeNames(), ", ")+" (default: as they are)")
		fs.BoolVar(&q.noHeads, "no-heads", false, "leave out what last_hidden_state does not need")
		fs.Var(pathValue{&q.texts}, "texts", "compare the vectors of the lines of `FILE`")
		fs.Var(pathValue{&q.text}, "text", "compare perplexities on the text in `FILE`")
		q.ctx = countFlag(fs, "ctx", 512, 4, "`tokens` of a chunk of -text")
		return func(c *call) error { return q.run(c) }
	},
}

type quantizeFlags struct {
	src          *modelSource
	out          string
	format, kind string
	texts, text  string
	ctx          *int
	noHeads      bool
}

// gguf says whether a GGUF file is to be written.
func (q *quantizeFlags) gguf() bool {
	return q.format == "gguf" || q.format == "" && (q.kind != "" || strings.EqualFold(filepath.Ext(q.out), ".gguf"))
}

func (q *quantizeFlags) run(c *call) error {
	if err := c.noArgs(); err != nil {
		return err
	}
	if err := q.src.need("quantize"); err != nil {
		return err
	}
	switch {
	case q.out == "":
		return errors.New("quantize: -out is needed")
	case q.gguf() && c.dtype != model.Auto.String():
		return errors.New("quantize: -dtype does not say what a GGUF file holds, -type does")
	case c.dtype == model.F32.String():
		return errors.New("quantize: -dtype f32: it writes int8")
	case q.gguf() && (q.noHeads || q.texts != ""):
		return errors.New("quantize: -no-heads and -texts are for safetensors")
	case !q.gguf() && q.kind != "":
		return errors.New("quantize: -type is for -format gguf; safetensors get int8")
	}
	if q.text != "" { // before the work, since it may be missing
		if _, err := os.Stat(q.text); err != nil {
			return err
		}
	}
	if q.gguf() {
		return q.writeGGUF(c)
	}
	var texts []string
	if q.texts != "" { // before the work, since it may be missing
		var err error
		if texts, err = readLinesOf(q.texts); err != nil {
			return err
		}
	}
	report, err := pipeline.Quantize(c.ctx, q.src.path, q.out, model.QuantizeOptions{WithoutHeads: q.noHeads})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(report.Copied, isTokenizer) {
		c.warnf("%s has no tokenizer: the folder had none to copy, and a GGUF file's is not written into one", q.out)
	}
	facts := []fact{
		{"parameters", report.Parameters},
		{"int8_parameters", report.Quantized},
		{"bytes_before", int(report.BytesBefore)},
		{"bytes_after", int(report.BytesAfter)},
		{"files_copied", report.Copied},
	}
	if texts != nil {
		mean, least, err := q.compare(c, texts)
		if err != nil {
			return err
		}
		facts = append(facts, fact{"texts", len(texts)}, fact{"cosine_mean", mean}, fact{"cosine_min", least})
	}
	return q.report(c, facts)
}

// isTokenizer says whether a file of a folder holds a tokenizer.
func isTokenizer(name string) bool {
	base := path.Base(name)
	return base == "tokenizer.json" || base == "vocab.txt"
}

// compare gives the mean and the least cosine between the vectors that the two
// checkpoints make of the same texts.
func (q *quantizeFlags) compare(c *call, texts []string) (mean, least float64, err error) {
	before, err := embedAll(c, q.src.path, texts, "float32")
	if err != nil {
		return 0, 0, err
	}
	after, err := embedAll(c, q.out, texts, "int8")
	if err != nil {
		return 0, 0, err
	}
	dim := len(before) / len(texts)
	least = 1
	for i := range texts {
		cos := cosine(before[i*dim:(i+1)*dim], after[i*dim:(i+1)*dim])
		mean += cos / float64(len(texts))
		least = min(least, cos) // NaN stays
	}
	return mean, least, nil
}

func cosine(x, y []float32) float64 {
	var xy, xx, yy float64
	for i, v := range x {
		a, b := float64(v), float64(y[i])
		xy, xx, yy = xy+a*b, xx+a*a, yy+b*b
	}
	return xy / math.Sqrt(xx*yy)
}

// embedAll gives the vectors of all texts, in the type that dir stores.
func embedAll(c *call, dir string, texts []string, what string) ([]float32, error) {
	m, err := pipeline.Open(dir, pipeline.WithThreads(c.threads))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	e, err := m.Embedder()
	if err != nil {
		return nil, err
	}
	bar := newProgress(c.stderr, len(texts), what+" texts")
	defer bar.finish()
	vectors := make([]float32, 0, len(texts)*e.Dim())
	for first := 0; first < len(texts); first += batchTexts {
		if vectors, err = e.AppendEmbed(c.ctx, vectors, texts[first:min(first+batchTexts, len(texts))]...); err != nil {
			return nil, err
		}
		bar.set(first)
	}
	return vectors, nil
}

// readLinesOf reads the lines of a file, of which there must be some.
func readLinesOf(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	switch {
	case err != nil:
		return nil, err
	case !utf8.Valid(data):
		return nil, fmt.Errorf("%s: byte %d is not UTF-8", path, invalidUTF8(data))
	}
	data = bytes.TrimSuffix(data, []byte{'\n'})
	if len(data) == 0 {
		return nil, fmt.Errorf("%s: no lines", path)
	}
	return strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n"), nil
}
