package mha

import (
	"errors"
	"fmt"

	"github.com/ladon-ml/ladon/kernels"
)

// Projections are the weights of a [MultiHeadAttention], row-major with outputs first, as torch stores them.
type Projections struct {
	Dim, Heads       int // of the model; the heads divide it
	KeyDim, ValueDim int // of what keys and values are made from; 0: Dim

	Query, Key, Value, Out                 []float32 // [Dim, Dim], [Dim, KeyDim], [Dim, ValueDim], [Dim, Dim]
	QueryBias, KeyBias, ValueBias, OutBias []float32 // [Dim], or nil

	// ExtraKey and ExtraValue follow the keys and values of every sequence, seen by all its queries: torch's bias_k
	// and bias_v, [Dim] or nil. ZeroKey appends one more of each, made of zeros: torch's add_zero_attn.
	ExtraKey, ExtraValue []float32
	ZeroKey              bool
}

// MultiHeadAttention is the module of Vaswani et al. 2017 as torch.nn.MultiheadAttention defines it: queries, keys and
// values are projected, every head attends on its part of them, and what the heads give, side by side, is projected
// again. It is immutable and safe for concurrent use.
type MultiHeadAttention struct {
	Projections
	query, key, value, out *kernels.Matrix
}

// ErrProjections is what every error about the sizes of projections wraps.
var ErrProjections = errors.New("mha: projections do not fit")

// NewMultiHeadAttention packs the weights. What p holds besides them is kept.
func NewMultiHeadAttention(p Projections) (*MultiHeadAttention, error) {
	if p.KeyDim == 0 {
		p.KeyDim = p.Dim
	}
	if p.ValueDim == 0 {
		p.ValueDim = p.Dim
	}
	switch {
	case p.Dim < 1 || p.Heads < 1 || p.KeyDim < 1 || p.ValueDim < 1:
		return nil, fmt.Errorf("%w: sizes must be positive", ErrProjections)
	case p.Dim%p.Heads != 0:
		return nil, fmt.Errorf("%w: %d heads do not divide a size of %d", ErrProjections, p.Heads, p.Dim)
	case p.Dim/p.Heads > MaxDim:
		return nil, fmt.Errorf("%w: heads of size %d, at most %d is supported", ErrProjections, p.Dim/p.Heads, MaxDim)
	case (p.ExtraKey == nil) != (p.ExtraValue == nil):
		return nil, fmt.Errorf("%w: an extra key needs an extra value", ErrProjections)
	}
	for _, bias := range [][]float32{p.QueryBias, p.KeyBias, p.ValueBias, p.OutBias, p.ExtraKey, p.ExtraValue} {
		if bias != nil && len(bias) != p.Dim {
			return nil, fmt.Errorf("%w: a bias of %d for a size of %d", ErrProjections, len(bias), p.Dim)
		}
	}
	m := &MultiHeadAttention{Projections: p}
	for _, w := range []struct {
		to   **kernels.Matrix
		from []float32
		name string
		k    int
	}{{&m.query, p.Query, "query", p.Dim}, {&m.key, p.Key, "key", p.KeyDim}, {&m.value, p.Value, "value", p.ValueDim}, {&m.out, p.Out, "out", p.Dim}} {
		if len(w.from)/w.k != p.Dim || len(w.from)%w.k != 0 {
			return nil, fmt.Errorf("%w: %s weights of %d elements, not %d×%d", ErrProjections, w.name, len(w.from), p.Dim, w.k)
		}
		packed, err := kernels.Pack(w.from, p.Dim, w.k)
		if err != nil {
			return nil, fmt.Errorf("mha: %s weights: %w", w.name, err)
		}
		*w.to = packed
	}
	m.Query, m.Key, m.Value, m.Out = nil, nil, nil, nil
	return m, nil
}

// Workspace is the scratch of a [MultiHeadAttention], for one goroutine at a time. Its zero value is ready.
type Workspace struct {
	attention  Attention
	q, k, v, o []float32
	wider      []float32 // keys or values with the extra ones
	seqK       []int32
}

// extra is how many keys follow those of every sequence.
func (m *MultiHeadAttention) extra() int {
	n := 0
	if m.ExtraKey != nil {
		n++
	}
	if m.ZeroKey {
		n++
	}
	return n
}

