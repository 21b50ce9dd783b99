package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/weights"
	"github.com/ladon-ml/ladon/pipeline"
)

// ggufTypes are what matrices of a GGUF file may become.
var ggufTypes = [...]weights.DType{
	weights.F32, weights.F16, weights.BF16, weights.Q8_0, weights.Q4_0, weights.Q4_1, weights.Q5_0, weights.Q5_1,
	weights.Q4_K, weights.Q5_K, weights.Q6_K,
}

func ggufTypeNames() []string {
	names := make([]string, len(ggufTypes))
	for i, d := range ggufTypes {
		names[i] = d.String()
	}
	return names
}

// ggufType is the type of a name; 0 for none.
func ggufType(name string) weights.DType {
	for _, d := range ggufTypes {
		if d.String() == name {
			return d
		}
	}
	return 0
}

// megabytes makes a bar of the megabytes that are read, and what removes it.
func megabytes(c *call) (told func(done, all int64), finish func()) {
	const unit = 1 << 20
	var bar *progress
	told = func(done, all int64) {
		if bar == nil {
			bar = newProgress(c.stderr, int(all/unit)+1, "MB")
		}
		bar.set(int(done / unit))
	}
	return told, func() {
		if bar != nil {
			bar.finish()
		}
	}
}

func (q *quantizeFlags) writeGGUF(c *call) error {
	told, finish := megabytes(c)
	report, err := model.WriteGGUF(c.ctx, q.src.path, q.out, model.GGUFOptions{Type: ggufType(q.kind), Threads: c.threads, Progress: told})
	finish()
	if err != nil {
		return err
	}
	q.warnLost(c, report.Vocabulary, report.Lost)
	var stored []string
	for _, d := range ggufTypes {
		if n := report.Types[d]; n > 0 {
			stored = append(stored, fmt.Sprintf("%v %d", d, n))
		}
	}
	return q.report(c, []fact{
		{"parameters", report.Parameters},
		{"stored_as", stored},
		{"bytes_before", int(report.BytesBefore)},
		{"bytes_after", int(report.BytesAfter)},
	})
}

// readText reads the tokens of -text, if there is one.
func (q *quantizeFlags) readText(c *call) error {
	if q.text == "" {
		return nil
	}
	text, err := os.ReadFile(q.text)
	if err != nil {
		return err
	}
	if i := invalidUTF8(text); i >= 0 {
		return fmt.Errorf("%s: byte %d is not UTF-8", q.text, i)
	}
	t, err := q.src.tokenizer(c)
	if err != nil {
		return err
	}
	if q.ids, q.bos, err = rawTokens(t, string(bytes.TrimSuffix(text, []byte{'\n'}))); err != nil {
		return inFile(q.text, err)
	}
	o := generate.PerplexityOptions{Context: *q.ctx}
	return inFile(q.text, o.Check(len(q.ids)))
}

// report adds what -text asks for to what was done, and prints all.
func (q *quantizeFlags) report(c *call, facts []fact) error {
	if q.text == "" {
		return writeFacts(c, facts)
	}
	before, err := pipeline.Open(q.src.path, pipeline.WithThreads(c.threads))
	if err != nil {
		return err
	}
	defer before.Close()
	after, err := model.Load(q.out, model.WithThreads(c.threads))
	if err != nil {
		return err
	}
	defer after.Close()
	var bar *progress
	o := generate.PerplexityOptions{Context: *q.ctx, BOS: q.bos, Progress: func(p generate.Perplexity, chunks int) {
		if bar == nil {
			bar = newProgress(c.stderr, chunks, "chunks")
		}
		bar.set(p.Chunks)
	}}
	found, err := generate.Compare(c.ctx, before.Model(), after, q.ids, o)
	if bar != nil {
		bar.finish()
	}
	if err != nil {
		return inFile(q.text, err)
	}
	return writeFacts(c, append(facts,
		fact{"tokens_compared", found.Before.Counted},
		fact{"perplexity_before", found.Before.Value},
		fact{"perplexity_after", found.After.Value},
		fact{"top1_agreement", found.SameTop},
	))
}
