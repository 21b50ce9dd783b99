package pipeline

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// files makes a file system of name, content pairs.
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

const (
	threeModules = `[
		{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
		{"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
		{"idx":2,"name":"2","path":"2_Normalize","type":"sentence_transformers.models.Normalize"}]`
	meanPooling = `{"word_embedding_dimension":384,"pooling_mode_cls_token":false,"pooling_mode_mean_tokens":true}`
)

func TestReadFolder(t *testing.T) {
	mean := pooling{modes: []poolMode{poolMean}}
	tests := []struct {
		name  string
		files fstest.MapFS
		want  folder
	}{
		{"plain checkpoint", files(), folder{transformer: ".", pool: mean}},
		{
			"a limit beyond any model",
			files("sentence_bert_config.json", `{"max_seq_length":1e30}`),
			folder{transformer: ".", pool: mean},
		},
		{
			"MiniLM's folder",
			files("modules.json", threeModules, "1_Pooling/config.json", meanPooling,
				"sentence_bert_config.json", `{"max_seq_length":256,"do_lower_case":false}`,
				"config_sentence_transformers.json", `{"__version__":{}}`),
			folder{
				transformer: ".", maxSeq: 256,
				pool:   pooling{modes: []poolMode{poolMean}, width: 384},
				stages: []stage{{normalize: true}},
			},
		},
		{
			"later class names, a module's own folder, a prompt, a Dense, a null limit",
			files(
				"modules.json", `[
					{"path":"0_Transformer","type":"sentence_transformers.base.modules.transformer.Transformer"},
					{"path":"1_Pooling","type":"sentence_transformers.sentence_transformer.modules.pooling.Pooling"},
					{"path":"2_Dropout","type":"sentence_transformers.models.Dropout"},
					{"path":"3_Dense","type":"sentence_transformers.base.modules.dense.Dense"}]`,
				"1_Pooling/config.json", `{"embedding_dimension":8,"pooling_mode":["cls","lasttoken"],"include_prompt":false}`,
				"3_Dense/config.json", `{"in_features":16,"out_features":4,"bias":true,"activation_function":"torch.nn.modules.activation.Tanh"}`,
				"0_Transformer/sentence_roberta_config.json", `{"max_seq_length":null,"do_lower_case":true}`,
				"0_Transformer/config.json", `{"sentence_transformers":{"activation_fn":"torch.nn.modules.linear.Identity"}}`,
				"config_sentence_transformers.json", `{"prompts":{"query":"query: "},"default_prompt_name":"query"}`),
			folder{
				transformer: "0_Transformer", lower: true, prompt: "query: ",
				pool: pooling{modes: []poolMode{poolCLS, poolLast}, width: 8, skipPrompt: true},
				stages: []stage{{dense: &denseConfig{
					dir: "3_Dense", In: 16, Out: 4, Bias: new(true), Activation: "torch.nn.modules.activation.Tanh",
				}}},
				activation: "torch.nn.modules.linear.Identity",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readFolder(tt.files)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestReadFolderErrors(t *testing.T) {
	modules := func(types ...string) string {
		var list []string
		for _, typ := range types {
			list = append(list, `{"path":"x","type":"sentence_transformers.models.`+typ+`"}`)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	tests := []struct {
		name  string
		files fstest.MapFS
		want  []string // parts of the message
	}{
		{"not JSON", files("modules.json", "[{"), []string{"modules.json"}},
		{"not a list", files("modules.json", `{"a":1}`), []string{"modules.json"}},
		{"empty", files("modules.json", "[]"), []string{"modules.json", "Transformer", "Pooling"}},
		{"unknown module", files("modules.json", modules("Transformer", "LSTM")), []string{"modules.json", "module 1", "LSTM"}},
		{"two transformers", files("modules.json", modules("Transformer", "Transformer")), []string{"module 1", "Transformer", "out of place"}},
		{"pooling first", files("modules.json", modules("Pooling", "Transformer")), []string{"module 0", "Pooling"}},
		{"no pooling", files("modules.json", modules("Transformer")), []string{"Pooling"}},
		{"a path out of the folder", files("modules.json", `[{"path":"../x","type":"Transformer"}]`), []string{"module 0", "../x"}},
		{"no pooling config", files("modules.json", threeModules), []string{"1_Pooling/config.json", "not exist"}},
		{
			"unknown pooling", files("modules.json", threeModules, "1_Pooling/config.json", `{"pooling_mode":"median"}`),
			[]string{"1_Pooling/config.json", "median"},
		},
		{
			"pooling of a wrong kind", files("modules.json", threeModules, "1_Pooling/config.json", `{"pooling_mode":3}`),
			[]string{"1_Pooling/config.json", "pooling_mode"},
		},
		{
			"a length that is none", files("sentence_bert_config.json", `{"max_seq_length":-3}`),
			[]string{"sentence_bert_config.json", "max_seq_length", "-3"},
		},
		{
			"a fractional length", files("sentence_xlnet_config.json", `{"max_seq_length":12.5}`),
			[]string{"sentence_xlnet_config.json", "max_seq_length", "12.5"},
		},
		{
			"a default prompt that is not there",
			files("modules.json", threeModules, "1_Pooling/config.json", meanPooling,
				"config_sentence_transformers.json", `{"prompts":{},"default_prompt_name":"query"}`),
			[]string{"config_sentence_transformers.json", "query"},
		},
		{
			"a dense without a width",
			files("modules.json", modules("Transformer", "Pooling", "Dense"), "x/config.json", `{"in_features":0,"out_features":3}`),
			[]string{"x/config.json", "features"},
		},
		{"a huge file", files("modules.json", strings.Repeat(" ", maxConfig+1)), []string{"modules.json", "bytes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readFolder(tt.files)
			require.Error(t, err)
			for _, part := range tt.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

func FuzzReadFolder(f *testing.F) {
	f.Add([]byte(threeModules), []byte(meanPooling), []byte(`{"max_seq_length":256}`))
	f.Add([]byte(`[{"path":"a","type":"Transformer"},{"path":"1_Pooling","type":"Pooling"},{"path":"1_Pooling","type":"Dense"}]`),
		[]byte(`{"pooling_mode":["mean","max"],"in_features":2,"out_features":3}`), []byte(`{"max_seq_length":1e30}`))
	f.Fuzz(func(t *testing.T, modules, pool, settings []byte) {
		got, err := readFolder(fstest.MapFS{
			"modules.json":              {Data: modules},
			"1_Pooling/config.json":     {Data: pool},
			"sentence_bert_config.json": {Data: settings},
		})
		if err == nil && (len(got.pool.modes) == 0 || got.maxSeq < 0 || got.transformer == "") {
			t.Errorf("accepted %+v", got)
		}
	})
}
