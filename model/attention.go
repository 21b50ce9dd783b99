package model

import (
	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// attend fills w.o from w.qkv.
func (w *workspace) attend(l int, r *Result) {
	a, tokens := &w.model.spec.Attention, w.stream.tokens
	size := a.Heads * tokens * a.HeadDim
	q, k, v := w.qkv[:size], w.qkv[size:2*size], w.qkv[2*size:3*size]
	keys, seqK := tokens, w.stream.cuSeqlens
	if w.stream.unseen != nil {
		k, v, seqK = w.seen(k, v)
		keys = int(seqK[len(seqK)-1])
	}
	w.mha.Run(&w.Exec,
		mha.Params{Heads: a.Heads, HeadDim: a.HeadDim, Scale: a.Scale, Causal: a.Causal},
		mha.Batch{SeqQ: w.stream.cuSeqlens, SeqK: seqK},
		mha.PerToken(w.o, a.Heads, a.HeadDim),
		mha.PerHead(q, tokens, a.HeadDim), mha.PerHead(k, keys, a.HeadDim), mha.PerHead(v, keys, a.HeadDim))

	if r.attentions != nil {
		w.probe.q, w.probe.k, w.probe.seqK, w.probe.keys = q, k, seqK, keys
		w.probe.weights = r.attentions[l].Data[w.stream.square*a.Heads:]
		w.Do(w.stream.sequences()*a.Heads, &w.probe)
		w.probe.weights = nil
	}
}

// seen copies the keys and values without those that no token sees. Attention
// aligns the last query with the last key, so that a causal mask stays right.
func (w *workspace) seen(k, v []float32) (seenK, seenV []float32, seqK []int32) {
	s, d := &w.stream, w.model.spec.Attention.HeadDim
	seqK = grow(s.seqK, len(s.cuSeqlens))
	s.seqK = seqK
	seqK[0] = 0
	for i, unseen := range s.unseen {
		seqK[i+1] = seqK[i] + s.cuSeqlens[i+1] - s.cuSeqlens[i] - unseen
	}
	heads, keys := w.model.spec.Attention.Heads, int(seqK[len(s.unseen)])
	w.keys = grow(w.keys, 2*heads*keys*d)
	seenK, seenV = w.keys[:heads*keys*d], w.keys[heads*keys*d:]
	for h := range heads {
		for i, unseen := range s.unseen {
			from, n := int(s.cuSeqlens[i]+unseen), int(seqK[i+1]-seqK[i])
			to := (h*keys + int(seqK[i])) * d
			at := (h*s.tokens + from) * d
			copy(seenK[to:to+n*d], k[at:])
			copy(seenV[to:to+n*d], v[at:])
		}
	}
	return seenK, seenV, seqK
}

// probe writes the attention weights of one head of one sequence: a plain
// second computation beside the tiled one, which never has them all.
type probe struct {
	w       *workspace
	q, k    []float32 // [heads, tokens, headDim], [heads, keys, headDim]
	seqK    []int32
	keys    int
	weights []float32 // sequence after sequence [heads, length, length]
}

func (p *probe) Run(_, i int) {
	a, s := &p.w.model.spec.Attention, &p.w.stream
	seq, head, d := i/a.Heads, i%a.Heads, a.HeadDim
	squares := 0 // of the sequences before
	for j := range seq {
		n := int(s.cuSeqlens[j+1] - s.cuSeqlens[j])
		squares += n * n
	}
	begin := int(s.cuSeqlens[seq])
	n := int(s.cuSeqlens[seq+1]) - begin
	keys := int(p.seqK[seq+1] - p.seqK[seq])
	unseen := n - keys
	q, k := p.q[(head*s.tokens+begin)*d:], p.k[(head*p.keys+int(p.seqK[seq]))*d:]
	square := p.weights[squares*a.Heads+head*n*n:][:n*n]
	clear(square)
	for t := range n {
		visible := square[t*n+unseen : (t+1)*n]
		if a.Causal {
			visible = visible[:max(t+1-unseen, 0)]
		}
		if len(visible) == 0 {
			continue
		}
		for j := range visible {
			visible[j] = kernels.Dot(q[t*d:(t+1)*d], k[j*d:(j+1)*d]) * a.Scale
		}
		kernels.Softmax(visible, visible)
	}
}
