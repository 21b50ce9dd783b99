package pipeline

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRankByCosine(t *testing.T) {
	m := openTest(t, "st-max") // vectors of any length
	e, err := m.Embedder()
	require.NoError(t, err)
	r, err := m.Ranker()
	require.NoError(t, err)
	require.False(t, r.CrossEncoder())
	texts := append(words(600, 2), "the river is old")
	done := 0
	cfg := RankConfig{Progress: func(n int) { require.Greater(t, n, done); done = n }}
	scores, err := r.AppendScoresWith(t.Context(), []float32{9}, cfg, "the river is old", texts...)
	require.NoError(t, err)
	require.Equal(t, len(texts), done)
	require.Len(t, scores, 1+len(texts))
	require.Equal(t, float32(9), scores[0])
	require.InDelta(t, 1, scores[len(texts)], 1e-6)

	query, err := e.AppendEmbed(t.Context(), nil, "the river is old")
	require.NoError(t, err)
	vectors, err := e.AppendEmbed(t.Context(), nil, texts...)
	require.NoError(t, err)
	for i := range texts {
		var xy, xx, yy float64
		for j, x := range query {
			y := float64(vectors[i*e.Dim()+j])
			xy, xx, yy = xy+float64(x)*y, xx+float64(x)*float64(x), yy+y*y
		}
		require.InDelta(t, xy/math.Sqrt(xx*yy), scores[1+i], 1e-5, texts[i])
	}
}

func TestRankTruncated(t *testing.T) {
	long := strings.Repeat("the river is old ", 20)
	for _, dir := range []string{"st-mean", "ce-one"} {
		r, err := openTest(t, dir).Ranker()
		require.NoError(t, err)
		var cuts []int
		cfg := RankConfig{Truncated: func(text, _ int) { cuts = append(cuts, text) }}
		_, err = r.AppendScoresWith(t.Context(), nil, cfg, "a", "b", long, "c")
		require.NoError(t, err)
		require.Equal(t, []int{1}, cuts, dir)
	}
	r, err := openTest(t, "st-mean").Ranker()
	require.NoError(t, err)
	var cuts []int
	cfg := RankConfig{Truncated: func(text, _ int) { cuts = append(cuts, text) }}
	_, err = r.AppendScoresWith(t.Context(), nil, cfg, long, "a")
	require.NoError(t, err)
	require.Equal(t, []int{-1}, cuts)
}

func TestCosine(t *testing.T) {
	require.Zero(t, cosine([]float32{0, 0}, []float32{1, 2}))
	require.InDelta(t, -1, cosine([]float32{1e-15, 0}, []float32{-1e15, 0}), 1e-6)
}
