package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
	"github.com/ladon-ml/ladon/model/weights"
	"github.com/ladon-ml/ladon/pipeline"
)

var quantizeCommand = command{
	name:    "quantize",
	summary: "write a checkpoint in another form: int8 as the kernels read them, floats, or GGUF",
	help: `
-model is a folder or a GGUF file, and so is -out.

As a folder, the weights are safetensors: int8 (every row of a matrix becomes bytes
and a float32 scale; norms, biases and small heads stay float32), or with -type
f32, f16 or bf16 floats under Hugging Face's names, as transformers reads them. The
folder gets the tokenizer's and the settings' files too, which are made of a GGUF
file's metadata if that is the source. With -texts, the vectors of both
checkpoints are compared on the lines of a file.

As GGUF (-format gguf, an -out that ends with .gguf, or a -type that only GGUF
has), the matrices of a language model become -type, as far as their rows are whole
blocks of it: of Q4_K, Q5_K and Q6_K, whose blocks are of 256, rows that are not
become Q5_0, Q5_1 and Q8_0. Word embeddings and the last matrix get no less than 6
bits. The tokenizer goes into the file as far as GGUF has words for it; what is
lost is warned of.

With -text, perplexities of both are measured on a file, as ladon perplexity does
it, and how often they find the same token the likeliest.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		var q quantizeFlags
		q.src = needModelFlag(fs)
		fs.Var(pathValue{&q.out}, "out", "the `DIR` (empty, or not there yet) or GGUF file to write")
		fs.Var(choiceValue{&q.format, []string{"safetensors", "gguf"}}, "format", "write `FORMAT`: safetensors or gguf")
		fs.Var(choiceValue{&q.kind, ggufTypeNames()}, "type", "the `TYPE` of matrices: "+strings.Join(ggufTypeNames(), ", ")+" (default: in GGUF as they are, else int8)")
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

	ids []int32 // of text
	bos *int32
}

// gguf says whether a GGUF file is to be written.
func (q *quantizeFlags) gguf() bool {
	if q.format != "" {
		return q.format == "gguf"
	}
	return strings.EqualFold(filepath.Ext(q.out), ".gguf") || q.kind != "" && !isFloat(ggufType(q.kind))
}

// isFloat says whether folders may have weights of a type.
func isFloat(d weights.DType) bool { return d == weights.F32 || d == weights.F16 || d == weights.BF16 }

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
	case c.dtype != model.Auto.String() && (q.gguf() || q.kind != ""):
		return errors.New("quantize: -dtype does not say what is written, -type does")
	case c.dtype == model.F32.String():
		return errors.New("quantize: -dtype f32: it writes int8; -type f32 writes floats")
	case q.gguf() && (q.noHeads || q.texts != ""):
		return errors.New("quantize: -no-heads and -texts are for safetensors")
	case !q.gguf() && q.kind != "" && !isFloat(ggufType(q.kind)):
		return fmt.Errorf("quantize: safetensors get int8, f32, f16 or bf16; -type %s is for -format gguf", q.kind)
	case q.kind != "" && q.noHeads:
		return errors.New("quantize: -no-heads is for int8")
	}
	if err := q.readText(c); err != nil { // before the work, since it may be missing or too short
		return err
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
	facts, err := q.writeFolder(c)
	if err != nil {
		return err
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

// writeFolder writes a folder, and says what it did.
func (q *quantizeFlags) writeFolder(c *call) ([]fact, error) {
	var facts []fact
	var copied, made, lost []string
	if q.kind == "" {
		report, err := pipeline.Quantize(c.ctx, q.src.path, q.out, model.QuantizeOptions{WithoutHeads: q.noHeads})
		if err != nil {
			return nil, err
		}
		copied, made, lost = report.Copied, report.Made, report.Lost
		facts = []fact{
			{"parameters", report.Parameters},
			{"int8_parameters", report.Quantized},
			{"bytes_before", int(report.BytesBefore)},
			{"bytes_after", int(report.BytesAfter)},
		}
	} else {
		told, finish := megabytes(c)
		report, err := pipeline.WriteFolder(c.ctx, q.src.path, q.out, model.FolderOptions{Type: ggufType(q.kind), Threads: c.threads, Progress: told})
		finish()
		if err != nil {
			return nil, err
		}
		copied, made, lost = report.Copied, report.Made, report.Lost
		facts = []fact{
			{"parameters", report.Parameters},
			{"stored_as", []string{fmt.Sprintf("%v %d", ggufType(q.kind), report.Parameters)}},
			{"bytes_before", int(report.BytesBefore)},
			{"bytes_after", int(report.BytesAfter)},
		}
	}
	if len(made) > 0 {
		facts = append(facts, fact{"files_made", made})
	} else {
		facts = append(facts, fact{"files_copied", copied})
	}
	_, err := tokenizer.LoadFS(os.DirFS(q.out), ".")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		lost = append(lost, err.Error())
	}
	q.warnLost(c, err == nil, lost)
	return facts, nil
}

// warnLost says what of the tokenizer is lost, or why there is none.
func (q *quantizeFlags) warnLost(c *call, there bool, lost []string) {
	if !there {
		c.warnf("%s has no tokenizer: %s", q.out, append(lost, "the source has none")[0])
		return
	}
	for _, what := range lost {
		c.warnf("%s: lost of the tokenizer: %s", q.out, what)
	}
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
