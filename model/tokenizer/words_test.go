package tokenizer

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestNoAllocationsOfKinds encodes and streams with every kind in memory that has grown.
func TestNoAllocationsOfKinds(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	g := readKinds(t)
	texts := []string{benchTexts["english"], benchTexts["russian"], "Zürich é e\u0301 ＡＢ", "xyz" + strings.Repeat("qj", 300)}
	for i := range g.Tokenizers {
		k := &g.Tokenizers[i]
		switch k.Name {
		case "bloom", "falcon", "clip": // Go's regular expressions allocate for every match
			continue
		case "unigram_no_unk", "bpe_unk_missing": // errors
			continue
		}
		tok := g.load(t, k)
		var enc Encoding
		s := tok.NewStream(true)
		var out []byte
		run := func() {
			enc.Reset()
			for _, text := range texts {
				if _, err := tok.AppendEncode(&enc, text, Options{}); err != nil {
					t.Fatal(err)
				}
			}
			out = out[:0]
			for _, id := range enc.IDs {
				out = s.Append(out, id)
			}
			out = s.Flush(out)
		}
		run()
		require.Zero(t, testing.AllocsPerRun(10, run), k.Name)
	}
}

// TestLongWords encodes text that is hard in one word: in n log n.
func TestLongWords(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("a long test")
	}
	g := readKinds(t)
	for i := range g.Tokenizers {
		k := &g.Tokenizers[i]
		switch k.Name {
		case "gpt2", "llama3", "o200k", "llama", "gemma", "unigram_whole", "t5", "openai_gpt", "bpe_prefix_suffix", "smollm", "roberta":
		default:
			continue
		}
		tok := g.load(t, k)
		for _, unit := range []string{"a", "ab", "é", "\u0301", " ", "the ", "'", "<s", "\n", "3", "\xff", "A", "👍", "\r\n "} {
			text := strings.Repeat(unit, (1<<17)/len(unit))
			var enc Encoding
			start := time.Now()
			_, err := tok.AppendEncode(&enc, text, Options{})
			require.NoError(t, err)
			require.Less(t, time.Since(start), 5*time.Second, "%s: %q", k.Name, unit)
			start = time.Now()
			tok.Decode(enc.IDs, false)
			require.Less(t, time.Since(start), 5*time.Second, "%s: %q", k.Name, unit)
		}
	}
}

// TestMergesAtOnceAndByHeap compares the two ways of merging.
func TestMergesAtOnceAndByHeap(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for _, name := range []string{"gpt2", "llama", "openai_gpt"} {
		m := kind(t, name).model.(*bpe)
		for range 1000 {
			word := []byte("▁")[:rng.IntN(2)*3]
			for range rng.IntN(shortWord - 1) {
				word = append(word, "aaehotn eisr"[rng.IntN(12)])
			}
			var a, b workspace
			m.split(&a, word)
			m.split(&b, word)
			m.merge(&a, word)
			m.mergeLong(&b, word)
			require.Equal(t, append([]symbol{}, a.symbols...), append([]symbol{}, b.symbols...), "%q", word)
		}
	}
}

// TestLossy compares with Go's own replacement, which parts broken characters alike but for their maximal parts.
func TestLossy(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "abc": "abc", "é": "é", "\xff": "\ufffd", "\xe2\x82": "\ufffd", "\xe2\x82a": "\ufffda", "\xf0\x9f\x91": "\ufffd",
		"\xf0\x9f\x91x": "\ufffdx", "\xf0\x80\x80": "\ufffd\ufffd\ufffd", "\xed\xa0\x80": "\ufffd\ufffd\ufffd", "\xc3\xc3\xa9": "\ufffdé",
		"\xf4\x90\x80": "\ufffd\ufffd\ufffd", "\x80a": "\ufffda", "\ufffd": "\ufffd",
	} {
		require.Equal(t, want, string(appendLossy(nil, []byte(in))), "%q", in)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100000 {
		s := make([]byte, rng.IntN(9))
		for i := range s {
			s[i] = []byte{0x80, 0x9F, 0xA0, 0xBF, 0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0xFF, 'a'}[rng.IntN(12)]
		}
		out := appendLossy(nil, s)
		require.True(t, utf8.Valid(out))
		if utf8.Valid(s) {
			require.Equal(t, string(s), string(out))
		}
		// In two parts, the first cut before what may still become a character, it is the same.
		at := rng.IntN(len(s) + 1)
		at -= incompleteTail(s[:at])
		require.Equal(t, string(out), string(appendLossy(appendLossy(nil, s[:at]), s[at:])), "%q at %d", s, at)
	}
}

