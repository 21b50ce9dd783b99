package model

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/tokenizer"
	"github.com/ladon-ml/ladon/model/weights"
)

// A folder written as GGUF and from there as a folder has the tensors that it had,
// under their names.
func TestFolderOfGGUF(t *testing.T) {
	done := map[string]bool{}
	forGoldens(t, func(t *testing.T, g golden) {
		name := filepath.Base(g.dir)
		config, err := os.ReadFile(filepath.Join(g.dir, configFile))
		require.NoError(t, err)
		arch, spec, err := parseSpec(configFile, config, true)
		if err != nil || ggufKindOf(arch) == nil || !strings.HasSuffix(spec.Class, "ForCausalLM") && spec.Class != "GPT2LMHeadModel" {
			t.Skip("GGUF has no such model")
		}
		path := filepath.Join(t.TempDir(), "model.gguf")
		if _, err := WriteGGUF(t.Context(), g.dir, path, GGUFOptions{Type: weights.F32}); err != nil {
			t.Skip("GGUF cannot say it: ", err)
		}
		dir := filepath.Join(t.TempDir(), "back")
		report, err := WriteFolder(t.Context(), path, dir, FolderOptions{})
		require.NoError(t, err)
		want, err := weights.Open(g.dir)
		require.NoError(t, err)
		defer want.Close()
		got, err := weights.Open(dir)
		require.NoError(t, err)
		defer got.Close()
		for _, tensor := range got.Names() {
			info, _ := got.Lookup(tensor)
			a, b := make([]float32, info.Elements()), make([]float32, info.Elements())
			require.NoError(t, got.ReadFloat32s(a, tensor, 0))
			theirs := tensor
			if _, ok := want.Lookup(theirs); !ok { // saved without a head
				theirs = strings.TrimPrefix(theirs, arch.names(&spec).Prefix)
			}
			require.NoError(t, want.ReadFloat32s(b, theirs, 0), tensor)
			for i := range a { // norms that were stored less one are rounded
				require.InDelta(t, b[i], a[i], 1e-6, tensor)
			}
		}
		require.NotZero(t, report.Parameters)
		in := readTensors(t, filepath.Join(g.dir, "in.safetensors"))
		x, err := Load(path)
		require.NoError(t, err)
		defer x.Close()
		y, err := Load(dir)
		require.NoError(t, err)
		defer y.Close()
		p, err := x.ForwardTensors(t.Context(), in, "logits")
		require.NoError(t, err)
		q, err := y.ForwardTensors(t.Context(), in, "logits")
		require.NoError(t, err)
		if strings.HasPrefix(spec.Architecture, "gemma") || strings.Contains(name, "llama3") { // whose norms or frequencies are rounded again
			require.LessOrEqual(t, distance(t, p[0], q[0]), 1e-4)
		} else {
			require.Equal(t, p[0].Data, q[0].Data)
		}
		done[spec.Architecture] = true
	})
	for _, arch := range []string{"llama", "mistral", "qwen2", "gemma2", "gemma3_text", "gpt2", "phi3", "gpt_neox", "bloom"} {
		require.True(t, done[arch], arch)
	}
}

// withWords gives a tiny Llama the vocabulary of a byte-level tokenizer.
func withWords(m map[string]weights.Value, x map[string]*weights.Tensor) {
	tokens := []string{"<|end|>", "he", "ll", "hell", "Ġ", "Ċ"}
	for c := 'a'; len(tokens) < 32; c++ {
		tokens = append(tokens, string(c))
	}
	types := slices.Repeat([]int32{1}, len(tokens))
	types[0] = 3
	m["tokenizer.ggml.model"] = weights.ValueOf("gpt2")
	m["tokenizer.ggml.pre"] = weights.ValueOf("smollm")
	m["tokenizer.ggml.tokens"] = weights.ValuesOf(tokens)
	m["tokenizer.ggml.token_type"] = weights.ValuesOf(types)
	m["tokenizer.ggml.merges"] = weights.ValuesOf([]string{"h e", "l l", "he ll"})
	m["tokenizer.ggml.bos_token_id"] = weights.ValueOf(uint32(0))
	m["tokenizer.ggml.eos_token_id"] = weights.ValueOf(uint32(0))
	m["tokenizer.ggml.eot_token_id"] = weights.ValueOf(uint32(5))
	m["tokenizer.ggml.add_bos_token"] = weights.ValueOf(true)
	m["tokenizer.chat_template"] = weights.ValueOf("{{ messages }}")
}

