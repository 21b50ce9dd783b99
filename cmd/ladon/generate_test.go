package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/weights"
)

const languageDir = "../../model/generate/testdata/llama"

func TestGenerateText(t *testing.T) {
	run := func(stdin string, args ...string) string {
		r := ladon(t, stdin, append([]string{"generate", "-model", languageDir}, args...)...)
		require.Zero(t, r.code, r.stderr)
		require.Regexp(t, `^\d+ tokens of prompt( at [\d.?]+ a second)?, \d+ new ones at [\d.?]+ a second( with 3 beams)?; ended by \w+\n$`, r.stderr)
		return r.stdout
	}
	const want = "jury dismantled the patient's"
	require.Equal(t, want, run("", "-prompt", "The ", "-max-new-tokens", "16"))
	require.Equal(t, want, run("The \n", "-max-new-tokens", "16"))
	require.Equal(t, want, run("The \r\n", "-max-length", "19"))
	require.Equal(t, "jury ", run("", "-prompt", "The ", "-stop", "x", "-stop", "dis"))
	require.Equal(t, "The compiler invented the oxygen", run("", "-prompt", "", "-max-new-tokens", "16")) // only <s>
	require.Equal(t, " that the museum's curator refus", run("", "-prompt", "She said", "-num-beams", "3", "-max-new-tokens", "16"))
	require.NotEqual(t, want, run("", "-prompt", "The ", "-max-new-tokens", "16", "-temperature", "3"))
	require.Equal(t, want, run("", "-prompt", "The ", "-max-new-tokens", "16", "-temperature", "3", "-top-k", "1"))
	require.Equal(t, run("", "-prompt", "a", "-temperature", "1", "-seed", "3", "-threads", "1"), run("", "-prompt", "a", "-temperature", "1", "-seed", "3", "-threads", "3"))
}

// A GGUF file is a whole checkpoint: for each command that takes one.
func TestGGUF(t *testing.T) {
	const file = languageDir + ".gguf"
	r := ladon(t, "", "generate", "-model", file, "-prompt", "The ", "-max-new-tokens", "16")
	require.Equal(t, "jury dismantled the patient's", r.stdout, r.stderr)
	require.Equal(t, ladon(t, "", "tokenize", "-model", languageDir, `"It was a"`), ladon(t, "", "tokenize", "-model", file, `"It was a"`))
	r = ladon(t, "", "info", "-model", file)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stdout, "LlamaForCausalLM")
	dir := t.TempDir()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.gguf"), data, 0o644))
	require.Equal(t, ladon(t, "", "tokenize", "-model", file, `"It"`), ladon(t, "", "tokenize", "-model", dir, `"It"`))
	requireFailure(t, ladon(t, "", "tokenize", "-model", filepath.Join(dir, "none.gguf"), `"It"`), exitFail, "none.gguf")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.gguf"), data[:1000], 0o644))
	for _, cmd := range [][]string{{"tokenize", `"a"`}, {"generate", "-prompt", "a"}, {"info"}} {
		requireFailure(t, ladon(t, "", append(cmd, "-model", dir)...), exitFail, filepath.Join(dir, "a.gguf"))
	}
}

func TestGenerateJSON(t *testing.T) {
	r := ladon(t, "", "generate", "-model", languageDir, "-prompt", "The ", "-max-new-tokens", "4", "-json", "-logprobs", "2")
	require.Zero(t, r.code, r.stderr)
	type logProb struct {
		ID      int
		Token   string
		LogProb float64
	}
	var got struct {
		Text         string
		IDs          []int
		Finish       string
		PromptTokens int `json:"prompt_tokens"`
		NewTokens    int `json:"new_tokens"`
		LogProbs     []struct {
			logProb
			Top []logProb
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got), r.stdout)
	require.True(t, strings.HasPrefix("jury dismantled", got.Text), got.Text)
	require.Len(t, got.IDs, 4)
	require.Equal(t, "length", got.Finish)
	require.Equal(t, 3, got.PromptTokens)
	require.Equal(t, 4, got.NewTokens)
	require.Len(t, got.LogProbs, 4)
	for i, p := range got.LogProbs {
		require.Equal(t, got.IDs[i], p.ID)
		require.Len(t, p.Top, 2)
		require.Equal(t, p.logProb, p.Top[0])
	}
}

