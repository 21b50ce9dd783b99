package mha

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/guard"
	"github.com/ladon-ml/ladon/kernels"
)

func projections(r *rand.Rand, dim, heads int) Projections {
	w := func() []float32 {
		x := normal(r, make([]float32, dim*dim))
		for i := range x {
			x[i] /= float32(math.Sqrt(float64(dim)))
		}
		return x
	}
	b := func() []float32 { return normal(r, make([]float32, dim)) }
	return Projections{Dim: dim, Heads: heads, Query: w(), Key: w(), Value: w(), Out: w(), QueryBias: b(), KeyBias: b(), ValueBias: b(), OutBias: b()}
}

// TestModule holds the module to the paper's formula; that it is torch's is tested by the goldens in testdata, which
// the command's tests read.
func TestModule(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		p := projections(r, 36, 4)
		m, err := NewMultiHeadAttention(p)
		require.NoError(t, err)
		b := Batch{SeqQ: offsets(5, 0, 40), SeqK: offsets(7, 3, 33)}
		query, kv := normal(r, guard.Float32s(t, 45*36)), normal(r, guard.Float32s(t, 43*36))
		out := guard.Float32s(t, 45*36)
		var x kernels.Exec
		var w Workspace
		m.Run(&x, &w, Params{}, b, out, query, kv, kv, Map{})

		project := func(x, w, bias []float32) []float32 {
			y := make([]float32, len(x))
			for i := range y {
				y[i] = bias[i%36] + kernels.Dot(x[i/36*36:][:36], w[i%36*36:][:36])
			}
			return y
		}
		q, k, v := project(query, p.Query, p.QueryBias), project(kv, p.Key, p.KeyBias), project(kv, p.Value, p.ValueBias)
		heads := make([]float32, 45*36)
		reference(Params{Heads: 4, HeadDim: 9}, b, heads, PerToken(q, 4, 9), PerToken(k, 4, 9), PerToken(v, 4, 9))
		for i, want := range project(heads, p.Out, p.OutBias) {
			require.InDelta(t, want, out[i], 1e-5, "element %d", i)
		}

		again := make([]float32, len(out))
		for threads := 2; threads < 4; threads++ {
			x.Begin(context.Background(), threads)
			m.Run(&x, &w, Params{}, b, again, query, kv, kv, Map{})
			require.NoError(t, x.End())
			require.Equal(t, bits(out), bits(again))
		}
		require.Zero(t, testing.AllocsPerRun(5, func() { m.Run(&x, &w, Params{}, b, again, query, kv, kv, Map{}) }))
	})
}

// TestModuleExtraKeys gives the extra keys as ordinary ones instead.
func TestModuleExtraKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := projections(r, 12, 3)
	p.ExtraKey, p.ExtraValue, p.ZeroKey = normal(r, make([]float32, 12)), normal(r, make([]float32, 12)), true
	m, err := NewMultiHeadAttention(p)
	require.NoError(t, err)
	tokens := normal(r, make([]float32, 9*12))
	b := Batch{SeqQ: offsets(4, 5)}
	out, weights := make([]float32, 9*12), make([]float32, 2*3*5*7)
	var x kernels.Exec
	var w Workspace
	m.Run(&x, &w, Params{Causal: true}, b, out, tokens, tokens, tokens, Map{Data: weights, Seq: 3 * 5 * 7, Head: 5 * 7, Query: 7})
	for i := range 5 { // query i of the second sequence sees i+1 keys and the two extra ones
		row := weights[3*5*7+i*7:][:7]
		sum := float32(0)
		for j, v := range row {
			require.Equal(t, j <= i || j >= 5, v > 0, "query %d, key %d", i, j)
			sum += v
		}
		require.InDelta(t, 1, sum, 1e-5)
	}
}

func TestModuleBlindRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	m, err := NewMultiHeadAttention(projections(r, 12, 3))
	require.NoError(t, err)
	tokens, out := normal(r, make([]float32, 4*12)), make([]float32, 4*12)
	var x kernels.Exec
	var w Workspace
	sees := []uint8{1, 0, 1, 1}
	m.Run(&x, &w, Params{Masks: []Mask{{Data: sees, Query: 1}}}, Batch{SeqQ: offsets(4)}, out, tokens, tokens, tokens, Map{})
	for i, v := range out {
		require.Equal(t, sees[i/12] == 0, v == 0, "element %d", i)
	}
}

func TestModuleErrors(t *testing.T) {
	for name, spoil := range map[string]func(p *Projections){
		"heads":     func(p *Projections) { p.Heads = 5 },
		"no heads":  func(p *Projections) { p.Heads = 0 },
		"key":       func(p *Projections) { p.KeyDim = 11 },
		"short":     func(p *Projections) { p.Out = p.Out[1:] },
		"bias":      func(p *Projections) { p.OutBias = p.OutBias[1:] },
		"extra":     func(p *Projections) { p.ExtraKey = make([]float32, 12) },
		"long head": func(p *Projections) { p.Dim, p.Heads = 300, 1 },
		"negative":  func(p *Projections) { p.ValueDim = -1 },
	} {
		p := projections(rand.New(rand.NewPCG(1, 2)), 12, 3)
		spoil(&p)
		_, err := NewMultiHeadAttention(p)
		require.ErrorIs(t, err, ErrProjections, name)
	}
	p := projections(rand.New(rand.NewPCG(1, 2)), 12, 3)
	p.Value[5] = float32(math.NaN())
	_, err := NewMultiHeadAttention(p)
	require.ErrorIs(t, err, kernels.ErrWeights)
}
