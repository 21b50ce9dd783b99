package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

// Every golden folder of package model gives its answers through the command.
func TestForwardGolden(t *testing.T) {
	folders, err := filepath.Glob(goldenDir + "/*/golden.json")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, file := range folders {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var g struct {
				Attentions   bool
				HiddenStates bool `json:"hidden_states"`
				Outputs      map[string]struct {
					MaxAbs       float64 `json:"max_abs"`
					Float32Error float64 `json:"float32_error"`
				}
			}
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, &g))
			out := filepath.Join(t.TempDir(), "out.safetensors")
			args := []string{"forward", "-model", dir, "-in", filepath.Join(dir, "in.safetensors"), "-out", out}
			if g.Attentions {
				args = append(args, "-attentions")
			}
			if g.HiddenStates {
				args = append(args, "-hidden-states")
			}
			r := ladon(t, "", args...)
			require.Equal(t, result{}, r)
			got, want := tensors(t, out), tensors(t, filepath.Join(dir, "out.safetensors"))
			for name, w := range want {
				o := g.Outputs[name]
				requireClose(t, name, w, got[name], 2*o.Float32Error+o.MaxAbs*0x1p-24)
			}
		})
	}
}

func tensors(t *testing.T, path string) map[string]weights.Tensor {
	list, err := readTensors(path)
	require.NoError(t, err)
	m := map[string]weights.Tensor{}
	for _, tensor := range list {
		m[tensor.Name] = tensor
	}
	return m
}

func requireClose(t *testing.T, name string, want, got weights.Tensor, tolerance float64) {
	require.Equal(t, want.Shape, got.Shape, name)
	require.Equal(t, weights.F32, got.DType, name)
	w, err := want.Float32s(nil)
	require.NoError(t, err)
	g, err := got.Float32s(nil)
	require.NoError(t, err)
	for i := range w {
		if diff := math.Abs(float64(g[i]) - float64(w[i])); !(diff <= tolerance) {
			t.Fatalf("%s: element %d: got %v, want %v", name, i, g[i], w[i])
		}
	}
}

// A failed run leaves what was there before, and nothing else.
func TestForwardErrors(t *testing.T) {
	model := filepath.Join(goldenDir, "bert-model")
	dir := t.TempDir()
	write := func(name string, list ...weights.Tensor) string {
		path := filepath.Join(dir, name)
		require.NoError(t, weights.Write(path, list, nil))
		return path
	}
	ids := weights.Of("input_ids", []int{1, 3}, []int64{1, 2, 3})
	good := write("good.safetensors", ids)
	notSafetensors := filepath.Join(dir, "bad.safetensors")
	require.NoError(t, os.WriteFile(notSafetensors, []byte("nonsense"), 0o644))
	out := filepath.Join(dir, "out.safetensors")
	require.NoError(t, os.WriteFile(out, []byte("kept"), 0o644))
	tests := []struct {
		name  string
		args  []string
		parts []string
	}{
		{"no input", []string{"-in", filepath.Join(dir, "none"), "-out", out}, []string{filepath.Join(dir, "none")}},
		{"no safetensors", []string{"-in", notSafetensors, "-out", out}, []string{notSafetensors}},
		{"no ids", []string{"-in", write("none.safetensors", weights.Of("attention_mask", []int{1, 3}, []int64{1, 1, 1})), "-out", out}, []string{"none.safetensors", "input_ids"}},
		{"an unknown tensor", []string{"-in", write("unknown.safetensors", ids, weights.Of("x", []int{1}, []int64{1})), "-out", out}, []string{"unknown.safetensors", `"x"`}},
		{"a large id", []string{"-in", write("large.safetensors", weights.Of("input_ids", []int{1, 1}, []int64{1 << 40})), "-out", out}, []string{"large.safetensors", "input_ids"}},
		{"no model", []string{"-model", filepath.Join(dir, "none"), "-in", good, "-out", out}, []string{filepath.Join(dir, "none")}},
		{"an argument", []string{"-in", good, "-out", out, "extra"}, []string{"extra"}},
		{"an output nowhere", []string{"-in", good, "-out", filepath.Join(dir, "no", "where")}, []string{filepath.Join(dir, "no", "where")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ladon(t, "", append([]string{"forward", "-model", model}, tt.args...)...)
			requireFailure(t, r, exitFail, tt.parts...)
			kept, err := os.ReadFile(out)
			require.NoError(t, err)
			require.Equal(t, "kept", string(kept))
		})
	}
	before, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, before, 6)
	r := ladon(t, "", "forward", "-model", model, "-in", good, "-out", out)
	require.Equal(t, result{}, r)
	require.Contains(t, tensors(t, out), "pooler_output")
}
