package pipeline

import (
	"cmp"
	"context"
	"fmt"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// A windowing says how texts that are longer than the model become overlapping
// parts.
type windowing struct {
	limit  int // tokens of a window, special ones included; 0: what the model takes
	stride int // tokens that a window has in common with the one before
	cut    tokenizer.Cut
}

// A document is a text, or a pair of texts, as the tokenizer gets it: without the
// prompt and the lower-casing of sentence-transformers, so that offsets are true.
type document struct {
	text, pair string
	hasPair    bool
	stride     int // in place of the windowing's, if above 0
}

// A window is a part of a document, with what the model says of its tokens. It is
// valid during the call that gets it.
type window struct {
	document    int
	first, last bool // of its document

	// Its tokens are those from from to to of enc: IDs, Offsets, Words, Sequences.
	enc      *tokenizer.Encoding
	from, to int

	// Its first token's row in those outputs that have one for every token.
	result *model.Result
	row    int
}

// eachWindow runs the model on every window of n documents, for some of its
// outputs, kept in *result, and hands the windows out in order.
func (m *Model) eachWindow(ctx context.Context, w *workspace, result **model.Result, outputs []string, how windowing, n int, doc func(i int) document, take func(window)) error {
	if *result == nil {
		r, err := m.model.NewResult(outputs...)
		if err != nil {
			return fmt.Errorf("pipeline: %w", err)
		}
		*result = r
	}
	if how.limit == 0 {
		how.limit = m.maxSeq
	}
	run := windowRun{m: m, w: w, result: *result, take: take}
	run.reset()
	for i := range n {
		d := doc(i)
		before := len(w.ends)
		var err error
		w.ends, err = m.tokenizer.AppendWindows(&w.enc, w.ends, d.text, tokenizer.Options{
			Pair: d.pair, HasPair: d.hasPair, MaxLen: how.limit, Cut: how.cut,
		}, cmp.Or(d.stride, how.stride))
		if err != nil {
			return fmt.Errorf("pipeline: text %d: %w", i, err)
		}
		for k := range len(w.ends) - before {
			run.windows = append(run.windows, window{document: i, first: k == 0, last: before+k == len(w.ends)-1})
		}
		if !w.full() && i < n-1 {
			continue
		}
		if err := run.flush(ctx); err != nil {
			return fmt.Errorf("pipeline: %s: %w", m.name, err)
		}
	}
	return nil
}

// A windowRun collects windows, which end where w.ends says, until there are
// enough.
type windowRun struct {
	m       *Model
	w       *workspace
	result  *model.Result
	windows []window
	take    func(window)
}

func (r *windowRun) reset() {
	r.w.reset()
	r.w.ends, r.windows = r.w.ends[:0], r.windows[:0]
}

// flush runs the model on the windows, which may be many more than it gets at
// once: one document can be a book.
func (r *windowRun) flush(ctx context.Context) error {
	defer r.reset()
	w, from := r.w, 0
	for first := 0; first < len(r.windows); {
		w.lengths = append(w.lengths[:0], 0)
		next := first
		for next < len(r.windows) && (next == first || w.ends[next]-from <= batchTokens) {
			w.lengths = append(w.lengths, int32(w.ends[next]-from))
			next++
		}
		to := w.ends[next-1]
		if err := w.forward(ctx, from, to, r.result); err != nil {
			return err
		}
		for i := first; i < next; i++ {
			one := r.windows[i]
			one.enc, one.result = &w.enc, r.result
			one.row = int(w.lengths[i-first])
			one.from, one.to = from+one.row, w.ends[i]
			r.take(one)
		}
		first, from = next, to
	}
	return nil
}
