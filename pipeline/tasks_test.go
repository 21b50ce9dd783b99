package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// Whatever a model cannot do, the error says what it can do.
func TestTasks(t *testing.T) {
	tests := []struct {
		dir, kind string
		can       []string
	}{
		{"st-mean", "BertModel", []string{"embed", "rank"}},
		{"ce-one", "BertForSequenceClassification of one label", []string{"embed", "rank", "classify"}},
		{"ce-three", "BertForSequenceClassification of 3 labels", []string{"embed", "classify"}},
		{"nli-bart", "BartForSequenceClassification of 3 labels", []string{"classify", "classify -labels"}},
		{"../../model/generate/testdata/llama", "LlamaForCausalLM", []string{"embed", "rank", "generate"}},
	}
	for _, tt := range tests {
		m := openTest(t, tt.dir)
		require.Equal(t, tt.can, m.Tasks())
		for _, task := range tasks {
			err := m.can(task.name)
			wrong, failed := errors.AsType[*TaskError](err)
			if !failed {
				require.NoError(t, err)
				require.Contains(t, tt.can, task.name)
				continue
			}
			require.Equal(t, tt.can, wrong.Can)
			require.Equal(t, tt.kind, wrong.Model)
			require.ErrorContains(t, err, m.name)
			require.ErrorContains(t, err, task.head)
		}
	}
}

// copyFolder gives a folder of testdata with some files changed.
func copyFolder(t *testing.T, dir string, change map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	files, err := filepath.Glob("testdata/" + dir + "/*.*")
	require.NoError(t, err)
	for _, name := range files {
		from := name
		if other, ok := change[filepath.Base(name)]; ok {
			from = other
		}
		data, err := os.ReadFile(from)
		require.NoError(t, err)
		fsys["m/"+filepath.Base(name)] = &fstest.MapFile{Data: data}
	}
	return fsys
}

// Weights without the head that config.json promises still give vectors.
func TestMissingHead(t *testing.T) {
	const weightsFile = "model.safetensors"
	m, err := OpenFS(copyFolder(t, "tag-bert", map[string]string{weightsFile: "testdata/st-mean/" + weightsFile}), "m")
	require.NoError(t, err)
	defer m.Close()
	_, err = m.Tagger()
	require.ErrorContains(t, err, `BertForTokenClassification whose head is missing (tensor "classifier.weight" is missing; tensor "classifier.bias" is missing) cannot tag`)
	require.ErrorContains(t, err, "it can be used for: embed, rank")
	e, err := m.Embedder()
	require.NoError(t, err)
	_, err = e.AppendEmbed(t.Context(), nil, "a")
	require.NoError(t, err)

	// A cross-encoder without its head must not rank by something else.
	m, err = OpenFS(copyFolder(t, "ce-one", map[string]string{weightsFile: "testdata/st-mean/" + weightsFile}), "m")
	require.NoError(t, err)
	defer m.Close()
	_, err = m.Ranker()
	require.ErrorContains(t, err, "it can be used for: embed")
	require.Equal(t, []string{"embed"}, m.Tasks())

	// A head of another width is no missing head, and other weights are none of it.
	_, err = OpenFS(copyFolder(t, "tag-bert", map[string]string{weightsFile: "testdata/nli/" + weightsFile}), "m")
	require.ErrorContains(t, err, `tensor "classifier.weight" has shape [3 20], want [7 20]`)
	require.ErrorContains(t, err, `tensor "bert.embeddings.position_embeddings.weight" has shape [40 20], want [24 20]`)
	_, err = OpenFS(copyFolder(t, "tag-bert", map[string]string{weightsFile: "../model/testdata/gpt2-lm/" + weightsFile}), "m")
	require.ErrorContains(t, err, `tensor "encoder.layer.0.output.dense.weight" is missing`)
	require.ErrorContains(t, err, `not taken, but there: "transformer.`)
	require.Less(t, len(err.Error()), 8000)
}

// Texts for a model of pictures, and the other way round.
func TestTasksOfPictures(t *testing.T) {
	_, err := Open("testdata/vit")
	require.ErrorContains(t, err, "ViTForImageClassification of")
	require.ErrorContains(t, err, "cannot read texts")
	require.ErrorContains(t, err, "it can be used for: embed -image, classify -image")
	_, err = OpenVision("testdata/tag-bert")
	require.ErrorContains(t, err, "cannot look at pictures")
	require.ErrorContains(t, err, "it can be used for: embed, tag")
}
