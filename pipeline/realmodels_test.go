package pipeline

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/picture"
	"github.com/ladon-ml/ladon/model/weights"
)

// TestRealModels compares published models, as tools/README.md converts them,
// with what their own runtimes answer. LADON_TEST_CONVERTED names their folder.
func TestRealModels(t *testing.T) {
	root := os.Getenv("LADON_TEST_CONVERTED")
	if root == "" {
		t.Skip("LADON_TEST_CONVERTED does not name a folder of converted models (see tools/README.md)")
	}
	for _, tt := range []struct {
		name  string
		check func(t *testing.T, dir string, answers *weights.Set)
	}{
		{"distilbert-gector", checkTagger},
		{"vit-s-imgfocus", checkPictures},
		{"rxnmapper-albert", checkLogits},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(root, tt.name)
			data, err := os.ReadFile(filepath.Join(dir, "check.safetensors"))
			if err != nil {
				t.Skip(err)
			}
			answers, err := weights.OpenBytes("check.safetensors", data)
			require.NoError(t, err)
			tt.check(t, dir, answers)
		})
	}
}

// A gap is the largest difference between numbers and those expected, and the
// largest of those.
type gap struct{ diff, size float64 }

func (g *gap) add(t *testing.T, want, got []float32) {
	require.Len(t, got, len(want))
	for i, x := range want {
		diff := math.Abs(float64(got[i]) - float64(x))
		require.False(t, math.IsNaN(diff))
		g.diff, g.size = max(g.diff, diff), max(g.size, math.Abs(float64(x)))
	}
}

// cases lists what stands before the suffix in the names of tensors.
func cases(set *weights.Set, suffix string) []string {
	var list []string
	for _, name := range set.Names() {
		if one, ok := strings.CutSuffix(name, suffix); ok {
			list = append(list, one)
		}
	}
	return list
}

func numbers(t *testing.T, set *weights.Set, name string) []float32 {
	tensor, err := set.Tensor(name)
	require.NoError(t, err)
	x, err := tensor.Float32s(nil)
	require.NoError(t, err)
	return x
}

// forwardOn runs the model's forward pass on one tensor of the answers.
func forwardOn(t *testing.T, m *model.Model, set *weights.Set, one, input, output string) []float32 {
	tensor, err := set.Tensor(one + "." + input)
	require.NoError(t, err)
	tensor.Name = input
	out, err := m.ForwardTensors(t.Context(), []weights.Tensor{tensor}, output)
	require.NoError(t, err)
	x, err := out[0].Float32s(nil)
	require.NoError(t, err)
	return x
}

// checkLogits compares logits of token ids.
func checkLogits(t *testing.T, dir string, answers *weights.Set) {
	m, err := model.Load(dir)
	require.NoError(t, err)
	defer m.Close()
	var g gap
	for _, one := range cases(answers, ".input_ids") {
		g.add(t, numbers(t, answers, one+".exact"), forwardOn(t, m, answers, one, "input_ids", logits))
	}
	t.Logf("logits up to %.4g differ by %.3g", g.size, g.diff)
	require.Less(t, g.diff, 1e-5*g.size)
}

// checkTagger compares a token classifier of texts with what ONNX Runtime
// computes of the graph without rounded activations, and counts on how many
// tokens the graph as it is agrees.
func checkTagger(t *testing.T, dir string, answers *weights.Set) {
	checkLogits(t, dir, answers)
	m, err := Open(dir)
	require.NoError(t, err)
	defer m.Close()
	tagger, err := m.Tagger()
	require.NoError(t, err)
	var texts []string
	data, err := os.ReadFile(filepath.Join(dir, "check.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &texts))
	found, err := tagger.Tag(t.Context(), TagConfig{Aggregation: AggregateNone, Ignore: []string{}}, texts...)
	require.NoError(t, err)
	labels := m.Model().Spec().Labels
	tokens, rounded := 0, 0
	for _, one := range cases(answers, ".input_ids") {
		i, err := strconv.Atoi(one)
		require.NoError(t, err)
		exact, given := numbers(t, answers, one+".exact"), numbers(t, answers, one+".logits")
		n := len(exact) / len(labels)
		if n == m.MaxSeq() {
			continue // cut, while Tag reads on
		}
		require.Len(t, found[i], n-2, texts[i]) // but [CLS] and [SEP]
		for j, e := range found[i] {
			row := (j + 1) * len(labels)
			require.Equal(t, labels[largest(exact[row:row+len(labels)])], e.Label.Label, "%q: %q", texts[i], e.Text)
			tokens++
			if labels[largest(given[row:row+len(labels)])] == e.Label.Label {
				rounded++
			}
		}
	}
	t.Logf("%d tokens have the exact graph's label, %d that of the graph with int8 activations", tokens, rounded)
	require.Greater(t, float64(rounded), 0.97*float64(tokens))
}

func largest(x []float32) int {
	b := 0
	for i := range x {
		if x[i] > x[b] {
			b = i
		}
	}
	return b
}

// checkPictures compares a model of pictures with ONNX Runtime, on the same
// pixels, and on files that both prepare themselves.
func checkPictures(t *testing.T, dir string, answers *weights.Set) {
	v, err := OpenVision(dir)
	require.NoError(t, err)
	defer v.Close()
	var same, files gap
	var worst string
	for _, one := range cases(answers, ".pixel_values") {
		want := numbers(t, answers, one+".last_hidden_state")
		same.add(t, want, forwardOn(t, v.Model(), answers, one, "pixel_values", model.LastHiddenState))
		data, err := os.ReadFile(filepath.Join(dir, "check", one))
		require.NoError(t, err)
		pic, err := picture.Decode(one, data, 0)
		require.NoError(t, err)
		vectors, err := v.Embed(t.Context(), pic)
		require.NoError(t, err)
		before := files.diff
		files.add(t, want[:v.Dim()], vectors[0])
		if files.diff > before {
			worst = one
		}
	}
	t.Logf("states up to %.4g differ by %.3g, class tokens of files up to %.4g by %.3g (%s)", same.size, same.diff, files.size, files.diff, worst)
	require.Less(t, same.diff, 2e-5*same.size)
	require.Less(t, files.diff, 2e-4*files.size)
}
