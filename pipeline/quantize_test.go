package pipeline

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model"
)

// Every kind of folder can be quantised, opened again, and stays close.
func TestQuantize(t *testing.T) {
	texts := words(20, 4)
	folders, err := filepath.Glob("testdata/st-*")
	require.NoError(t, err)
	for _, src := range folders {
		t.Run(filepath.Base(src), func(t *testing.T) {
			parent := t.TempDir()
			dst := filepath.Join(parent, "int8")
			report, err := Quantize(t.Context(), src, dst, model.QuantizeOptions{WithoutHeads: true})
			require.NoError(t, err)
			require.Positive(t, report.Quantized)
			m, err := Open(dst)
			require.NoError(t, err)
			defer m.Close()
			require.Equal(t, model.Int8, m.Model().DType())
			e, err := m.Embedder()
			require.NoError(t, err)
			got, err := e.AppendEmbed(t.Context(), nil, texts...)
			require.NoError(t, err)
			want, err := openEmbedder(t, filepath.Base(src)).AppendEmbed(t.Context(), nil, texts...)
			require.NoError(t, err)
			for i := range texts {
				cos := cosine(got[i*e.Dim():(i+1)*e.Dim()], want[i*e.Dim():(i+1)*e.Dim()])
				require.Greater(t, cos, float32(0.98), texts[i])
			}
			_, err = Quantize(t.Context(), src, dst, model.QuantizeOptions{})
			require.ErrorContains(t, err, "not empty")
			left, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Len(t, left, 1)
		})
	}
}
