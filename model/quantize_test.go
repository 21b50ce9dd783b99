package model

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

// A model of two is nothing without what joins them.
func TestQuantizeWithoutHeads(t *testing.T) {
	for _, name := range []string{"clip-model", "caption-gpt2"} {
		dst := filepath.Join(t.TempDir(), name)
		_, err := Quantize(t.Context(), filepath.Join("testdata", name), dst, QuantizeOptions{WithoutHeads: true})
		require.ErrorAs(t, err, new(*UnsupportedError))
		require.NoDirExists(t, dst)
	}
}

// A quantised folder gives the bits of the original quantised while loading: from
// disk, and in place from memory.
func TestQuantizeRoundTrip(t *testing.T) {
	forSomeGoldens(t, func(t *testing.T, g golden) {
		dst := filepath.Join(t.TempDir(), "quantised")
		report, err := Quantize(t.Context(), g.dir, dst, QuantizeOptions{})
		require.NoError(t, err)
		in := readTensors(t, filepath.Join(g.dir, "in.safetensors"))

		want, err := Load(g.dir, WithDType(Int8))
		require.NoError(t, err)
		defer want.Close()
		count, _ := want.Parameters()
		require.Equal(t, count, report.Parameters)
		require.Greater(t, report.Quantized, count/2)
		wantOut, err := want.ForwardTensors(t.Context(), in, g.outputs(want)...)
		require.NoError(t, err)

		fromDisk, err := Load(dst)
		require.NoError(t, err)
		defer fromDisk.Close()
		require.Equal(t, Int8, fromDisk.DType())
		config, err := os.ReadFile(filepath.Join(dst, "config.json"))
		require.NoError(t, err)
		data, err := os.ReadFile(filepath.Join(dst, "model.safetensors"))
		require.NoError(t, err)
		set, err := weights.OpenBytes("embedded", data)
		require.NoError(t, err)
		inPlace, err := New("embedded/config.json", config, set)
		require.NoError(t, err)
		defer inPlace.Close()

		for _, m := range []*Model{fromDisk, inPlace} {
			got, err := m.ForwardTensors(t.Context(), in, g.outputs(m)...)
			require.NoError(t, err)
			require.Equal(t, wantOut, got)
		}

		// Widened again, it is the float model of the rounded weights: near the
		// original, and not the same.
		wide, err := Load(dst, WithDType(F32))
		require.NoError(t, err)
		defer wide.Close()
		require.Equal(t, F32, wide.DType())
		states := g.states(wide)
		got, err := wide.ForwardTensors(t.Context(), in, states)
		require.NoError(t, err)
		require.Less(t, distance(t, got[0], byName(wantOut)[states]), 3.0)
	})
}

func TestQuantizeRefuses(t *testing.T) {
	const src = "testdata/bert-mlm-tied"
	dir := t.TempDir()
	dst := filepath.Join(dir, "q")
	_, err := Quantize(t.Context(), src, dst, QuantizeOptions{WithoutHeads: true})
	require.NoError(t, err)

	_, err = Quantize(t.Context(), src, dst, QuantizeOptions{})
	require.ErrorContains(t, err, "not empty")
	_, err = Quantize(t.Context(), dst, filepath.Join(dir, "again"), QuantizeOptions{})
	require.ErrorContains(t, err, "already quantised")
	_, err = Quantize(t.Context(), filepath.Join(dir, "none"), filepath.Join(dir, "q2"), QuantizeOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	for _, src := range []string{src, "testdata/gguf/llama-lm.gguf"} {
		_, err = Quantize(stopped, src, filepath.Join(dir, "q3"), QuantizeOptions{})
		require.ErrorIs(t, err, context.Canceled)
	}

	// What is left without heads is the plain model, and its config says so.
	m, err := Load(dst)
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, []string{LastHiddenState, HiddenStates, Attentions}, m.Outputs())

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "leftovers of failures")
}
