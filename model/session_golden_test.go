package model

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/mha"
)

// Token by token after a prompt: what a session of a language model says next is
// what transformers' generate says.
func TestSessionGreedy(t *testing.T) {
	checked := 0
	forGoldens(t, func(t *testing.T, g golden) {
		if g.Greedy == nil {
			return
		}
		checked++
		m, err := Load(g.dir)
		require.NoError(t, err)
		defer m.Close()
		s := newSession(t, m, SessionOptions{})
		require.NoError(t, s.Append(t.Context(), g.Greedy.Prompt))
		for i, want := range g.Greedy.Tokens {
			best := 0
			for i, x := range s.Logits() {
				if x > s.Logits()[best] {
					best = i
				}
			}
			require.Equal(t, want, int32(best), "token %d", i)
			require.NoError(t, s.Append(t.Context(), []int32{want}))
		}
	})
	require.NotZero(t, checked)
}

// TestSessionOfEveryDecoder says that every language model of the goldens gives
// Forward's logits for a whole prompt, and the same bits for a prompt in pieces.
func TestSessionOfEveryDecoder(t *testing.T) {
	checked := 0
	forGoldens(t, func(t *testing.T, g golden) {
		m, err := Load(g.dir)
		require.NoError(t, err)
		defer m.Close()
		if m.languageModel() == nil || m.spec.Crosses() {
			return
		}
		checked++
		vocab := m.spec.Embeddings.Vocab
		rng := rand.New(rand.NewPCG(1, 2))
		ids := make([]int32, min(300, m.spec.Embeddings.Positions))
		for i := range ids {
			ids[i] = 1 + rng.Int32N(int32(vocab)-1)
		}
		all := forwardLogits(t, m, ids)
		want := all[len(all)-vocab:]
		s := newSession(t, m, SessionOptions{Chunk: 100})
		whole := sessionLogits(t, s, ids, len(ids))
		require.InDeltaSlice(t, want, whole, 1e-3)
		if longer := len(ids) > m.trained(); longer {
			return // tokens turn otherwise in a longer text
		}
		for _, n := range []int{1, 7} {
			s := newSession(t, m, SessionOptions{})
			require.Equal(t, whole, sessionLogits(t, s, ids, n), "in pieces of %d", n)
			cut := len(ids) - 5
			var gone *mha.DroppedError
			if err := s.Truncate(cut); !errors.As(err, &gone) {
				require.NoError(t, err)
				require.Equal(t, whole, sessionLogits(t, s, ids[cut:], 2), filepath.Base(g.dir))
			}
		}
	})
	require.Greater(t, checked, 5)
}

// trained is the length past which a text turns all of its tokens otherwise.
func (m *Model) trained() int {
	n := m.spec.Embeddings.Positions
	for i := range m.spec.Layers {
		if r := m.spec.Layers[i].Attention.Rotary; r != nil && r.Trained > 0 {
			n = min(n, r.Trained)
		}
	}
	return n
}
