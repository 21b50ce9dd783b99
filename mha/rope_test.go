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

// TestPrepare holds norms and rotations to complex arithmetic in float64.
func TestPrepare(t *testing.T) {
	const heads, tokens, dim = 3, 50, 20
	r := rand.New(rand.NewPCG(1, 2))
	weight := normal(r, make([]float32, dim))
	positions := make([]int32, tokens)
	for i := range positions {
		positions[i] = int32(r.IntN(900))
	}
	for _, c := range []RoPEConfig{
		{Dim: 20, MaxSeq: 900},
		{Dim: 20, MaxSeq: 900, Interleaved: true, Base: 5e5},
		{Dim: 6, MaxSeq: 900, Scale: 1.3},
		{Dim: 4, MaxSeq: 900, Interleaved: true, Freqs: []float64{0.3, 0.07}},
	} {
		for _, perToken := range []bool{false, true} {
			rope, err := NewRoPE(c)
			require.NoError(t, err)
			v := PerHead(normal(r, guard.Float32s(t, heads*tokens*dim)), tokens, dim)
			if perToken {
				v = PerToken(v.Data, heads, dim)
			}
			before := View{Data: append([]float32(nil), v.Data...), Head: v.Head, Token: v.Token}
			var a Attention
			var x kernels.Exec
			x.Begin(context.Background(), 2)
			a.Prepare(&x, v, heads, tokens, dim, &Norm{Weight: weight, Eps: 1e-6}, rope, positions)
			require.NoError(t, x.End())
			for h := range heads {
				for token := range tokens {
					want := prepared(before.head(h, token)[:dim], weight, c, int(positions[token]))
					for d, w := range want {
						require.InDelta(t, w, v.head(h, token)[d], 2e-6*max(1, math.Abs(w)), "%+v head %d token %d element %d", c, h, token, d)
					}
				}
			}
			require.Zero(t, testing.AllocsPerRun(5, func() { a.Prepare(&x, v, heads, tokens, dim, nil, rope, positions) }))
		}
	}
}

func prepared(x, weight []float32, c RoPEConfig, at int) []float64 {
	y, squares := make([]float64, len(x)), 0.0
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	for d, v := range x {
		y[d] = float64(v) / math.Sqrt(squares/float64(len(x))+1e-6) * float64(weight[d])
	}
	base, scale := c.Base, c.Scale
	if base == 0 {
		base = 10000
	}
	if scale == 0 {
		scale = 1
	}
	for i := range c.Dim / 2 {
		freq := math.Pow(base, -2*float64(i)/float64(c.Dim))
		if c.Freqs != nil {
			freq = c.Freqs[i]
		}
		first, second := i, i+c.Dim/2
		if c.Interleaved {
			first, second = 2*i, 2*i+1
		}
		turned := complex(y[first], y[second]) * complex(scale*math.Cos(freq*float64(at)), scale*math.Sin(freq*float64(at)))
		y[first], y[second] = real(turned), imag(turned)
	}
	return y
}

func TestRoPEKeepsDistances(t *testing.T) {
	rope, err := NewRoPE(RoPEConfig{Dim: 16, MaxSeq: 200})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	q, k := normal(r, make([]float32, 16)), normal(r, make([]float32, 16))
	score := func(i, j int) float32 {
		a, b := append([]float32(nil), q...), append([]float32(nil), k...)
		rope.turn(a, 16, 1, i)
		rope.turn(b, 16, 1, j)
		return kernels.Dot(a, b)
	}
	for i := range 100 {
		require.InDelta(t, score(10, 3), score(10+i, 3+i), 1e-5)
	}
}

func TestBadPreparations(t *testing.T) {
	for _, c := range []RoPEConfig{{}, {Dim: 3, MaxSeq: 4}, {Dim: 258, MaxSeq: 4}, {Dim: 4}, {Dim: 4, MaxSeq: 4, Freqs: []float64{1}}} {
		_, err := NewRoPE(c)
		require.Error(t, err)
	}
	rope, err := NewRoPE(RoPEConfig{Dim: 4, MaxSeq: 5})
	require.NoError(t, err)
	var a Attention
	var x kernels.Exec
	v := PerHead(make([]float32, 6*8), 6, 8)
	require.PanicsWithValue(t, errRotate, func() { a.Prepare(&x, v, 1, 6, 8, nil, rope, nil) })
	require.PanicsWithValue(t, errRotate, func() { a.Prepare(&x, v, 1, 2, 8, nil, rope, []int32{1, 5}) })
	require.PanicsWithValue(t, errRotate, func() { a.Prepare(&x, v, 1, 2, 8, nil, rope, []int32{1}) })
	require.PanicsWithValue(t, errRotate, func() { a.Prepare(&x, v, 1, 2, 3, nil, rope, nil) })
	require.PanicsWithValue(t, errNorm, func() { a.Prepare(&x, v, 1, 2, 8, &Norm{Weight: make([]float32, 7)}, nil, nil) })
	require.PanicsWithValue(t, errView, func() { a.Prepare(&x, v, 1, 7, 8, nil, nil, nil) })
}
