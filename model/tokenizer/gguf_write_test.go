package tokenizer

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mixtures makes n texts of parts of texts.
func mixtures(texts []string, n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([]string, n)
	for i := range list {
		var b strings.Builder
		for range 1 + r.IntN(4) {
			part := []rune(texts[r.IntN(len(texts))])
			if len(part) == 0 {
				continue
			}
			from := r.IntN(len(part))
			b.WriteString(string(part[from : from+r.IntN(min(len(part)-from, 60))+1]))
			b.WriteString([]string{"", " ", "\n", "  ", "7"}[r.IntN(5)])
		}
		list[i] = b.String()
	}
	return list
}

func sameIDs(t *testing.T, want, got *Tokenizer, texts []string, skip func(string) bool) {
	t.Helper()
	var a, b Encoding
	checked := 0
	for _, text := range texts {
		if skip != nil && skip(text) {
			continue
		}
		a.Reset()
		b.Reset()
		_, err := want.AppendEncode(&a, text, Options{})
		require.NoError(t, err)
		_, err = got.AppendEncode(&b, text, Options{})
		require.NoError(t, err)
		require.Equal(t, a.IDs, b.IDs, "%q", text)
		require.Equal(t, want.Decode(a.IDs, true), got.Decode(b.IDs, true), "%q", text)
		checked++
	}
	require.Greater(t, checked, len(texts)/4)
}

// What a tokenizer.json becomes in GGUF gives the same tokens, as does the tokenizer.json that this becomes.
func TestVocabulary(t *testing.T) {
	g := readKinds(t)
	texts := mixtures(g.Texts, 2000)
	for _, c := range []struct {
		kind, pre string
		lost      string            // in what is lost
		skip      func(string) bool // texts that this concerns
	}{
		{kind: "gpt2", pre: "gpt-2"},
		{kind: "llama3", pre: "llama-bpe"},
		{kind: "cl100k_possessive", pre: "dbrx"},
		{kind: "qwen2", pre: "qwen2", lost: "normal form", skip: func(s string) bool { return !normal(s) }},
		{kind: "qwen35", pre: "qwen35", lost: "normal form", skip: func(s string) bool { return !normal(s) }},
		{kind: "o200k", pre: "gpt-4o"},
		{kind: "tekken", pre: "tekken"},
		{kind: "smollm", pre: "smollm"},
		{kind: "bloom", pre: "bloom"},
		{kind: "llama", pre: "default", lost: "merges"}, // of pairs that do not meet
		{kind: "gemma", pre: "default", lost: "merges"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			tok := kind(t, c.kind)
			v, lost, err := tok.Vocabulary()
			require.NoError(t, err)
			require.Equal(t, c.pre, v.Pre)
			if c.lost == "" {
				require.Empty(t, lost)
			} else {
				require.Contains(t, strings.Join(lost, "\n"), c.lost)
			}
			n := len(v.Tokens)
			require.Error(t, v.Resize(n/2))
			require.NoError(t, v.Resize(n+3))
			back, err := FromVocabulary(c.kind, v)
			require.NoError(t, err)
			require.Equal(t, n+3, back.VocabSize())
			sameIDs(t, tok, back, texts, c.skip)
			data, err := v.JSON()
			require.NoError(t, err)
			again, err := Load(c.kind, data)
			require.NoError(t, err)
			sameIDs(t, back, again, texts, nil)
		})
	}
}

func normal(s string) bool {
	var x text
	x.load(s, 0)
	formNFC.normalize(&x)
	return string(x.buf) == s
}

