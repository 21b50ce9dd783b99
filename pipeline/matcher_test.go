package pipeline

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/picture"
)

// matches are what transformers says of testdata/clip.
type matches struct {
	Texts      []string
	Embeddings [][]float64
	Pictures   map[string]struct {
		Embedding, Logits []float64
		Labels            [][]any
	}
}

func readMatches(t *testing.T) (answers matches) {
	readGolden(t, "testdata/clip/answers.json", &answers)
	return answers
}

func requireVector(t *testing.T, want []float64, got []float32) {
	require.Len(t, got, len(want))
	for i := range want {
		require.InDelta(t, want[i], got[i], scoreTolerance)
	}
}

func TestMatcher(t *testing.T) {
	answers := readMatches(t)
	m, err := Open("testdata/clip")
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	require.Contains(t, m.Tasks(), "match")

	// Vectors as get_text_features and get_image_features give them.
	e, err := m.Embedder()
	require.NoError(t, err)
	var cut []int
	raw, err := e.AppendEmbedWith(t.Context(), nil, EmbedConfig{Truncated: func(i, kept int) { cut = append(cut, i, kept) }}, answers.Texts...)
	require.NoError(t, err)
	require.Equal(t, []int{len(answers.Texts) - 1, 24}, cut)
	for i, want := range answers.Embeddings {
		requireVector(t, want, raw[i*e.Dim():(i+1)*e.Dim()])
	}
	v := openVision(t, "clip")
	_, err = v.Classify(t.Context(), 0, testPicture(t, "rgb.png"))
	require.ErrorContains(t, err, "a CLIPModel cannot classify pictures")
	require.ErrorContains(t, err, "embed -image, match, classify -image -labels")
	require.Equal(t, e.Dim(), v.Dim())
	names, pics := pictures(t, answers.Pictures)
	vectors, err := v.Embed(t.Context(), pics...)
	require.NoError(t, err)
	for i, name := range names {
		requireVector(t, answers.Pictures[name].Embedding, vectors[i])
	}

	x, err := m.Matcher()
	require.NoError(t, err)
	texts, err := x.Texts(t.Context(), EmbedConfig{}, answers.Texts...)
	require.NoError(t, err)
	require.InDelta(t, 1, kernels.Dot(texts[:x.Dim()], texts[:x.Dim()]), 1e-6)
	images, err := x.Pictures(t.Context(), pics...)
	require.NoError(t, err)
	for i, row := range x.Compare(texts, images) {
		sum := float32(0)
		for j, match := range row {
			require.InDelta(t, answers.Pictures[names[i]].Logits[j], match.Logit, 10*scoreTolerance)
			sum += match.Score
		}
		require.InDelta(t, 1, sum, 1e-6)
	}

	l, err := x.Labeler(t.Context(), LabelConfig{}, answers.Texts[:4]...)
	require.NoError(t, err)
	labels, err := l.Label(t.Context(), pics...)
	require.NoError(t, err)
	for i, name := range names {
		requireLabels(t, answers.Pictures[name].Labels, labels[i])
	}
	l, err = x.Labeler(t.Context(), LabelConfig{Template: "{}", Top: 1}, "a cat")
	require.NoError(t, err)
	labels, err = l.Label(t.Context(), pics[0])
	require.NoError(t, err)
	require.Equal(t, [][]Label{{{"a cat", 1}}}, labels)
}

// As sentence-transformers writes a CLIP model: its files are a module's.
func TestMatcherModule(t *testing.T) {
	answers := readMatches(t)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "0_CLIPModel"), os.DirFS("testdata/clip")))
	modules := `[{"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}]`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "modules.json"), []byte(modules), 0o644))
	m, err := Open(dir)
	require.NoError(t, err)
	defer m.Close()
	e, err := m.Embedder()
	require.NoError(t, err)
	got, err := e.AppendEmbed(t.Context(), nil, answers.Texts[0])
	require.NoError(t, err)
	requireVector(t, answers.Embeddings[0], got)
	_, err = m.Matcher()
	require.NoError(t, err)
	v, err := OpenVision(dir)
	require.NoError(t, err)
	require.NoError(t, v.Close())
}

func TestMatcherErrors(t *testing.T) {
	m, err := Open("testdata/clip")
	require.NoError(t, err)
	x, err := m.Matcher()
	require.NoError(t, err)
	_, err = x.Labeler(t.Context(), LabelConfig{})
	require.ErrorContains(t, err, "no labels")
	_, err = x.Labeler(t.Context(), LabelConfig{Template: "a photo"}, "a cat")
	require.ErrorContains(t, err, "{}")
	require.NoError(t, m.Close())
	_, err = x.Texts(t.Context(), EmbedConfig{}, "a")
	require.ErrorIs(t, err, ErrClosed)
	_, err = x.Pictures(t.Context(), &picture.Picture{})
	require.Error(t, err)

	// Without a processor it still reads texts.
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/clip")))
	require.NoError(t, os.Remove(filepath.Join(dir, "processor_config.json")))
	m, err = Open(dir)
	require.NoError(t, err)
	defer m.Close()
	require.NotContains(t, m.Tasks(), "match")
	_, err = m.Matcher()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "preprocessor_config.json")
	_, err = m.Embedder()
	require.NoError(t, err)

	// A sentence encoder has one tower.
	m, err = Open("testdata/st-mean")
	require.NoError(t, err)
	defer m.Close()
	_, err = m.Matcher()
	require.ErrorContains(t, err, "cannot match")
	require.False(t, slices.Contains(m.Tasks(), "match"))
}
