package model

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Token by token, each from a whole forward pass: what a language model says next
// is what transformers' generate says.
func TestGreedy(t *testing.T) {
	checked := 0
	forGoldens(t, func(t *testing.T, g golden) {
		if g.Greedy == nil {
			return
		}
		checked++
		m, err := Load(g.dir)
		require.NoError(t, err)
		defer m.Close()
		r, err := m.NewResult("logits")
		require.NoError(t, err)
		ids := append([]int32{}, g.Greedy.Prompt...)
		for _, want := range g.Greedy.Tokens {
			require.NoError(t, m.Forward(t.Context(), Batch{IDs: ids, CuSeqlens: []int32{0, int32(len(ids))}}, r))
			logits := r.Get("logits")
			last := logits.Data[(len(ids)-1)*logits.Cols:]
			best := 0
			for i, x := range last {
				if x > last[best] {
					best = i
				}
			}
			require.Equal(t, want, int32(best), "after %v", ids)
			ids = append(ids, want)
		}
	})
	require.NotZero(t, checked)
}
