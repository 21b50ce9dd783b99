package pipeline

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model"
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

// What an encoder-decoder makes of a text and of what it writes is what Forward gives.
func TestAttentionAcross(t *testing.T) {
	for _, dir := range []string{"to-bart", "to-marian", "to-mbart", "to-t5"} {
		m := openTest(t, dir)
		tr, err := m.Translator()
		require.NoError(t, err)
		none := ""
		written, err := tr.Translate(t.Context(), TranslateConfig{RewriteConfig: RewriteConfig{Prefix: &none}}, "Best books")
		require.NoError(t, err)
		own, err := m.Attention(t.Context(), "Best books", AttentionConfig{})
		require.NoError(t, err)
		require.NotNil(t, own.Written)
		require.True(t, strings.HasPrefix(written[0], own.Written.Text), "%q has not %q", written[0], own.Written.Text)

		a, err := m.Attention(t.Context(), "Best books", AttentionConfig{Target: "The river", HasTarget: true})
		require.NoError(t, err)
		w := a.Written
		require.Equal(t, "The river", strings.TrimSpace(w.Text))
		require.True(t, w.Tokens[0].Special)
		require.Equal(t, len(m.model.Spec().Layers), len(w.Layers))
		require.Equal(t, len(m.model.Spec().Other.Layers), len(a.Layers))
		var ids [2][]int32
		for i, list := range [][]AttentionToken{a.Tokens, w.Tokens} {
			for _, token := range list {
				ids[i] = append(ids[i], token.ID)
			}
		}
		r, err := m.model.NewResult(model.Attentions)
		require.NoError(t, err)
		lengths := func(ids []int32) []int32 { return []int32{0, int32(len(ids))} }
		source := model.Batch{IDs: ids[0], CuSeqlens: lengths(ids[0])}
		require.NoError(t, m.model.Forward(t.Context(), model.Batch{IDs: ids[1], CuSeqlens: lengths(ids[1]), Source: &source}, r))
		require.Equal(t, r.Get("encoder_attentions.0").Data, a.Layers[0].Weights)
		require.Equal(t, r.Get("decoder_attentions.0").Data, w.Layers[0].Weights)
		require.Equal(t, r.Get("cross_attentions.0").Data, w.Source[0].Weights)
		require.Len(t, w.Source[0].Weights, w.Source[0].Heads*len(a.Tokens)*len(w.Tokens))
	}

	// The target is cut as the text is.
	cut := 0
	a, err := openTest(t, "to-bart").Attention(t.Context(), "a", AttentionConfig{
		Target: strings.Repeat("river ", 99), HasTarget: true, TargetTruncated: func(kept int) { cut = kept },
	})
	require.NoError(t, err)
	require.Equal(t, 48, cut)
	require.Len(t, a.Written.Tokens, 48)

	// Where nothing is written, the decoder reads the text itself.
	a, err = openTest(t, "nli-bart").Attention(t.Context(), "a river", AttentionConfig{})
	require.NoError(t, err)
	require.Len(t, a.Written.Tokens, len(a.Tokens))
	_, err = openTest(t, "st-mean").Attention(t.Context(), "a", AttentionConfig{HasTarget: true})
	require.ErrorContains(t, err, "encoder-decoders")
	_, err = openTest(t, "caption").Attention(t.Context(), "a", AttentionConfig{})
	require.ErrorContains(t, err, "about pictures")
}

// What a token of a decoder looks at stands before it.
func TestAttentionOfDecoders(t *testing.T) {
	m, err := Open("../model/generate/testdata/llama")
	require.NoError(t, err)
	defer m.Close()
	a, err := m.Attention(t.Context(), "It was a", AttentionConfig{})
	require.NoError(t, err)
	n := len(a.Tokens)
	for _, l := range a.Layers {
		for row := range l.Heads * n {
			sum := float32(0)
			for j, w := range l.Weights[row*n : (row+1)*n] {
				if sum += w; j > row%n {
					require.Zero(t, w)
				}
			}
			require.InDelta(t, 1, sum, 1e-5)
		}
	}
}
