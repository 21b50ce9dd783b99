package pipeline

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

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
	if err := m.can("answer"); err != nil {
		return nil, err
	}
	a := &Answerer{m: m, documentFirst: m.tokenizer.PadsLeft(m.model.Spec().Architecture), cls: -1}
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
	return a.answer(ctx, w, cfg.filled(a.m.maxSeq), document, questions)
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

func (a *Answerer) answer(ctx context.Context, w *workspace, cfg AnswerConfig, text string, questions []string) ([][]Answer, error) {
	if text == "" {
		return nil, fmt.Errorf("pipeline: the document %w", ErrNoText)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("pipeline: the document is not UTF-8")
	}
	r := reader{a: a, cfg: cfg, text: text}
	strides := make([]int, len(questions))
	for i, q := range questions {
		var err error
		if strides[i], err = r.stride(q); err != nil {
			return nil, fmt.Errorf("pipeline: question %d: %w", i+1, err)
		}
	}
	how := windowing{limit: cfg.MaxSeq, cut: tokenizer.CutSecond}
	if a.documentFirst {
		how.cut = tokenizer.CutFirst
	}
	found := make([][]Answer, 0, len(questions))
	list, windows := answerList{}, 0
	doc := func(i int) document {
		d := document{text: questions[i], pair: text, hasPair: true, stride: strides[i]}
		if a.documentFirst {
			d.text, d.pair = d.pair, d.text
		}
		return d
	}
	err := a.m.eachWindow(ctx, w, &w.spans, []string{startLogits, endLogits}, how, len(questions), doc, func(win window) {
		if win.first {
			list.reset()
		}
		r.window(&list, win)
		if win.last {
			found = append(found, list.best(cfg))
		}
		if windows++; cfg.Progress != nil {
			cfg.Progress(len(found), windows)
		}
	})
	return found, err
}

// A reader looks for answers in the windows of a document.
type reader struct {
	a    *Answerer
	cfg  AnswerConfig
	text string
}

// stride is how many tokens windows share beside a question, which it checks.
func (r *reader) stride(question string) (int, error) {
	switch {
	case question == "":
		return 0, ErrNoText
	case !utf8.ValidString(question):
		return 0, errors.New("not UTF-8")
	}
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
