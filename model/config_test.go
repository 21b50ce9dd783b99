package model

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// Keys that are missing take the defaults of Hugging Face.
func TestConfigDefaults(t *testing.T) {
	s, err := ParseConfig("config.json", []byte(`{"model_type": "bert", "architectures": ["BertForMaskedLM"], "pad_token_id": null, "hidden_act": null}`))
	require.NoError(t, err)
	require.Equal(t, Spec{
		Architecture: "bert",
		Class:        "BertForMaskedLM",
		Stack: Stack{
			Hidden:     768,
			Embeddings: Embeddings{Vocab: 30522, Positions: 512, Rows: 512, Types: 2, Norm: true},
			Norm:       Norm{Eps: 1e-12},
			Layers: repeat(12, Layer{
				Attention:   Attention{Heads: 12, KVHeads: 12, HeadDim: 64, Scale: 0.125, QKVBias: true, OutBias: true},
				FeedForward: FeedForward{Width: 3072, Act: kernels.GELU, Bias: true},
			}),
		},
		Heads: []Head{{Outputs: []string{"logits"}, Layers: []Dense{
			{Name: "cls.predictions.transform.dense", Width: 768, Act: kernels.GELU, Norm: "cls.predictions.transform.LayerNorm"},
			{Name: "cls.predictions.decoder", Width: 30522, Tied: true, Bias: []string{"cls.predictions.decoder.bias", "cls.predictions.bias"}},
		}}},
		Labels: []string{"LABEL_0", "LABEL_1"},
	}, s)

	s, err = ParseConfig("config.json", []byte(`{"model_type": "distilbert"}`))
	require.NoError(t, err)
	require.Equal(t, "DistilBertModel", s.Class)
	require.Equal(t, []any{768, 6, 3072, 12}, []any{s.Hidden, len(s.Layers), s.Layers[0].FeedForward.Width, s.Layers[0].Attention.Heads})
	require.Empty(t, s.Heads)

	// Before there was a model_type, the class said it all.
	s, err = ParseConfig("config.json", []byte(`{"architectures": ["DistilBertForQuestionAnswering"]}`))
	require.NoError(t, err)
	require.Equal(t, "distilbert", s.Architecture)
}

func TestConfigLabels(t *testing.T) {
	for text, want := range map[string][]string{
		`"num_labels": 3`: {"LABEL_0", "LABEL_1", "LABEL_2"},
		`"id2label": {"1": "good", "0": "bad"}, "num_labels": 7`: {"bad", "good"},
		`"id2label": {"0": 1, "1": 2.5}`:                         {"1", "2.5"},
	} {
		s, err := ParseConfig("config.json", []byte(`{"model_type": "bert", "architectures": ["BertForTokenClassification"], `+text+`}`))
		require.NoError(t, err, text)
		require.Equal(t, want, s.Labels)
		require.Equal(t, len(want), s.Heads[0].Layers[0].Width)
	}
}