// Run sets out [queries, Dim] to the module's output for the streams query [queries, Dim], key [keys, KeyDim] and
// value [keys, ValueDim]. Of p only what hides keys and changes scores is looked at; a query that no head lets see
// anything gives zeros, without the output's bias. Unless weights.Data is nil it gets the weights of every head, with
// the extra keys at the end of a row.
//
// With extra keys masks are expanded to length², else nothing is allocated in the steady state. Run panics if the
// shapes do not fit together.
func (m *MultiHeadAttention) Run(x *kernels.Exec, w *Workspace, p Params, b Batch, out, query, key, value []float32, weights Map) {
	if b.SeqK == nil {
		b.SeqK = b.SeqQ
	}
	headDim := m.Dim / m.Heads
	p.Heads, p.KVHeads, p.HeadDim, p.ValueDim = m.Heads, 0, headDim, 0
	p = p.withDefaults()
	if len(b.SeqQ) == 0 || len(b.SeqK) != len(b.SeqQ) || !rising(b.SeqQ) || !rising(b.SeqK) {
		panic(errBatch)
	}
	queries, keys := int(b.SeqQ[len(b.SeqQ)-1]), int(b.SeqK[len(b.SeqK)-1])
	if len(query) < queries*m.Dim || len(out) < queries*m.Dim || len(key) < keys*m.KeyDim || len(value) < keys*m.ValueDim {
		panic(errView)
	}
	checkSight(&p, b)
	w.q, w.k, w.v, w.o = grow(w.q, queries*m.Dim), grow(w.k, keys*m.Dim), grow(w.v, keys*m.Dim), grow(w.o, queries*m.Dim)
	project := func(dst, src []float32, tokens, dim int, by *kernels.Matrix, bias []float32) {
		x.MatMul(kernels.Out{C: dst, LD: headDim, BlockCols: headDim, BlockStride: tokens * headDim}, src, tokens, dim, by, kernels.Epilogue{Bias: bias})
	}
	project(w.q, query, queries, m.Dim, m.query, m.QueryBias)
	project(w.k, key, keys, m.KeyDim, m.key, m.KeyBias)
	project(w.v, value, keys, m.ValueDim, m.value, m.ValueBias)
	if n := m.extra(); n > 0 {
		if p.Relative != nil {
			panic(errRelative)
		}
		p = flat(p, b, n)
		w.k = w.append(w.k, b, m.Heads, headDim, n, m.ExtraKey)
		w.v = w.append(w.v, b, m.Heads, headDim, n, m.ExtraValue)
		w.seqK = append(w.seqK[:0], b.SeqK...)
		for s := range w.seqK {
			w.seqK[s] += int32(s * n)
		}
		b.SeqK = w.seqK
		keys += n * (len(b.SeqK) - 1)
	}
	q, k, v := PerHead(w.q, queries, headDim), PerHead(w.k, keys, headDim), PerHead(w.v, keys, headDim)
	w.attention.Run(x, p, b, PerToken(w.o, m.Heads, headDim), q, k, v)
	if weights.Data != nil {
		w.attention.Weights(x, p, b, weights, q, k)
	}
	x.MatMul(kernels.Out{C: out, LD: m.Dim}, w.o, queries, m.Dim, m.out, kernels.Epilogue{Bias: m.OutBias})
	if m.OutBias != nil {
		clearBlind(&p, b, w.o, out, m.Dim)
	}
}

// append puts the extra keys or values after those of every sequence.
func (w *Workspace) append(data []float32, b Batch, heads, headDim, n int, extra []float32) []float32 {
	last := len(b.SeqK) - 1
	keys := int(b.SeqK[last])
	w.wider = grow(w.wider, (keys+n*last)*heads*headDim)
	clear(w.wider)
	to := w.wider
	for h := range heads {
		for s := range last {
			rows := data[(h*keys+int(b.SeqK[s]))*headDim : (h*keys+int(b.SeqK[s+1]))*headDim]
			copy(to, rows)
			if extra != nil {
				copy(to[len(rows):], extra[h*headDim:(h+1)*headDim])
			}
			to = to[len(rows)+n*headDim:]
		}
	}
	wider := w.wider
	w.wider = data
	return wider
}

// clearBlind clears the rows of out whose queries see nothing in any head; their rows of o are zeros.
func clearBlind(p *Params, b Batch, o, out []float32, dim int) {
	var row []float32
	for s := range len(b.SeqQ) - 1 {
		for i := b.SeqQ[s]; i < b.SeqQ[s+1]; i++ {
			if !zero(o[int(i)*dim:][:dim]) {
				continue
			}
			keys := int(b.SeqK[s+1] - b.SeqK[s])
			row = grow(row, keys)
			blind := true
			for h := 0; h < p.Heads && blind; h++ {
				visibility(row, p, b, s, h, int(i-b.SeqQ[s]))
				for _, v := range row {
					blind = blind && v == hidden
				}
			}
			if blind {
				clear(out[int(i)*dim:][:dim])
			}
		}
	}
}

func zero(x []float32) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}
