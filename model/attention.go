package model

import (
	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// toHeads sets dst to the heads [first, end) of a layer's queries, keys and values
// of rows of x: each head's together, row after row.
func (w *workspace) toHeads(dst, x []float32, rows, l, first, end int) {
	d := w.model.spec.Layers[l].Attention.HeadDim
	first, end = first*d, end*d
	perHead := kernels.Out{C: dst, LD: d, BlockCols: d, BlockStride: rows * d}
	for i := range w.model.layers[l].qkv {
		qkv := &w.model.layers[l].qkv[i]
		n := qkv.w.N()
		if from, to := max(first, 0), min(end, n); from < to {
			by, bias := qkv.w, qkv.bias
			if to-from < n {
				w.some = by.Outputs(from, to)
				by = &w.some
				if bias != nil {
					bias = bias[from:to]
				}
			}
			w.MatMul(perHead, x, rows, w.model.spec.Hidden, by, kernels.Epilogue{Bias: bias})
			perHead.C = perHead.C[rows*(to-from):]
		}
		first, end = first-n, end-n
	}
	w.some = kernels.Matrix{}
}

// prepare normalises and turns queries and keys.
func (w *workspace) prepare(l int) {
	s, a := &w.stream, &w.model.spec.Layers[l].Attention
	if a.QKNorm {
		p, size := w.model.layers[l], s.tokens*a.HeadDim
		w.normHeads(w.qkv, a.Heads, s.tokens, a.HeadDim, &p.queryNorm)
		w.normHeads(w.qkv[a.Heads*size:], a.KVHeads, s.tokens, a.HeadDim, &p.keyNorm)
	}
	// Queries and keys are neighbours, and turn alike.
	w.turn(l, w.qkv, a.Heads+a.KVHeads, s.cuSeqlens, s.positions)
}

// normHeads normalises heads of rows, each by itself.
func (w *workspace) normHeads(x []float32, heads, rows, dim int, n *norm) {
	s := &w.model.spec
	w.headNorm = mha.Norm{Eps: s.Norm.Eps, Layer: s.Norm.Kind == LayerNorm, Weight: n.weight, Bias: n.bias}
	w.mha.Prepare(&w.Exec, mha.PerHead(x, rows, dim), heads, rows, dim, &w.headNorm, nil, nil)
}

// turn turns heads of rows by their positions, where the layer does: those of
// sequence i are the rows from seqlens[i] on.
func (w *workspace) turn(l int, x []float32, heads int, seqlens, positions []int32) {
	r, dim := w.model.rotations[l], w.model.spec.Layers[l].Attention.HeadDim
	if r == nil {
		return
	}
	s, rows := &w.stream, len(positions)
	longest := 0
	for i := range s.sequences() {
		longest = max(longest, s.longest(i))
	}
	if r.Trained == 0 || longest <= r.Trained {
		w.mha.Prepare(&w.Exec, mha.PerHead(x, rows, dim), heads, rows, dim, nil, r.table(longest), positions)
		return
	}
	for i := range s.sequences() {
		begin, end := int(seqlens[i]), int(seqlens[i+1])
		v := mha.View{Data: x[begin*dim:], Head: rows * dim, Token: dim}
		w.mha.Prepare(&w.Exec, v, heads, end-begin, dim, nil, r.table(s.longest(i)), positions[begin:end])
	}
}

// asksAlone tells whether the last layer needs the queries of the rows alone that
// go on: in sessions, where each is the last token of its text and so stands at
// the last of its keys. Weights cannot be cut where queries do not end with a panel.
func (w *workspace) asksAlone(a *Attention, r *Result) bool {
	return r == nil && w.attender != nil && w.stream.tokens > w.stream.sequences() && a.Heads*a.HeadDim%kernels.PackerRows == 0
}

// attendLast attends for one row of each sequence, and goes on with those. x is
// what the layer reads.
func (w *workspace) attendLast(l int, x []float32, from Rows) {
	s, a, p := &w.stream, &w.model.spec.Layers[l].Attention, w.model.layers[l]
	size := s.tokens * a.HeadDim
	w.toHeads(w.qkv, x, s.tokens, l, a.Heads, a.qkv())
	if &x[0] != &w.x[0] {
		w.keepRows(x, w.model.spec.Hidden, from)
	}
	w.keepRows(w.x, w.model.spec.Hidden, from)
	w.rows = s.sequences()
	asked := w.qkv[2*a.KVHeads*size:]
	w.toHeads(asked, x, w.rows, l, 0, a.Heads)
	if a.QKNorm {
		w.normHeads(w.qkv, a.KVHeads, s.tokens, a.HeadDim, &p.keyNorm)
		w.normHeads(asked, a.Heads, w.rows, a.HeadDim, &p.queryNorm)
	}
	w.turn(l, w.qkv, a.KVHeads, s.cuSeqlens, s.positions)
	if s.positions != nil {
		w.places = w.places[:0]
		for i := range w.rows {
			w.places = append(w.places, s.positions[s.row(i, from)])
		}
		w.turn(l, asked, a.Heads, w.rowSeqlens(), w.places)
	}
	w.params = a.params()
	w.params.Biases = w.model.biases[l]
	k, v := mha.PerHead(w.qkv, s.tokens, a.HeadDim), mha.PerHead(w.qkv[a.KVHeads*size:], s.tokens, a.HeadDim)
	w.attender.attend(w, l, &w.params, mha.PerToken(w.o, a.Heads, a.HeadDim), mha.PerHead(asked, w.rows, a.HeadDim), k, v)
}

// An attender computes the attention of layer l for the stream: out from queries
// of w.rowSeqlens, and from keys and values, of which k and v are the stream's own.
// All are as Prepare left them, and p says what attention it is.
//
// attendSource does so for attention to the source.
type attender interface {
	attend(w *workspace, l int, p *mha.Params, out, q, k, v mha.View)
	attendSource(w *workspace, l int, p *mha.Params, out, q mha.View)
}

// params is the attention in the words of mha.
func (a *Attention) params() mha.Params {
	p := mha.Params{Heads: a.Heads, KVHeads: a.KVHeads, HeadDim: a.HeadDim, Scale: a.Scale, Cap: a.Cap, Causal: a.Causal, Left: a.Window}
	if !a.Causal {
		p.Right = a.Window
	}
	return p
}

// attend fills w.o from w.qkv.
func (w *workspace) attend(l int, r *Result) {
	a, tokens := &w.model.spec.Layers[l].Attention, w.stream.tokens
	size := tokens * a.HeadDim
	w.params = a.params()
	w.params.Biases = w.model.biases[l]
	w.params.Relative = w.relate(l)
	out, q := mha.PerToken(w.o, a.Heads, a.HeadDim), mha.PerHead(w.qkv, tokens, a.HeadDim)
	keys, values := w.qkv[a.Heads*size:(a.Heads+a.KVHeads)*size], w.qkv[(a.Heads+a.KVHeads)*size:a.qkv()*size]
	k, v := mha.PerHead(keys, tokens, a.HeadDim), mha.PerHead(values, tokens, a.HeadDim)
	if w.attender != nil {
		w.attender.attend(w, l, &w.params, out, q, k, v)
		return
	}
	seqK := w.stream.cuSeqlens
	if w.stream.unseen != nil {
		k, v, seqK = w.seen(a, keys, values)
	}
	if w.stream.hidden != nil {
		w.params.Masks = w.masks()
	}
	batch := mha.Batch{SeqQ: w.stream.cuSeqlens, SeqK: seqK}
	w.params.HeadMask = w.stream.factors(w.stream.headMask, l, a.Heads)
	adaptive := w.stream.policy != nil && w.choose(l, batch, q, k)
	if r != nil && r.probes != nil {
		w.params.Probe = w.look(r.probes[l])
	}
	if w.stream.permuted() {
		w.attendPermuted(l, r, out, q, k, v)
		return
	}
	w.mha.Run(&w.Exec, w.params, batch, out, q, k, v)
	if adaptive {
		w.standIn(batch, out, v)
	}
}

// masks hides the tokens that no token sees.
func (w *workspace) masks() []mha.Mask {
	s, longest := &w.stream, 0
	for i := range s.sequences() {
		longest = max(longest, int(s.cuSeqlens[i+1]-s.cuSeqlens[i]))
	}
	w.hides = grow(w.hides, s.sequences()*longest)
	clear(w.hides)
	for i := range s.sequences() {
		copy(w.hides[i*longest:], s.hidden[s.cuSeqlens[i]:s.cuSeqlens[i+1]])
	}
	w.masked[0] = mha.Mask{Data: w.hides, Seq: longest, Key: 1, Hides: true}
	return w.masked[:]
}

// seen copies the keys and values without those that no token sees. Attention
// aligns the last query with the last key, so that a causal mask stays right.
func (w *workspace) seen(a *Attention, k, v []float32) (seenK, seenV mha.View, seqK []int32) {
	s, d := &w.stream, a.HeadDim
	seqK = grow(s.seqK, len(s.cuSeqlens))
	s.seqK = seqK
	seqK[0] = 0
	for i, unseen := range s.unseen {
		seqK[i+1] = seqK[i] + s.cuSeqlens[i+1] - s.cuSeqlens[i] - unseen
	}
	keys := int(seqK[len(s.unseen)])
	w.keys = grow(w.keys, 2*a.KVHeads*keys*d)
	toK, toV := w.keys[:a.KVHeads*keys*d], w.keys[a.KVHeads*keys*d:]
	for h := range a.KVHeads {
		for i, unseen := range s.unseen {
			n := int(seqK[i+1]-seqK[i]) * d
			at, to := (h*s.tokens+int(s.cuSeqlens[i]+unseen))*d, (h*keys+int(seqK[i]))*d
			copy(toK[to:to+n], k[at:])
			copy(toV[to:to+n], v[at:])
		}
	}
	return mha.PerHead(toK, keys, d), mha.PerHead(toV, keys, d), seqK
}
