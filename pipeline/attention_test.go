package pipeline

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAttention(t *testing.T) {
	m, err := Open("testdata/st-mean")
	require.NoError(t, err)
	defer m.Close()
	var cut int
	a, err := m.Attention(t.Context(), "The river", AttentionConfig{Truncated: func(int) { cut++ }})
	require.NoError(t, err)
	require.Zero(t, cut)
	require.Equal(t, []AttentionToken{
		{ID: a.Tokens[0].ID, Token: "[CLS]", Special: true},
		{ID: a.Tokens[1].ID, Token: "the", Surface: "The"},
		{ID: a.Tokens[2].ID, Token: "river", Surface: "river"},
		{ID: a.Tokens[3].ID, Token: "[SEP]", Special: true},
	}, a.Tokens)
	spec := m.Model().Spec()
	require.Len(t, a.Layers, len(spec.Layers))
	for i, l := range a.Layers {
		require.Equal(t, spec.Layers[i].Attention.Heads, l.Heads)
		require.Len(t, l.Weights, l.Heads*16)
	}

	// Pieces of a word belong together; the two texts of a pair do not.
	a, err = m.Attention(t.Context(), "riverx", AttentionConfig{Pair: "the the", HasPair: true})
	require.NoError(t, err)
	for i, token := range a.Tokens {
		require.Equal(t, strings.HasPrefix(token.Token, "##"), token.Joined, "%d: %s", i, token.Token)
	}

	_, err = m.Attention(t.Context(), strings.Repeat("river ", 1000), AttentionConfig{MaxTokens: 5, Truncated: func(kept int) { cut = kept }})
	require.NoError(t, err)
	require.Equal(t, 5, cut)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.Attention(ctx, "a", AttentionConfig{})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, m.Close())
	_, err = m.Attention(t.Context(), "a", AttentionConfig{})
	require.ErrorIs(t, err, ErrClosed)
}