// generation_config.json's lengths and tokens hold; its sampling and its beams
// wait for a flag.
func TestGenerateSettings(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(languageDir)))
	settings := func(s string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "generation_config.json"), []byte(s), 0o644))
	}
	run := func(args ...string) string {
		r := ladon(t, "", append([]string{"generate", "-model", dir, "-prompt", "The "}, args...)...)
		require.Zero(t, r.code, r.stderr)
		return r.stdout
	}
	settings(`{"eos_token_id": 1, "do_sample": true, "temperature": 9.0, "num_beams": 4, "repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "max_length": 19}`)
	require.Equal(t, "jury dismantled the patient's", run())
	require.NotEqual(t, "jury dismantled the patient's", run("-sample"))
	require.Equal(t, "jury dismantled the patient's", run("-sample", "-temperature", "0"))

	settings(`{"eos_token_id": 1, "typical_p": 0.5, "max_length": 19}`)
	r := ladon(t, "", "generate", "-model", dir, "-prompt", "The ", "-sample")
	require.Zero(t, r.code)
	require.Contains(t, r.stderr, "warning: "+filepath.Join(dir, "generation_config.json")+": not supported, and left out: typical_p\n")

	settings(`{"eos_token_id": 1, "max_new_tokens": 2}`)
	two := run()
	require.Less(t, len(two), 10)
	require.Greater(t, len(run("-max-new-tokens", "5")), len(two))

	settings(`{"max_length": 3}`)
	requireFailure(t, ladon(t, "", "generate", "-model", dir, "-prompt", "The "), exitFail, "max_length 3", "3 tokens")
	for _, bad := range []string{`{"num_beams": 0}`, `{"top_p": 7}`, `{"forced_bos_token_id": 400}`, `{"forced_eos_token_id": "x"}`, `{"max_new_tokens": 0}`, `[`} {
		settings(bad)
		key, _, _ := strings.Cut(strings.Trim(bad, `{"[`), `"`)
		requireFailure(t, ladon(t, "", "generate", "-model", dir, "-prompt", "The "), exitFail, dir, "generation_config.json", key)
	}
}

