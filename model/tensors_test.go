package model

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

func TestBadTensors(t *testing.T) {
	m, err := Load("testdata/bert-model")
	require.NoError(t, err)
	defer m.Close()
	distil, err := Load("testdata/distilbert-model")
	require.NoError(t, err)
	defer distil.Close()
	choice, err := Load("testdata/bert-mc")
	require.NoError(t, err)
	defer choice.Close()

	ids := weights.Of("input_ids", []int{2, 2}, []int64{1, 2, 3, 4})
	for name, c := range map[string]struct {
		model *Model
		in    []weights.Tensor
		want  string
	}{
		"nothing":           {m, nil, `input tensor "input_ids" is missing`},
		"unknown":           {m, []weights.Tensor{ids, {Name: "pixel_values"}}, `unknown input tensor "pixel_values"; this model takes input_ids, inputs_embeds, attention_mask, position_ids, head_mask, token_type_ids`},
		"no types":          {distil, []weights.Tensor{ids, weights.Of("token_type_ids", []int{2, 2}, make([]int64, 4))}, `unknown input tensor "token_type_ids"`},
		"rank":              {m, []weights.Tensor{weights.Of("input_ids", []int{4}, make([]int64, 4))}, `"input_ids" has shape [4], want [batch length]`},
		"choices":           {choice, []weights.Tensor{ids}, `"input_ids" has shape [2 2], want [batch choices length]`},
		"empty":             {m, []weights.Tensor{weights.Of("input_ids", []int{2, 0}, []int64{})}, `"input_ids" has shape [2 0]`},
		"too long":          {m, []weights.Tensor{weights.Of("input_ids", []int{1, 25}, make([]int64, 25))}, "rows of 25 tokens, but the model takes at most 24"},
		"id":                {m, []weights.Tensor{weights.Of("input_ids", []int{1, 2}, []int64{1, 97})}, `"input_ids": 97 at 1 is outside 0…96`},
		"id far out":        {m, []weights.Tensor{weights.Of("input_ids", []int{1, 2}, []int64{1, math.MinInt64})}, "-9223372036854775808 at 1"},
		"id under the mask": {m, []weights.Tensor{weights.Of("input_ids", []int{1, 2}, []int32{1, -1}), weights.Of("attention_mask", []int{1, 2}, []int64{1, 0})}, `"input_ids": -1 at 1`},
		"half an id":        {m, []weights.Tensor{weights.Of("input_ids", []int{1, 1}, []float32{0.5})}, `"input_ids": 0.5 at 0 is not a whole number`},
		"NaN":               {m, []weights.Tensor{weights.Of("input_ids", []int{1, 1}, []float32{float32(math.NaN())})}, "is not a whole number"},
		"infinite":          {m, []weights.Tensor{weights.Of("input_ids", []int{1, 1}, []float32{float32(math.Inf(1))})}, "is not a whole number"},
		"mask's shape":      {m, []weights.Tensor{ids, weights.Of("attention_mask", []int{2, 3}, make([]int64, 6))}, `"attention_mask" has shape [2 3], want [2 2]`},
		"mask of a square":  {m, []weights.Tensor{ids, weights.Of("attention_mask", []int{2, 2, 2}, make([]int64, 8))}, `"attention_mask" has shape [2 2 2]`},
		"type":              {m, []weights.Tensor{ids, weights.Of("token_type_ids", []int{2, 2}, []int64{0, 0, 3, 0})}, `"token_type_ids": 3 at 2 is outside 0…2`},
		"position":          {m, []weights.Tensor{ids, weights.Of("position_ids", []int{1, 2}, []int64{0, 24})}, `"position_ids": 24 at 1`},
		"dtype":             {m, []weights.Tensor{{Name: "input_ids", DType: weights.C64, Shape: []int{1, 1}, Data: make([]byte, 8)}}, `"input_ids"`},
		"both":              {m, []weights.Tensor{ids, weights.Of("inputs_embeds", []int{2, 2, 20}, make([]float32, 80))}, `both input tensors "input_ids" and "inputs_embeds"`},
		"width":             {m, []weights.Tensor{weights.Of("inputs_embeds", []int{2, 2, 19}, make([]float32, 76))}, "want one that ends with 20"},
		"no shape":          {m, []weights.Tensor{weights.Of("inputs_embeds", nil, make([]float32, 1))}, "want one that ends with 20"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.model.ForwardTensors(t.Context(), c.in)
			var input *InputError
			require.ErrorAs(t, err, &input)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// Embeddings in place of ids give what the ids that select them give.
func TestInputsEmbeds(t *testing.T) {
	for _, dir := range []string{"testdata/bert-holes", "testdata/bert-mc", "testdata/distilbert-seqcls-left"} {
		m, err := Load(dir)
		require.NoError(t, err)
		defer m.Close()
		in := readTensors(t, filepath.Join(dir, "in.safetensors"))
		want, err := m.ForwardTensors(t.Context(), in)
		require.NoError(t, err)
		for i := range in {
			if in[i].Name != "input_ids" {
				continue
			}
			ids, err := in[i].Int64s(nil)
			require.NoError(t, err)
			hidden := m.Spec().Hidden
			embeds := make([]float32, len(ids)*hidden)
			for j, id := range ids {
				m.embed.words.row(embeds[j*hidden:(j+1)*hidden], int(id))
			}
			in[i] = weights.Of("inputs_embeds", append(in[i].Shape[:len(in[i].Shape):len(in[i].Shape)], hidden), embeds)
		}
		got, err := m.ForwardTensors(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, want, got, dir)
	}
}

// A row of which nothing is visible gives zeros where there are positions, and
// something finite elsewhere. One first dimension serves all rows.
func TestMasksAtTheEdge(t *testing.T) {
	m, err := Load("testdata/bert-model")
	require.NoError(t, err)
	defer m.Close()
	ids := weights.Of("input_ids", []int{3, 2}, []int64{1, 2, 3, 4, 5, 6})
	out, err := m.ForwardTensors(t.Context(), []weights.Tensor{ids, weights.Of("attention_mask", []int{3, 2}, []uint8{1, 1, 0, 0, 0, 1})},
		LastHiddenState, "pooler_output", Attentions)
	require.NoError(t, err)
	hidden := float32s(t, byName(out)[LastHiddenState])
	require.Equal(t, make([]float32, 60), hidden[40:100], "row 1, and what row 2 hides")
	for _, o := range out {
		for _, v := range float32s(t, o) {
			require.False(t, math.IsNaN(float64(v)), o.Name)
		}
	}

	one := weights.Of("attention_mask", []int{1, 2}, []int64{0, 7})
	all := weights.Of("attention_mask", []int{3, 2}, []uint8{0, 1, 0, 1, 0, 1})
	a, err := m.ForwardTensors(t.Context(), []weights.Tensor{ids, one})
	require.NoError(t, err)
	b, err := m.ForwardTensors(t.Context(), []weights.Tensor{ids, all})
	require.NoError(t, err)
	require.Equal(t, b, a)
}
