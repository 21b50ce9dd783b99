package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"unicode/utf8"
)

// LoadFS loads the tokenizer of a model's folder: tokenizer.json, or else vocab.json and merges.txt, or else
// SentencePiece's file (tokenizer.model, spiece.model or sentencepiece.bpe.model), or else vocab.txt, and beside it
// tokenizer_config.json and special_tokens_map.json where they exist. A folder without a tokenizer gives an error that
// is fs.ErrNotExist.
func LoadFS(fsys fs.FS, dir string) (*Tokenizer, error) {
	config, err := readConfig(fsys, dir)
	if err != nil {
		return nil, err
	}
	name := path.Join(dir, "tokenizer.json")
	data, err := fs.ReadFile(fsys, name)
	if err == nil {
		t, err := Load(name, data)
		if err != nil {
			return nil, err
		}
		t.configure(config)
		return t, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if t, err := loadPair(fsys, dir, config); !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	t, why := loadPieces(fsys, dir, config)
	if why == nil || !errors.Is(why, fs.ErrNotExist) {
		return t, why
	}
	vocabName := path.Join(dir, "vocab.txt")
	data, err = fs.ReadFile(fsys, vocabName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(fsys, dir, why)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return LoadVocab(vocabName, data, config)
}

// howToMake says how a folder whose files are not enough gets a tokenizer.json.
const howToMake = "transformers makes one: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"

// missing says what a folder without a tokenizer lacks, and how the files that it may have in its place become one;
// why is what loadPieces says.
func missing(fsys fs.FS, dir string, why error) error {
	name := path.Join(dir, "tokenizer.json")
	if why != fs.ErrNotExist {
		return fmt.Errorf("tokenizer: %s is missing and %w; %s", name, why, howToMake)
	}
	for _, base := range []string{"tekken.json", "tiktoken.model", "vocab.json"} {
		if _, err := fs.Stat(fsys, path.Join(dir, base)); err != nil {
			continue
		}
		lacks := "is not read by itself"
		if base == "vocab.json" {
			lacks = "needs a merges.txt beside it"
		}
		return fmt.Errorf("tokenizer: %s is missing and %s %s; %s: %w", name, base, lacks, howToMake, fs.ErrNotExist)
	}
	return fmt.Errorf("tokenizer: %s is missing, as are vocab.json with merges.txt, SentencePiece's files, and vocab.txt: %w", name, fs.ErrNotExist)
}

// Load reads a tokenizer.json; name is for messages.
func Load(name string, data []byte) (*Tokenizer, error) {
	t, err := load(name, data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	return t, nil
}

// file holds the sections of a tokenizer.json, still JSON.
type file struct {
	sections map[string][]byte
	model    map[string][]byte // of the model but its vocabulary
	tokens   tokenList         // the vocabulary
	list     bool              // the vocabulary is a list, as a Unigram model's
}

var sectionNames = []string{
	"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model",
}

func scanFile(data []byte) (*file, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not valid UTF-8")
	}
	f := &file{sections: map[string][]byte{}, model: map[string][]byte{}}
	s := &scanner{data: data}
	err := s.object(func(key []byte) error {
		k := string(key)
		if _, twice := f.sections[k]; twice {
			return s.errorf("%s appears twice", quote(k))
		}
		if k == "model" && s.peek() == '{' {
			f.sections[k] = nil
			if err := f.scanModel(s); err != nil {
				return fmt.Errorf("model: %w", err)
			}
			return nil
		}
		v, err := s.value()
		if slices.Contains(sectionNames, k) {
			f.sections[k] = v
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.peek() != 0 || s.pos != len(data) {
		return nil, s.errorf("something follows the JSON object")
	}
	return f, nil
}

func (f *file) scanModel(s *scanner) error {
	return s.object(func(key []byte) error {
		k := string(key)
		if _, twice := f.model[k]; twice {
			return s.errorf("%s appears twice", quote(k))
		}
		f.model[k] = nil
		if k != "vocab" || s.peek() != '{' {
			v, err := s.value()
			if f.model[k] = v; len(f.model) > 100 {
				return s.errorf("more than 100 settings")
			}
			f.list = f.list || k == "vocab" && err == nil && v[0] == '['
			return err
		}
		f.tokens.grow(len(s.data)/16, len(s.data)/2) // a token with its quotes, id and white space
		return s.object(func(token []byte) error {
			f.tokens.text = append(f.tokens.text, token...) // now: reading on may overwrite the token
			start := len(f.tokens.text) - len(token)
			id, err := s.id()
			if err != nil {
				return fmt.Errorf("vocab: token %s: %w", quote(string(f.tokens.text[start:])), err)
			}
			f.tokens.entries = append(f.tokens.entries, entry{place{uint32(start), int32(len(token))}, id})
			return nil
		})
	})
}

func load(name string, data []byte) (*Tokenizer, error) {
	f, err := scanFile(data)
	if err != nil {
		return nil, err
	}
	if v := f.sections["version"]; v != nil && string(v) != `"1.0"` {
		return nil, fmt.Errorf("version %s is %w", quote(string(v)), ErrUnsupported)
	}
	if _, ok := f.sections["model"]; !ok {
		return nil, errors.New("there is no model section")
	}
	t := &Tokenizer{name: name, classes: newClasses(), spelled: -1}
	if t.model, err = f.parseModel(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if m, ok := t.model.(*unigram); ok {
		t.spelled = m.unk
	}
	type section struct {
		name  string
		parse func(data []byte) error
	}
	for _, p := range []section{
		{"normalizer", t.parseNormalizer},
		{"pre_tokenizer", t.parsePreTokenizer},
		{"added_tokens", t.parseAdded},
		{"post_processor", t.parsePost},
		{"decoder", t.parseDecoder},
		{"truncation", t.parseTruncation},
		{"padding", t.parsePadding},
	} {
		v := f.sections[p.name]
		if v == nil {
			v = []byte("null")
		}
		if err := p.parse(v); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	t.finish()
	return t, nil
}

// unmarshal is json.Unmarshal without its package's name in the messages.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%s where %v is expected at %s", kind.Value, kind.Type, quote(kind.Field))
	}
	return err
}

// typed reads the "type" of a section's object; "" for null.
func typed(data []byte) (string, error) {
	var v *struct{ Type *string }
	if err := unmarshal(data, &v); err != nil {
		return "", err
	}
	if v == nil {
		return "", nil
	}
	if v.Type == nil || *v.Type == "" {
		return "", errors.New("an object without a type")
	}
	return *v.Type, nil
}

func unsupported(what, value string) error {
	return fmt.Errorf("%s %s is %w", what, quote(value), ErrUnsupported)
}

// checkID refuses ids that int32 cannot hold.
func checkID(id int64) (int32, error) {
	if id < 0 || id > math.MaxInt32 {
		return 0, fmt.Errorf("id %d is out of range", id)
	}
	return int32(id), nil
}
