package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/picture"
)

const pictureDir = "../model/picture/testdata"

func openVision(t testing.TB, dir string) *VisionModel {
	v, err := OpenVision(filepath.Join("testdata", dir))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	return v
}

func testPicture(t testing.TB, name string) *picture.Picture {
	data, err := os.ReadFile(filepath.Join(pictureDir, name))
	require.NoError(t, err)
	p, err := picture.Decode(name, data, 0)
	require.NoError(t, err)
	return p
}

// pictures are those of answers, some often enough to fill more than one batch.
func pictures[T any](t testing.TB, answers map[string]T) (names []string, pics []*picture.Picture) {
	for range pictureBatch {
		for name := range answers {
			names, pics = append(names, name), append(pics, testPicture(t, name))
		}
	}
	return names, pics
}

const scoreTolerance = 1e-5

func requireLabels(t *testing.T, want [][]any, got []Label) {
	require.Len(t, got, len(want))
	for i, w := range want {
		require.Equal(t, w[0], got[i].Label)
		require.InDelta(t, w[1], got[i].Score, scoreTolerance)
	}
}

func TestGoldenPictures(t *testing.T) {
	var answers map[string]struct {
		Labels    [][]any
		Embedding []float64
	}
	readGolden(t, "testdata/vit/answers.json", &answers)
	v := openVision(t, "vit")
	names, pics := pictures(t, answers)
	labels, err := v.Classify(t.Context(), 0, pics...)
	require.NoError(t, err)
	best, err := v.Classify(t.Context(), 1, pics...)
	require.NoError(t, err)
	vectors, err := v.Embed(t.Context(), pics...)
	require.NoError(t, err)
	for i, name := range names {
		requireLabels(t, answers[name].Labels, labels[i])
		require.Equal(t, labels[i][:1], best[i])
		require.Len(t, vectors[i], v.Dim())
		for j, x := range answers[name].Embedding {
			require.InDelta(t, x, vectors[i][j], 1e-4)
		}
	}
	_, err = v.Detect(t.Context(), 0.5, pics...)
	require.ErrorContains(t, err, "cannot detect")
}

func TestGoldenObjects(t *testing.T) {
	var answers map[string][][]any
	readGolden(t, "testdata/yolos/answers.json", &answers)
	v := openVision(t, "yolos")
	names, pics := pictures(t, answers)
	found, err := v.Detect(t.Context(), 0.1, pics...)
	require.NoError(t, err)
	some := 0
	for i, name := range names {
		want := answers[name]
		require.Len(t, found[i], len(want), name)
		for j, w := range want {
			b := found[i][j]
			require.Equal(t, w[0], b.Label.Label)
			for k, x := range []float32{b.Score, b.XMin, b.YMin, b.XMax, b.YMax} {
				require.InDelta(t, w[1+k], x, 1e-3)
			}
			some++
		}
	}
	require.Positive(t, some)
	_, err = v.Classify(t.Context(), 0, pics...)
	require.ErrorContains(t, err, "cannot classify")
	vectors, err := v.Embed(t.Context(), pics...) // pictures of different sizes in one batch
	require.NoError(t, err)
	alone, err := v.Embed(t.Context(), pics[1])
	require.NoError(t, err)
	require.Equal(t, alone[0], vectors[1])
}

func TestVisionRefuses(t *testing.T) {
	_, err := OpenVision("testdata/nothing")
	require.ErrorContains(t, err, "nothing")
	_, err = OpenVision("testdata/st-mean")
	require.ErrorContains(t, err, "cannot look at pictures")
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/vit")))
	require.NoError(t, os.Remove(filepath.Join(dir, "preprocessor_config.json")))
	_, err = OpenVision(dir)
	require.ErrorContains(t, err, "preprocessor_config.json")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "preprocessor_config.json"), []byte(`{"size": 0}`), 0o644))
	_, err = OpenVision(dir)
	require.ErrorIs(t, err, picture.ErrConfig)

	v, err := OpenVision("testdata/vit")
	require.NoError(t, err)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = v.Classify(cancelled, 0, testPicture(t, "rgb.png"))
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, v.Close())
	_, err = v.Classify(t.Context(), 0, testPicture(t, "rgb.png"))
	require.ErrorIs(t, err, model.ErrClosed)
}

func TestGoldenLabels(t *testing.T) {
	var in goldenTexts
	readGolden(t, "testdata/texts.json", &in)
	var want [][][]any
	readGolden(t, "testdata/ce-three/labels.json", &want)
	c, err := openTest(t, "ce-three").Classifier()
	require.NoError(t, err)
	got, err := c.Classify(t.Context(), ClassifyConfig{}, in.Texts...)
	require.NoError(t, err)
	require.Len(t, got, len(in.Texts))
	for i := range want {
		requireLabels(t, want[i], got[i])
	}
	_, err = openTest(t, "st-mean").Classifier()
	require.ErrorContains(t, err, "cannot classify")
}

