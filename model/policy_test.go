package model

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/mha"
)

// without leaves one head out, of layers that are not skipped.
type without struct{ head, skip int }

func (p without) Sample(layer int) (mha.Look, bool) { return mha.Look{To: 32}, layer != p.skip }

func (p without) Choose(_ int, found *mha.Probe, mask []float32) {
	eachHead(found, mask, func(_, head, _, _ int) bool { return head == p.head })
}

func TestHeadPolicies(t *testing.T) {
	m := tiny(t, "testdata/bert-model")
	r := rand.New(rand.NewPCG(1, 2))
	batch := func(lens ...int) Batch {
		b := Batch{CuSeqlens: []int32{0}}
		for _, n := range lens {
			for range n {
				b.IDs = append(b.IDs, int32(r.IntN(61)))
			}
			b.CuSeqlens = append(b.CuSeqlens, int32(len(b.IDs)))
		}
		return b
	}
	run := func(b Batch, p HeadPolicy) []float32 {
		res, err := m.NewResult(LastHiddenState)
		require.NoError(t, err)
		b.Policy = p
		require.NoError(t, m.Forward(context.Background(), b, res))
		return slices.Clone(res.Get(LastHiddenState).Data)
	}
	lens := make([]int, 90) // some groups
	for i := range lens {
		lens[i] = 1 + i%24
	}
	b := batch(lens...)
	plain := run(b, nil)
	require.Equal(t, plain, run(b, without{-1, -1}), "a policy that wants all heads changes nothing")
	require.Equal(t, plain, run(b, &EntropyBudget{Most: 2}))
	require.Equal(t, plain, run(b, &MassBudget{Most: 0, Least: 26}))
	for _, p := range []HeadPolicy{without{2, 0}, &EntropyBudget{Most: .7}, &MassBudget{Most: .3}} {
		all := run(b, p)
		require.NotEqual(t, plain, all)
		for s := range lens {
			alone := Batch{IDs: b.IDs[b.CuSeqlens[s]:b.CuSeqlens[s+1]], CuSeqlens: []int32{0, int32(lens[s])}}
			require.Equal(t, all[b.CuSeqlens[s]*20:b.CuSeqlens[s+1]*20], run(alone, p), "sequence %d alone", s)
		}
	}
	// Of one token the average is its own.
	one := batch(1)
	want := run(one, nil)
	for i, x := range run(one, without{1, 1}) {
		require.InDelta(t, want[i], x, 1e-5)
	}
	masked := batch(20)
	masked.HeadMask = [][]float32{{1, 0, 1, 1}, nil}
	require.Equal(t, run(masked, nil), run(masked, without{1, 1}), "what the head mask leaves out stays out")
}

func TestPoliciesSeeBothWays(t *testing.T) {
	m := tiny(t, "testdata/bert-lm-causal")
	res, err := m.NewResult()
	require.NoError(t, err)
	err = m.Forward(context.Background(), Batch{IDs: []int32{1}, CuSeqlens: []int32{0, 1}, Policy: &EntropyBudget{}}, res)
	require.ErrorContains(t, err, "one way")
}
