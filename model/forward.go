package model

import (
	"context"

	"github.com/ladon-ml/ladon/kernels"
)

// Forward runs the model on a batch and fills r with the outputs that it asks
// for. What it says about a sequence does not depend on the others, to the bit.
// It stops with the context's error soon after ctx is cancelled.
func (m *Model) Forward(ctx context.Context, b Batch, r *Result) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	if r.model != m {
		return inputError("the result belongs to another model")
	}
	if err := m.check(&b); err != nil {
		return err
	}
	first := r.needsFirst()
	if first {
		for s := range b.sequences() {
			if b.CuSeqlens[s] == b.CuSeqlens[s+1] {
				return inputError("sequence %d is empty, and %s reads its first token", s, m.spec.Class)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.resize(&b)

	w := m.workspaces.get(m)
	defer m.workspaces.put(w)
	w.Begin(ctx, m.threads)
	w.run(b, r)
	return w.End()
}

// group runs a group of sequences through the model.
func (w *workspace) group(b *Batch, g group, r *Result) {
	w.stream.set(b, g, w.model.spec.Hidden)
	w.resize()

	w.embed()
	w.rows = w.stream.tokens
	w.keepHidden(0, r)
	for l := range w.model.layers {
		if w.Cancelled() {
			return
		}
		w.attention(l, r)
		w.feedForward(l)
		w.keepHidden(l+1, r)
	}
	if r.last != nil {
		copy(r.last.Data[w.stream.token*r.last.Cols:], w.x)
	}
	for i := range r.heads {
		w.head(&r.heads[i])
	}
}

// attention: x = Norm(x + attention(x)).
func (w *workspace) attention(l int, r *Result) {
	p, s, tokens := &w.model.layers[l], &w.model.spec, w.stream.tokens
	hidden, headDim := s.Hidden, s.Attention.HeadDim
	width := s.Attention.Heads * headDim

	// Each head's queries, keys and values lie together, token after token.
	perHead := kernels.Out{C: w.qkv, LD: headDim, BlockCols: headDim, BlockStride: tokens * headDim}
	w.MatMul(perHead, w.x, tokens, hidden, p.qkv.w, kernels.Epilogue{Bias: p.qkv.bias})
	w.attend(l, r)
	if l == s.Layers-1 && r.onlyFirst() {
		w.keepFirst(w.x, hidden)
		w.keepFirst(w.o, width)
		w.rows = w.stream.sequences()
	}
	w.MatMul(kernels.Out{C: w.y, LD: hidden}, w.o, w.rows, width, p.out.w, kernels.Epilogue{Bias: p.out.bias, Residual: w.x, LDR: hidden})
	w.norm(w.x, w.y, w.rows, hidden, &p.attnNorm)
}

// feedForward: x = Norm(x + down(act(up(x)))).
func (w *workspace) feedForward(l int) {
	p, s := &w.model.layers[l], &w.model.spec
	hidden := s.Hidden

	w.MatMul(kernels.Out{C: w.h, LD: w.ldh}, w.x, w.rows, hidden, p.up.w, kernels.Epilogue{Bias: p.up.bias, Act: s.FeedForward.Act})
	w.MatMul(kernels.Out{C: w.y, LD: hidden}, w.h, w.rows, w.ldh, p.down.w, kernels.Epilogue{Bias: p.down.bias, Residual: w.x, LDR: hidden})
	w.norm(w.x, w.y, w.rows, hidden, &p.ffnNorm)
}

// keepFirst moves each sequence's first row to the front. It is all that the last
// layer need go on with where only first tokens are read.
func (w *workspace) keepFirst(x []float32, width int) {
	for i := range w.stream.sequences() {
		copy(x[i*width:(i+1)*width], x[int(w.stream.cuSeqlens[i])*width:])
	}
}

// norm normalises rows of x into dst, which may be x.
func (w *workspace) norm(dst, x []float32, rows, width int, n *norm) {
	w.LayerNorms(dst, x, rows, width, n.weight, n.bias, w.model.spec.Norm.Eps)
}

// keepHidden copies the residual stream after i layers to the result that wants it.
func (w *workspace) keepHidden(i int, r *Result) {
	if r.hidden != nil {
		copy(r.hidden[i].Data[w.stream.token*w.model.spec.Hidden:], w.x)
	}
}

// head runs a head on the group's last hidden states.
func (w *workspace) head(r *headResult) {
	h, s := &w.model.heads[r.head], &w.stream
	a, rows, at, total := w.x, s.tokens, s.token, s.of.tokens
	if h.From == FirstToken {
		rows, at, total = s.sequences(), s.sequence, s.of.sequences
		if w.rows == s.tokens { // else they are all that is left
			a = w.firstRows()
		}
	}
	width := w.model.spec.Hidden
	for i := range h.layers {
		d := &h.layers[i]
		out := kernels.Out{LD: d.Width}
		switch {
		case i < len(h.layers)-1:
			w.dense[i%2] = grow(w.dense[i%2], rows*d.Width)
			out.C = w.dense[i%2]
		case len(h.Outputs) > 1:
			out = kernels.Out{C: r.data[at:], LD: 1, BlockCols: 1, BlockStride: total}
		default:
			out.C = r.data[at*d.Width:]
		}
		w.MatMul(out, a, rows, width, d.w, kernels.Epilogue{Bias: d.bias, Act: d.Act})
		a, width = out.C, d.Width
		if d.Norm != "" {
			w.norm(a, a, rows, width, &d.norm)
		}
	}
}

// firstRows gathers the hidden states of each sequence's first token.
func (w *workspace) firstRows() []float32 {
	hidden, seqs := w.model.spec.Hidden, w.stream.sequences()
	w.first = grow(w.first, seqs*hidden)
	for s := range seqs {
		t := int(w.stream.cuSeqlens[s])
		copy(w.first[s*hidden:(s+1)*hidden], w.x[t*hidden:])
	}
	return w.first
}
