package pipeline

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParsePooling(t *testing.T) {
	tests := []struct {
		json string
		want pooling
	}{
		{`{}`, pooling{modes: []poolMode{poolMean}}},
		{`{"pooling_mode_cls_token":false}`, pooling{modes: []poolMode{poolMean}}},
		{`{"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true,"word_embedding_dimension":3}`, pooling{modes: []poolMode{poolCLS, poolMean}, width: 3}},
		{`{"pooling_mode":"weightedmean"}`, pooling{modes: []poolMode{poolWeightedMean}}},
		{`{"pooling_mode":["mean_sqrt_len_tokens","max"],"pooling_mode_cls_token":true}`, pooling{modes: []poolMode{poolMeanSqrt, poolMax}}},
		{`{"include_prompt":true}`, pooling{modes: []poolMode{poolMean}}},
		{`{"include_prompt":false}`, pooling{modes: []poolMode{poolMean}, skipPrompt: true}},
	}
	for _, tt := range tests {
		var raw map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(tt.json), &raw))
		got, err := parsePooling(raw)
		require.NoError(t, err, tt.json)
		require.Equal(t, tt.want, got, tt.json)
	}
}

func TestPoolingApply(t *testing.T) {
	const hidden = 2
	tokens := []float32{1, -2, 3, 8, 5, -6} // three tokens
	tests := []struct {
		mode poolMode
		skip int
		want []float32
	}{
		{poolCLS, 0, []float32{1, -2}},
		{poolCLS, 1, []float32{3, 8}},
		{poolCLS, 3, []float32{1, -2}}, // nothing left: as sentence-transformers
		{poolMax, 0, []float32{5, 8}},
		{poolMax, 2, []float32{5, -6}},
		{poolMax, 3, []float32{0, 0}},
		{poolMean, 0, []float32{3, 0}},
		{poolMean, 1, []float32{4, 1}},
		{poolMean, 3, []float32{0, 0}},
		{poolMeanSqrt, 0, []float32{9 / float32(math.Sqrt(3)), 0}},
		{poolWeightedMean, 0, []float32{(1 + 6 + 15) / 6., (-2 + 16 - 18) / 6.}},
		{poolWeightedMean, 1, []float32{(6 + 15) / 5., (16 - 18) / 5.}},
		{poolLast, 0, []float32{5, -6}},
		{poolLast, 2, []float32{5, -6}},
	}
	for _, tt := range tests {
		got := []float32{float32(math.NaN()), float32(math.NaN())}
		pooling{modes: []poolMode{tt.mode}}.apply(got, tokens, hidden, tt.skip)
		require.InDeltaSlice(t, tt.want, got, 1e-6, "%v, skipping %d", tt.mode, tt.skip)
	}

	t.Run("modes are concatenated", func(t *testing.T) {
		got := make([]float32, 4)
		pooling{modes: []poolMode{poolLast, poolCLS}}.apply(got, tokens, hidden, 0)
		require.Equal(t, []float32{5, -6, 1, -2}, got)
	})
	t.Run("no tokens give zeros", func(t *testing.T) {
		got := []float32{7, 7}
		pooling{modes: []poolMode{poolMax}}.apply(got, nil, hidden, 0)
		require.Equal(t, []float32{0, 0}, got)
	})
	t.Run("NaN is not hidden by max", func(t *testing.T) {
		got := make([]float32, 1)
		pooling{modes: []poolMode{poolMax}}.apply(got, []float32{1, float32(math.NaN()), 2}, 1, 0)
		require.True(t, math.IsNaN(float64(got[0])))
	})
}

func TestNormalize(t *testing.T) {
	x := []float32{3, 4}
	normalize(x)
	require.InDeltaSlice(t, []float32{0.6, 0.8}, x, 1e-7)
	zero := []float32{0, 0}
	normalize(zero)
	require.Equal(t, []float32{0, 0}, zero)
}