// What flags leave open comes from the file where they ask for it, else from nowhere.
func TestGenerationFlags(t *testing.T) {
	settings, err := generate.ParseSettings("f", []byte(`{"temperature": 0.6, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.1,
		"num_beams": 4, "length_penalty": 2.0, "early_stopping": true, "no_repeat_ngram_size": 3, "eos_token_id": 7, "max_length": 50}`))
	require.NoError(t, err)
	beams := generate.Beams{Width: 4, LengthPenalty: 2, Early: generate.EarlyTrue}
	for args, want := range map[string]generate.Config{
		"":                               {},
		"-seed 3":                        {Seed: 3},
		"-temperature 0":                 {},
		"-temperature 2":                 {Temperature: 2, TopK: 20, TopP: 0.8, RepetitionPenalty: 1.1},
		"-sample":                        {Temperature: 0.6, TopK: 20, TopP: 0.8, RepetitionPenalty: 1.1},
		"-top-k 5 -repetition-penalty 1": {Temperature: 0.6, TopK: 5, TopP: 0.8, RepetitionPenalty: 1},
		"-top-p 0":                       {Temperature: 0.6, TopK: 20, TopP: math.SmallestNonzeroFloat64, RepetitionPenalty: 1.1},
		"-sample -temperature 0":         {TopK: 20, TopP: 0.8, RepetitionPenalty: 1.1},
		"-repetition-penalty 2":          {RepetitionPenalty: 2},
		"-num-beams 2":                   {Beams: generate.Beams{Width: 2, LengthPenalty: 2, Early: generate.EarlyTrue}, NoRepeatNGram: 3},
		"-length-penalty 0":              {Beams: generate.Beams{Width: 4, Early: generate.EarlyTrue}, NoRepeatNGram: 3},
		"-early-stopping true":           {Beams: beams, NoRepeatNGram: 3},
		"-num-beams 4 -no-repeat-ngram-size 0 -early-stopping never": {Beams: generate.Beams{Width: 4, LengthPenalty: 2, Early: generate.EarlyNever}},
		"-max-new-tokens 9 -eos-token-id 3,4":                        {MaxNewTokens: 9, EOS: []int32{3, 4}},
		"-logit-bias 5=-1.5,6=2":                                     {LogitBias: []generate.Bias{{ID: 5, Add: -1.5}, {ID: 6, Add: 2}}},
	} {
		var f generationFlags
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		f.register(fs)
		require.NoError(t, fs.Parse(strings.Fields(args)))
		f.visit(fs)
		if want.Beams == (generate.Beams{}) {
			want.Beams.LengthPenalty = 1
		}
		require.Equal(t, want, f.chosen(settings), args)
		if want.EOS == nil {
			want.EOS = []int32{7}
		}
		if want.MaxNewTokens == 0 {
			want.MaxLength = 50
		}
		want.Suppress, want.BeginSuppress, want.BadWords = nil, nil, nil
		require.Equal(t, want, f.config(settings), args)
	}
}

// Numbers that cannot be are refused before the model is looked at.
func TestGenerationFlagsOutOfRange(t *testing.T) {
	for args, want := range map[string]string{
		"-repetition-penalty 0": "repetition_penalty: 0 is not above 0", "-repetition-penalty -1": "repetition_penalty: -1 is not above 0",
		"-encoder-repetition-penalty 0": "encoder_repetition_penalty: 0 is not above 0",
		"-temperature -1":               "temperature: -1", "-top-p 1.5": "top_p: 1.5", "-min-p 2": "min_p: 2", "-top-k -1": "-top-k",
		"-seed -1": "-seed", "-seed 18446744073709551616": "2^64-1", "-presence-penalty inf": "-presence-penalty",
	} {
		r := ladon(t, "", append([]string{"generate", "-model", "nowhere", "-prompt", "x"}, strings.Fields(args)...)...)
		requireFailure(t, r, exitFail, want)
	}
}

// Files of ids go through the command as through transformers.
func TestGenerateGolden(t *testing.T) {
	for _, name := range []string{"llama", "gpt2"} {
		dir := filepath.Join(languageDir, "..", name)
		data, err := os.ReadFile(filepath.Join(dir, "golden.json"))
		require.NoError(t, err)
		var g struct {
			Cases []struct {
				Config    map[string]any
				IDs, Mask [][]int64
				Sequences [][]int64
			}
		}
		require.NoError(t, json.Unmarshal(data, &g))
		temp := t.TempDir()
		in, out := filepath.Join(temp, "in"), filepath.Join(temp, "out")
		for i, c := range g.Cases {
			if i%6 != 0 {
				continue
			}
			shape := []int{len(c.IDs), len(c.IDs[0])}
			require.NoError(t, weights.Write(in, []weights.Tensor{
				weights.Of("input_ids", shape, slices.Concat(c.IDs...)), weights.Of("attention_mask", shape, slices.Concat(c.Mask...)),
			}, nil))
			args := []string{"generate", "-model", dir, "-in", in, "-out", out}
			for key, v := range c.Config {
				text, err := json.Marshal(v)
				require.NoError(t, err)
				args = append(args, "-"+strings.ReplaceAll(key, "_", "-"), strings.Trim(string(text), `[]"`))
			}
			// The file's -suppress-tokens and the like are lists, as flags have them.
			require.Equal(t, result{}, ladon(t, "", args...), args)
			got := tensors(t, out)["sequences"]
			require.Equal(t, weights.Of("sequences", []int{len(c.Sequences), len(c.Sequences[0])}, slices.Concat(c.Sequences...)), got, args)
		}
	}
}

