package model

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// changed copies a golden checkpoint with its tensors changed.
func changed(t *testing.T, name string, change func(list []weights.Tensor) []weights.Tensor) string {
	dir := t.TempDir()
	config, err := os.ReadFile(filepath.Join("testdata", name, configFile))
	require.NoError(t, err)
	writeFile(t, filepath.Join(dir, configFile), string(config))
	list := change(readTensors(t, filepath.Join("testdata", name)))
	require.NoError(t, weights.Write(filepath.Join(dir, "model.safetensors"), list, nil))
	return dir
}

func TestLoadNamesAllThatIsWrong(t *testing.T) {
	dir := changed(t, "bert-seqcls", func(list []weights.Tensor) []weights.Tensor {
		list = slices.DeleteFunc(list, func(x weights.Tensor) bool {
			return strings.HasSuffix(x.Name, "0.attention.self.key.bias") || x.Name == "classifier.weight"
		})
		for i := range list {
			switch {
			case strings.HasSuffix(list[i].Name, "intermediate.dense.weight"):
				list[i].Shape = []int{list[i].Shape[1], list[i].Shape[0]}
			case list[i].Name == "bert.pooler.dense.bias":
				list[i] = weights.Of(list[i].Name, list[i].Shape, make([]int32, list[i].Elements()))
			}
		}
		return list
	})
	_, err := Load(dir)
	var e *WeightsError
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Problems, 4)
	require.NotContains(t, err.Error(), "\n")
	for _, want := range []string{
		filepath.Join(dir, "model.safetensors"),
		`tensor "bert.encoder.layer.0.attention.self.key.bias" is missing`,
		`tensor "classifier.weight" is missing`,
		`tensor "bert.encoder.layer.0.intermediate.dense.weight" has shape [20 37], want [37 20]`,
		`tensor "bert.pooler.dense.bias" is stored as I32`,
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = Load(dir, WithoutHeads())
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Problems, 2, "what is wrong with the heads does not matter without them")
}

func TestLoadRefusesNaN(t *testing.T) {
	for _, name := range []string{"embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight",
		"encoder.layer.0.attention.self.value.weight", "encoder.layer.0.attention.self.key.bias", "encoder.layer.0.output.LayerNorm.weight",
		"pooler.dense.weight"} {
		for _, golden := range []string{"bert-model", "bert-positions", "bert-bf16"} {
			for _, dtype := range []DType{F32, Int8} {
				dir := changed(t, golden, func(list []weights.Tensor) []weights.Tensor {
					i := slices.IndexFunc(list, func(x weights.Tensor) bool { return x.Name == name })
					require.GreaterOrEqual(t, i, 0)
					data := slices.Clone(list[i].Data)
					for j := range data[:4] {
						data[j] = 0xff // NaN in every float format
					}
					list[i].Data = data
					return list
				})
				_, err := Load(dir, WithDType(dtype))
				require.ErrorContains(t, err, "NaN", "%s of %s, %v", name, golden, dtype)
				require.ErrorContains(t, err, `"`+name+`"`)
				require.ErrorContains(t, err, dir)
			}
		}
	}
}

// Infinities are allowed in float32: they spread as arithmetic says.
func TestLoadAllowsInfinity(t *testing.T) {
	dir := changed(t, "bert-model", func(list []weights.Tensor) []weights.Tensor {
		i := slices.IndexFunc(list, func(x weights.Tensor) bool { return x.Name == "pooler.dense.bias" })
		v := float32s(t, list[i])
		v[0] = float32(math.Inf(1))
		list[i] = weights.Of(list[i].Name, list[i].Shape, v)
		return list
	})
	m, err := Load(dir)
	require.NoError(t, err)
	r, err := m.NewResult("pooler_output")
	require.NoError(t, err)
	require.NoError(t, m.Forward(t.Context(), Batch{IDs: []int32{1}, CuSeqlens: []int32{0, 1}}, r))
	require.Equal(t, float32(1), r.Get("pooler_output").Data[0])
}

func TestLoadFS(t *testing.T) {
	fsys := fstest.MapFS{}
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join("testdata/bert-qa", name))
		require.NoError(t, err)
		fsys["models/qa/"+name] = &fstest.MapFile{Data: data}
	}
	m, err := LoadFS(fsys, "models/qa")
	require.NoError(t, err)
	require.Equal(t, "BertForQuestionAnswering", m.Spec().Class)
	require.NoError(t, m.Close())

	_, err = LoadFS(fsys, "models")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "models/config.json")
	delete(fsys, "models/qa/model.safetensors")
	_, err = LoadFS(fsys, "models/qa")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "models/qa")
}

// A class that nobody knows is no obstacle to what needs no head.
func TestUnknownClass(t *testing.T) {
	dir := changed(t, "bert-model", func(list []weights.Tensor) []weights.Tensor { return list })
	writeFile(t, filepath.Join(dir, configFile), `{"model_type": "bert", "architectures": ["BertForSentences"], "hidden_size": 20,
		"num_attention_heads": 4, "intermediate_size": 37, "num_hidden_layers": 2, "vocab_size": 97, "max_position_embeddings": 24, "type_vocab_size": 3}`)
	_, err := Load(dir)
	var unsupported *UnsupportedError
	require.ErrorAs(t, err, &unsupported)
	require.Contains(t, unsupported.Supported, "BertModel")
	m, err := Load(dir, WithoutHeads())
	require.NoError(t, err)
	require.NoError(t, m.Close())
}

func TestParameters(t *testing.T) {
	for _, name := range []string{"bert-mlm-tied", "bert-mlm-untied", "distilbert-seqcls"} {
		want := 0
		for _, x := range readTensors(t, filepath.Join("testdata", name)) {
			if x.Name != "cls.predictions.bias" || name == "bert-mlm-tied" {
				want += x.Elements()
			}
		}
		m, err := Load(filepath.Join("testdata", name))
		require.NoError(t, err)
		count, size := m.Parameters()
		require.Equal(t, want, count, name)
		require.Greater(t, size, 2*count)
		require.NoError(t, m.Close())
	}
}

// Infinities cannot be quantised, and the error says where one is.
func TestQuantizeRefusesInfinity(t *testing.T) {
	for _, name := range []string{"embeddings.word_embeddings.weight", "encoder.layer.1.attention.self.key.weight"} {
		dir := changed(t, "bert-model", func(list []weights.Tensor) []weights.Tensor {
			i := slices.IndexFunc(list, func(x weights.Tensor) bool { return x.Name == name })
			v := float32s(t, list[i])
			v[21] = float32(math.Inf(-1))
			list[i] = weights.Of(list[i].Name, list[i].Shape, v)
			return list
		})
		_, err := Load(dir, WithDType(Int8))
		require.ErrorContains(t, err, `"`+name+`"`)
		require.ErrorContains(t, err, "infinity")
		m, err := Load(dir)
		require.NoError(t, err)
		require.NoError(t, m.Close())
	}
}