func TestConfigErrors(t *testing.T) {
	supported := strings.Join(SupportedArchitectures(), ", ")
	llama := func(text string) string { return `{"model_type": "llama", ` + text + `}` }
	bert := func(text string) string { return `{"model_type": "bert", ` + text + `}` }
	captioner := func(encoder, decoder string) string {
		return `{"model_type": "vision-encoder-decoder", "encoder": ` + encoder + `, "decoder": ` + decoder + `}`
	}
	for text, want := range map[string]string{
		``:                                   "not a JSON object",
		`[]`:                                 "not a JSON object",
		`null`:                               "not a JSON object",
		`{"model_type": "bert"`:              "not a JSON object",
		`{}`:                                 "model_type: missing; supported: " + supported,
		`{"model_type": 7}`:                  "model_type: 7 is not a string",
		`{"model_type": "gpt5"}`:             `model_type "gpt5" is not supported; supported: ` + supported,
		`{"architectures": ["GPT5Model"]}`:   `architectures "GPT5Model" is not supported; supported: ` + supported,
		bert(`"architectures": "BertModel"`): "architectures: \"BertModel\" is not a list of strings",
		bert(`"architectures": ["BertForSomething"]`):                                             `architectures "BertForSomething" is not supported; supported: BertForMaskedLM, BertForMultipleChoice`,
		bert(`"hidden_size": 0`):                                                                  "hidden_size: 0 is outside 1…",
		bert(`"hidden_size": -4`):                                                                 "hidden_size: -4 is outside",
		bert(`"hidden_size": 9223372036854775807`):                                                "hidden_size: 9223372036854775807 is outside",
		bert(`"hidden_size": 9223372036854775808`):                                                "hidden_size: 9223372036854775808 is not a whole number in",
		bert(`"hidden_size": 768.0`):                                                              "hidden_size: 768.0 is not a whole number",
		bert(`"hidden_size": "768"`):                                                              `hidden_size: "768" is not a whole number`,
		bert(`"hidden_size": {"a": [` + strings.Repeat("1,", 100) + `1]}`):                        "…",
		bert(`"num_attention_heads": 7`):                                                          "num_attention_heads: 7 does not divide hidden_size 768",
		bert(`"num_attention_heads": 1`):                                                          "num_attention_heads: 1 heads of hidden_size 768 have size 768, but at most 256 is supported",
		bert(`"num_hidden_layers": 0`):                                                            "num_hidden_layers: 0 is outside",
		bert(`"num_hidden_layers": 1000000`):                                                      "num_hidden_layers: 1000000 is outside",
		bert(`"layer_norm_eps": -1`):                                                              "layer_norm_eps: -1 is outside",
		bert(`"layer_norm_eps": 1e400`):                                                           "layer_norm_eps: 1e400 is not a number",
		bert(`"layer_norm_eps": NaN`):                                                             "not a JSON object",
		bert(`"layer_norm_eps": "NaN"`):                                                           `layer_norm_eps: "NaN" is not a number`,
		bert(`"hidden_act": "mish"`):                                                              `hidden_act: activation "mish" is not supported; supported: gelu`,
		bert(`"is_decoder": 1`):                                                                   "is_decoder: 1 is neither true nor false",
		bert(`"is_decoder": true, "add_cross_attention": true`):                                   "add_cross_attention",
		bert(`"position_embedding_type": "relative_key"`):                                         `position_embedding_type: "relative_key" is not supported`,
		bert(`"id2label": {"0": "a", "2": "b"}`):                                                  `id2label: "2" is not one of the classes 0…1`,
		bert(`"id2label": {"0": "a", "00": "b"}`):                                                 "id2label",
		bert(`"id2label": {"0": []}`):                                                             "neither a string nor a number",
		bert(`"id2label": {}`):                                                                    "id2label: 0 labels",
		bert(`"id2label": 3`):                                                                     "id2label: 3 is not an object",
		bert(`"num_labels": 0`):                                                                   "num_labels: 0 is outside",
		bert(`"architectures": ["BertForQuestionAnswering"], "num_labels": 3`):                    "num_labels: question answering needs 2, got 3",
		bert(`"hidden_size": 0, "vocab_size": -1, "intermediate_size": 3000000000`):               "vocab_size: -1 is outside",
		llama(`"num_key_value_heads": 5`):                                                         "num_key_value_heads: 5 does not divide num_attention_heads 32",
		llama(`"head_dim": 257`):                                                                  "head_dim: 257 is outside 1…256",
		llama(`"head_dim": 5`):                                                                    "rope_type: 5 elements of a head cannot be turned in pairs",
		llama(`"rope_theta": 0`):                                                                  "rope_theta: 0 is outside",
		llama(`"rope_scaling": 3`):                                                                "rope_scaling: 3 is not an object",
		llama(`"rope_scaling": {"type": "other"}`):                                                `rope_scaling.rope_type: "other" is not supported; supported: default, linear`,
		llama(`"rope_parameters": {"rope_type": "linear", "factor": 0}`):                          "rope_parameters.factor: 0 is outside",
		llama(`"rope_parameters": {"rope_type": "longrope"}`):                                     "rope_parameters.short_factor: must be 64 positive numbers",
		llama(`"rope_parameters": {"rope_type": "longrope", "long_factor": [1, "x"]}`):            `rope_parameters.long_factor: [1, "x"] is not a list of numbers`,
		`{"model_type": "qwen2", "layer_types": ["full_attention"]}`:                              "layer_types: 1 for 32 layers",
		`{"model_type": "gemma2", "num_hidden_layers": 1, "layer_types": ["chunked_attention"]}`:  `layer_types: "chunked_attention" is not supported`,
		`{"model_type": "gemma2", "query_pre_attn_scalar": 0}`:                                    "query_pre_attn_scalar: 0 is outside",
		`{"model_type": "gpt2", "add_cross_attention": true}`:                                     "add_cross_attention",
		`{"model_type": "mistral", "sliding_window": 0}`:                                          "sliding_window: 0 is outside",
		bert(`"hidden_size": 0, "vocab_size": -1, "intermediate_size": 30000000000`):              "intermediate_size: 30000000000 is outside",
		`{"model_type": "clip", "text_config": 3}`:                                                "text_config: 3 is not an object",
		`{"model_type": "clip", "vision_config": {"patch_size": 0}}`:                              "vision_config.patch_size: 0 is outside",
		`{"model_type": "clip", "text_config_dict": {"num_attention_heads": 7}}`:                  "text_config_dict.num_attention_heads: 7 does not divide hidden_size 512",
		`{"model_type": "clip", "projection_dim": -1}`:                                            "projection_dim: -1 is outside",
		`{"model_type": "clip_text_model", "eos_token_id": null}`:                                 "eos_token_id: without it",
		captioner(`{"model_type": "llama"}`, `{"model_type": "gpt2"}`):                            "encoder.model_type: a llama does not look at pictures",
		captioner(`{"model_type": "vit"}`, `{"model_type": "gpt2"}`):                              "decoder: a gpt2 that attends to no encoder",
		captioner(`{"model_type": "vit"}`, `{"model_type": "t5"}`):                                "decoder: a t5 that attends to no encoder",
		captioner(`{"model_type": "vit"}`, `{"model_type": "bert", "add_cross_attention": true}`): "decoder: a bert that attends to no encoder",
		captioner(`{"model_type": "vit"}`, `{"model_type": "gpt2", "add_cross_attention": true, "n_embd": 24, "cross_attention_hidden_size": 24}`): "decoder.cross_attention_hidden_size: is not the encoder's 768",
		captioner(`{"model_type": "vit"}`, `{"model_type": "trocr", "is_decoder": true, "use_learned_position_embeddings": false}`):                "decoder.use_learned_position_embeddings",
	} {
		_, err := ParseConfig("dir/config.json", []byte(text))
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "dir/config.json", text)
		require.NotContains(t, err.Error(), "\n", text)
		require.Less(t, len(err.Error()), 500, text)
	}
}

