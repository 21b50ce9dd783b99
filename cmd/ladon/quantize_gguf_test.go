package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

func TestQuantizeGGUF(t *testing.T) {
	const file = languageDir + ".gguf"
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("The jury dismantled the patient's museum. ", 20)), 0o644))
	out := filepath.Join(dir, "q8.gguf")
	r := ladon(t, "", "quantize", "-model", file, "-out", out, "-type", "Q8_0", "-text", text, "-ctx", "32", "-json")
	require.Zero(t, r.code, r.stderr)
	var got struct {
		Parameters int
		StoredAs   []string `json:"stored_as"`
		Before     float64  `json:"perplexity_before"`
		After      float64  `json:"perplexity_after"`
		Top1       float64  `json:"top1_agreement"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got), r.stdout)
	require.NotEmpty(t, got.StoredAs)
	require.InEpsilon(t, got.Before, got.After, 0.1)
	require.Greater(t, got.Top1, 0.9)
	r = ladon(t, "", "generate", "-model", out, "-prompt", "The ", "-max-new-tokens", "16")
	require.Equal(t, "jury dismantled the patient's", r.stdout, r.stderr)

	// A folder as GGUF gives what the folder gives; and back, as int8.
	in := filepath.Join(dir, "in.safetensors")
	ids := weights.Of("input_ids", []int{1, 5}, []int64{1, 7, 30, 12, 9})
	require.NoError(t, weights.Write(in, []weights.Tensor{ids}, nil))
	forward := func(model string, more ...string) []byte {
		to := filepath.Join(dir, "forward.safetensors")
		r := ladon(t, "", append([]string{"forward", "-model", model, "-in", in, "-out", to}, more...)...)
		require.Zero(t, r.code, r.stderr)
		data, err := os.ReadFile(to)
		require.NoError(t, err)
		return data
	}
	plain := filepath.Join(dir, "plain.gguf")
	require.Zero(t, ladon(t, "", "quantize", "-model", languageDir, "-out", plain, "-format", "gguf").code)
	require.Equal(t, forward(languageDir), forward(plain))
	folder := filepath.Join(dir, "folder")
	r = ladon(t, "", "quantize", "-model", plain, "-out", folder)
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, forward(languageDir, "-dtype", "int8"), forward(folder))

	// Or as floats under Hugging Face's names; each way the accuracy is told.
	floats := filepath.Join(dir, "floats")
	r = ladon(t, "", "quantize", "-model", file, "-out", floats, "-type", "f32", "-text", text, "-ctx", "32", "-json")
	require.Zero(t, r.code, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got), r.stdout)
	require.InEpsilon(t, got.Before, got.After, 1e-3)
	require.Contains(t, r.stdout, "tokenizer.json")
	require.Equal(t, forward(file, "-dtype", "f32"), forward(floats))
	r = ladon(t, "", "quantize", "-model", floats, "-out", filepath.Join(dir, "half"), "-type", "bf16", "-format", "safetensors", "-text", text, "-ctx", "32", "-json")
	require.Zero(t, r.code, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got), r.stdout)
	require.InEpsilon(t, got.Before, got.After, 0.1)
	r = ladon(t, "", "quantize", "-model", floats, "-out", filepath.Join(dir, "again.gguf"), "-type", "q8_0", "-text", text, "-ctx", "32", "-json")
	require.Zero(t, r.code, r.stderr)
	require.Empty(t, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got), r.stdout)
	require.InEpsilon(t, got.Before, got.After, 0.1)
	r = ladon(t, "", "generate", "-model", filepath.Join(dir, "again.gguf"), "-prompt", "The ", "-max-new-tokens", "16")
	require.Equal(t, "jury dismantled the patient's", r.stdout, r.stderr)

	nowhere := filepath.Join(dir, "nowhere.gguf")
	for _, args := range [][]string{
		{"-type", "Q3_K"}, {"-type", "Q4_0", "-format", "safetensors"}, {"-dtype", "int8"}, {"-no-heads"}, {"-texts", text},
		{"-format", "onnx"},
	} {
		requireFailure(t, ladon(t, "", append([]string{"quantize", "-model", file, "-out", nowhere}, args...)...), exitFail, args[0][1:])
		require.NoFileExists(t, nowhere)
	}
	requireFailure(t, ladon(t, "", "quantize", "-model", file, "-out", nowhere, "-text", filepath.Join(dir, "none")), exitFail, "none")
	requireFailure(t, ladon(t, "", "quantize", "-model", file, "-out", nowhere, "-text", text, "-ctx", "100000"), exitFail, text, "too short", "200000")
	requireFailure(t, ladon(t, "", "quantize", "-model", encoderDir, "-out", nowhere), exitFail, "for GGUF, model_type", "llama")
	require.NoFileExists(t, nowhere)
}
