package tokenizer

import (
	"errors"
	"fmt"
)

// Defaults of a WordPiece model whose file does not give them.
const (
	defaultUnk      = "[UNK]"
	defaultPrefix   = "##"
	defaultMaxChars = 100
)

// field reads a setting of the model into v, which keeps its value if the file has none.
func (f *file) field(name string, v any) error {
	data := f.model[name]
	if data == nil {
		return nil
	}
	if err := unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (f *file) parseModel() (model, error) {
	var kind string
	if err := f.field("type", &kind); err != nil {
		return nil, err
	}
	if kind == "" {
		kind = f.guessModel()
	}
	switch kind {
	case "WordPiece":
		return f.parseWordPiece()
	case "WordLevel":
		return f.parseWordLevel()
	case "BPE":
		return f.parseBPE()
	case "Unigram":
		return f.parseUnigram()
	}
	return nil, unsupported("type", kind)
}

// guessModel names the model of an older file, which does not say, by the settings that it has.
func (f *file) guessModel() string {
	_, merges := f.model["merges"]
	_, prefix := f.model["continuing_subword_prefix"]
	_, chars := f.model["max_input_chars_per_word"]
	switch {
	case merges:
		return "BPE"
	case f.list:
		return "Unigram"
	case prefix || chars:
		return "WordPiece"
	}
	return "WordLevel"
}

func (f *file) parseVocab() (*vocab, error) {
	if _, ok := f.model["vocab"]; !ok {
		return nil, errors.New("there is no vocab")
	}
	if f.model["vocab"] != nil {
		return nil, errors.New("vocab is not an object")
	}
	v, err := newVocab(&f.tokens, refuseTwins)
	if err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	return v, nil
}

func (f *file) parseWordPiece() (model, error) {
	unk, prefix, maxChars := defaultUnk, defaultPrefix, int64(defaultMaxChars)
	for name, v := range map[string]any{
		"unk_token": &unk, "continuing_subword_prefix": &prefix, "max_input_chars_per_word": &maxChars,
	} {
		if err := f.field(name, v); err != nil {
			return nil, err
		}
	}
	if maxChars < 0 {
		return nil, fmt.Errorf("max_input_chars_per_word is %d", maxChars)
	}
	v, err := f.parseVocab()
	if err != nil {
		return nil, err
	}
	return newWordPiece(v, unk, prefix, int(min(maxChars, maxVocabBytes-1)))
}

func (f *file) parseWordLevel() (model, error) {
	unk := defaultUnk
	if err := f.field("unk_token", &unk); err != nil {
		return nil, err
	}
	v, err := f.parseVocab()
	if err != nil {
		return nil, err
	}
	m := &wordLevel{vocab: v, unk: v.findString(unk)}
	if m.unk < 0 {
		return nil, fmt.Errorf("unk_token %s is not in the vocabulary", quote(unk))
	}
	return m, nil
}
