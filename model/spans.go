package model

import "github.com/ladon-ml/ladon/kernels"

// Spans finds answers by a search (Yang et al. 2019): the likeliest tokens for a
// start and, knowing each of them, the likeliest for an end; and how much speaks for
// there being no answer. Its head has five layers: that of starts; two of ends, which
// read a token beside the start; and two that read the mean start beside the last
// token, or the one that the batch names. Its outputs are, of each sequence, the
// probabilities [Starts] and places [Starts] of starts, those of ends [Ends·Starts],
// the best of every start before the second ones, and a logit [1].
type Spans struct{ Starts, Ends int }

// cols is the width of output i.
func (s *Spans) cols(i int) int {
	return [...]int{s.Starts, s.Starts, s.Ends * s.Starts, s.Ends * s.Starts, 1}[i]
}

// checkSpans tells where a batch has too few tokens to choose from.
func (r *Result) checkSpans(b *Batch) error {
	if (b.Barred != nil || b.NoAnswerAt != nil) && !r.model.spansHead() {
		return inputError("%s has no use for what cannot be in answers", r.model.spec.class())
	}
	for i := range r.heads {
		s := r.model.heads[r.heads[i].head].Spans
		if s == nil {
			continue
		}
		if rows := b.outputs(); b.Barred != nil && len(b.Barred) != rows {
			return inputError("%d marks of what cannot be in answers for %d tokens", len(b.Barred), rows)
		}
		if b.NoAnswerAt != nil && len(b.NoAnswerAt) != b.sequences() {
			return inputError("%d places of no answer for %d sequences", len(b.NoAnswerAt), b.sequences())
		}
		for q := range b.sequences() {
			n := int(b.CuSeqlens[q+1] - b.CuSeqlens[q])
			if b.Targets != nil {
				n = b.targets(q)
			}
			if n < max(s.Starts, s.Ends) {
				return inputError("sequence %d has %d tokens, but %s chooses %d starts and %d ends", q, n, r.model.spec.Class, s.Starts, s.Ends)
			}
			if b.NoAnswerAt != nil && (b.NoAnswerAt[q] < 0 || int(b.NoAnswerAt[q]) >= n) {
				return inputError("sequence %d has %d tokens, of which none is that at %d", q, n, b.NoAnswerAt[q])
			}
		}
	}
	return nil
}

// spanning is a workspace's part of Spans.
type spanning struct {
	pairs []float32 // [tokens, 2·hidden]
	probs []float32 // [tokens]
	start []float32 // [hidden]: the mean of states by the probabilities of starts
	taken []bool    // [tokens]
}

// findSpans runs the head on every sequence of the group.
func (w *workspace) findSpans(h *head, r *headResult) {
	s, hidden := &w.stream, w.model.spec.outWidth()
	for i := range s.sequences() {
		from, to := int(s.cuSeqlens[i]), int(s.cuSeqlens[i+1])
		row := func(output int) []float32 {
			n := h.Spans.cols(output)
			return r.outputs[output].Data[(s.sequence+i)*n:][:n]
		}
		var barred []uint8
		if s.barred != nil {
			barred = s.barred[s.token+from : s.token+to]
		}
		last := to - from - 1
		if s.noAnswerAt != nil {
			last = int(s.noAnswerAt[s.sequence+i])
		}
		w.spansOf(h, w.x[from*hidden:to*hidden], barred, last, row)
	}
}

// spansOf does so for one sequence of states.
func (w *workspace) spansOf(h *head, x []float32, barred []uint8, last int, out func(output int) []float32) {
	p, hidden, starts := &w.spanning, w.model.spec.outWidth(), h.Spans.Starts
	n := len(x) / hidden
	p.probs, p.start = grow(p.probs, n), grow(p.start, hidden)
	w.probable(x, n, &h.layers[0], barred)
	places := out(1)
	p.top(out(0), places, 1)
	clear(p.start)
	for i, share := range p.probs {
		for d, v := range x[i*hidden : (i+1)*hidden] {
			p.start[d] += float32(share * v)
		}
	}
	w.chain(h.layers[3:], w.beside(p.start, x[last*hidden:(last+1)*hidden], 1), 1, out(4))
	for k, at := range places {
		inner := w.chain(h.layers[1:2], w.beside(x, x[int(at)*hidden:][:hidden], n), n, nil)
		w.probable(inner, n, &h.layers[2], barred)
		p.top(out(2)[k:], out(3)[k:], starts)
	}
}

// beside puts the same state after each of n states.
func (w *workspace) beside(x, state []float32, n int) []float32 {
	hidden := w.model.spec.outWidth()
	w.spanning.pairs = grow(w.spanning.pairs, 2*hidden*n)
	for i := range n {
		pair := w.spanning.pairs[2*hidden*i:][:2*hidden]
		copy(pair, x[i*hidden:(i+1)*hidden])
		copy(pair[hidden:], state)
	}
	return w.spanning.pairs
}

// chain runs rows through layers, to out if there is one.
func (w *workspace) chain(layers []dense, x []float32, rows int, out []float32) []float32 {
	for i := range layers {
		d := &layers[i]
		to := out
		if i < len(layers)-1 || to == nil {
			w.dense[i%2] = grow(w.dense[i%2], rows*d.Width)
			to = w.dense[i%2]
		}
		w.MatMul(kernels.Out{C: to, LD: d.Width}, x, rows, d.w.K(), d.w, kernels.Epilogue{Bias: d.bias, Act: d.Act})
		if d.Norm != "" {
			w.norm(to, to, nil, rows, d.Width, &d.norm)
		}
		x = to
	}
	return x
}

// probable gives p.probs the probabilities of n tokens by the logits that a layer
// gives them, those of barred ones less a large number.
func (w *workspace) probable(x []float32, n int, d *dense, barred []uint8) {
	p := w.spanning.probs
	w.MatMul(kernels.Out{C: p, LD: 1}, x, n, d.w.K(), d.w, kernels.Epilogue{Bias: d.bias})
	for i, b := range barred {
		if b != 0 {
			p[i] = -1e30
		}
	}
	kernels.Softmax(p, p)
}

// top writes the largest of p.probs and their places, the first of equals first, to
// every step-th element; p.probs stays.
func (p *spanning) top(probs, places []float32, step int) {
	p.taken = grow(p.taken, len(p.probs))
	clear(p.taken)
	for i := 0; i < len(probs); i += step {
		best := -1
		for j, v := range p.probs {
			if !p.taken[j] && (best < 0 || v > p.probs[best]) {
				best = j
			}
		}
		p.taken[best] = true
		probs[i], places[i] = p.probs[best], float32(best)
	}
}
