package model

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/weights"
)

// somePruning takes out about half of everything, in whole groups.
func somePruning(r *rand.Rand, s *Spec) Pruning {
	p := Pruning{Heads: map[int][]int{}, Neurons: map[int][]int{}}
	if s.Other != nil {
		other := somePruning(r, s.Other)
		p.Other = &other
	}
	for l := range s.Layers {
		if s.params(l) != l {
			continue
		}
		a := &s.Layers[l].Attention
		group := a.Heads / a.KVHeads
		for _, kv := range r.Perm(a.KVHeads)[:a.KVHeads/2] {
			for i := range group {
				p.Heads[l] = append(p.Heads[l], kv*group+i)
			}
		}
		w := s.Layers[l].FeedForward.Width
		p.Neurons[l] = r.Perm(w)[:w/2]
	}
	return p
}

// silence makes the heads and neurons of a loaded model give zeros: what reads
// them has zeros in their columns.
func silence(t *testing.T, m *Model, p Pruning) {
	zero := func(w **kernels.Matrix, columns []int) {
		n, k := (*w).N(), (*w).K()
		rows := make([]float32, n*k)
		for i := range n {
			row := rows[i*k : (i+1)*k]
			(*w).Row(row, i)
			for _, j := range columns {
				row[j] = 0
			}
		}
		packed, err := kernels.Pack(rows, n, k)
		require.NoError(t, err)
		*w = packed
	}
	if p.Other != nil {
		silence(t, m.other, *p.Other)
	}
	for l, heads := range p.Heads {
		zero(&m.layers[l].out.w, spans(heads, m.spec.Layers[l].Attention.HeadDim))
	}
	for l, neurons := range p.Neurons {
		zero(&m.layers[l].down.w, neurons)
	}
}

// requireSame runs two models on the same inputs.
func requireSame(t *testing.T, want, got *Model, in []weights.Tensor) {
	t.Helper()
	names := slices.DeleteFunc(want.Outputs(), func(s string) bool { return s == Attentions })
	a, err := want.ForwardTensors(t.Context(), in, names...)
	require.NoError(t, err)
	b, err := got.ForwardTensors(t.Context(), in, names...)
	require.NoError(t, err)
	require.Equal(t, len(a), len(b))
	for i := range a {
		require.Equal(t, a[i].Name, b[i].Name)
		require.Equal(t, a[i].Shape, b[i].Shape)
		require.Equal(t, float32s(t, a[i]), float32s(t, b[i]), a[i].Name)
	}
}

// Of every architecture: a pruned model is the one whose heads and neurons give
// zeros, to the bit, and is smaller. (CI runs it on every instruction set.)
func TestPrune(t *testing.T) {
	forSomeGoldens(t, func(t *testing.T, g golden) {
		r := rand.New(rand.NewPCG(1, 1))
		in := readTensors(t, filepath.Join(g.dir, "in.safetensors"))
		m, err := Load(g.dir)
		require.NoError(t, err)
		defer m.Close()
		p := somePruning(r, &m.spec)
		dir := filepath.Join(t.TempDir(), "pruned")
		report, err := Prune(t.Context(), g.dir, dir, p)
		require.NoError(t, err)
		silence(t, m, p)
		pruned, err := Load(dir)
		require.NoError(t, err)
		defer pruned.Close()
		requireSame(t, m, pruned, in)

		before, _ := m.Parameters()
		after, _ := pruned.Parameters()
		require.Equal(t, before-after, report.ParametersBefore-report.ParametersAfter)
		require.Less(t, report.BytesAfter, report.BytesBefore)
		require.Positive(t, report.Neurons)

		// What is left can be pruned again, by its own numbers.
		again := somePruning(r, &pruned.spec)
		dir2 := filepath.Join(t.TempDir(), "again")
		_, err = Prune(t.Context(), dir, dir2, again)
		require.NoError(t, err)
		silence(t, pruned, again)
		twice, err := Load(dir2)
		require.NoError(t, err)
		defer twice.Close()
		requireSame(t, pruned, twice, in)
	})
}

func TestPrunedConfig(t *testing.T) {
	config := func(p Pruning) (values map[string]json.RawMessage) {
		dir := filepath.Join(t.TempDir(), "pruned")
		_, err := Prune(t.Context(), "testdata/bert-model", dir, p)
		require.NoError(t, err)
		data, err := os.ReadFile(filepath.Join(dir, configFile))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &values))
		return values
	}
	m, err := Load("testdata/bert-model")
	require.NoError(t, err)
	defer m.Close()
	width := m.spec.Layers[0].FeedForward.Width

	// transformers' own keys where they can say it.
	values := config(Pruning{Heads: map[int][]int{1: {0}}})
	require.JSONEq(t, `{"1": [0]}`, string(values[prunedHeadsKey]))
	require.NotContains(t, values, widthsKey)
	all := map[int][]int{}
	for l := range m.spec.Layers {
		all[l] = []int{l, 7}
	}
	values = config(Pruning{Neurons: all})
	require.NotContains(t, values, prunedHeadsKey)
	require.NotContains(t, values, widthsKey)
	var n int
	require.NoError(t, json.Unmarshal(values["intermediate_size"], &n))
	require.Equal(t, width-2, n)
	// Else our own.
	values = config(Pruning{Neurons: map[int][]int{0: {3}}})
	var widths []int
	require.NoError(t, json.Unmarshal(values[widthsKey], &widths))
	require.Equal(t, width-1, widths[0])
	require.Equal(t, width, widths[1])
}

