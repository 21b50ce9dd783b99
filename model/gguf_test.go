package model

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

// A folder written as GGUF gives the bits that it gives itself, whatever the
// architecture; what GGUF cannot say is refused.
func TestGGUFKeepsModels(t *testing.T) {
	refused := map[string]string{
		"gpt2-scales": "the scale of scores in layer 0", "gpt-lm": "model_type", "gemma3-both-ways": "layer 0",
		"llama-dynamic": "positions", "llama-dynamic-short": "positions",
		"llama-yarn-mscale": "positions", "gemma2-unbounded": "the head", "gpt2-lm-untied": "the activation in layer 0", "qwen3-lm": "the window in layer 1",
	}
	known := []string{"llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "gpt2", "phi3", "gpt_neox", "bloom"}
	done := map[string]int{}
	forGoldens(t, func(t *testing.T, g golden) {
		name := filepath.Base(g.dir)
		config, err := os.ReadFile(filepath.Join(g.dir, configFile))
		require.NoError(t, err)
		spec, err := ParseConfig(configFile, config)
		if err != nil || !strings.HasSuffix(spec.Class, "ForCausalLM") && spec.Class != "GPT2LMHeadModel" && name != "gpt-lm" {
			t.Skip("no language model")
		}
		path := filepath.Join(t.TempDir(), "model.gguf")
		report, err := WriteGGUF(t.Context(), g.dir, path, GGUFOptions{Type: weights.F32})
		what := refused[name]
		if !slices.Contains(known, spec.Architecture) {
			what = "model_type"
		}
		if what != "" {
			require.ErrorAs(t, err, new(*UnsupportedError))
			require.ErrorContains(t, err, what)
			require.NoFileExists(t, path)
			return
		}
		require.NoError(t, err)
		in := readTensors(t, filepath.Join(g.dir, "in.safetensors"))
		want, err := Load(g.dir, WithDType(F32))
		require.NoError(t, err)
		defer want.Close()
		got, err := Load(path)
		require.NoError(t, err)
		defer got.Close()
		count, _ := want.Parameters()
		require.InDelta(t, count, report.Parameters, 64, "rope_freqs may be added")
		a, err := want.ForwardTensors(t.Context(), in, "logits")
		require.NoError(t, err)
		b, err := got.ForwardTensors(t.Context(), in, "logits")
		require.NoError(t, err)
		if strings.Contains(name, "llama3") { // whose frequencies are divided again
			d := distance(t, b[0], a[0])
			require.LessOrEqual(t, d, g.tolerance("logits"))
		} else {
			require.Equal(t, a[0].Data, b[0].Data)
		}
		done[spec.Architecture]++
		// As int8, both are quantised alike.
		want8, err := Load(g.dir, WithDType(Int8))
		require.NoError(t, err)
		defer want8.Close()
		got8, err := Load(path, WithDType(Int8))
		require.NoError(t, err)
		defer got8.Close()
		if !strings.Contains(name, "llama3") {
			a, err = want8.ForwardTensors(t.Context(), in, "logits")
			require.NoError(t, err)
			b, err = got8.ForwardTensors(t.Context(), in, "logits")
			require.NoError(t, err)
			require.Equal(t, a[0].Data, b[0].Data)
		}
	})
	for _, arch := range known {
		if arch == "qwen3" { // see below
			continue
		}
		require.NotZero(t, done[arch], arch)
	}
}

// Qwen3 with windows in some layers is refused above; without, it is kept.
func TestGGUFKeepsQwen3(t *testing.T) {
	dir, from := t.TempDir(), "testdata/qwen3-lm"
	require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
	config := filepath.Join(dir, configFile)
	data, err := os.ReadFile(config)
	require.NoError(t, err)
	data = bytes.Replace(data, []byte(`"use_sliding_window": true`), []byte(`"use_sliding_window": false`), 1)
	data = bytes.Replace(data, []byte(`"sliding_attention"`), []byte(`"full_attention"`), 1)
	require.NoError(t, os.Remove(config))
	require.NoError(t, os.WriteFile(config, data, 0o644))
	path := filepath.Join(t.TempDir(), "model.gguf")
	_, err = WriteGGUF(t.Context(), dir, path, GGUFOptions{})
	require.NoError(t, err)
	require.Equal(t, logits(t, dir), logits(t, path))

	// Neither a folder nor what is read is written over.
	_, err = WriteGGUF(t.Context(), path, path, GGUFOptions{Type: weights.Q8_0})
	require.ErrorContains(t, err, path+": is the checkpoint that is read")
	folder := t.TempDir()
	_, err = WriteGGUF(t.Context(), path, folder, GGUFOptions{})
	require.ErrorContains(t, err, folder+": is a directory")
}

// tinyLlama writes the weights of a random Llama, whose rows are whole blocks of
// 256, as GGUF.
func tinyLlama(t *testing.T, change func(map[string]weights.Value, map[string]*weights.Tensor)) string {
	const hidden, ffn, vocab, heads, kv = 256, 512, 64, 4, 2
	meta := map[string]weights.Value{
		"general.architecture":                   weights.ValueOf("llama"),
		"llama.context_length":                   weights.ValueOf(uint32(64)),
		"llama.embedding_length":                 weights.ValueOf(uint32(hidden)),
		"llama.block_count":                      weights.ValueOf(uint32(2)),
		"llama.feed_forward_length":              weights.ValueOf(uint32(ffn)),
		"llama.attention.head_count":             weights.ValueOf(uint32(heads)),
		"llama.attention.head_count_kv":          weights.ValueOf(uint32(kv)),
		"llama.attention.layer_norm_rms_epsilon": weights.ValueOf(float32(1e-5)),
	}
	tensors := map[string]*weights.Tensor{}
	seed := uint32(1)
	add := func(name string, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			seed = seed*1664525 + 1013904223
			values[i] = (float32(seed>>8)/(1<<24) - 0.5) / 4
		}
		x := weights.Of(name, shape, values)
		tensors[name] = &x
	}
	add("token_embd.weight", vocab, hidden)
	add("output_norm.weight", hidden)
	for _, l := range []string{"blk.0.", "blk.1."} {
		add(l+"attn_norm.weight", hidden)
		add(l+"attn_q.weight", hidden, hidden)
		add(l+"attn_k.weight", hidden/heads*kv, hidden)
		add(l+"attn_v.weight", hidden/heads*kv, hidden)
		add(l+"attn_output.weight", hidden, hidden)
		add(l+"ffn_norm.weight", hidden)
		add(l+"ffn_gate.weight", ffn, hidden)
		add(l+"ffn_up.weight", ffn, hidden)
		add(l+"ffn_down.weight", hidden, ffn)
	}
	if change != nil {
		change(meta, tensors)
	}
	var sources []weights.Source
	for _, name := range slices.Sorted(mapKeys(tensors)) {
		sources = append(sources, tensors[name].Source())
	}
	var entries []weights.Entry
	for _, key := range slices.Sorted(mapKeys(meta)) {
		entries = append(entries, weights.Entry{Key: key, Value: meta[key]})
	}
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	require.NoError(t, weights.WriteGGUF(path, sources, entries))
	return path
}

