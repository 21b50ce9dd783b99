package model

import (
	"context"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// cross: x = x + attention(x, source), with the norm where it stands.
func (w *workspace) cross(l int, r *Result) {
	s, p := &w.model.spec, w.model.layers[l]
	a := s.Layers[l].Cross
	if a == nil {
		return
	}
	in := w.x
	if s.Norm.Place != PostNorm {
		w.norm(w.y, w.x, w.owed(), w.rows, s.Hidden, &p.crossNorm)
		in = w.y
	}
	perHead := kernels.Out{C: w.qkv, LD: a.HeadDim, BlockCols: a.HeadDim, BlockStride: w.rows * a.HeadDim}
	w.MatMul(perHead, in, w.rows, s.Hidden, p.crossQuery.w, kernels.Epilogue{Bias: p.crossQuery.bias})

	w.params = a.params()
	out, q := mha.PerToken(w.o, a.Heads, a.HeadDim), mha.PerHead(w.qkv, w.rows, a.HeadDim)
	if w.attender != nil {
		w.attender.attendSource(w, l, &w.params, out, q)
	} else {
		w.attendSource(l, r, out, q)
	}
	w.project(a.Heads*a.HeadDim, &p.crossOut, &p.crossNorm, nil)
}

// attendSource computes the keys and values of the stream's source, and attends
// to them.
func (w *workspace) attendSource(l int, r *Result, out, q mha.View) {
	st := &w.stream
	seqK := st.sourceSeqlens
	k, v := w.sourceKV(l, st.source, int(seqK[len(seqK)-1]))
	w.params.HeadMask = st.factors(st.crossMask, l, w.params.Heads)
	if r != nil && r.crossProbes != nil {
		w.params.Probe = w.look(r.crossProbes[l])
	}
	w.mha.Run(&w.Exec, w.params, mha.Batch{SeqQ: w.rowSeqlens(), SeqK: seqK}, out, q, k, v)
}

// bridge gives the states of a source in the width that the layers attend to.
func (w *workspace) bridge(states []float32, tokens int) []float32 {
	m := w.model
	if !m.spec.Bridged {
		return states
	}
	w.bridged = grow(w.bridged, tokens*m.spec.Hidden)
	w.MatMul(kernels.Out{C: w.bridged, LD: m.spec.Hidden}, states, tokens, m.spec.Other.Hidden, m.bridge.w, kernels.Epilogue{Bias: m.bridge.bias})
	return w.bridged
}

// sourceKV computes a layer's keys and values of tokens of a source.
func (w *workspace) sourceKV(l int, source []float32, tokens int) (k, v mha.View) {
	m := w.model
	a, p, size := m.spec.Layers[l].Cross, m.layers[l], tokens*m.spec.Layers[l].Cross.HeadDim
	w.crossKV = grow(w.crossKV, 2*a.KVHeads*size)
	perHead := kernels.Out{C: w.crossKV, LD: a.HeadDim, BlockCols: a.HeadDim, BlockStride: size}
	w.MatMul(perHead, source, tokens, m.spec.sourceWidth(), p.crossKV.w, kernels.Epilogue{Bias: p.crossKV.bias})
	return mha.PerHead(w.crossKV, tokens, a.HeadDim), mha.PerHead(w.crossKV[a.KVHeads*size:], tokens, a.HeadDim)
}

// encode runs the encoder on the source of a batch that has one.
func (m *Model) encode(ctx context.Context, b *Batch) error {
	if b.Source == nil {
		return nil
	}
	r, err := m.other.newResult(LastHiddenState)
	if err != nil {
		return err
	}
	if err := m.other.forward(ctx, *b.Source, r); err != nil {
		return err
	}
	b.states = r.last.Data
	return nil
}

// Shifted is the batch in which a decoder reads its own source, as Spec.Target
// says, or where it says nothing, after Target.Start: for models that label their
// source. A source of which there are no words that the decoder knows is not read;
// the text is Target.Start alone.
func (m *Model) Shifted(source Batch) (Batch, error) {
	if !m.spec.Crosses() {
		return Batch{}, inputError("%s is no encoder-decoder, and reads no source", m.spec.class())
	}
	t := m.spec.Target
	b := Batch{CuSeqlens: []int32{0}, Source: &source}
	words := source.IDs != nil && m.spec.Embeddings.Vocab == m.other.spec.Embeddings.Vocab
	for s := range source.sequences() {
		var text []int32
		if words {
			text = source.IDs[source.CuSeqlens[s]:source.CuSeqlens[s+1]]
		}
		first := max(t.Start, 0)
		if t.Shift == ShiftLast && len(text) > 0 {
			first = text[len(text)-1]
		}
		b.IDs = append(append(b.IDs, first), text[:max(len(text)-1, 0)]...)
		b.CuSeqlens = append(b.CuSeqlens, int32(len(b.IDs)))
	}
	return b, nil
}

// findEnds finds the ends of sources that nobody gave, or the last tokens, and checks
// others.
func (m *Model) findEnds(b *Batch) error {
	switch {
	case b.Ends != nil:
	case b.Source == nil:
		b.Ends = make([]int32, b.sequences())
		for s := range b.Ends {
			b.Ends[s] = b.CuSeqlens[s+1] - b.CuSeqlens[s] - 1
		}
	default:
		if b.Source.IDs == nil {
			return inputError("a source without ids, the end of which %s reads", m.spec.Class)
		}
		b.Ends = make([]int32, b.sequences())
		for s := range b.Ends {
			text := b.Source.IDs[b.Source.CuSeqlens[s]:b.Source.CuSeqlens[s+1]]
			for b.Ends[s] = int32(len(text)) - 1; b.Ends[s] >= 0 && text[b.Ends[s]] != m.spec.Embeddings.End; b.Ends[s]-- {
			}
		}
	}
	if len(b.Ends) != b.sequences() {
		return inputError("%d ends for %d sequences", len(b.Ends), b.sequences())
	}
	for s, at := range b.Ends {
		if at < 0 || at >= b.CuSeqlens[s+1]-b.CuSeqlens[s] {
			return inputError("token %d, which %s reads of sequence %d, is none of its %d", at, m.spec.Class, s, b.CuSeqlens[s+1]-b.CuSeqlens[s])
		}
	}
	return nil
}

// rowSeqlens marks the sequences among the rows that go on: all of their tokens,
// or one row of each.
func (w *workspace) rowSeqlens() []int32 {
	if w.rows == w.stream.tokens {
		return w.stream.cuSeqlens
	}
	for i := len(w.singles); i <= w.rows; i++ {
		w.singles = append(w.singles, int32(i))
	}
	return w.singles[:w.rows+1]
}
