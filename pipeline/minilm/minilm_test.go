package minilm_test

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/weights"
	"github.com/ladon-ml/ladon/pipeline"
	"github.com/ladon-ml/ladon/pipeline/minilm"
)

func openEmbedder(t testing.TB, opts ...pipeline.Option) *pipeline.Embedder {
	m, err := minilm.Open(opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	e, err := m.Embedder()
	require.NoError(t, err)
	require.Equal(t, 384, e.Dim())
	return e
}

// sentences are the texts that accuracy is measured on.
func sentences(t testing.TB) []string {
	data, err := os.ReadFile("../testdata/sentences.txt")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	require.Len(t, lines, 1000)
	return lines
}

// The vectors are close to those of the published float32 weights, on every
// tier. make.sh tells the mean and the least cosine over all sentences; here are
// 25 of them.
func TestCloseToPublished(t *testing.T) {
	set, err := weights.Open("testdata/golden.safetensors")
	require.NoError(t, err)
	defer set.Close()
	golden, err := set.Tensor("embeddings")
	require.NoError(t, err)
	want, err := golden.Float32s(nil)
	require.NoError(t, err)
	var texts []string
	for i, s := range sentences(t) {
		if i%40 == 0 {
			texts = append(texts, s)
		}
	}
	require.Equal(t, []int{len(texts), 384}, golden.Shape)
	if testing.Short() {
		texts = texts[:2] // under an emulator each takes seconds
	}
	for name, opts := range map[string][]pipeline.Option{
		"int8": nil,
		"f32":  {pipeline.WithDType(model.F32)}, // the same weights, exact activations
	} {
		t.Run(name, func(t *testing.T) {
			got, err := openEmbedder(t, opts...).AppendEmbed(t.Context(), nil, texts...)
			require.NoError(t, err)
			mean := 0.0
			for i, text := range texts {
				cos := cosine(got[i*384:(i+1)*384], want[i*384:(i+1)*384])
				if !(cos >= 0.96) {
					t.Errorf("%q: cosine %v", text, cos)
				}
				mean += cos / float64(len(texts))
			}
			if !(mean >= 0.995) {
				t.Errorf("mean cosine %v", mean)
			}
		})
	}
}

func cosine(x, y []float32) float64 {
	var xy, xx, yy float64
	for i, v := range x {
		a, b := float64(v), float64(y[i])
		xy, xx, yy = xy+a*b, xx+a*a, yy+b*b
	}
	return xy / math.Sqrt(xx*yy)
}

func TestEmbedAllocatesNothing(t *testing.T) {
	e := openEmbedder(t)
	texts := sentences(t)[:3]
	if testing.Short() {
		texts = texts[:1]
	}
	dst := make([]float32, 0, len(texts)*384)
	embed := func() {
		if _, err := e.AppendEmbed(context.Background(), dst, texts...); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		embed()
	}
	require.Zero(t, testing.AllocsPerRun(3, embed))
}
