package pipeline

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// golden is what testdata/make_goldens.py says of a folder and its answers.
type golden struct {
	About        string
	MaxAbs       float64     `json:"max_abs"`
	Float32Error float64     `json:"float32_error"`
	Embeddings   [][]float64 `json:"embeddings"`
	Scores       [][]float64 `json:"scores"`
}

func (g golden) tolerance() float64 { return 2*g.Float32Error + g.MaxAbs*0x1p-24 }

// goldenTexts are what the golden answers are about.
type goldenTexts struct {
	Texts []string    `json:"texts"`
	Pairs [][2]string `json:"pairs"`
}

func readGolden(t testing.TB, path string, v any) {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, v))
}

func openTest(t testing.TB, dir string, opts ...Option) *Model {
	m, err := Open(filepath.Join("testdata", dir), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func openEmbedder(t testing.TB, dir string, opts ...Option) *Embedder {
	e, err := openTest(t, dir, opts...).Embedder()
	require.NoError(t, err)
	return e
}

func TestGoldenEmbeddings(t *testing.T) {
	var in goldenTexts
	readGolden(t, "testdata/texts.json", &in)
	folders, err := filepath.Glob("testdata/st-*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var g golden
			readGolden(t, filepath.Join(dir, "golden.json"), &g)
			e := openEmbedder(t, filepath.Base(dir))
			require.Equal(t, len(g.Embeddings[0]), e.Dim())
			got, err := e.AppendEmbed(t.Context(), nil, in.Texts...)
			require.NoError(t, err)
			require.Len(t, got, len(in.Texts)*e.Dim())
			for i, text := range in.Texts {
				requireNear(t, g, g.Embeddings[i], got[i*e.Dim():(i+1)*e.Dim()], text)
			}
		})
	}
}

func requireNear(t *testing.T, g golden, want []float64, got []float32, text string) {
	for j := range want {
		if diff := math.Abs(float64(got[j]) - want[j]); !(diff <= g.tolerance()) {
			t.Fatalf("%q: component %d: got %v, want %v: error %g, tolerance %g (%s)", text, j, got[j], want[j], diff, g.tolerance(), g.About)
		}
	}
}

func TestGoldenCrossEncoder(t *testing.T) {
	var in goldenTexts
	readGolden(t, "testdata/texts.json", &in)
	var g golden
	readGolden(t, "testdata/ce-one/golden.json", &g)
	r, err := openTest(t, "ce-one").Ranker()
	require.NoError(t, err)
	require.True(t, r.CrossEncoder())
	for i, pair := range in.Pairs {
		got, err := r.AppendScores(t.Context(), nil, pair[0], pair[1])
		require.NoError(t, err)
		requireNear(t, g, g.Scores[i], got, pair[0]+" / "+pair[1])
	}
}

func TestSeveralLabelsDoNotRank(t *testing.T) {
	_, err := openTest(t, "ce-three").Ranker()
	require.ErrorContains(t, err, "3 labels")
}
