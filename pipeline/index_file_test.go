package pipeline

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

func TestIndexFile(t *testing.T) {
	const dim = 2000 // several blocks
	x := newIndex(t, dim, append(randomVectors(3000, dim, 1), make([]float32, dim)...))
	texts := make([]string, 3001)
	texts[0], texts[2], texts[3000] = "one", "zwölf\nand more", "last"
	path := filepath.Join(t.TempDir(), "index.safetensors")
	require.NoError(t, x.Write(path, texts))
	y, got, err := OpenIndex(path, WithThreads(1))
	require.NoError(t, err)
	defer y.Close()
	require.Equal(t, texts, got)
	require.Equal(t, 3001, y.Len())
	query := randomVectors(1, dim, 2)
	want, _, err := x.AppendSearch(t.Context(), nil, 20, query)
	require.NoError(t, err)
	found, _, err := y.AppendSearch(t.Context(), nil, 20, query)
	require.NoError(t, err)
	require.Equal(t, want, found)

	require.ErrorContains(t, x.Write(path, texts[1:]), "3000 texts for 3001 vectors")
	empty := newIndex(t, 3, nil)
	require.NoError(t, empty.Write(path, nil))
	z, got, err := OpenIndex(path)
	require.NoError(t, err)
	defer z.Close()
	require.Nil(t, got)
	require.Zero(t, z.Len())
	require.Equal(t, 3, z.Dim())
}

func TestIndexFileErrors(t *testing.T) {
	vectors := weights.Of("vectors", []int{2, 2}, []float32{1, 0, 0, 1})
	texts := weights.Of("texts", []int{3}, []byte("abc"))
	ends := func(e ...int64) weights.Tensor { return weights.Of("text_ends", []int{len(e)}, e) }
	for _, tt := range []struct {
		want    string
		format  string
		tensors []weights.Tensor
	}{
		{"not an index", "", []weights.Tensor{vectors}},
		{"not an index", "ladon-index", nil},
		{"two dimensions", "ladon-index", []weights.Tensor{weights.Of("vectors", []int{2}, []float32{1, 0})}},
		{"F32", "ladon-index", []weights.Tensor{weights.Of("vectors", []int{1, 2}, []float64{1, 0})}},
		{"0 components", "ladon-index", []weights.Tensor{weights.Of("vectors", []int{2, 0}, []float32{})}},
		{"row 1 is no unit vector", "ladon-index", []weights.Tensor{weights.Of("vectors", []int{2, 2}, []float32{1, 0, 1, 1})}},
		{"text_ends", "ladon-index", []weights.Tensor{vectors, texts}},
		{"2 texts", "ladon-index", []weights.Tensor{vectors, texts, ends(3)}},
		{"text 1 ends at 1", "ladon-index", []weights.Tensor{vectors, texts, ends(2, 1)}},
		{"text 1 ends at 4", "ladon-index", []weights.Tensor{vectors, texts, ends(2, 4)}},
		{"ends at 2 of 3", "ladon-index", []weights.Tensor{vectors, texts, ends(2, 2)}},
		{"UTF-8", "ladon-index", []weights.Tensor{vectors, weights.Of("texts", []int{1}, []byte{255}), ends(0, 1)}},
	} {
		path := filepath.Join(t.TempDir(), "i.safetensors")
		require.NoError(t, weights.Write(path, tt.tensors, map[string]string{"format": tt.format}))
		_, _, err := OpenIndex(path)
		require.ErrorContains(t, err, path)
		require.ErrorContains(t, err, tt.want)
	}
	_, _, err := OpenIndex("testdata/texts.json")
	require.ErrorContains(t, err, "testdata/texts.json")
}

// Whatever the bytes are, they give an error or an index that can be searched.
func FuzzOpenIndex(f *testing.F) {
	x := newIndex(f, 3, randomVectors(5, 3, 1))
	path := filepath.Join(f.TempDir(), "index.safetensors")
	require.NoError(f, x.Write(path, []string{"a", "", "bc", "d", "é"}))
	seed, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(seed)
	f.Add(bytes.Replace(seed, []byte("F32"), []byte("I32"), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := weights.OpenBytes("fuzz", data)
		if err != nil {
			return
		}
		x, texts, err := readIndex(set, nil)
		if err != nil {
			require.ErrorContains(t, err, "fuzz")
			return
		}
		defer x.Close()
		require.True(t, texts == nil || len(texts) == x.Len())
		query := make([]float32, x.Dim())
		query[0] = 1
		hits, n, err := x.AppendSearch(t.Context(), nil, 3, query)
		require.NoError(t, err)
		require.Len(t, hits, n)
	})
}
