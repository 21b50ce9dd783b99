package model

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// encode begins a session about each source.
func encode(t *testing.T, m *Model, o SessionOptions, sources ...[]int32) []*Session {
	b := Batch{CuSeqlens: []int32{0}}
	for _, s := range sources {
		b.IDs = append(b.IDs, s...)
		b.CuSeqlens = append(b.CuSeqlens, int32(len(b.IDs)))
	}
	list, err := m.Encode(t.Context(), b, o)
	require.NoError(t, err)
	for _, s := range list {
		t.Cleanup(func() { require.NoError(t, s.Close()) })
	}
	return list
}

func likeliest(logits []float32) int32 {
	best := 0
	for i, x := range logits {
		if x > logits[best] {
			best = i
		}
	}
	return int32(best)
}

// What an encoder-decoder writes about its sources, all of them together, is what
// transformers' generate writes about each; Forward agrees to the last step.
func TestSourceGreedy(t *testing.T) {
	checked := 0
	forGoldens(t, func(t *testing.T, g golden) {
		if g.Generates == nil {
			return
		}
		checked++
		m, err := Load(g.dir)
		require.NoError(t, err)
		defer m.Close()
		var sources [][]int32
		var read [][]int32
		for _, pair := range g.Generates {
			sources, read = append(sources, pair.Source), append(read, pair.Greedy[:1])
			require.Equal(t, m.spec.Target.Start, pair.Greedy[0])
		}
		sessions := encode(t, m, SessionOptions{}, sources...)
		for n := 1; n < len(g.Generates[0].Greedy); n++ {
			require.NoError(t, AppendAll(t.Context(), sessions, read))
			for i, s := range sessions {
				read[i] = []int32{likeliest(s.Logits())}
				require.Equal(t, g.Generates[i].Greedy[n], read[i][0], "source %d, token %d", i, n)
			}
		}

		r, err := m.NewResult("logits")
		require.NoError(t, err)
		b := Batch{CuSeqlens: []int32{0}, Source: &Batch{CuSeqlens: []int32{0}}}
		for _, pair := range g.Generates {
			b.IDs, b.Source.IDs = append(b.IDs, pair.Greedy[:len(pair.Greedy)-1]...), append(b.Source.IDs, pair.Source...)
			b.CuSeqlens, b.Source.CuSeqlens = append(b.CuSeqlens, int32(len(b.IDs))), append(b.Source.CuSeqlens, int32(len(b.Source.IDs)))
		}
		require.NoError(t, m.Forward(t.Context(), b, r))
		logits := r.Get("logits")
		for i, s := range sessions {
			last := logits.Data[(int(b.CuSeqlens[i+1])-1)*logits.Cols:][:logits.Cols]
			require.InDeltaSlice(t, last, s.Logits(), 1e-4)
		}
	})
	require.NotZero(t, checked)
}
