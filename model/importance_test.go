package model

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample is two sequences of a golden model's vocabulary.
func sample() Batch {
	b := Batch{CuSeqlens: []int32{0, 5, 12}}
	for i := range int32(12) {
		b.IDs = append(b.IDs, 1+i*7%20)
	}
	return b
}

func TestImportance(t *testing.T) {
	for _, name := range []string{"bert-model", "bert-mlm-tied", "distilbert-seqcls"} {
		t.Run(name, func(t *testing.T) {
			src := filepath.Join("testdata", name)
			m, err := Load(src)
			require.NoError(t, err)
			defer m.Close()
			layers := m.spec.Layers
			// A head and a neuron that do nothing are worth nothing.
			top := len(layers) - 1
			silence(t, m, Pruning{Heads: map[int][]int{top: {2}}, Neurons: map[int][]int{0: {5}}})
			last := 0
			found, err := m.Importance(t.Context(), sample(), ImportanceOptions{Progress: func(done, passes int) {
				require.Equal(t, last+1, done)
				require.Equal(t, 1+len(layers)*layers[0].Attention.Heads, passes)
				last = done
			}})
			require.NoError(t, err)
			require.Len(t, found.Heads, len(layers)*layers[0].Attention.Heads)
			require.Len(t, found.Neurons, len(layers))

			r, err := m.NewResult(Attentions)
			require.NoError(t, err)
			b := sample()
			require.NoError(t, m.Forward(t.Context(), b, r))
			for _, h := range found.Heads {
				confidence, entropy := 0.0, 0.0
				eachRow(b, r.attentions[h.Layer].Data, layers[h.Layer].Attention.Heads, h.Head, func(row []float32) {
					most := 0.0
					for _, w := range row {
						most = max(most, float64(w))
						if w > 0 {
							entropy -= float64(w) * math.Log(float64(w))
						}
					}
					confidence += most
				})
				require.InDelta(t, confidence/12, h.Confidence, 1e-5)
				require.InDelta(t, entropy/12, h.Entropy, 1e-5)
				if h.Layer == top && h.Head == 2 {
					require.Zero(t, h.Drift)
				} else {
					require.Positive(t, h.Drift)
				}
			}
			require.Zero(t, found.Neurons[0][5])
			require.Positive(t, found.Neurons[0][6])
		})
	}
}

// eachRow gives the rows of one head of all sequences.
func eachRow(b Batch, data []float32, heads, head int, f func(row []float32)) {
	for s := range b.sequences() {
		n := int(b.CuSeqlens[s+1] - b.CuSeqlens[s])
		for i := range n {
			f(data[(head*n+i)*n:][:n])
		}
		data = data[heads*n*n:]
	}
}

// What leaving a head out does is what pruning it does.
func TestImportanceIsThatOfPruning(t *testing.T) {
	src := "testdata/bert-model"
	m, err := Load(src)
	require.NoError(t, err)
	defer m.Close()
	found, err := m.Importance(t.Context(), sample(), ImportanceOptions{})
	require.NoError(t, err)
	pooled := func(m *Model) []float32 {
		r, err := m.NewResult("pooler_output")
		require.NoError(t, err)
		require.NoError(t, m.Forward(t.Context(), sample(), r))
		return r.Get("pooler_output").Data
	}
	for _, h := range found.Heads[2:6] {
		dir := filepath.Join(t.TempDir(), "pruned")
		_, err := Prune(t.Context(), src, dir, Pruning{Heads: map[int][]int{h.Layer: {h.Head}}})
		require.NoError(t, err)
		pruned, err := Load(dir)
		require.NoError(t, err)
		d, err := CompareRows(pooled(m), pooled(pruned), m.spec.Hidden)
		require.NoError(t, err)
		require.NoError(t, pruned.Close())
		require.Equal(t, 1-d.Cosine, h.Drift, "layer %d, head %d", h.Layer, h.Head)
	}
}