func mapKeys[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

var tinyIDs = weights.Of("input_ids", []int{1, 12}, []int64{1, 5, 9, 3, 60, 22, 7, 7, 1, 0, 40, 33})

func logits(t *testing.T, path string, opts ...Option) []float32 {
	m, err := Load(path, opts...)
	require.NoError(t, err)
	defer m.Close()
	out, err := m.ForwardTensors(t.Context(), []weights.Tensor{tinyIDs}, "logits")
	require.NoError(t, err)
	return float32s(t, out[0])
}

// Every type loads as it is stored, near to its numbers as float32; widened, it
// gives the very logits of a file of those numbers.
func TestGGUFQuantized(t *testing.T) {
	plain := tinyLlama(t, nil)
	exact := logits(t, plain)
	types := []weights.DType{weights.F16, weights.Q8_0, weights.Q4_K, weights.Q6_K, weights.BF16, weights.Q4_0, weights.Q4_1, weights.Q5_0, weights.Q5_1, weights.Q5_K}
	if testing.Short() {
		types = types[:4]
	}
	// The error of int8 activations, and of the type itself.
	for _, d := range types {
		t.Run(d.String(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "q.gguf")
			report, err := WriteGGUF(t.Context(), plain, path, GGUFOptions{Type: d, Threads: 2})
			require.NoError(t, err)
			require.NotZero(t, report.Types[d])
			wide := filepath.Join(t.TempDir(), "wide.gguf")
			_, err = WriteGGUF(t.Context(), path, wide, GGUFOptions{Type: weights.F32})
			require.NoError(t, err)

			inF32 := logits(t, path, WithDType(F32))
			require.Equal(t, logits(t, wide), inF32)
			require.Greater(t, cosine32(inF32, exact), 0.98)
			stored := logits(t, path)
			require.Greater(t, cosine32(stored, inF32), 0.999)
			require.Equal(t, stored, logits(t, path, WithThreads(1)))

			m, err := Load(path)
			require.NoError(t, err)
			defer m.Close()
			require.Equal(t, Stored, m.DType())

			// The same type again copies the bytes.
			again := filepath.Join(t.TempDir(), "again.gguf")
			_, err = WriteGGUF(t.Context(), path, again, GGUFOptions{})
			require.NoError(t, err)
			a, err := os.ReadFile(path)
			require.NoError(t, err)
			b, err := os.ReadFile(again)
			require.NoError(t, err)
			require.True(t, bytes.Equal(a, b))
		})
	}
}