// Several sequences for a row stand one below the other, the best first.
func TestGenerateReturns(t *testing.T) {
	temp := t.TempDir()
	in, out := filepath.Join(temp, "in"), filepath.Join(temp, "out")
	require.NoError(t, weights.Write(in, []weights.Tensor{weights.Of("input_ids", []int{2, 2}, []int64{0, 40, 0, 50})}, nil))
	run := func(n string) []int64 {
		require.Equal(t, result{}, ladon(t, "", "generate", "-model", languageDir, "-in", in, "-out", out, "-max-new-tokens", "6", "-num-beams", "3", "-num-return-sequences", n, "-ignore-eos"))
		got := tensors(t, out)["sequences"]
		ids, err := got.Int64s(nil)
		require.NoError(t, err)
		return ids
	}
	one, three := run("1"), run("3")
	require.Len(t, one, 2*8)
	require.Len(t, three, 6*8)
	require.Equal(t, one, slices.Concat(three[:8], three[24:32]))
	require.NotEqual(t, three[:8], three[8:16])
}

func TestGenerateCommandErrors(t *testing.T) {
	temp := t.TempDir()
	file := func(name string, list ...weights.Tensor) string {
		path := filepath.Join(temp, name)
		require.NoError(t, weights.Write(path, list, nil))
		return path
	}
	ids := file("ids", weights.Of("input_ids", []int{1, 2}, []int64{0, 5}))
	unknown := file("unknown", weights.Of("input_ids", []int{1, 2}, []int64{0, 5}), weights.Of("pixel_values", []int{1}, []float32{1}))
	long := file("long", weights.Of("input_ids", []int{1, 200}, make([]int64, 200)))
	out := filepath.Join(temp, "out")
	for _, tt := range []struct {
		args  []string
		code  int
		parts []string
	}{
		{[]string{"-prompt", "a", "-bogus"}, exitUsage, []string{"-bogus"}},
		{[]string{"-prompt", "a", "extra"}, exitFail, []string{"extra"}},
		{[]string{"-prompt", "a", "-max-new-tokens", "0"}, exitFail, []string{"-max-new-tokens", "0"}},
		{[]string{"-prompt", "a", "-max-new-tokens", "-3"}, exitFail, []string{"-max-new-tokens", "-3"}},
		{[]string{"-prompt", "a", "-temperature", "-1"}, exitFail, []string{"temperature", "-1"}},
		{[]string{"-prompt", "a", "-temperature", "NaN"}, exitFail, []string{"-temperature", "NaN"}},
		{[]string{"-prompt", "a", "-top-p", "1.5"}, exitFail, []string{"top_p", "1.5"}},
		{[]string{"-prompt", "a", "-top-k", "-1"}, exitFail, []string{"-top-k", "-1"}},
		{[]string{"-prompt", "a", "-num-beams", "0"}, exitFail, []string{"-num-beams", "0"}},
		{[]string{"-prompt", "a", "-num-beams", "100000"}, exitFail, []string{"num_beams", "100000"}},
		{[]string{"-prompt", "a", "-early-stopping", "soon"}, exitFail, []string{"-early-stopping", "soon", "never"}},
		{[]string{"-prompt", "a", "-logit-bias", "3"}, exitFail, []string{"-logit-bias"}},
		{[]string{"-prompt", "a", "-logit-bias", "4000=1"}, exitFail, []string{"logit_bias", "4000"}},
		{[]string{"-prompt", "a", "-eos-token-id", "400"}, exitFail, []string{"eos_token_id", "400"}},
		{[]string{"-prompt", "a", "-stop", ""}, exitFail, []string{"-stop"}},
		{[]string{"-prompt", "a", "-stop", "\xff"}, exitFail, []string{"stop", "UTF-8"}},
		{[]string{"-prompt", "a\xff"}, exitFail, []string{"-prompt", "byte 1", "UTF-8"}},
		{[]string{"-prompt", strings.Repeat("word ", 2000)}, exitFail, []string{"tokens", "context of 96"}},
		{[]string{"-prompt", "a", "-min-length", "9", "-max-length", "5"}, exitFail, []string{"min_length", "9", "5"}},
		{[]string{"-prompt", "a", "-num-return-sequences", "2", "-num-beams", "2"}, exitFail, []string{"-num-return-sequences", "-in"}},
		{[]string{"-in", ids, "-out", out, "-num-return-sequences", "3", "-num-beams", "2"}, exitFail, []string{"num_return_sequences", "3", "2"}},
		{[]string{"-in", ids, "-out", out, "-num-return-sequences", "3"}, exitFail, []string{"num_return_sequences", "3"}},
		{[]string{"-in", ids}, exitFail, []string{"-in", "-out"}},
		{[]string{"-in", ids, "-out", out, "-prompt", "a"}, exitFail, []string{"-prompt", "-in"}},
		{[]string{"-in", filepath.Join(temp, "none"), "-out", out}, exitFail, []string{filepath.Join(temp, "none")}},
		{[]string{"-in", unknown, "-out", out}, exitFail, []string{unknown, "pixel_values"}},
		{[]string{"-in", long, "-out", out}, exitFail, []string{long, "200", "96"}},
		{[]string{"-in", ids, "-out", filepath.Join(temp, "no", "where")}, exitFail, []string{filepath.Join(temp, "no", "where")}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			r := ladon(t, "", append([]string{"generate", "-model", languageDir}, tt.args...)...)
			requireFailure(t, r, tt.code, tt.parts...)
			require.Empty(t, r.stdout)
			require.NoFileExists(t, out)
		})
	}
	requireFailure(t, ladon(t, "a\xffb", "generate", "-model", languageDir), exitFail, "standard input", "byte 1")
	requireFailure(t, ladon(t, "", "generate", "-prompt", "a"), exitFail, "-model")
	requireFailure(t, ladon(t, "", "generate", "-model", filepath.Join(temp, "none"), "-prompt", "a"), exitFail, filepath.Join(temp, "none"))
	requireFailure(t, ladon(t, "", "generate", "-model", encoderDir, "-prompt", "a"), exitFail, "language model")
}

