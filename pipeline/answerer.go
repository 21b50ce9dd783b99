package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ladon-ml/ladon/model/tokenizer"
)

const (
	startLogits = "start_logits"
	endLogits   = "end_logits"
)

// An Answerer finds the part of a document that answers a question. It is safe
// for concurrent use, and ends with its Model.
type Answerer struct {
	m *Model
	// documentFirst: the model reads the document before the question, as those do
	// that are padded on the left.
	documentFirst bool
	cls           int32 // the token that stands for "no answer"; -1: there is none
}

// Answerer gives the model's question answering. Only models that mark the start
// and the end of an answer have it.
func (m *Model) Answerer() (*Answerer, error) {
	spec := m.model.Spec()
	if outputs := m.model.Outputs(); !slices.Contains(outputs, startLogits) || !slices.Contains(outputs, endLogits) {
		return nil, fmt.Errorf("pipeline: a %s does not answer questions (a …ForQuestionAnswering does)", spec.Class)
	}
	a := &Answerer{m: m, documentFirst: m.tokenizer.PadsLeft(spec.Architecture), cls: -1}
	if id, ok := m.tokenizer.RoleID("cls_token"); ok {
		a.cls = id
	}
	return a, nil
}

// AnswerConfig changes one call. Its zero value is the default.
type AnswerConfig struct {
	Top        int  // so many answers, the best; 0: 1
	MaxAnswer  int  // tokens of an answer; 0: 15
	MaxSeq     int  // tokens of question and document in a window; 0: 384, or what the model takes
	Stride     int  // tokens that windows share; 0: 128, or half a window; -1: none
	Impossible bool // the question may have no answer, which is then the empty one
	// InsideWords lets an answer begin and end inside a word; otherwise it takes
	// the whole of its first and of its last one.
	InsideWords bool
	// Progress is called now and then with the number of questions answered and of
	// windows read.
	Progress func(questions, windows int)
}

// An Answer is a part of a document.
type Answer struct {
	Text       string
	Score      float32 // its probability among the parts of its window, of the same words found twice the sum
	Start, End int     // bytes of the document
}

// ErrNoText is what an empty question or document gives.
var ErrNoText = errors.New("is empty")

// Answer gives the answers to each question in a document, the best first, by the
// rules of transformers' question-answering pipeline. A document longer than the
// model takes is read in windows that overlap. Where nothing can answer, and the
// document is only white space, there is one empty answer with score 0.
func (a *Answerer) Answer(ctx context.Context, cfg AnswerConfig, document string, questions ...string) ([][]Answer, error) {
	w, err := a.m.gate.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	defer a.m.gate.leave(w)
	answers, err := a.answer(ctx, w, cfg.filled(a.m.maxSeq), document, questions)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	return answers, nil
}

// filled puts the defaults into a config for a model that takes limit tokens.
func (c AnswerConfig) filled(limit int) AnswerConfig {
	if c.Top <= 0 {
		c.Top = 1
	}
	if c.MaxAnswer <= 0 {
		c.MaxAnswer = 15
	}
	if c.MaxSeq <= 0 {
		c.MaxSeq = 384
	}
	c.MaxSeq = min(c.MaxSeq, limit)
	return c
}

