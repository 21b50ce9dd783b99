package model

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

// golden is what testdata/make_goldens.py says of a checkpoint and its answers.
type golden struct {
	dir          string
	About        string
	Attentions   bool
	HiddenStates bool `json:"hidden_states"`
	Outputs      map[string]struct {
		MaxAbs       float64 `json:"max_abs"`
		Float32Error float64 `json:"float32_error"`
	}
	// Greedy is what transformers' generate continues a prompt with, where the
	// model is a language model.
	Greedy *struct{ Prompt, Tokens []int32 }
	// Generates is what it writes for sources, where it is an encoder-decoder:
	// greedily, and with four beams.
	Generates []struct{ Source, Greedy, Beams []int32 }
	// Writes is what it writes about pictures, those of in.safetensors.
	Writes []struct{ Greedy, Beams []int32 }
}

// forGoldens runs a test for every checkpoint of testdata.
func forGoldens(t *testing.T, f func(t *testing.T, g golden)) { forEachGolden(t, 1, f) }

// forSomeGoldens is forGoldens, and in short tests for every fourth checkpoint: for what is about files and the same
// in every architecture and on every machine.
func forSomeGoldens(t *testing.T, f func(t *testing.T, g golden)) {
	step := 1
	if testing.Short() {
		step = 4
	}
	forEachGolden(t, step, f)
}

func forEachGolden(t *testing.T, step int, f func(t *testing.T, g golden)) {
	files, err := filepath.Glob("testdata/*/golden.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for i := 0; i < len(files); i += step {
		file := files[i]
		g := golden{dir: filepath.Dir(file)}
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &g))
		t.Run(filepath.Base(g.dir), func(t *testing.T) { f(t, g) })
	}
}

// outputs are the names to ask for, so that every golden output is given.
func (g golden) outputs(m *Model) []string {
	all := m.Outputs()
	list := all[: len(all)-2 : len(all)-2]
	if g.HiddenStates {
		list = append(list, HiddenStates)
	}
	if g.Attentions {
		list = append(list, Attentions)
	}
	return list
}

// states is an output that is last hidden states.
func (g golden) states(m *Model) string {
	if m.spec.Matches {
		return textPart + LastHiddenState
	}
	return LastHiddenState
}

// tolerance bounds the error of an output: twice what the same formula done
// naively in float32 gives, in the worst of several orders of summation, and one
// rounding of the largest value.
func (g golden) tolerance(name string) float64 {
	o := g.Outputs[name]
	return 2*o.Float32Error + o.MaxAbs*0x1p-24
}

func readTensors(t *testing.T, path string) []weights.Tensor {
	set, err := weights.Open(path)
	require.NoError(t, err)
	defer set.Close()
	var list []weights.Tensor
	for _, name := range set.Names() {
		tensor, err := set.Tensor(name)
		require.NoError(t, err)
		list = append(list, tensor)
	}
	return list
}

func byName(list []weights.Tensor) map[string]weights.Tensor {
	m := map[string]weights.Tensor{}
	for _, tensor := range list {
		m[tensor.Name] = tensor
	}
	return m
}

func float32s(t *testing.T, tensor weights.Tensor) []float32 {
	v, err := tensor.Float32s(nil)
	require.NoError(t, err)
	return v
}

// distance is the largest difference of two tensors of the same shape, or NaN.
func distance(t *testing.T, got, want weights.Tensor) float64 {
	require.Equal(t, want.Shape, got.Shape, got.Name)
	a, b := float32s(t, got), float32s(t, want)
	worst := 0.0
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(d) {
			return d
		}
		worst = max(worst, d)
	}
	return worst
}

func TestGolden(t *testing.T) {
	counts := []int{1, 2, 3}
	if testing.Short() {
		counts = counts[1:2]
	}
	onEveryTier(t, func(t *testing.T) {
		forGoldens(t, func(t *testing.T, g golden) {
			in := readTensors(t, filepath.Join(g.dir, "in.safetensors"))
			want := readTensors(t, filepath.Join(g.dir, "out.safetensors"))
			for _, threads := range counts {
				m, err := Load(g.dir, WithThreads(threads))
				require.NoError(t, err)
				got, err := m.ForwardTensors(t.Context(), in, g.outputs(m)...)
				require.NoError(t, err)
				g.compare(t, got, want)

				// What is asked for alone may be computed in less, and is the same.
				results := byName(got)
				for _, name := range m.Outputs() {
					if name == LastHiddenState || name == HiddenStates || name == Attentions {
						continue
					}
					alone, err := m.ForwardTensors(t.Context(), in, name)
					require.NoError(t, err)
					for _, o := range alone {
						require.Equal(t, results[o.Name], o)
					}
				}
				require.NoError(t, m.Close())
			}
		})
	})
}

// compare checks every wanted output, and that there are no others.
func (g golden) compare(t *testing.T, got, want []weights.Tensor) {
	results := byName(got)
	for _, w := range want {
		have, ok := results[w.Name]
		require.True(t, ok, "%s is missing", w.Name)
		tolerance := g.tolerance(w.Name)
		if d := distance(t, have, w); !(d <= tolerance) {
			t.Errorf("%s: error %g, want at most %g (%s)", w.Name, d, tolerance, g.About)
		}
		delete(results, w.Name)
	}
	// The command writes last_hidden_state also where Hugging Face does not give it.
	delete(results, LastHiddenState)
	require.Empty(t, results, "outputs that Hugging Face does not give")
}
