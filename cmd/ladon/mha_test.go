package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

const attentionGoldens = "../../mha/testdata"

// golden gives the inputs, flags and results of a golden.
func golden(t *testing.T, path string) (in []weights.Tensor, args []string, want map[string]weights.Tensor) {
	set, err := weights.Open(path)
	require.NoError(t, err)
	defer set.Close()
	want = map[string]weights.Tensor{}
	for _, name := range set.Names() {
		tensor, err := set.Tensor(name)
		require.NoError(t, err)
		if rest, ok := strings.CutPrefix(name, "in."); ok {
			tensor.Name = rest
			in = append(in, tensor)
		} else {
			want[strings.TrimPrefix(name, "want.")] = tensor
		}
	}
	return in, strings.Fields(set.Metadata()["args"]), want
}

// TestMHAGoldens compares with torch in float64.
func TestMHAGoldens(t *testing.T) {
	paths, err := filepath.Glob(attentionGoldens + "/*.safetensors")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			in, args, want := golden(t, path)
			dir := t.TempDir()
			from, to := filepath.Join(dir, "in.safetensors"), filepath.Join(dir, "out.safetensors")
			require.NoError(t, weights.Write(from, in, nil))
			r := ladon(t, "", append([]string{"mha", "-in", from, "-out", to}, args...)...)
			require.Zero(t, r.code, r.stderr)
			got, err := readTensors(to)
			require.NoError(t, err)
			require.Len(t, got, len(want))
			for _, g := range got {
				w := want[g.Name]
				require.Equal(t, w.Shape, g.Shape, g.Name)
				a, err := g.Float32s(nil)
				require.NoError(t, err)
				b, err := w.Float32s(nil)
				require.NoError(t, err)
				for i := range b {
					// Sums of at most 300 products of numbers around 1.
					if diff := math.Abs(float64(a[i] - b[i])); !(diff <= 3e-6*max(1, math.Abs(float64(b[i])))) {
						t.Fatalf("%s[%d] is %v, want %v", g.Name, i, a[i], b[i])
					}
				}
			}
		})
	}
}

func TestMHAErrors(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.safetensors")
	floats := func(name string, shape ...int) weights.Tensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return weights.Of(name, shape, make([]float32, n))
	}
	q, k, v := floats("q", 1, 4, 3, 8), floats("k", 1, 2, 5, 8), floats("v", 1, 2, 5, 6)
	query, wIn, wOut := floats("query", 1, 3, 12), floats("param.in_proj_weight", 36, 12), floats("param.out_proj.weight", 12, 12)
	tests := []struct {
		in    []weights.Tensor
		args  string
		parts []string
	}{
		{[]weights.Tensor{q, k}, "", []string{`no tensor "v"`}},
		{[]weights.Tensor{q, k, v, floats("x", 1)}, "", []string{`tensor "x"`}},
		{[]weights.Tensor{q, floats("k", 1, 3, 5, 8), floats("v", 1, 3, 5, 8)}, "", []string{"4 heads"}},
		{[]weights.Tensor{q, k, floats("v", 1, 2, 4, 6)}, "", []string{`tensor "v"`, "[1 2 4 6]"}},
		{[]weights.Tensor{floats("q", 1, 1, 1, 300), floats("k", 1, 1, 1, 300), floats("v", 1, 1, 1, 3)}, "", []string{"300"}},
		{[]weights.Tensor{q, k, v, floats("bias", 2, 3, 5)}, "", []string{`tensor "bias"`, "broadcast"}},
		{[]weights.Tensor{q, k, v, floats("mask", 3, 5)}, "", []string{`tensor "mask"`}},
		{[]weights.Tensor{q, k, v, weights.Of("bias", []int{1}, []uint8{1})}, "", []string{`tensor "bias"`}},
		{[]weights.Tensor{q, k, v}, "-add-zero-attn", []string{"-heads"}},
		{[]weights.Tensor{q, k, v}, "-dtype int8", []string{"int8"}},
		{[]weights.Tensor{q, k, v}, "-heads 2", []string{`no tensor "query"`}},
		{[]weights.Tensor{query, wIn, wOut}, "-heads 5", []string{"5 heads"}},
		{[]weights.Tensor{query, wIn}, "-heads 3", []string{"out_proj"}},
		{[]weights.Tensor{query, wIn, wOut, floats("key", 1, 3, 7)}, "-heads 3", []string{"in_proj_weight"}},
		{[]weights.Tensor{query, wIn, wOut, floats("attn_mask", 2, 3, 3)}, "-heads 3", []string{"attn_mask"}},
		{[]weights.Tensor{query, wIn, wOut, floats("attn_mask", 3, 4)}, "-heads 3", []string{"attn_mask"}},
		{[]weights.Tensor{query, wIn, wOut, floats("key_padding_mask", 3)}, "-heads 3", []string{"key_padding_mask"}},
		{[]weights.Tensor{query, wIn, wOut, floats("param.bias_k", 1, 1, 12)}, "-heads 3", []string{"extra"}},
		{[]weights.Tensor{query, wIn, wOut, q}, "-heads 3", []string{`tensor "q"`}},
	}
	for _, tt := range tests {
		from := filepath.Join(dir, "in.safetensors")
		require.NoError(t, weights.Write(from, tt.in, nil))
		r := ladon(t, "", append([]string{"mha", "-in", from, "-out", out}, strings.Fields(tt.args)...)...)
		requireFailure(t, r, exitFail, tt.parts...)
		require.NoFileExists(t, out)
	}
	requireFailure(t, ladon(t, "", "mha", "-in", "none", "-out", out), exitFail, "none")
	requireFailure(t, ladon(t, "", "mha", "-out", out), exitFail, "-in")
	requireFailure(t, ladon(t, "", "mha", "-heads", "0"), exitFail)
	requireFailure(t, ladon(t, "", "mha", "-scale", "x"), exitFail)
}
