package model

import "github.com/ladon-ml/ladon/kernels"

// attend fills w.o from w.qkv.
func (w *workspace) attend(l int, r *Result) {
	s := &w.model.spec.Attention
	w.attendBody.weights = nil
	if r.attentions != nil {
		at := w.stream.square * s.Heads
		w.attendBody.weights = r.attentions[l].Data[at:]
	}
	w.Do(w.stream.sequences()*s.Heads, &w.attendBody)
	w.attendBody.weights = nil
}

// attendBody is the attention of one head of one sequence, written plainly.
type attendBody struct {
	w       *workspace
	weights []float32 // where to keep the weights, sequence after sequence [heads, length, length]; nil: nowhere
	scores  [][]float32
}

func (b *attendBody) Run(worker, i int) {
	w := b.w
	s := &w.model.spec.Attention
	seq, head := i/s.Heads, i%s.Heads
	begin, end := int(w.stream.cuSeqlens[seq]), int(w.stream.cuSeqlens[seq+1])
	unseen := 0
	if w.stream.unseen != nil {
		unseen = int(w.stream.unseen[seq])
	}
	tokens, d, n := w.stream.tokens, s.HeadDim, end-begin
	of := func(which int) []float32 {
		from := ((which*s.Heads+head)*tokens + begin) * d
		return w.qkv[from : from+n*d]
	}
	q, k, v := of(0), of(1), of(2)
	var probs []float32
	if b.weights != nil {
		at := 0
		for j := range seq {
			m := int(w.stream.cuSeqlens[j+1] - w.stream.cuSeqlens[j])
			at += m * m
		}
		probs = b.weights[at*s.Heads+head*n*n:][:n*n]
	}
	row := make([]float32, n)
	for t := range n {
		if probs != nil {
			row = probs[t*n : (t+1)*n]
		}
		last := n
		if s.Causal {
			last = t + 1
		}
		clear(row)
		o := w.o[((begin+t)*s.Heads+head)*d:][:d]
		clear(o)
		if unseen >= last {
			continue
		}
		visible := row[unseen:last]
		for j := range visible {
			visible[j] = kernels.Dot(q[t*d:(t+1)*d], k[(unseen+j)*d:(unseen+j+1)*d]) * s.Scale
		}
		kernels.Softmax(visible, visible)
		for j, p := range visible {
			for e, x := range v[(unseen+j)*d : (unseen+j+1)*d] {
				o[e] += p * x
			}
		}
	}
}
