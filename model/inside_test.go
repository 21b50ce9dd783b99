package model

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

// A Gemma 3 of texts and pictures has the one of texts inside, in its config.json
// and in its tensors, and is read as that, also as GGUF.
func TestLanguageModelInside(t *testing.T) {
	const plain = "testdata/gemma3-lm"
	data, err := os.ReadFile(filepath.Join(plain, configFile))
	require.NoError(t, err)
	var text map[string]any
	require.NoError(t, json.Unmarshal(data, &text))
	whole, err := json.Marshal(map[string]any{
		"model_type": "gemma3", "architectures": []string{"Gemma3ForConditionalGeneration"}, "tie_word_embeddings": text["tie_word_embeddings"],
		"text_config": text, "vision_config": map[string]any{"hidden_size": 8},
	})
	require.NoError(t, err)
	set, err := weights.Open(plain)
	require.NoError(t, err)
	defer set.Close()
	want, err := Load(plain)
	require.NoError(t, err)
	defer want.Close()
	ids := []int32{3, 14, 15, 9, 26, 5, 35, 8, 9}

	for _, prefix := range []string{"language_model.model.", "model.language_model."} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, configFile), string(whole))
		pixels := weights.Of("vision_tower.embeddings.patch_embedding.bias", []int{8}, make([]float32, 8))
		list := []weights.Tensor{pixels}
		for _, name := range set.Names() {
			x, err := set.Tensor(name)
			require.NoError(t, err)
			x.Name = prefix + name[len("model."):]
			list = append(list, x)
		}
		require.NoError(t, weights.Write(filepath.Join(dir, "model.safetensors"), list, nil))
		gguf := filepath.Join(t.TempDir(), "x.gguf")
		_, err := WriteGGUF(t.Context(), dir, gguf, GGUFOptions{})
		require.NoError(t, err)
		for _, path := range []string{dir, gguf} {
			m, err := Load(path)
			require.NoError(t, err)
			defer m.Close()
			got := sessionLogits(t, newSession(t, m, SessionOptions{}), ids, len(ids))
			require.InDeltaSlice(t, sessionLogits(t, newSession(t, want, SessionOptions{}), ids, len(ids)), got, 1e-5)
		}
	}
}