func TestImportanceErrors(t *testing.T) {
	m, err := Load("testdata/bert-model")
	require.NoError(t, err)
	_, err = m.Importance(t.Context(), Batch{CuSeqlens: []int32{0}}, ImportanceOptions{})
	require.ErrorContains(t, err, "tokens")
	_, err = m.Importance(t.Context(), Batch{IDs: []int32{1}, CuSeqlens: []int32{0, 1, 1}}, ImportanceOptions{})
	require.ErrorContains(t, err, "text 1")
	_, err = m.Importance(t.Context(), Batch{IDs: []int32{-1}, CuSeqlens: []int32{0, 1}}, ImportanceOptions{})
	require.ErrorContains(t, err, "-1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.Importance(ctx, sample(), ImportanceOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, m.Close())
	_, err = m.Importance(t.Context(), sample(), ImportanceOptions{})
	require.ErrorIs(t, err, ErrClosed)
}

func TestLeastHeads(t *testing.T) {
	s := Spec{Stack: Stack{Layers: []Layer{{Attention: Attention{Heads: 4, KVHeads: 2}}, {Attention: Attention{Heads: 4, KVHeads: 4}}}}}
	i := Importance{Heads: []HeadImportance{
		{Layer: 0, Head: 0, Drift: 1}, {Layer: 0, Head: 1, Drift: 1}, {Layer: 0, Head: 2, Drift: 2}, {Layer: 0, Head: 3, Drift: 2},
		{Layer: 1, Head: 0, Drift: 5}, {Layer: 1, Head: 1, Drift: 3}, {Layer: 1, Head: 2, Drift: 0.5}, {Layer: 1, Head: 3, Drift: 4},
	}}
	for share, want := range map[float64]map[int][]int{
		0.1:  {},
		0.25: {1: {1, 2}}, // the group of two does not fit any more after head 2
		0.5:  {0: {0, 1}, 1: {1, 2}},
		0.99: {0: {0, 1}, 1: {1, 2, 3}}, // every layer keeps one
	} {
		require.Equal(t, want, i.LeastHeads(s, share, ByDrift), share)
	}
	i.Heads = i.Heads[4:]
	i.Heads[3].Entropy, i.Heads[0].Confidence, i.Heads[1].Confidence, i.Heads[2].Confidence = 9, 1, 2, 3
	require.Equal(t, map[int][]int{1: {3}}, i.LeastHeads(s, 0.25, ByEntropy))
	require.Equal(t, map[int][]int{1: {0, 3}}, i.LeastHeads(s, 0.5, ByConfidence))
}

func TestLeastNeurons(t *testing.T) {
	i := Importance{Neurons: [][]float64{{3, 1, 2}, nil, {0, 0, 5}}}
	require.Equal(t, map[int][]int{0: {1}, 2: {0}}, i.LeastNeurons(KeepShare(0.5)))
	require.Equal(t, map[int][]int{0: {1, 2}, 2: {0, 1}}, i.LeastNeurons(func(int) int { return 0 }))
	require.Empty(t, i.LeastNeurons(func(int) int { return 7 }))
	require.Equal(t, 64, KeepShare(0.5)(120))
	require.Equal(t, 768, KeepShare(0.5)(1536))
	require.Equal(t, 20, KeepShare(0.99)(20))
}

func TestParseCriterion(t *testing.T) {
	for _, c := range []Criterion{ByDrift, ByConfidence, ByEntropy} {
		got, err := ParseCriterion(c.String())
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
	_, err := ParseCriterion("size")
	require.ErrorContains(t, err, "size")
}

func TestCompareRows(t *testing.T) {
	d, err := CompareRows([]float32{1, 0, 0, 2, 3, 4}, []float32{1, 0, 0, -2, 3, 4}, 2)
	require.NoError(t, err)
	require.InDelta(t, 1.0/3, d.Cosine, 1e-12)
	require.Equal(t, Drift{Cosine: d.Cosine, CosineMin: -1, MaxAbs: 4, Top1: 2.0 / 3}, d)
	d, err = CompareRows([]float32{0, 0}, []float32{0, 0}, 2)
	require.NoError(t, err)
	require.Equal(t, Drift{Cosine: 1, CosineMin: 1, Top1: 1}, d)
	d, err = CompareRows([]float32{1, 2}, []float32{1, float32(math.NaN())}, 2)
	require.NoError(t, err)
	require.True(t, math.IsNaN(d.Cosine) && math.IsNaN(d.CosineMin) && math.IsNaN(d.MaxAbs))
	for _, bad := range [][3]int{{2, 4, 2}, {3, 3, 2}, {0, 0, 2}, {2, 2, 0}} {
		_, err := CompareRows(make([]float32, bad[0]), make([]float32, bad[1]), bad[2])
		require.Error(t, err)
	}
}
