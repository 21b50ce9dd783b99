package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTokenize(t *testing.T) {
	r := ladon(t, "\"the river\"\n[\"the\", \"river\"]\r\n\"\"\n", "tokenize", "-model", encoderDir)
	require.Zero(t, r.code, r.stderr)
	type line struct {
		IDs     []int32  `json:"ids"`
		Tokens  []string `json:"tokens"`
		TypeIDs []int32  `json:"type_ids"`
	}
	got := decodeLines[line](t, r.stdout)
	require.Len(t, got, 3)
	require.Equal(t, []string{"[CLS]", "the", "river", "[SEP]"}, got[0].Tokens)
	require.Equal(t, []int32{0, 0, 0, 0}, got[0].TypeIDs)
	require.Equal(t, []string{"[CLS]", "the", "[SEP]", "river", "[SEP]"}, got[1].Tokens)
	require.Equal(t, []int32{0, 0, 0, 1, 1}, got[1].TypeIDs)
	require.Equal(t, []string{"[CLS]", "[SEP]"}, got[2].Tokens)

	plain := ladon(t, "", "tokenize", "-no-special", "-model", encoderDir, `""`)
	require.Equal(t, `{"ids":[],"tokens":[],"type_ids":[]}`+"\n", plain.stdout)

	ids, err := json.Marshal(got[0].IDs)
	require.NoError(t, err)
	back := ladon(t, string(ids)+"\n[]\n", "tokenize", "-decode", "-model", encoderDir)
	require.Equal(t, "\"the river\"\n\"\"\n", back.stdout)
}

func TestTokenizeTruncated(t *testing.T) {
	// Its tokenizer.json cuts to 8 tokens.
	r := ladon(t, `"`+strings.Repeat("the ", 100)+`"`, "tokenize", "-model", encoderDir)
	require.Zero(t, r.code)
	require.Equal(t, "ladon: warning: standard input: line 1 is cut to the tokenizer's 8 tokens\n", r.stderr)
}

func TestTokenizeErrors(t *testing.T) {
	for in, part := range map[string]string{
		"\"a\"\nb\n":       "line 2",
		"[\"a\"]":          "line 1",
		"{}":               "line 1",
		"\"a\xff\"":        "UTF-8",
		"\"a\"\n\n":        "line 2",
		"[\"a\",\"b\",1]":  "line 1",
		"\"a\" \"b\"":      "line 1",
		"[\"a\",\"b\"]xyz": "line 1",
	} {
		requireFailure(t, ladon(t, in, "tokenize", "-model", encoderDir), exitFail, part)
	}
	for _, in := range []string{"3", "null", "[1.5]", "[99999999999]", "\"a\""} {
		requireFailure(t, ladon(t, in, "tokenize", "-decode", "-model", encoderDir), exitFail, "line 1")
	}
	requireFailure(t, ladon(t, "", "tokenize", "-model", t.TempDir(), `""`), exitFail, "tokenizer.json")
	requireFailure(t, ladon(t, "", "tokenize", "-model", encoderDir, "\"\xff\""), exitFail, "argument 1", "UTF-8")
}