func TestPerplexityCommand(t *testing.T) {
	temp := t.TempDir()
	text, err := os.ReadFile("../../pipeline/testdata/sentences.txt")
	require.NoError(t, err)
	file := filepath.Join(temp, "text")
	require.NoError(t, os.WriteFile(file, bytes.ToValidUTF8(text[:20000], nil), 0o644))
	r := ladon(t, "", "perplexity", "-model", languageDir, "-ctx", "64", "-chunks", "10", "-json", file)
	require.Zero(t, r.code, r.stderr)
	var got struct {
		Perplexity, Error float64
		Chunks, Ctx       int
		Counted           int
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got))
	require.Equal(t, []int{10, 64, 310}, []int{got.Chunks, got.Ctx, got.Counted})
	require.Greater(t, got.Perplexity, 1.0)
	require.Less(t, got.Perplexity, 40.0) // it was trained on this text, sentence by sentence
	require.Greater(t, got.Error, 0.0)
	r = ladon(t, "", "perplexity", "-model", languageDir, "-ctx", "64", "-chunks", "10", file)
	require.Regexp(t, `^perplexity \d+\.\d{4} ± \d+\.\d{4} \(10 chunks of 64 tokens, 310 counted\)\n$`, r.stdout)

	// What spells special tokens is text, as it is to llama-perplexity.
	spelt := filepath.Join(temp, "spelt")
	require.NoError(t, os.WriteFile(spelt, bytes.Repeat([]byte("</s>"), 100), 0o644))
	r = ladon(t, "", "perplexity", "-model", languageDir, "-ctx", "64", "-json", spelt)
	require.Regexp(t, `"tokens":400,`, r.stdout+r.stderr)

	bad := filepath.Join(temp, "bad")
	require.NoError(t, os.WriteFile(bad, []byte("ab\xff"), 0o644))
	short := filepath.Join(temp, "short")
	require.NoError(t, os.WriteFile(short, []byte("a few words"), 0o644))
	for _, tt := range []struct {
		args  []string
		parts []string
	}{
		{nil, []string{"text file"}},
		{[]string{filepath.Join(temp, "none")}, []string{filepath.Join(temp, "none")}},
		{[]string{bad}, []string{bad, "byte 2"}},
		{[]string{"-ctx", "64", short}, []string{short, "too short", "128"}},
		{[]string{file}, []string{file, "512", "96"}},
		{[]string{"-ctx", "3", file}, []string{"-ctx"}},
	} {
		requireFailure(t, ladon(t, "", append([]string{"perplexity", "-model", languageDir}, tt.args...)...), exitFail, tt.parts...)
	}
}

