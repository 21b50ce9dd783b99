package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// JSON is the vocabulary as a tokenizer.json, which gives every text the tokens that FromVocabulary's gives it. Models
// other than "gpt2" and "llama" give an error that wraps ErrUnsupported.
func (v *Vocabulary) JSON() ([]byte, error) {
	if _, err := FromVocabulary("vocabulary", v); err != nil { // checks it
		return nil, err
	}
	f := jsonFile{Version: "1.0", Added: []jsonAdded{}}
	for _, a := range v.added() {
		f.Added = append(f.Added, jsonAdded{ID: a.ID, Content: a.Content, Special: a.Special})
	}
	var err error
	switch v.Model {
	case "gpt2":
		err = v.jsonGPT2(&f)
	case "llama":
		err = v.jsonLlama(&f)
	default:
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", unsupported("model", v.Model))
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(&f); err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	// A vocabulary may have tokens twice, or roles for those that stand for nothing.
	if _, err := load("tokenizer.json", out.Bytes()); err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	return out.Bytes(), nil
}

// The sections of a tokenizer.json, as far as vocabularies need them.
type (
	jsonFile struct {
		Version    string      `json:"version"`
		Truncation *struct{}   `json:"truncation"`
		Padding    *struct{}   `json:"padding"`
		Added      []jsonAdded `json:"added_tokens"`
		Normalizer any         `json:"normalizer"`
		Pre        any         `json:"pre_tokenizer"`
		Post       any         `json:"post_processor"`
		Decoder    any         `json:"decoder"`
		Model      jsonBPE     `json:"model"`
	}
	jsonAdded struct {
		ID         int32  `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	}
	jsonBPE struct {
		Type         string     `json:"type"`
		Dropout      *struct{}  `json:"dropout"`
		Unk          *string    `json:"unk_token"`
		Prefix       *string    `json:"continuing_subword_prefix"`
		Suffix       *string    `json:"end_of_word_suffix"`
		FuseUnk      bool       `json:"fuse_unk"`
		ByteFallback bool       `json:"byte_fallback"`
		IgnoreMerges bool       `json:"ignore_merges"`
		Vocab        rawMessage `json:"vocab"`
		Merges       rawMessage `json:"merges"`
	}
)

// jsonVocab has the tokens by id, but those of ids that stand for nothing. Of equal ones the last counts, as in a
// GGUF file.
func (v *Vocabulary) jsonVocab() rawMessage {
	last := make(map[string]int, len(v.Tokens))
	for id, token := range v.Tokens {
		last[token] = id
	}
	out := []byte{'{'}
	for id, token := range v.Tokens {
		if last[token] != id || v.kind(id) == typeUnused && token == filler(id) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(append(appendJSONString(out, token), ':'), int64(id), 10)
	}
	return append(out, '}')
}

// appendJSONString appends s, which is UTF-8, as JSON.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		case c == '"', c == '\\':
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// jsonTemplate is the post-processor that puts bos and eos around texts; nil if neither is wanted.
func (v *Vocabulary) jsonTemplate(bos, eos bool) any {
	type object = map[string]any
	special := object{}
	var single, pair []any
	token := func(role string, wanted bool, typeID int) []any {
		if !wanted {
			return nil
		}
		id := v.Roles[role]
		name := v.Tokens[id]
		special[name] = object{"id": name, "ids": []int32{id}, "tokens": []string{name}}
		return []any{object{"SpecialToken": object{"id": name, "type_id": typeID}}}
	}
	for typeID, sequence := range []string{"A", "B"} {
		steps := token("bos_token", bos, typeID)
		steps = append(steps, object{"Sequence": object{"id": sequence, "type_id": typeID}})
		steps = append(steps, token("eos_token", eos, typeID)...)
		if typeID == 0 {
			single = steps
		}
		pair = append(pair, steps...)
	}
	if len(special) == 0 {
		return nil
	}
	return object{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}
}

func (v *Vocabulary) jsonGPT2(f *jsonFile) error {
	how, err := preTokenizerNamed(v.Pre)
	if err != nil {
		return err
	}
	type object = map[string]any
	var list []any
	for _, p := range how.patterns {
		list = append(list, object{"type": "Split", "pattern": object{"Regex": p}, "behavior": "Isolated", "invert": false})
	}
	bytesAsLetters := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}
	f.Pre = object{"type": "Sequence", "pretokenizers": append(list, bytesAsLetters)}
	f.Decoder = object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}
	f.Post = v.jsonTemplate(says(v.AddBOS, how.addBOS), says(v.AddEOS, false))
	merges := []byte{'['}
	for i, m := range v.Merges {
		if i > 0 {
			merges = append(merges, ',')
		}
		merges = appendJSONString(merges, m)
	}
	f.Model = jsonBPE{Type: "BPE", IgnoreMerges: how.ignoreMerges, Vocab: v.jsonVocab(), Merges: append(merges, ']')}
	return nil
}

func (v *Vocabulary) jsonLlama(f *jsonFile) error {
	type object = map[string]any
	blanks := object{"type": "Replace", "pattern": object{"String": " "}, "content": metaspace}
	decode := []any{
		object{"type": "Replace", "pattern": object{"String": metaspace}, "content": " "},
		object{"type": "ByteFallback"}, object{"type": "Fuse"},
	}
	f.Normalizer = blanks
	if says(v.AddSpacePrefix, true) {
		f.Normalizer = object{"type": "Sequence", "normalizers": []any{object{"type": "Prepend", "prepend": metaspace}, blanks}}
		decode = append(decode, object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	f.Decoder = object{"type": "Sequence", "decoders": decode}
	f.Post = v.jsonTemplate(says(v.AddBOS, true), says(v.AddEOS, false))
	f.Model = jsonBPE{Type: "BPE", FuseUnk: true, ByteFallback: true, Vocab: v.jsonVocab()}
	if id, ok := v.Roles["unk_token"]; ok {
		f.Model.Unk = &v.Tokens[id]
	}
	merges, err := v.jsonMerges()
	f.Model.Merges = merges
	return err
}

// maxSpelled is more bytes than tokens have that are made of others; all their splits are looked at.
const maxSpelled = 1 << 12

// maxMerges bounds what a vocabulary of very long tokens could ask for.
const maxMerges = 1 << 24

// jsonMerges lists all pairs of tokens that together spell a token, by the score of that: SentencePiece's rule as
// merges.
func (v *Vocabulary) jsonMerges() (rawMessage, error) {
	ids := make(map[string]int32, len(v.Tokens))
	for id, token := range v.Tokens {
		ids[token] = int32(id)
	}
	type merge struct{ id, at int32 } // a token and the length of its left part
	var list []merge
	for id, token := range v.Tokens {
		if ids[token] != int32(id) || v.kind(id) == typeUnused && token == filler(id) {
			continue
		}
		if len(token) > maxSpelled {
			return nil, fmt.Errorf("token %s of %d bytes is %w", quote(token), len(token), ErrUnsupported)
		}
		for at := range token {
			if at == 0 {
				continue
			}
			_, left := ids[token[:at]]
			_, right := ids[token[at:]]
			if left && right {
				list = append(list, merge{int32(id), int32(at)})
			}
		}
		if len(list) > maxMerges {
			return nil, errors.New("more pairs of tokens than any vocabulary has")
		}
	}
	slices.SortStableFunc(list, func(a, b merge) int { return cmp.Compare(v.Scores[b.id], v.Scores[a.id]) })
	out := []byte{'['}
	for i, m := range list {
		if i > 0 {
			out = append(out, ',')
		}
		token := v.Tokens[m.id]
		out = appendJSONString(append(out, '['), token[:m.at])
		out = append(appendJSONString(append(out, ','), token[m.at:]), ']')
	}
	return append(out, ']'), nil
}