func TestInfo(t *testing.T) {
	r := ladon(t, "", "info", "-model", encoderDir, "-json")
	require.Zero(t, r.code, r.stderr)
	var facts map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &facts))
	require.Equal(t, "bert", facts["architecture"])
	require.Equal(t, "cosine", facts["ranks_by"])
	require.EqualValues(t, 20, facts["embedding"])
	require.EqualValues(t, 12, facts["max_tokens"])
	for _, key := range []string{"parameters", "weight_bytes", "dtype", "tier", "threads", "outputs"} {
		require.Contains(t, facts, key)
	}
	bare := ladon(t, "", "info", "-model", goldenDir+"/bert-seqcls-multi")
	require.Zero(t, bare.code, bare.stderr)
	require.Contains(t, bare.stdout, "BertForSequenceClassification")
	requireFailure(t, ladon(t, "", "info", "-model", t.TempDir()), exitFail, "config.json")
	several := goldenDir + "/gguf"
	for _, command := range []string{"info", "generate", "tokenize"} {
		requireFailure(t, ladon(t, "", command, "-model", several), exitFail, several, "several .gguf files")
	}
	bare = ladon(t, "", "info", "-model", goldenDir+"/gguf/llama-lm.gguf")
	require.Zero(t, bare.code, bare.stderr)
	require.Contains(t, bare.stdout, "LlamaForCausalLM")
	requireFailure(t, ladon(t, "", "generate", "-model", goldenDir+"/gguf/llama-lm.gguf", "-prompt", "x"), exitFail, "llama-lm.gguf", "has no tokenizer")
	text := ladon(t, "", "info", "-model", crossDir)
	require.Zero(t, text.code)
	require.Contains(t, text.stdout, "cross-encoder")
	require.Contains(t, text.stdout, "LABEL_0")
	for _, dir := range []string{yolosDir, goldenDir + "/dinov2-model", goldenDir + "/clip-vision"} {
		pictures := ladon(t, "", "info", "-model", dir)
		require.Zero(t, pictures.code, pictures.stderr)
		require.Regexp(t, `tasks +embed -image`, pictures.stdout)
	}
}

func TestQuantize(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "int8")
	texts := filepath.Join(dir, "texts.txt")
	require.NoError(t, os.WriteFile(texts, []byte("the river is old\r\nWhat is the way?\n\na\n"), 0o644))
	r := ladon(t, "", "quantize", "-model", encoderDir, "-out", out, "-texts", texts, "-json")
	require.Zero(t, r.code, r.stderr)
	var facts map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &facts))
	require.EqualValues(t, 4, facts["texts"])
	require.Greater(t, facts["cosine_min"], 0.98)
	require.LessOrEqual(t, facts["cosine_min"], facts["cosine_mean"])
	require.Less(t, facts["bytes_after"], facts["bytes_before"])
	require.Zero(t, ladon(t, "", "embed", "-model", out, "a text").code)

	requireFailure(t, ladon(t, "", "quantize", "-model", encoderDir, "-out", out), exitFail, out, "not empty")
	requireFailure(t, ladon(t, "", "quantize", "-model", out, "-out", filepath.Join(dir, "again")), exitFail, out, "already")
	requireFailure(t, ladon(t, "", "quantize", "-model", encoderDir), exitFail, "-out")
	requireFailure(t, ladon(t, "", "quantize", "-out", out), exitFail, "-model")
	requireFailure(t, ladon(t, "", "quantize", "-model", encoderDir, "-out", out, "-dtype", "f32"), exitFail, "f32")
	requireFailure(t, ladon(t, "", "quantize", "-model", encoderDir, "-out", filepath.Join(dir, "x"), "-texts", filepath.Join(dir, "none")), exitFail, "none")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2, "nothing half-written is left")
}

// A folder has a tokenizer whatever files it is in, and a warning says where there is none.
func TestQuantizeSaysThatATokenizerIsMissing(t *testing.T) {
	pair := map[string]string{"vocab.json": `{"a":0,"b":1,"ab":2,"<|endoftext|>":3}`, "merges.txt": "a b\n"}
	for _, files := range []map[string]string{nil, pair} {
		src := t.TempDir()
		copyDir(t, src, "../../model/testdata/gpt2-lm")
		for name, data := range files {
			require.NoError(t, os.WriteFile(filepath.Join(src, name), []byte(data), 0o644))
		}
		r := ladon(t, "", "quantize", "-model", src, "-out", filepath.Join(t.TempDir(), "int8"))
		require.Zero(t, r.code, r.stderr)
		require.Equal(t, files == nil, strings.Contains(r.stderr, "has no tokenizer"), r.stderr)
	}
}