func TestPrunedHeadsKeepTheirNumbers(t *testing.T) {
	s := Spec{Stack: Stack{Layers: repeat(2, Layer{Attention: Attention{Heads: 6, KVHeads: 6}, FeedForward: FeedForward{Width: 9}})}}
	w := configWriter{file: "config.json", values: map[string]json.RawMessage{"other_" + prunedHeadsKey: json.RawMessage(`{"0": [1, 4]}`)}}
	p := Pruning{Heads: map[int][]int{0: {0, 2}, 1: {5}}} // of 0, 2, 3, 5, 6, 7
	cuts, err := p.cuts(&s.Stack)
	require.NoError(t, err)
	require.NoError(t, w.pruneHeads(&prunedStack{prefix: otherKey, before: &s.Stack, cuts: cuts, want: s.Layers}))
	require.JSONEq(t, `{"0": [0, 1, 3, 4], "1": [5]}`, string(w.values["other_"+prunedHeadsKey]))
}

func TestPruneErrors(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "pruned")
	prune := func(src string, p Pruning) error {
		_, err := Prune(t.Context(), src, dst, p)
		require.Error(t, err)
		require.NoDirExists(t, dst)
		return err
	}
	bert := "testdata/bert-model"
	some := Pruning{Heads: map[int][]int{0: {0}}}
	for part, p := range map[string]Pruning{
		"no layer 99":             {Heads: map[int][]int{99: {0}}},
		"no layer -1":             {Neurons: map[int][]int{-1: {0}}},
		"layer 0: no head 99":     {Heads: map[int][]int{0: {99}}},
		"layer 1: no neuron -1":   {Neurons: map[int][]int{1: {-1}}},
		"head 1 is named twice":   {Heads: map[int][]int{0: {1, 1}}},
		"no head would be left":   {Heads: map[int][]int{0: {0, 1, 2, 3}}},
		"no neuron would be left": {Neurons: map[int][]int{0: rand.New(rand.NewPCG(1, 1)).Perm(37)}},
	} {
		require.ErrorContains(t, prune(bert, p), part)
	}
	require.ErrorContains(t, prune("testdata/bart-all", Pruning{Other: &Pruning{Heads: map[int][]int{0: {4}}}}), "the other model: model: pruning: layer 0: no head 4")
	require.ErrorContains(t, prune(bert, Pruning{Other: &Pruning{}}), "BertModel has no other model")
	require.ErrorContains(t, prune(t.TempDir(), some), "model.safetensors")
	_, err := Prune(t.Context(), bert, bert, some)
	require.ErrorContains(t, err, "not empty")

	quantised := filepath.Join(t.TempDir(), "int8")
	_, err = Quantize(t.Context(), bert, quantised, QuantizeOptions{})
	require.NoError(t, err)
	require.ErrorContains(t, prune(quantised, some), "quantised")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Prune(ctx, bert, dst, some)
	require.ErrorIs(t, err, context.Canceled)
	require.NoDirExists(t, dst)
}

func TestWholeGroups(t *testing.T) {
	kv, err := wholeGroups([]int{2, 3, 6, 7}, 2)
	require.NoError(t, err)
	require.Equal(t, []int{1, 3}, kv)
	for _, heads := range [][]int{{2}, {2, 3, 5}, {1, 2}, {0, 1, 3, 4}} {
		_, err := wholeGroups(heads, 2)
		require.ErrorContains(t, err, "share keys")
	}
}

func TestConfigSaysWhatIsPruned(t *testing.T) {
	base, err := os.ReadFile("testdata/bert-model/config.json")
	require.NoError(t, err)
	with := func(key, value string) (Spec, error) {
		var values map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(base, &values))
		values[key] = json.RawMessage(value)
		data, err := json.Marshal(values)
		require.NoError(t, err)
		return ParseConfig("config.json", data)
	}
	spec, err := with(prunedHeadsKey, `{"1": [0, 2]}`)
	require.NoError(t, err)
	require.Equal(t, spec.Layers[0].Attention.Heads-2, spec.Layers[1].Attention.Heads)
	require.Equal(t, spec.Layers[1].Attention.Heads, spec.Layers[1].Attention.KVHeads)
	_, err = with(prunedHeadsKey, `{}`)
	require.NoError(t, err)
	for _, bad := range []string{`[]`, `{"x": [0]}`, `{"-1": [0]}`, `{"9": [0]}`, `{"0": [0, 0]}`, `{"0": [0, 1, 2, 3]}`, `{"0": [99]}`, `{"0": 1}`, `{"0": [1], "00": [2]}`} {
		_, err := with(prunedHeadsKey, bad)
		require.ErrorContains(t, err, prunedHeadsKey, bad)
	}
	for _, bad := range []string{`3`, `[]`, `[1]`, `[0, 1]`, `[1, 1000]`, `[1.5, 2]`, `["a", 2]`} {
		_, err := with(widthsKey, bad)
		require.ErrorContains(t, err, widthsKey, bad)
	}
}