func TestLabelsOf(t *testing.T) {
	s := model.Spec{Labels: []string{"a", "b"}}
	require.Equal(t, []Label{{"b", 0.5}, {"a", 0.5}}[1:], labelsOf(&s, []float32{1, 1}, 1))
	s.Problem = "multi_label_classification"
	require.Equal(t, []Label{{"a", 0.5}, {"b", 0.5}}, labelsOf(&s, []float32{0, 0}, 0))
	s.Problem = "regression"
	require.Equal(t, []Label{{"b", 7}, {"a", -2}}, labelsOf(&s, []float32{-2, 7}, 0))
	one := model.Spec{Labels: []string{"a"}}
	require.Equal(t, []Label{{"a", 0.5}}, labelsOf(&one, []float32{0}, 0))
}

func TestAttentionOnPictures(t *testing.T) {
	pic := testPicture(t, "photo-420.jpg")
	for dir, extra := range map[string]struct{ class, objects int }{"vit": {1, 0}, "yolos": {1, 5}} {
		v := openVision(t, dir)
		a, err := v.Attention(t.Context(), pic, AttentionConfig{Truncated: func(int) { t.Error("not made smaller") }})
		require.NoError(t, err)
		spec := v.Model().Spec()
		p := a.Picture
		n := extra.class + p.Rows*p.Cols + spec.Embeddings.Patches.Detection
		require.Len(t, a.Tokens, n)
		require.Equal(t, extra.class, p.First)
		require.Equal(t, "[class]", a.Tokens[0].Token)
		require.Equal(t, AttentionToken{ID: -1, Token: "patch 0, 1"}, a.Tokens[p.First+1])
		require.Equal(t, extra.objects > 0, a.Tokens[n-1].Special)
		require.Len(t, a.Layers, len(spec.Layers))

		// Against the product of whole matrices.
		want := make([][]float64, n)
		for i := range want {
			want[i] = make([]float64, n)
			want[i][i] = 1
		}
		for _, l := range a.Layers {
			require.Len(t, l.Weights, l.Heads*n*n)
			next := make([][]float64, n)
			for i := range next {
				next[i] = make([]float64, n)
				for k := range n {
					share := 0.0
					for h := range l.Heads {
						share += float64(l.Weights[(h*n+i)*n+k]) / float64(l.Heads)
					}
					if i == k {
						share++
					}
					for j := range n {
						next[i][j] += share / 2 * want[k][j]
					}
				}
			}
			want = next
		}
		for token := range n {
			sum := 0.0
			for j, x := range a.Rollout(token) {
				require.InDelta(t, want[token][j], x, 1e-6)
				sum += float64(x)
			}
			require.InDelta(t, 1, sum, 1e-5)
		}
	}
}

func TestAttentionMakesPicturesSmaller(t *testing.T) {
	pic := testPicture(t, "photo-420.jpg")
	v := openVision(t, "yolos")
	v.processor = v.processor.Scaled(4)
	whole, err := v.Attention(t.Context(), pic, AttentionConfig{})
	require.NoError(t, err)
	most := len(whole.Tokens) - 1
	var kept []int
	a, err := v.Attention(t.Context(), pic, AttentionConfig{MaxTokens: most, Truncated: func(n int) { kept = append(kept, n) }})
	require.NoError(t, err)
	require.Equal(t, []int{len(a.Tokens)}, kept)
	require.LessOrEqual(t, len(a.Tokens), most)
	_, err = v.Attention(t.Context(), pic, AttentionConfig{MaxTokens: 2})
	require.ErrorContains(t, err, "at most 2")
	_, err = openVision(t, "vit").Attention(t.Context(), pic, AttentionConfig{MaxTokens: 3})
	require.ErrorContains(t, err, "at most 3", "its positions are of one size")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = v.Attention(ctx, pic, AttentionConfig{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestPicturesOfNoShape(t *testing.T) {
	v := openVision(t, "yolos")
	narrow, err := picture.FromRGB(make([]byte, 3*3000), 1, 3000)
	require.NoError(t, err)
	_, err = v.Detect(t.Context(), 0.5, testPicture(t, "rgb.png"), narrow)
	one, ok := errors.AsType[*PictureError](err)
	require.True(t, ok, err)
	require.Equal(t, 1, one.Index)
	require.ErrorIs(t, err, picture.ErrShape)
	require.ErrorContains(t, err, "pipeline: picture 1: ")
	require.ErrorContains(t, err, "1×3000")
}
