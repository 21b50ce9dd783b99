package tokenizer

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// pairOf is a folder with the vocabulary and merges of a kind, as older ones have them.
func pairOf(t testing.TB, name string) fstest.MapFS {
	g := readKinds(t)
	for i := range g.Tokenizers {
		k := &g.Tokenizers[i]
		if k.Name != name {
			continue
		}
		var v struct {
			Model struct {
				Vocab  json.RawMessage
				Merges []any
			}
		}
		require.NoError(t, json.Unmarshal(k.Config, &v))
		lines := []string{"#version: 0.2"}
		for _, m := range v.Model.Merges {
			if pair, ok := m.([]any); ok {
				m = pair[0].(string) + " " + pair[1].(string)
			}
			lines = append(lines, m.(string))
		}
		return fstest.MapFS{
			"vocab.json": &fstest.MapFile{Data: v.Model.Vocab},
			"merges.txt": &fstest.MapFile{Data: []byte(strings.Join(lines, "\n") + "\n")},
		}
	}
	t.Fatalf("no tokenizer %s", name)
	return nil
}

func TestPair(t *testing.T) {
	texts := mixtures(readKinds(t).Texts, 500)
	for _, c := range []struct{ kind, config, settings, flags string }{
		{kind: "gpt2", config: `{"model_type":"gpt2"}`, settings: `{"eos_token":"<|endoftext|>","additional_special_tokens":["<|im_start|>"]}`},
		{kind: "roberta", flags: `{"mask_token":{"content":"<mask>","lstrip":true}}`},
		{kind: "roberta", settings: `{"tokenizer_class":"BartTokenizerFast"}`, flags: `{"mask_token":{"content":"<mask>","lstrip":true}}`},
		{kind: "qwen2", settings: `{"tokenizer_class":"Qwen2Tokenizer","added_tokens_decoder":{"1":{"content":"<|im_start|>","special":true}}}`},
		{kind: "clip", config: `{"model_type":"clip"}`},
	} {
		t.Run(c.kind, func(t *testing.T) {
			folder := pairOf(t, c.kind)
			for name, data := range map[string]string{"config.json": c.config, "tokenizer_config.json": c.settings, "special_tokens_map.json": c.flags} {
				if data != "" {
					folder[name] = &fstest.MapFile{Data: []byte(data)}
				}
			}
			tok, err := LoadFS(folder, ".")
			require.NoError(t, err)
			want := kind(t, c.kind)
			var a, b Encoding
			for _, text := range texts {
				if strings.Contains(text, "<") && c.kind != "roberta" { // whose added tokens are others
					continue
				}
				a.Reset()
				b.Reset()
				_, err := want.AppendEncode(&a, text, Options{})
				require.NoError(t, err)
				_, err = tok.AppendEncode(&b, text, Options{})
				require.NoError(t, err)
				require.Equal(t, a.IDs, b.IDs, "%q", text)
			}
		})
	}
}

// Tokens that stand beside the vocabulary, and bos before texts.
func TestPairAdded(t *testing.T) {
	folder := pairOf(t, "gpt2")
	var ids map[string]int32
	require.NoError(t, json.Unmarshal(folder["vocab.json"].Data, &ids))
	next := int32(len(ids))
	folder["added_tokens.json"] = &fstest.MapFile{Data: []byte(`{"<two>":9999,"<one>":9998}`)}
	folder["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(`{"tokenizer_class":"GPT2Tokenizer","add_bos_token":true,"bos_token":"a","eos_token":"a","unk_token":"a"}`)}
	tok, err := LoadFS(folder, ".")
	require.NoError(t, err)
	var e Encoding
	_, err = tok.AppendEncode(&e, "a<two><one>", Options{})
	require.NoError(t, err)
	require.Equal(t, []int32{ids["a"], ids["a"], next + 1, next}, e.IDs)
}

func TestPairRefuses(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"another class": {fstest.MapFS{"vocab.json": file(`{}`), "merges.txt": file(""), "tokenizer_config.json": file(`{"tokenizer_class":"WhisperTokenizer"}`)}, `tokenizer_class "WhisperTokenizer"`},
		"another model": {fstest.MapFS{"vocab.json": file(`{}`), "merges.txt": file(""), "config.json": file(`{"model_type":"whisper"}`)}, `model_type "whisper"`},
		"a list":        {fstest.MapFS{"vocab.json": file(`[]`), "merges.txt": file("")}, "vocab.json and merges.txt: array"},
		"a bad merge":   {fstest.MapFS{"vocab.json": file(`{"a":0}`), "merges.txt": file("a b c")}, "is not two tokens"},
		"no cls":        {fstest.MapFS{"vocab.json": file(`{"a":0}`), "merges.txt": file(""), "config.json": file(`{"model_type":"roberta"}`)}, `cls_token "<s>" is not in the vocabulary`},
		"a deep one":    {fstest.MapFS{"vocab.json": file(strings.Repeat("[", 1<<20)), "merges.txt": file("")}, "vocab.json"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadFS(c.files, ".")
			require.ErrorContains(t, err, c.want)
			require.False(t, errors.Is(err, fs.ErrNotExist))
		})
	}
	for _, name := range []string{"tokenizer.model", "spiece.model", "vocab.json"} {
		_, err := LoadFS(fstest.MapFS{name: file("{}")}, ".")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, "tokenizer.json is missing and "+name)
		require.ErrorContains(t, err, "save_pretrained")
	}
}

func FuzzPair(f *testing.F) {
	f.Add([]byte(`{"a":0,"b":1,"ab":2}`), []byte("#version\na b\n"), []byte(`{"mask_token":{"content":"<m>","lstrip":true}}`), "gpt2")
	f.Add([]byte(`{"<s>":0,"</s>":1}`), []byte(""), []byte(`{"add_bos_token":true}`), "roberta")
	f.Fuzz(func(t *testing.T, vocab, merges, config []byte, modelType string) {
		folder := fstest.MapFS{
			"vocab.json": &fstest.MapFile{Data: vocab}, "merges.txt": &fstest.MapFile{Data: merges},
			"tokenizer_config.json": &fstest.MapFile{Data: config}, "added_tokens.json": &fstest.MapFile{Data: config},
		}
		if data, err := json.Marshal(map[string]string{"model_type": modelType}); err == nil {
			folder["config.json"] = &fstest.MapFile{Data: data}
		}
		tok, err := LoadFS(folder, ".")
		if err != nil {
			return
		}
		var e Encoding
		_, _ = tok.AppendEncode(&e, "ab <m>b\n", Options{})
		_, _, _ = tok.Vocabulary()
	})
}