func cosine32(x, y []float32) float64 {
	var xy, xx, yy float64
	for i := range x {
		xy += float64(x[i]) * float64(y[i])
		xx += float64(x[i]) * float64(x[i])
		yy += float64(y[i]) * float64(y[i])
	}
	return xy * xy / (xx * yy)
}

// Values in another form than queries and keys: two products in place of one.
func TestGGUFMixedHeads(t *testing.T) {
	plain := tinyLlama(t, nil)
	mixed := tinyLlama(t, func(_ map[string]weights.Value, tensors map[string]*weights.Tensor) {
		for name, d := range map[string]weights.DType{"blk.0.attn_v.weight": weights.Q6_K, "blk.1.attn_k.weight": weights.F16} {
			x := tensors[name]
			floats, err := x.Float32s(nil)
			require.NoError(t, err)
			x.Data, err = weights.AppendQuantized(nil, d, floats)
			require.NoError(t, err)
			x.DType = d
		}
	})
	require.Greater(t, cosine32(logits(t, mixed), logits(t, plain)), 0.999)
	require.Greater(t, cosine32(logits(t, mixed, WithDType(Int8)), logits(t, plain)), 0.999)
}

func TestGGUFRefuses(t *testing.T) {
	type meta = map[string]weights.Value
	type tensors = map[string]*weights.Tensor
	for name, c := range map[string]struct {
		change func(meta, tensors)
		want   string
	}{
		"no architecture":    {func(m meta, _ tensors) { delete(m, "general.architecture") }, "general.architecture: missing; supported: bloom, gemma2, gemma3, gpt2, gptneox, llama, phi3, qwen2, qwen3"},
		"unknown":            {func(m meta, _ tensors) { m["general.architecture"] = weights.ValueOf("rwkv7") }, `general.architecture "rwkv7" is not supported; supported: bloom`},
		"missing":            {func(m meta, _ tensors) { delete(m, "llama.block_count"); delete(m, "llama.context_length") }, "llama.context_length: missing; llama.block_count: missing"},
		"a text":             {func(m meta, _ tensors) { m["llama.block_count"] = weights.ValueOf("two") }, "llama.block_count: two is no number"},
		"a fraction":         {func(m meta, _ tensors) { m["llama.block_count"] = weights.ValueOf(1.5) }, "llama.block_count: 1.5 is not a whole number"},
		"not a number":       {func(m meta, _ tensors) { m["llama.rope.freq_base"] = weights.ValueOf(float32(math.NaN())) }, "llama.rope.freq_base: NaN is no number"},
		"no end":             {func(m meta, _ tensors) { m["llama.rope.freq_base"] = weights.ValueOf(math.Inf(1)) }, "llama.rope.freq_base: +Inf is no number"},
		"zero layers":        {func(m meta, _ tensors) { m["llama.block_count"] = weights.ValueOf(uint32(0)) }, "llama.block_count: 0 is outside"},
		"too many heads":     {func(m meta, _ tensors) { m["llama.attention.head_count"] = weights.ValueOf(uint32(1 << 31)) }, "llama.attention.head_count: 2147483648 is outside"},
		"heads of layers":    {func(m meta, _ tensors) { m["llama.attention.head_count"] = weights.ValuesOf([]int32{4, 2, 4}) }, "llama.attention.head_count: 3 numbers for 2 layers"},
		"a layer of 0 heads": {func(m meta, _ tensors) { m["llama.attention.head_count_kv"] = weights.ValuesOf([]int32{2, 0}) }, "0, of layer 1, is outside"},
		"heads by threes":    {func(m meta, _ tensors) { m["llama.attention.head_count_kv"] = weights.ValuesOf([]int32{2, 3}) }, "does not divide"},
		"value size":         {func(m meta, _ tensors) { m["llama.attention.value_length"] = weights.ValueOf(uint32(32)) }, "llama.attention.value_length: 32 is not supported where heads have 64"},
		"partial rotation":   {func(m meta, _ tensors) { m["llama.rope.dimension_count"] = weights.ValueOf(uint32(32)) }, "llama.rope.dimension_count"},
		"scaling":            {func(m meta, _ tensors) { m["llama.rope.scaling.type"] = weights.ValueOf("longrope") }, "llama.rope.scaling.type: longrope is not supported"},
		"experts":            {func(m meta, _ tensors) { m["llama.expert_count"] = weights.ValueOf(uint32(8)) }, "experts"},
		"no words":           {func(_ meta, x tensors) { delete(x, "token_embd.weight") }, `tensor "token_embd.weight", a matrix, is missing`},
		"no tensor":          {func(_ meta, x tensors) { delete(x, "blk.1.ffn_up.weight") }, `tensor "blk.1.ffn_up.weight" is missing`},
		"a shape":            {func(_ meta, x tensors) { x["blk.1.ffn_up.weight"].Shape = []int{256, 512} }, `tensor "blk.1.ffn_up.weight" has shape [256 512], want [512 256]`},
		"whole numbers":      {func(_ meta, x tensors) { x["output_norm.weight"].DType = weights.I32 }, `tensor "output_norm.weight" is stored as I32`},
		"divisors": {func(_ meta, x tensors) {
			v := weights.Of(ggufFreqs, []int{3}, []float32{1, 1, 1})
			x[ggufFreqs] = &v
		}, "3 divisors for 32 frequencies"},
		"a divisor of 0": {func(_ meta, x tensors) {
			v := weights.Of(ggufFreqs, []int{32}, make([]float32, 32))
			x[ggufFreqs] = &v
		}, "0 is no divisor"},
	} {
		t.Run(name, func(t *testing.T) {
			path := tinyLlama(t, func(m map[string]weights.Value, x map[string]*weights.Tensor) { c.change(m, x) })
			_, err := Load(path)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

// Layers may have different heads and widths.
func TestGGUFLayersDiffer(t *testing.T) {
	path := tinyLlama(t, func(m map[string]weights.Value, x map[string]*weights.Tensor) {
		m["llama.attention.head_count"] = weights.ValuesOf([]uint32{4, 2})
		m["llama.attention.head_count_kv"] = weights.ValuesOf([]uint32{2, 1})
		m["llama.attention.key_length"] = weights.ValueOf(uint32(64))
		m["llama.feed_forward_length"] = weights.ValuesOf([]uint32{512, 256})
		cut := func(name string, rows, cols int) {
			v := x[name]
			floats, err := v.Float32s(nil)
			require.NoError(t, err)
			*v = weights.Of(name, []int{rows, cols}, floats[:rows*cols])
		}
		cut("blk.1.attn_q.weight", 128, 256)
		cut("blk.1.attn_k.weight", 64, 256)
		cut("blk.1.attn_v.weight", 64, 256)
		cut("blk.1.attn_output.weight", 256, 128)
		cut("blk.1.ffn_gate.weight", 256, 256)
		cut("blk.1.ffn_up.weight", 256, 256)
		cut("blk.1.ffn_down.weight", 256, 256)
	})
	require.Len(t, logits(t, path), 12*64)
}

// A folder with one GGUF file and no config.json is that file.
func TestGGUFFolder(t *testing.T) {
	path := tinyLlama(t, nil)
	dir := filepath.Dir(path)
	require.Equal(t, logits(t, path), logits(t, dir))
	m, err := LoadFS(os.DirFS(dir), "tiny.gguf")
	require.NoError(t, err)
	require.NoError(t, m.Close())
	m, err = LoadFS(os.DirFS(dir), ".")
	require.NoError(t, err)
	require.NoError(t, m.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, configFile), []byte("{"), 0o644))
	_, err = Load(dir)
	require.ErrorContains(t, err, configFile)
	_, err = Load(filepath.Join(dir, "none.gguf"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.False(t, errors.Is(err, weights.ErrFormat))
}