func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/*/config.json")
	require.NoError(f, err)
	for i, file := range files {
		if i%8 == 0 {
			data, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(data)
		}
	}
	f.Add([]byte(`{"model_type":"bert","hidden_size":1e3,"num_attention_heads":-0}`))
	for _, name := range []string{"clip-model", "clip-cls", "caption-gpt2", "caption-bert"} {
		data, err := os.ReadFile("testdata/" + name + "/config.json")
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"architectures":["BertModel"],"id2label":{"0":"x","-1":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseConfig("config.json", data)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		// What is accepted is a model that could be: parameters can be listed, and
		// every size is positive.
		m := newModel(s)
		for _, a := range architectures {
			if a.modelType != s.Architecture || len(s.Layers) > 64 {
				continue
			}
			n := a.names(&s)
			for _, p := range m.parameters(&n, nil, nil) {
				if p.rows < 1 || p.cols < 1 || len(p.from) == 0 {
					t.Errorf("parameter %s is %d×%d, from %d tensors", p.name, p.rows, p.cols, len(p.from))
				}
			}
		}
		for _, l := range s.Layers {
			a := &l.Attention
			if a.Heads%a.KVHeads != 0 || a.HeadDim > mha.MaxDim || !(a.Scale > 0) || !(s.Norm.Eps >= 0) {
				t.Errorf("accepted %+v", s)
			}
		}
		if err := m.makeRotations(); err != nil {
			t.Error(err)
		}
	})
}
