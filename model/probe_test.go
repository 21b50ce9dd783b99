package model

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/mha"
	"github.com/ladon-ml/ladon/model/weights"
)

// TestHeadMask holds outputs and attentions to those of transformers 4.
func TestHeadMask(t *testing.T) {
	files, err := filepath.Glob("testdata/headmask/*.safetensors")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		dir := filepath.Join("testdata", strings.Join(strings.Split(filepath.Base(file), "-")[:2], "-"))
		g := golden{dir: dir}
		data, err := os.ReadFile(filepath.Join(dir, "golden.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &g))
		m := tiny(t, dir)
		var inputs []weights.Tensor
		for _, tensor := range readTensors(t, file) {
			if name, ok := strings.CutPrefix(tensor.Name, "in."); ok {
				tensor.Name = name
				inputs = append(inputs, tensor)
			}
		}
		got, err := m.ForwardTensors(context.Background(), inputs, LastHiddenState, Attentions)
		require.NoError(t, err)
		want := byName(readTensors(t, file))
		require.Len(t, got, 3)
		for _, tensor := range got {
			x, err := tensor.Float32s(nil)
			require.NoError(t, err)
			w := want["out."+tensor.Name]
			require.Equal(t, w.Shape, tensor.Shape)
			y, err := w.Float32s(nil)
			require.NoError(t, err)
			for i := range y {
				diff := math.Abs(float64(x[i]) - float64(y[i]))
				if tol := 2 * g.tolerance(tensor.Name); !(diff <= tol) {
					require.Fail(t, "another value", "%s: %s: element %d is %v, want %v within %g", file, tensor.Name, i, x[i], y[i], tol)
				}
			}
		}
	}
}

func tiny(t *testing.T, dir string) *Model {
	m, err := Load(dir)
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

func TestBadHeadMasks(t *testing.T) {
	m := tiny(t, "testdata/bert-model")
	for _, mask := range [][][]float32{{nil}, {nil, {1}}, {make([]float32, 12), nil}} {
		r, err := m.NewResult()
		require.NoError(t, err)
		err = m.Forward(context.Background(), Batch{IDs: []int32{1, 2}, CuSeqlens: []int32{0, 1, 2}, HeadMask: mask}, r)
		require.ErrorContains(t, err, "head mask")
	}
	ids := weights.Of("input_ids", []int{1, 2}, []float32{1, 2})
	for _, shape := range [][]int{{3}, {1, 4}, {2, 4, 1}} {
		n := 1
		for _, d := range shape {
			n *= d
		}
		_, err := m.ForwardTensors(context.Background(), []weights.Tensor{ids, weights.Of("head_mask", shape, make([]float32, n))})
		require.ErrorContains(t, err, `"head_mask"`)
	}
}

// TestLook finds in groups, on any number of threads, what the exported weights say.
func TestLook(t *testing.T) {
	m := tiny(t, "testdata/bert-model")
	r := rand.New(rand.NewPCG(1, 2))
	b := Batch{CuSeqlens: []int32{0}}
	for range 90 { // some groups
		n := 1 + r.IntN(24)
		for range n {
			b.IDs = append(b.IDs, int32(r.IntN(61)))
		}
		b.CuSeqlens = append(b.CuSeqlens, int32(len(b.IDs)))
		b.Unseen = append(b.Unseen, int32(r.IntN(min(n, 2))))
	}
	whole, err := m.NewResult(Attentions)
	require.NoError(t, err)
	require.Error(t, whole.Look(0, mha.Look{TopK: 1}))
	require.NoError(t, m.Forward(context.Background(), b, whole))
	res, err := m.NewResult(LastHiddenState)
	require.NoError(t, err)
	require.Nil(t, res.Probe(1))
	require.NoError(t, res.Look(1, mha.Look{Heads: []int{1, 3}, From: 2, To: 20, TopK: 3, Mass: true}))
	var keys []int32
	var mass []float32
	for range 2 {
		require.NoError(t, m.Forward(context.Background(), b, res))
		p := res.Probe(1)
		if keys != nil {
			require.Equal(t, keys, p.TopKeys)
			require.Equal(t, mass, p.Mass)
		}
		keys, mass = slices.Clone(p.TopKeys), slices.Clone(p.Mass)
		squares := whole.Get(Attentions + ".1").Data
		for s := range b.sequences() {
			n, unseen := int(b.CuSeqlens[s+1]-b.CuSeqlens[s]), int(b.Unseen[s])
			for h := range 4 {
				square := squares[:n*n]
				squares = squares[n*n:]
				at := slices.Index(p.Look.Heads, h)
				if at < 0 {
					continue
				}
				sums := make([]float64, n)
				for i := 2; i < min(n, 20); i++ {
					row := square[i*n : (i+1)*n]
					for j, w := range row {
						sums[j] += float64(w)
					}
					if key := p.TopKeys[p.Row(s, at, i)*3]; key >= 0 {
						require.Equal(t, slices.Max(row), row[int(key)+unseen])
						require.Equal(t, slices.Max(row), p.TopWeights[p.Row(s, at, i)*3])
					}
				}
				for j, x := range p.MassOf(s, at) {
					require.InDelta(t, sums[j+unseen], x, 1e-5)
				}
			}
		}
		require.Empty(t, squares)
	}
}

func TestBadLooks(t *testing.T) {
	m := tiny(t, "testdata/bert-model")
	r, err := m.NewResult()
	require.NoError(t, err)
	require.Error(t, r.Look(2, mha.Look{}))
	for _, l := range []mha.Look{{Heads: []int{4}}, {Heads: []int{1, 0}}, {From: -1}, {From: 3, To: 2}, {TopK: -1}, {Near: []int{-1}}} {
		require.Error(t, r.Look(0, l), "%+v", l)
	}
	require.NoError(t, r.Look(0, mha.Look{To: 3}))
	require.ErrorContains(t, m.Forward(context.Background(), Batch{IDs: []int32{1, 2}, CuSeqlens: []int32{0, 2}}, r), "from 0 to 3")
}