// spelled is a SentencePiece vocabulary as llama.cpp has it: letters, bytes, and words that are made of each other.
func spelled() *Vocabulary {
	yes := true
	v := &Vocabulary{Model: "llama", Pre: "default", Roles: map[string]int32{"unk_token": 0, "bos_token": 1, "eos_token": 2}, AddBOS: &yes}
	add := func(token string, score float32, kind int32) {
		v.Tokens, v.Scores, v.Types = append(v.Tokens, token), append(v.Scores, score), append(v.Types, kind)
	}
	add("<unk>", 0, typeUnknown)
	add("<s>", 0, typeControl)
	add("</s>", 0, typeControl)
	for b := range 256 {
		const hex = "0123456789ABCDEF"
		add("<0x"+string(hex[b>>4])+string(hex[b&15])+">", 0, typeByte)
	}
	score := float32(0)
	for _, word := range []string{"▁t", "he", "▁a", "▁the", "in", "er", "an", "▁an", "and", "▁and", "▁▁", "▁▁▁▁", "the", "th", "▁th", "▁he"} {
		add(word, score, typeNormal)
		score--
	}
	for c := 'a'; c <= 'z'; c++ {
		add(string(c), -100, typeNormal)
	}
	add("▁", -100, typeNormal)
	return v
}

func TestVocabularySentencePiece(t *testing.T) {
	texts := append(mixtures(readKinds(t).Texts, 500), mixtures([]string{"the and  then in another there    band hand   ", "annand thethe<s>the</s> an"}, 1500)...)
	for _, prefix := range []bool{true, false} {
		v := spelled()
		v.AddSpacePrefix = &prefix
		back, err := FromVocabulary("spelled", v)
		require.NoError(t, err)
		data, err := v.JSON()
		require.NoError(t, err)
		tok, err := Load("tokenizer.json", data)
		require.NoError(t, err)
		sameIDs(t, back, tok, texts, nil)
		again, lost, err := tok.Vocabulary()
		require.NoError(t, err)
		require.Empty(t, lost)
		require.Equal(t, v.Tokens, again.Tokens)
		require.Equal(t, prefix, *again.AddSpacePrefix)
		third, err := FromVocabulary("again", again)
		require.NoError(t, err)
		sameIDs(t, back, third, texts, nil)
	}
}

// What GGUF cannot say is refused.
func TestVocabularyRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"clip": "end_of_word_suffix", "openai_gpt": "end_of_word_suffix", "bpe_prefix": "continuing_subword_prefix", "t5": "other than BPE",
		"gpt2_prefix_trim": "add_prefix_space", "falcon": "a part other than Split", "llama_partial_bytes": "byte_fallback with all bytes",
		"roberta": "",
	} {
		t.Run(name, func(t *testing.T) {
			_, lost, err := kind(t, name).Vocabulary()
			if want == "" {
				require.NoError(t, err)
				require.NotEmpty(t, lost)
				return
			}
			require.ErrorIs(t, err, ErrUnsupported)
			require.ErrorContains(t, err, want)
		})
	}
	_, err := (&Vocabulary{Model: "bert", Tokens: []string{"[UNK]", "[CLS]", "[SEP]"}, Types: []int32{3, 3, 3},
		Roles: map[string]int32{"unk_token": 0, "cls_token": 1, "sep_token": 2}}).JSON()
	require.True(t, errors.Is(err, ErrUnsupported), err)
}

// llama.cpp's vocabularies become tokenizer.json and back.
func TestVectorsAsJSON(t *testing.T) {
	texts := mixtures(readKinds(t).Texts, 1000)
	for _, name := range []string{"gpt-2", "llama-spm"} {
		t.Run(name, func(t *testing.T) {
			v := readVocabulary(t, vocabDir()+"ggml-vocab-"+name+".gguf")
			want, err := FromVocabulary(name, v)
			require.NoError(t, err)
			data, err := v.JSON()
			require.NoError(t, err)
			tok, err := Load("tokenizer.json", data)
			require.NoError(t, err)
			sameIDs(t, want, tok, texts, nil)
			again, lost, err := tok.Vocabulary()
			require.NoError(t, err)
			require.Empty(t, lost)
			require.Equal(t, v.Tokens, again.Tokens)
			back, err := FromVocabulary(name, again)
			require.NoError(t, err)
			sameIDs(t, want, back, texts, nil)
		})
	}
}
