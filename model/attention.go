package model

import "github.com/ladon-ml/ladon/mha"

// prepare normalises and turns queries and keys.
func (w *workspace) prepare(l int) {
	m, s := w.model, &w.stream
	a, p, r := &m.spec.Layers[l].Attention, m.layers[l], m.rotations[l]
	if a.QKNorm {
		size := s.tokens * a.HeadDim
		norm := mha.Norm{Eps: m.spec.Norm.Eps, Layer: m.spec.Norm.Kind == LayerNorm}
		norm.Weight, norm.Bias = p.queryNorm.weight, p.queryNorm.bias
		w.headNorm = norm
		w.mha.Prepare(&w.Exec, mha.PerHead(w.qkv, s.tokens, a.HeadDim), a.Heads, s.tokens, a.HeadDim, &w.headNorm, nil, nil)
		norm.Weight, norm.Bias = p.keyNorm.weight, p.keyNorm.bias
		w.headNorm = norm
		w.mha.Prepare(&w.Exec, mha.PerHead(w.qkv[a.Heads*size:], s.tokens, a.HeadDim), a.KVHeads, s.tokens, a.HeadDim, &w.headNorm, nil, nil)
	}
	if r == nil {
		return
	}
	longest := 0
	for i := range s.sequences() {
		longest = max(longest, s.longest(i))
	}
	// Queries and keys are neighbours, and turn alike.
	if r.Trained == 0 || longest <= r.Trained {
		w.mha.Prepare(&w.Exec, mha.PerHead(w.qkv, s.tokens, a.HeadDim), a.Heads+a.KVHeads, s.tokens, a.HeadDim, nil, r.table(longest), s.positions)
		return
	}
	for i := range s.sequences() {
		begin, end := int(s.cuSeqlens[i]), int(s.cuSeqlens[i+1])
		v := mha.View{Data: w.qkv[begin*a.HeadDim:], Head: s.tokens * a.HeadDim, Token: a.HeadDim}
		w.mha.Prepare(&w.Exec, v, a.Heads+a.KVHeads, end-begin, a.HeadDim, nil, r.table(s.longest(i)), s.positions[begin:end])
	}
}

// An attender computes the attention of layer l for the stream: out from queries
// and from keys and values, of which k and v are the stream's own. All are as
// Prepare left them, and p says what attention it is.
//
// attendSource does so for attention to the source, queries of w.rowSeqlens.
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