func (a *Answerer) answer(ctx context.Context, w *workspace, cfg AnswerConfig, document string, questions []string) ([][]Answer, error) {
	if document == "" {
		return nil, fmt.Errorf("the document %w", ErrNoText)
	}
	found := make([][]Answer, len(questions))
	r := reader{a: a, w: w, cfg: cfg, document: document}
	w.reset()
	for i, q := range questions {
		err := r.add(q)
		if err != nil {
			return nil, fmt.Errorf("question %d: %w", i+1, err)
		}
		if !w.full() && i < len(questions)-1 {
			continue
		}
		if err := r.read(ctx, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// A reader reads the windows of some questions together.
type reader struct {
	a        *Answerer
	w        *workspace
	cfg      AnswerConfig
	document string

	ends    []int // of windows in w.enc
	counts  []int // windows of each question
	done    int   // questions answered
	windows int   // read
}

// add encodes a question with all windows of the document.
func (r *reader) add(question string) error {
	if question == "" {
		return ErrNoText
	}
	stride, err := r.stride(question)
	if err != nil {
		return err
	}
	o := tokenizer.Options{Pair: r.document, HasPair: true, Cut: tokenizer.CutPair, MaxLen: r.cfg.MaxSeq, Strict: true}
	text := question
	if r.a.documentFirst {
		text, o.Pair, o.Cut = r.document, question, tokenizer.CutText
	}
	before := len(r.ends)
	if r.ends, err = r.a.m.tokenizer.AppendWindows(&r.w.enc, r.ends, text, o, stride); err != nil {
		return err
	}
	r.counts = append(r.counts, len(r.ends)-before)
	return nil
}

// stride is how many tokens windows share beside a question, whose length it checks.
func (r *reader) stride(question string) (int, error) {
	var enc tokenizer.Encoding
	t := r.a.m.tokenizer
	if _, err := t.AppendEncode(&enc, question, tokenizer.Options{NoSpecial: true, MaxLen: -1, IDsOnly: true}); err != nil {
		return 0, err
	}
	room := r.cfg.MaxSeq - t.SpecialCount(true) - enc.Len()
	usual := min(r.cfg.MaxSeq/2, 128)
	switch {
	case room < 1:
		return 0, fmt.Errorf("its %d tokens leave no room for the document in windows of %d", enc.Len(), r.cfg.MaxSeq)
	case r.cfg.Stride < 0:
		return 0, nil
	case r.cfg.Stride == 0 && usual >= room:
		return room / 2, nil
	case r.cfg.Stride == 0:
		return usual, nil
	case r.cfg.Stride >= room:
		return 0, fmt.Errorf("windows have room for %d tokens of the document, and cannot share %d", room, r.cfg.Stride)
	}
	return r.cfg.Stride, nil
}

// read runs the model on the windows that were added, and answers their questions.
func (r *reader) read(ctx context.Context, found [][]Answer) error {
	enc := r.w.enc
	var list answerList
	list.reset()
	question, left := 0, r.counts[0]
	for first := 0; first < len(r.ends); {
		// As many windows as a batch holds, but at least one.
		from, last := r.begin(first), first+1
		for last < len(r.ends) && r.ends[last]-from <= batchTokens {
			last++
		}
		r.w.lengths = append(r.w.lengths[:0], 0)
		for _, end := range r.ends[first:last] {
			r.w.lengths = append(r.w.lengths, int32(end-from))
		}
		to := r.ends[last-1]
		r.w.enc.IDs, r.w.enc.TypeIDs = enc.IDs[from:to], enc.TypeIDs[from:to]
		_, err := r.w.run(ctx, &r.w.spans, startLogits)
		r.w.enc.IDs, r.w.enc.TypeIDs = enc.IDs, enc.TypeIDs
		if err != nil {
			return err
		}
		starts, ends := r.w.spans.Get(startLogits).Data, r.w.spans.Get(endLogits).Data
		for i := first; i < last; i++ {
			at, to := r.begin(i), r.ends[i]
			r.window(&list, at, to, starts[at-from:to-from], ends[at-from:to-from])
			if left--; left > 0 {
				continue
			}
			found[r.done] = list.best(r.cfg)
			r.done++
			list.reset()
			if question++; question < len(r.counts) {
				left = r.counts[question]
			}
		}
		r.windows += last - first
		if r.cfg.Progress != nil {
			r.cfg.Progress(r.done, r.windows)
		}
		first = last
	}
	r.ends, r.counts = r.ends[:0], r.counts[:0]
	r.w.reset()
	return nil
}

// begin is where a window begins in the encoding.
func (r *reader) begin(window int) int {
	if window == 0 {
		return 0
	}
	return r.ends[window-1]
}
