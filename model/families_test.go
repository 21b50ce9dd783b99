package model

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of every kind of stack: a sequence has the same bits alone and among others,
// for any number of threads, and a pass that has seen its shapes allocates
// nothing.
func TestFamilies(t *testing.T) {
	for _, name := range []string{"gpt2-lm", "llama-lm", "llama-dynamic", "llama-longrope", "mistral-lm", "qwen3-lm", "gemma2-lm", "gemma3-lm",
		"neo-lm", "neox-lm", "opt-lm", "bloom-lm", "phi3-lm", "roberta-model", "mpnet-model", "albert-groups", "electra-model", "clip-text", "xlnet-model", "xlnet-uni"} {
		t.Run(name, func(t *testing.T) {
			for _, dtype := range []DType{F32, Int8} {
				testFamily(t, filepath.Join("testdata", name), dtype)
			}
		})
	}
}

func testFamily(t *testing.T, dir string, dtype DType) {
	var alone [][]float32
	for threads := 1; threads <= 3; threads++ {
		m, err := Load(dir, WithThreads(threads), WithDType(dtype))
		require.NoError(t, err)
		defer m.Close()
		r, err := m.NewResult(LastHiddenState)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(4, 5))
		all := Batch{CuSeqlens: []int32{0}}
		for _, n := range []int{20, 1, 7, 19, 20, 3} {
			for range n {
				all.IDs = append(all.IDs, 2+rng.Int32N(int32(m.spec.Embeddings.Vocab)-2))
			}
			all.CuSeqlens = append(all.CuSeqlens, int32(len(all.IDs)))
		}
		if threads == 1 {
			for s := range all.sequences() {
				from, to := all.CuSeqlens[s], all.CuSeqlens[s+1]
				require.NoError(t, m.Forward(t.Context(), Batch{IDs: all.IDs[from:to], CuSeqlens: []int32{0, to - from}}, r))
				alone = append(alone, append([]float32{}, r.Get(LastHiddenState).Data...))
			}
		}
		require.NoError(t, m.Forward(t.Context(), all, r))
		for s, want := range alone {
			o := r.Get(LastHiddenState)
			require.Equal(t, want, o.Data[int(all.CuSeqlens[s])*o.Cols:][:len(want)], "sequence %d, %d threads, %v", s, threads, dtype)
		}
		if raceEnabled || m.spec.Layers[0].Attention.Rotary != nil && m.spec.Layers[0].Attention.Rotary.Growth > 0 {
			continue // each length has a table of its own
		}
		require.Zero(t, testing.AllocsPerRun(3, func() {
			if err := m.Forward(context.Background(), all, r); err != nil {
				t.Fatal(err)
			}
		}), "%d threads, %v", threads, dtype)
	}
}
