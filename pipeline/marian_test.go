package pipeline

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// wired is a field with bytes of a protocol buffer.
func wired(number int, body []byte) []byte {
	out := binary.AppendUvarint(nil, uint64(number)<<3|2)
	return append(binary.AppendUvarint(out, uint64(len(body))), body...)
}

// A folder with Marian's own files translates as with the tokenizer.json that says the same.
func TestMarianFiles(t *testing.T) {
	const from = "testdata/to-marian"
	var tok struct {
		Model struct {
			Vocab [][2]any
		}
	}
	readGolden(t, filepath.Join(from, "tokenizer.json"), &tok)
	// Type 2 is what is unknown, 1 a piece. The normalizer keeps blanks as they are.
	model := wired(1, append(wired(1, []byte("<unk>")), 3<<3, 2))
	ids := map[string]int{}
	for id, v := range tok.Model.Vocab {
		text := v[0].(string)
		if ids[text] = id; id > 4 {
			piece := binary.LittleEndian.AppendUint32(append(wired(1, []byte(text)), 2<<3|5), math.Float32bits(float32(v[1].(float64))))
			model = append(model, wired(1, append(piece, 3<<3, 1))...)
		}
	}
	model = append(model, wired(3, []byte{4 << 3, 0})...)
	vocab, err := json.Marshal(ids)
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range []string{"config.json", "generation_config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "source.spm"), model, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vocab.json"), vocab, 0o600))

	m, err := Open(dir)
	require.NoError(t, err)
	defer m.Close()
	translator, err := m.Translator()
	require.NoError(t, err)
	var cases []rewriteCase
	readGolden(t, filepath.Join(from, "golden.json"), &cases)
	n := 0
	for i, c := range cases {
		if c.Task == "summarization" {
			continue
		}
		cfg := TranslateConfig{RewriteConfig: c.config(), Source: c.Source, Target: c.Target}
		got, err := translator.Translate(t.Context(), cfg, "", c.Text)
		require.NoError(t, err, "case %d", i)
		require.Equal(t, c.Want, got[1], "case %d: %s", i, c.Text)
		n++
	}
	require.Greater(t, n, 10)
}