func TestBench(t *testing.T) {
	keys := []string{"bench", "tier", "threads"}
	timed := append(keys, "ms_min", "ms_median", "runs", "gflops", "share_of_peak")
	tests := []struct {
		args []string
		keys []string
	}{
		{[]string{"peak"}, append(keys, "gflops", "int8_gops", "read_gb_per_s")},
		{[]string{"gemm", "-m", "5", "-n", "17", "-k", "9"}, timed},
		{[]string{"-dtype", "int8", "gemm", "-m", "5", "-n", "17", "-k", "9", "-epilogue", "bias-gelu"}, timed},
		{[]string{"gemm", "-dtype", "q4_k", "-m", "2", "-n", "20", "-k", "256"}, append(timed, "weights_gb_per_s")},
		{[]string{"gemm", "-dtype", "bf16", "-m", "1", "-n", "20", "-k", "9"}, timed},
		{[]string{"attention", "-heads", "4", "-kv-heads", "2", "-q", "3", "-k", "7", "-dim", "5", "-causal"}, timed},
		{[]string{"attention", "-q", "20", "-dim", "5", "-causal", "-window", "4"}, append(timed, "window")},
		{[]string{"attention", "-lens", "5,1,9", "-heads", "2", "-dim", "8"}, append(timed, "tokens_per_s")},
		{[]string{"attention", "-q", "20", "-heads", "3", "-dim", "8", "-mask", "full", "-bias", "t5", "-cap", "5", "-live-heads", "2", "-probe", "topk,mass"},
			append(timed, "mask", "bias", "cap", "live_heads", "probe", "scratch_bytes")},
		{[]string{"attention", "-q", "20", "-dim", "8", "-mask", "keys", "-bias", "alibi", "-probe", "lse,entropy,distance,near,weights"}, timed},
		{[]string{"forward", "-model", encoderDir, "-seq", "5", "-probe", "topk"}, append(timed, "probe")},
		{[]string{"mha", "-seq", "5", "-model-dim", "12", "-heads", "3"}, timed},
		{[]string{"forward", "-model", encoderDir, "-seq", "5", "-batch", "2"}, append(timed, "tokens_per_s")},
		{[]string{"forward", "-model", goldenDir + "/bert-qa", "-lens", "1,5"}, append(timed, "tokens_per_s")},
		{[]string{"forward", "-model", vitDir, "-batch", "2"}, append(timed, "tokens_per_s")},
		{[]string{"forward", "-model", goldenDir + "/t5-lm", "-lens", "1,5"}, append(timed, "tokens_per_s")},
		{[]string{"forward", "-model", goldenDir + "/caption-gpt2"}, append(timed, "tokens_per_s")},
		{[]string{"forward", "-model", goldenDir + "/clip-model", "-seq", "5", "-images", "2"}, append(timed, "images")},
		{[]string{"picture", "-image", pictureDir + "/photo-420.jpg", "-edge", "20"}, append(keys, "ms_min", "megapixels_per_s")},
	}
	for _, tt := range tests {
		r := ladon(t, "", append([]string{"bench", "-budget", "1ms", "-threads", "1"}, tt.args...)...)
		require.Zero(t, r.code, r.stderr)
		require.Equal(t, 1, strings.Count(r.stdout, "\n"))
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &line), r.stdout)
		for _, key := range tt.keys {
			require.Contains(t, line, key, r.stdout)
		}
		require.EqualValues(t, 1, line["threads"])
	}
	for _, args := range [][]string{
		{"attention", "-heads", "3", "-kv-heads", "2"},
		{"gemm", "-dtype", "q4_k", "-k", "100"},
		{"forward", "-dtype", "q4_k", "-model", encoderDir},
		{"attention", "-dim", "257"},
		{"attention", "-batch", "1000000000"},
		{"attention", "-live-heads", "13"},
		{"attention", "-cap", "-1"},
		{"mha", "-heads", "5"},
		{"forward", "-model", encoderDir, "-seq", "1000000"},
		{"forward", "-batch", "1000000", "-seq", "250"},
		{"forward", "-model", encoderDir, "-lens", "1,x"},
		{"gemm", "-m", "1000000000", "-k", "1000000000"},
		{"forward", "-model", vitDir, "-batch", "1000000000"},
		{"forward", "-model", encoderDir, "-images", "1"},
		{"picture"},
		{"picture", "-image", "none.jpg"},
		{"picture", "-image", "main.go"},
	} {
		requireFailure(t, ladon(t, "", append([]string{"bench"}, args...)...), exitFail)
	}
}
