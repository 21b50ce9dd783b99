package model

import (
	"fmt"
	"math"

	"github.com/ladon-ml/ladon/model/tokenizer"
	"github.com/ladon-ml/ladon/model/weights"
)

// ggufRoles are the keys under which GGUF has the ids of tokens with a role; of
// several for one role the first that is there counts.
var ggufRoles = [][2]string{
	{"bos_token_id", "bos_token"}, {"eos_token_id", "eos_token"}, {"eot_token_id", "eot_token"},
	{"unknown_token_id", "unk_token"}, {"padding_token_id", "pad_token"}, {"cls_token_id", "cls_token"},
	{"mask_token_id", "mask_token"}, {"seperator_token_id", "sep_token"}, {"separator_token_id", "sep_token"},
}

// Tokenizer makes the tokenizer of an open GGUF file. A file without one gives an
// error that is tokenizer's, or ErrNoTokenizer.
func Tokenizer(set *weights.Set) (*tokenizer.Tokenizer, error) {
	v, err := vocabularyOf(set)
	if err != nil {
		return nil, err
	}
	return tokenizer.FromVocabulary(set.String(), v)
}

// vocabularyOf reads the vocabulary of a GGUF file.
func vocabularyOf(set *weights.Set) (*tokenizer.Vocabulary, error) {
	r := vocabularyReader{set: set}
	v := &tokenizer.Vocabulary{Roles: map[string]int32{}}
	if _, ok := r.value("model"); !ok {
		return nil, fmt.Errorf("model: %s: tokenizer.ggml.model is missing: %w", set, ErrNoTokenizer)
	}
	v.Model, v.Pre = r.text("model"), r.text("pre")
	v.Tokens, v.Merges = r.strings("tokens"), r.strings("merges")
	for _, x := range r.floats("scores") {
		v.Scores = append(v.Scores, float32(x))
	}
	for _, x := range r.ints("token_type") {
		v.Types = append(v.Types, int32(x))
	}
	for _, role := range ggufRoles {
		if value, ok := r.value(role[0]); ok {
			id, ok := value.Int()
			if id == math.MaxUint32 {
				continue // how some say that there is none
			}
			if !ok || id != int64(int32(id)) {
				r.problem(role[0], value, "an id")
				continue
			}
			if _, twice := v.Roles[role[1]]; !twice {
				v.Roles[role[1]] = int32(id)
			}
		}
	}
	v.AddBOS, v.AddEOS, v.AddSEP = r.flag("add_bos_token"), r.flag("add_eos_token"), r.flag("add_sep_token")
	v.AddSpacePrefix, v.RemoveExtraSpaces = r.flag("add_space_prefix"), r.flag("remove_extra_whitespaces")
	for _, x := range r.ints("precompiled_charsmap") {
		v.Charsmap = append(v.Charsmap, byte(x))
	}
	if r.problems != nil {
		return nil, &ConfigError{set.String(), r.problems}
	}
	return v, nil
}

// A vocabularyReader reads the keys that begin with tokenizer.ggml.
type vocabularyReader struct {
	set      *weights.Set
	problems []string
}

func (r *vocabularyReader) value(key string) (weights.Value, bool) {
	return r.set.Value("tokenizer.ggml." + key)
}

func (r *vocabularyReader) problem(key string, v weights.Value, want string) {
	r.problems = append(r.problems, fmt.Sprintf("tokenizer.ggml.%s: %s is not %s", key, shown([]byte(v.String())), want))
}

// get reads an optional key.
func get[T any](r *vocabularyReader, key, want string, as func(weights.Value) (T, bool)) (x T) {
	v, ok := r.value(key)
	if !ok {
		return x
	}
	if x, ok = as(v); !ok {
		r.problem(key, v, want)
	}
	return x
}

func (r *vocabularyReader) text(key string) string {
	return get(r, key, "a string", weights.Value.Text)
}

func (r *vocabularyReader) strings(key string) []string {
	return get(r, key, "a list of strings", weights.Value.Strings)
}

func (r *vocabularyReader) floats(key string) []float64 {
	return get(r, key, "a list of numbers", weights.Value.Floats)
}

func (r *vocabularyReader) ints(key string) []int64 {
	return get(r, key, "a list of whole numbers", weights.Value.Ints)
}

func (r *vocabularyReader) flag(key string) *bool {
	if _, ok := r.value(key); !ok {
		return nil
	}
	v := get(r, key, "true or false", weights.Value.Bool)
	return &v
}
