package tokenizer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// kindsFile is testdata/kinds.json.gz, which testdata/kinds.py makes with the reference library: a small tokenizer of
// every kind.
type kindsFile struct {
	Texts      []string
	Charsmaps  map[string]string
	Tokenizers []kindGolden
}

type kindGolden struct {
	Name   string
	Config json.RawMessage
	Cases  []goldenCase
}

func readKinds(t testing.TB) *kindsFile {
	g, err := theKinds()
	require.NoError(t, err)
	require.Greater(t, len(g.Tokenizers), 30)
	return g
}

// file is the tokenizer.json, with the charsmap in its place.
func (g *kindsFile) file(k *kindGolden) []byte {
	s := string(k.Config)
	for name, charsmap := range g.Charsmaps {
		s = strings.ReplaceAll(s, `"@`+name+`"`, `"`+charsmap+`"`)
	}
	return []byte(s)
}

func (g *kindsFile) load(t testing.TB, k *kindGolden) *Tokenizer {
	tok, err := Load(k.Name, g.file(k))
	require.NoError(t, err)
	return tok
}

// kind loads one by its name.
func kind(t testing.TB, name string) *Tokenizer {
	g := readKinds(t)
	for i := range g.Tokenizers {
		if g.Tokenizers[i].Name == name {
			return g.load(t, &g.Tokenizers[i])
		}
	}
	t.Fatalf("no tokenizer %s", name)
	return nil
}

// slow is the tokenizer without its short cuts.
func slow(tok *Tokenizer) *Tokenizer {
	s := *tok
	s.ascii.usable, s.bytes.usable = false, false
	return &s
}

func TestKinds(t *testing.T) {
	g := readKinds(t)
	texts := &goldenFile{Texts: g.Texts}
	var enc Encoding
	direct := 0
	for i := range g.Tokenizers {
		k := &g.Tokenizers[i]
		t.Run(k.Name, func(t *testing.T) {
			tok := g.load(t, k)
			if tok.bytes.usable {
				direct++
			}
			require.NotEmpty(t, k.Cases)
			for _, want := range k.Cases {
				checkGolden(t, texts, tok, &enc, want)
				checkGolden(t, texts, slow(tok), &enc, want)
				checkStream(t, tok, want.IDs, want.Special)
			}
		})
	}
	require.Greater(t, direct, 7, "byte-level tokenizers that take words from the text as it is")
}

// checkStream decodes id by id and compares with the whole.
func checkStream(t *testing.T, tok *Tokenizer, ids []int32, skip bool) {
	t.Helper()
	s := tok.NewStream(skip)
	for range 2 {
		var out []byte
		for _, id := range ids {
			out = s.Append(out, id)
		}
		require.Equal(t, tok.Decode(ids, skip), string(s.Flush(out)))
		s.Reset()
	}
}

// TestMutations breaks one setting after another and requires that the goldens notice.
func TestMutations(t *testing.T) {
	g := readKinds(t)
	texts := g.Texts
	for _, c := range []struct{ kind, old, new string }{
		{"gpt2", `"use_regex":true`, `"use_regex":false`},
		{"gpt2", `"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false`, `"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true`},
		{"gpt2_prefix_trim", `"lstrip":true`, `"lstrip":false`},
		{"gpt2_prefix_trim", `"rstrip":true`, `"rstrip":false`},
		{"gpt2_prefix_trim", `"trim_offsets":true`, `"trim_offsets":false`},
		{"roberta", `"trim_offsets":true`, `"trim_offsets":false`},
		{"llama3", `{1,3}`, ``},
		{"llama3", `(?i:'s|'t|'re|'ve|'m|'ll|'d)|`, ``},
		{"llama3", `"ignore_merges":true`, `"ignore_merges":false`},
		{"qwen2", `{"type":"NFC"}`, `null`},
		{"smollm", `"individual_digits":true`, `"individual_digits":false`},
		{"clip", `"Lowercase"`, `"NFC"`},
		{"openai_gpt", `"end_of_word_suffix":"</w>"`, `"end_of_word_suffix":null`},
		{"bpe_prefix", `"fuse_unk":true`, `"fuse_unk":false`},
		{"bpe_prefix", `"continuing_subword_prefix":"##"`, `"continuing_subword_prefix":"#"`},
		{"llama", `"byte_fallback":true`, `"byte_fallback":false`},
		{"llama", `{"type":"Prepend","prepend":"▁"},`, ``},
		{"llama", `,{"type":"Strip","content":" ","start":1,"stop":0}`, ``},
		{"llama", `{"type":"ByteFallback"},`, ``},
		{"metaspace_first_True", `"prepend_scheme":"first"`, `"prepend_scheme":"always"`},
		{"metaspace_always_True", `"prepend_scheme":"always"`, `"prepend_scheme":"never"`},
		{"metaspace_never_False", `"split":false`, `"split":true`},
		{"t5", `{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}`, `null`},
		{"t5_whitespace", `{"type":"WhitespaceSplit"},`, ``},
		{"xlnet", `{"type":"NFKD"},`, ``},
		{"xlnet", `{"type":"Lowercase"},`, ``},
		{"unigram_whole", `"byte_fallback":true`, `"byte_fallback":false`},
		{"unigram_whole", `"Precompiled"`, `"NFKC"`},
	} {
		t.Run(c.kind+" "+c.old, func(t *testing.T) {
			for i := range g.Tokenizers {
				k := &g.Tokenizers[i]
				if k.Name != c.kind {
					continue
				}
				file := strings.ReplaceAll(string(g.file(k)), ", ", ",")
				require.Contains(t, file, c.old)
				tok, err := Load(c.kind, []byte(strings.ReplaceAll(file, c.old, c.new)))
				if err != nil {
					return // noticed at once
				}
				require.True(t, differs(tok, texts, k.Cases))
				return
			}
			t.Fatal("no such tokenizer")
		})
	}
}

// differs reports whether a tokenizer gives anything else than the cases say.
func differs(tok *Tokenizer, texts []string, cases []goldenCase) bool {
	var enc Encoding
	for _, want := range cases {
		o := Options{NoSpecial: !want.Special}
		if want.Pair >= 0 {
			o.Pair, o.HasPair = texts[want.Pair], true
		}
		enc.Reset()
		if _, err := tok.AppendEncode(&enc, texts[want.Text], o); err != nil || want.Error {
			if (err != nil) != want.Error {
				return true
			}
			continue
		}
		if len(enc.IDs) != len(want.IDs) || want.Decoded != nil && tok.Decode(enc.IDs, want.Special) != *want.Decoded {
			return true
		}
		for i, id := range enc.IDs {
			if id != want.IDs[i] || enc.Words[i] != want.Words[i] || enc.Offsets[i] != (Span{want.Spans[2*i], want.Spans[2*i+1]}) {
				return true
			}
		}
	}
	return false
}