func TestBenchGenerate(t *testing.T) {
	r := ladon(t, "", "bench", "generate", "-model", languageDir, "-prompt", "20", "-new", "5", "-budget", "5ms")
	require.Zero(t, r.code, r.stderr)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got))
	for _, key := range []string{"ms_min", "ms_median", "runs", "prompt_tokens_per_s", "new_tokens_per_s", "bytes", "read_gb_per_s", "share_of_peak", "threads"} {
		require.Greater(t, got[key], 0.0, key)
	}
	requireFailure(t, ladon(t, "", "bench", "generate", "-model", languageDir, "-prompt", "95", "-new", "5"), exitFail, "96")
	requireFailure(t, ladon(t, "", "bench", "generate"), exitFail, "-model")
}

// An encoder-decoder reads a source, and writes what comes after the start token
// or after what decoder_input_ids say.
func TestGenerateFromSource(t *testing.T) {
	const dir = "../../model/testdata/t5-lm"
	data, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	require.NoError(t, err)
	var g struct {
		Generates []struct{ Source, Greedy, Beams []int64 }
	}
	require.NoError(t, json.Unmarshal(data, &g))
	in, out := filepath.Join(t.TempDir(), "in.safetensors"), filepath.Join(t.TempDir(), "out.safetensors")
	var source, mask, greedy, begin []int64
	for _, w := range g.Generates {
		source = append(append(source, 9), w.Source...) // what the mask hides counts for nothing
		mask = append(append(mask, 0), slices.Repeat([]int64{1}, len(w.Source))...)
		greedy, begin = append(greedy, w.Greedy...), append(begin, w.Greedy[1:4]...)
	}
	n := len(g.Generates)
	run := func(inputs []weights.Tensor, args ...string) weights.Tensor {
		require.NoError(t, weights.Write(in, inputs, nil))
		r := ladon(t, "", append([]string{"generate", "-model", dir, "-in", in, "-out", out, "-ignore-eos"}, args...)...)
		require.Zero(t, r.code, r.stderr)
		tensors, err := readTensors(out)
		require.NoError(t, err)
		return tensors[0]
	}
	inputs := []weights.Tensor{weights.Of("input_ids", []int{n, len(source) / n}, source), weights.Of("attention_mask", []int{n, len(mask) / n}, mask)}
	want := weights.Of("sequences", []int{n, len(greedy) / n}, greedy)
	require.Equal(t, want.Data, run(inputs, "-max-new-tokens", "24").Data)
	inputs = append(inputs, weights.Of("decoder_input_ids", []int{n, 3}, begin))
	require.Equal(t, want.Data, run(inputs, "-max-new-tokens", "21").Data)

	require.NoError(t, weights.Write(in, inputs[2:], nil))
	requireFailure(t, ladon(t, "", "generate", "-model", dir, "-in", in, "-out", out), exitFail, in, "input_ids")
}