// TestStreamGoesOn skips a prompt and requires the rest of the text, whatever the decoder does at the beginning.
func TestStreamGoesOn(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "gemma", "t5", "openai_gpt", "metaspace_always_True"} {
		tok := kind(t, name)
		var enc Encoding
		_, err := tok.AppendEncode(&enc, "the world of é", Options{NoSpecial: true})
		require.NoError(t, err)
		whole := tok.Decode(enc.IDs, true)
		for n := range enc.IDs {
			if n == 0 {
				continue
			}
			s := tok.NewStream(true)
			var out []byte
			s.Skip(enc.IDs[:n])
			for _, id := range enc.IDs[n:] {
				out = s.Append(out, id)
			}
			out = s.Flush(out)
			require.True(t, strings.HasSuffix(whole, string(bytes.TrimPrefix(out, []byte("\ufffd")))), "%s: %q after %d", name, out, n)
			if n == 1 {
				require.Contains(t, string(out), " world of", name)
			}
		}
		s := tok.NewStream(true)
		require.NotPanics(t, func() { s.Write(-1); s.Write(1 << 30) })
	}
}

func TestFromVocabularyErrors(t *testing.T) {
	yes := true
	base := func() *Vocabulary {
		return &Vocabulary{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a", "b", "ab"}, Merges: []string{"a b"}, Roles: map[string]int32{}}
	}
	for _, c := range []struct {
		want string
		edit func(v *Vocabulary)
	}{
		{`model "rwkv" is not supported`, func(v *Vocabulary) { v.Model = "rwkv" }},
		{`pre-tokenizer "odd" is not supported`, func(v *Vocabulary) { v.Pre = "odd" }},
		{"there are no tokens", func(v *Vocabulary) { v.Tokens = nil }},
		{"2 scores for 3 tokens", func(v *Vocabulary) { v.Scores = make([]float32, 2) }},
		{"4 token types for 3 tokens", func(v *Vocabulary) { v.Types = make([]int32, 4) }},
		{"token 1 has type 9", func(v *Vocabulary) { v.Types = []int32{1, 9, 1} }},
		{"bos_token: id 3 is out of range for 3 tokens", func(v *Vocabulary) { v.Roles["bos_token"] = 3 }},
		{"bos_token: id -1 is out of range", func(v *Vocabulary) { v.Roles["bos_token"] = -1 }},
		{"add_bos_token is set, and there is no bos_token", func(v *Vocabulary) { v.AddBOS = &yes }},
		{"token 0 is not valid UTF-8", func(v *Vocabulary) { v.Tokens[0] = "\xff" }},
		{`merges: merge 0: "ab" is not two tokens`, func(v *Vocabulary) { v.Merges[0] = "ab" }},
		{`merges: merge 0: token "ba" is not in the vocabulary`, func(v *Vocabulary) { v.Merges[0] = "b a" }},
		{"a llama vocabulary without scores", func(v *Vocabulary) { v.Model = "llama" }},
		{"the score of token 0 is not a number", func(v *Vocabulary) {
			v.Model, v.Scores = "llama", []float32{0, 0, 0}
			v.Scores[0] /= v.Scores[0]
		}},
		{"a bert vocabulary without unk_token", func(v *Vocabulary) { v.Model = "bert" }},
		{"a t5 vocabulary without scores", func(v *Vocabulary) { v.Model = "t5" }},
		{"precompiled_charsmap is too short", func(v *Vocabulary) {
			v.Model, v.Scores, v.Charsmap = "t5", make([]float32, 3), []byte{1}
		}},
	} {
		v := base()
		c.edit(v)
		_, err := FromVocabulary("dir/x.gguf", v)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "tokenizer: dir/x.gguf: ")
	}
	tok, err := FromVocabulary("x", base())
	require.NoError(t, err)
	require.Equal(t, []int32{2, 0}, encode(t, tok, "aba", Options{}).IDs)

	v := base()
	v.Pre, v.AddBOS, v.AddEOS, v.Roles = "default", &yes, &yes, map[string]int32{"bos_token": 0, "eos_token": 1}
	tok, err = FromVocabulary("x", v)
	require.NoError(t, err)
	pair := encode(t, tok, "ab", Options{Pair: "ba"})
	require.Equal(t, []int32{0, 2, 1, 0, 1, 0, 1}, pair.IDs)
	require.Equal(t, []int32{0, 0, 0, 1, 1, 1, 1}, pair.TypeIDs)
	id, ok := tok.RoleID("eos_token")
	require.True(t, ok)
	require.EqualValues(t, 1, id)
}

// BenchmarkVocabularies encodes plain English with vocabularies of real models, where they are.
func BenchmarkVocabularies(b *testing.B) {
	files := []string{vocabDir() + "ggml-vocab-gpt-2.gguf", vocabDir() + "ggml-vocab-llama-spm.gguf", vocabDir() + "ggml-vocab-bert-bge.gguf"}
	if more := os.Getenv("LADON_TEST_GGUF"); more != "" {
		files = append(files, strings.Split(more, ":")...)
	}
	toks := map[string]*Tokenizer{"unigram": kind(b, "t5")}
	for _, name := range files {
		tok, err := FromVocabulary(name, readVocabulary(b, name))
		require.NoError(b, err)
		toks[name[strings.LastIndexByte(name, '/')+1:]] = tok
	}
	text := strings.Repeat(benchTexts["english"], 200)
	for name, tok := range toks {
		b.Run("vocab="+name, func(b *testing.B) {
			var enc Encoding
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				enc.Reset()
				if _, err := tok.AppendEncode(&enc, text, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
