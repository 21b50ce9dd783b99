package tokenizer

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzLoad(f *testing.F) {
	f.Add([]byte(tiny(nil)))
	f.Add([]byte(tiny(map[string]string{
		"normalizer":    `{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Strip","strip_left":true,"strip_right":true},{"type":"Prepend","prepend":"x"}]}`,
		"pre_tokenizer": `{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"Contiguous","invert":true}]}`,
		"truncation":    `{"max_length":3,"strategy":"OnlySecond","direction":"Left","stride":1}`, "padding": `{"strategy":{"Fixed":3}}`,
	})))
	f.Add([]byte(tiny(map[string]string{
		"post_processor": `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":1}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"x":{"ids":[1,2],"tokens":["y","z"]}}}`,
		"decoder":        `{"type":"WordPiece","prefix":"##","cleanup":true}`, "added_tokens": `[{"id":9,"content":"a b","lstrip":true,"normalized":true}]`,
	})))
	for _, model := range []string{
		`{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"<0xC3>":3,"▁":4,"<unk>":5},"merges":["a b"],"byte_fallback":true,"fuse_unk":true,"unk_token":"<unk>"}`,
		`{"type":"BPE","vocab":{"a":0,"##b":1,"ab</w>":2,"##b</w>":3},"merges":[["a","##b</w>"]],"continuing_subword_prefix":"##","end_of_word_suffix":"</w>","ignore_merges":true}`,
		`{"type":"Unigram","vocab":[["<unk>",0],["a",-1.5],["▁a",-2],["ab",-1e3]],"unk_id":0,"byte_fallback":false}`,
	} {
		f.Add([]byte(tiny(map[string]string{
			"added_tokens": "[]", "model": model, "pre_tokenizer": `{"type":"Sequence","pretokenizers":[{"type":"Metaspace","prepend_scheme":"first"},{"type":"ByteLevel"},{"type":"Split","pattern":{"Regex":"[\\p{L}[ab]]+"},"behavior":"Removed","invert":true}]}`,
			"normalizer":     `{"type":"Precompiled","precompiled_charsmap":"CAAAAAAEAAAAAAAAYQA="}`,
			"post_processor": `{"type":"ByteLevel","trim_offsets":true}`,
			"decoder":        `{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"BPEDecoder"},{"type":"Metaspace"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":1},{"type":"ByteLevel"}]}`,
		})))
	}
	f.Add([]byte(`{"model":{"vocab":{"\u005bUNK]":0,"\ud83d\ude00":1},"unk_token":"[UNK]"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := Load("f", data)
		if err != nil {
			if len(err.Error()) > 2000 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		var enc Encoding
		checkEncode(t, tok, &enc, "a ab é [CLS] 中1\xff", Options{})
		checkEncode(t, tok, &enc, "b", Options{HasPair: true, MaxLen: 7})
		_, _ = tok.AppendWindows(&enc, nil, "a a a a a", Options{}, -1)
	})
}

// checkEncode encodes a text and checks what holds for every tokenizer.
func checkEncode(t *testing.T, tok *Tokenizer, enc *Encoding, text string, o Options) {
	t.Helper()
	enc.Reset()
	if _, err := tok.AppendEncode(enc, text, o); err != nil {
		return
	}
	n := enc.Len()
	if len(enc.TypeIDs) != n || len(enc.Offsets) != n || len(enc.Words) != n || len(enc.Sequences) != n {
		t.Fatal("columns of different lengths")
	}
	for i, s := range enc.Offsets {
		size := len(text)
		if enc.Sequences[i] == 1 {
			size = len(o.Pair)
		}
		if s.Start < 0 || s.End < 0 || int(s.Start) > size || int(s.End) > size {
			t.Fatalf("token %d stands for bytes %v of %d", i, s, size)
		}
		if _, ok := tok.IDToToken(enc.IDs[i]); !ok {
			t.Fatalf("token %d has id %d, which is no token", i, enc.IDs[i])
		}
	}
	if got := len(tok.AppendTokens(nil, enc)); got != n {
		t.Fatalf("%d tokens of %d", got, n)
	}
	whole, s := tok.Decode(enc.IDs, true), tok.NewStream(true)
	var out []byte
	for _, id := range enc.IDs {
		out = s.Append(out, id)
	}
	if out = s.Flush(out); string(out) != whole {
		t.Fatalf("decoded %q as a stream, %q at once", out, whole)
	}
}

func FuzzEncode(f *testing.F) {
	g := readGolden(f)
	var toks []*Tokenizer
	for _, c := range g.Tokenizers {
		toks = append(toks, loadGolden(f, g, c.Config))
	}
	kinds := readKinds(f)
	for i := range kinds.Tokenizers {
		toks = append(toks, kinds.load(f, &kinds.Tokenizers[i]))
	}
	for i, text := range kinds.Texts {
		f.Add(text, kinds.Texts[0], uint8(len(g.Tokenizers)+i%len(kinds.Tokenizers)))
	}
	for i, text := range g.Texts {
		f.Add(text, g.Texts[len(g.Texts)-1-i], uint8(i))
	}
	f.Fuzz(func(t *testing.T, text, pair string, k uint8) {
		tok := toks[int(k)%len(toks)]
		o := Options{NoSpecial: k&1 != 0}
		if k&2 != 0 {
			o.Pair, o.HasPair = pair, true
		}
		var fast, slow Encoding
		checkEncode(t, tok, &fast, text, o)
		general := *tok
		general.ascii.usable, general.bytes.usable = false, false
		checkEncode(t, &general, &slow, text, o)
		require.Equal(t, slow.IDs, fast.IDs)
		require.Equal(t, slow.Offsets, fast.Offsets)
		require.Equal(t, slow.Words, fast.Words)
	})
}

// FuzzFromVocabulary makes vocabularies of what stands between newlines.
func FuzzFromVocabulary(f *testing.F) {
	f.Add("a\nb\nab\n<0x0A>\n▁\n▁a", "a b\n▁ a", []byte("\x01\x01\x02\x06\x03\x04"), uint8(0), int32(0))
	f.Add("<unk>\n[CLS]\n▁the\ning", "", []byte("\x02\x03\x01\x01"), uint8(2), int32(1))
	f.Fuzz(func(t *testing.T, tokens, merges string, types []byte, kind uint8, role int32) {
		v := &Vocabulary{
			Model: []string{"gpt2", "llama", "bert", "t5"}[kind%4], Pre: []string{"gpt-2", "qwen2", "llama-bpe", ""}[kind/4%4],
			Tokens: strings.Split(tokens, "\n"), Merges: strings.Split(merges, "\n"),
			Roles: map[string]int32{"bos_token": role, "unk_token": role, "cls_token": role, "sep_token": role, "eos_token": role},
		}
		if merges == "" {
			v.Merges = nil
		}
		for i := range v.Tokens {
			if v.Scores = append(v.Scores, float32(i%7)); i < len(types) {
				v.Types = append(v.Types, int32(int8(types[i])))
			}
		}
		if len(v.Types) < len(v.Tokens) {
			v.Types = nil
		}
		if kind >= 128 {
			v.Charsmap = types
		}
		tok, err := FromVocabulary("f", v)
		if err != nil {
			return
		}
		if data, err := v.JSON(); err == nil {
			if again, err := Load("f", data); err != nil {
				t.Fatalf("the tokenizer.json is refused: %v\n%s", err, data)
			} else if w, _, err := again.Vocabulary(); err == nil {
				_ = w.Resize(len(w.Tokens) + 1)
			}
		}
		var enc Encoding
		checkEncode(t, tok, &enc, "a ab é\n the thing [CLS] 中1\xff", Options{})
		checkEncode(t, slow(tok), &enc, tokens, Options{Pair: merges, HasPair: true})
	})
}

// FuzzBertNormalizer compares the one pass with the steps that it stands for.
func FuzzBertNormalizer(f *testing.F) {
	for i, text := range readGolden(f).Texts {
		f.Add(text, uint8(i))
	}
	f.Fuzz(func(t *testing.T, text string, flags uint8) { compareBert(t, text, flags) })
}

func compareBert(t *testing.T, s string, flags uint8) {
	t.Helper()
	n := &bertNormalizer{newClasses(), flags&1 != 0, flags&2 != 0, flags&4 != 0, flags&8 != 0}
	var one, steps text
	one.load(s, 3)
	steps.load(s, 3)
	n.steps(&steps)
	if !n.onePass(&one) {
		require.True(t, n.stripAccents)
		require.Equal(t, len(s) == 0, len(one.buf) == 0)
		return
	}
	if !bytes.Equal(one.buf, steps.buf) {
		t.Fatalf("%q becomes %q at once, %q in steps", s, one.buf, steps.buf)
	}
	if !slices.Equal(steps.align, one.align) {
		t.Fatalf("%q: spans %v at once, %v in steps", s, one.align, steps.align)
	}
}

func TestBertNormalizerAtOnce(t *testing.T) {
	for r := rune(0); r < 0x110000; r++ {
		if r < 0x3000 && !testing.Short() || r%7 == 0 {
			compareBert(t, "a"+string(r)+"\u0301b", uint8(r%16))
			compareBert(t, "É"+string(r), 15)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		var s []rune
		for range rng.IntN(12) {
			s = append(s, rng.Int32N([]int32{0x80, 0x400, 0x1200, 0x10000, 0x110000}[rng.IntN(5)]))
		}
		compareBert(t, string(s), uint8(rng.IntN(16)))
	}
}