// The tokenizer goes from GGUF to a folder, of floats or int8, and back.
func TestFolderTokenizer(t *testing.T) {
	path := tinyLlama(t, withWords)
	encode := func(tok *tokenizer.Tokenizer) []int32 {
		var e tokenizer.Encoding
		_, err := tok.AppendEncode(&e, "hello hell\nshe 12<|end|>a", tokenizer.Options{})
		require.NoError(t, err)
		return e.IDs
	}
	set, err := weights.Open(path)
	require.NoError(t, err)
	defer set.Close()
	tok, err := Tokenizer(set)
	require.NoError(t, err)
	want := encode(tok)
	require.Equal(t, int32(0), want[0], "bos")

	dir := filepath.Join(t.TempDir(), "f16")
	report, err := WriteFolder(t.Context(), path, dir, FolderOptions{Type: weights.F16})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"tokenizer.json", "tokenizer_config.json", "generation_config.json"}, report.Made)
	require.Empty(t, report.Lost)
	eight := filepath.Join(t.TempDir(), "int8")
	quantized, err := Quantize(t.Context(), path, eight, QuantizeOptions{})
	require.NoError(t, err)
	require.Contains(t, quantized.Made, "tokenizer.json")
	for _, d := range []string{dir, eight} {
		tok, err := tokenizer.LoadFS(os.DirFS(d), ".")
		require.NoError(t, err)
		require.Equal(t, want, encode(tok))
		data, err := os.ReadFile(filepath.Join(d, "generation_config.json"))
		require.NoError(t, err)
		require.JSONEq(t, `{"bos_token_id":0,"eos_token_id":[0,5]}`, string(data))
	}
	back := filepath.Join(t.TempDir(), "back.gguf")
	again, err := WriteGGUF(t.Context(), dir, back, GGUFOptions{})
	require.NoError(t, err)
	require.True(t, again.Vocabulary)
	require.Empty(t, again.Lost)
	require.NotZero(t, again.Types[weights.F16])
	set2, err := weights.Open(back)
	require.NoError(t, err)
	defer set2.Close()
	tok, err = Tokenizer(set2)
	require.NoError(t, err)
	require.Equal(t, want, encode(tok))
	chat, ok := set2.Value("tokenizer.chat_template")
	require.True(t, ok)
	text, _ := chat.Text()
	require.Equal(t, "{{ messages }}", text)
	require.Equal(t, logits(t, dir), logits(t, back))
}

// From folder to folder, tensors keep their names and other files go along.
// What cannot be written is told of the place that it was meant for.
func TestWriteErrorsNameThePlace(t *testing.T) {
	src := filepath.Join(t.TempDir(), "nan.gguf")
	require.NoError(t, os.Rename(tinyLlama(t, func(_ map[string]weights.Value, x map[string]*weights.Tensor) {
		v := weights.Of("blk.0.ffn_up.weight", []int{512, 256}, slices.Repeat([]float32{float32(math.NaN())}, 512*256))
		x["blk.0.ffn_up.weight"] = &v
	}), src))
	place := filepath.Join(t.TempDir(), "place")
	_, err := WriteFolder(t.Context(), src, place, FolderOptions{Type: weights.F16})
	require.ErrorIs(t, err, weights.ErrConvert)
	require.ErrorContains(t, err, place)
	require.NotContains(t, err.Error(), ".ladon")
	_, err = WriteGGUF(t.Context(), src, place, GGUFOptions{Type: weights.Q8_0})
	require.ErrorIs(t, err, weights.ErrConvert)
	require.ErrorContains(t, err, place)
	require.NotContains(t, err.Error(), ".ladon")
	require.NoFileExists(t, place)
}

func TestFolderOfFolder(t *testing.T) {
	const from = "testdata/bert-mlm-tied"
	dir := filepath.Join(t.TempDir(), "bf16")
	report, err := WriteFolder(t.Context(), from, dir, FolderOptions{Type: weights.BF16})
	require.NoError(t, err)
	require.Positive(t, report.BytesAfter)
	set, err := weights.Open(dir)
	require.NoError(t, err)
	defer set.Close()
	for _, name := range set.Names() {
		info, _ := set.Lookup(name)
		if info.DType != weights.I64 {
			require.Equal(t, weights.BF16, info.DType, name)
		}
	}
	m, err := Load(dir)
	require.NoError(t, err)
	defer m.Close()
	_, err = WriteFolder(t.Context(), from, dir, FolderOptions{})
	require.ErrorContains(t, err, "not empty")
	_, err = WriteFolder(t.Context(), from, filepath.Join(t.TempDir(), "x"), FolderOptions{Type: weights.Q4_0})
	require.ErrorContains(t, err, "Q4_0")
}
