package model

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/ladon-ml/ladon/model/weights"
)

// writeTokenizer writes what a folder needs beside its weights and config.json,
// made of a GGUF file's metadata. A tokenizer that tokenizer.json cannot say, or
// that the file does not have, is lost.
func writeTokenizer(set *weights.Set, g *ggufConfig, dir string) (made, lost []string, err error) {
	write := func(name string, value map[string]any) error {
		if len(value) == 0 {
			return nil
		}
		made = append(made, name)
		return writeJSON(filepath.Join(dir, name), value)
	}
	if err := write("generation_config.json", g.generation()); err != nil {
		return nil, nil, err
	}
	v, err := vocabularyOf(set)
	if errors.Is(err, ErrNoTokenizer) {
		return made, []string{set.String() + " has none"}, nil
	}
	var data []byte
	if err == nil {
		data, err = v.JSON()
	}
	if err != nil {
		return made, []string{err.Error()}, nil
	}
	path := filepath.Join(dir, "tokenizer.json")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return nil, nil, fileError(path, err)
	}
	made = append(made, "tokenizer.json")
	config := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false}
	for role, id := range v.Roles {
		if role != "eot_token" { // which generation_config.json has
			config[role] = v.Tokens[id]
		}
	}
	if n, ok := g.config["max_position_embeddings"]; ok {
		config["model_max_length"] = n
	} else if n, ok := g.config["n_positions"]; ok {
		config["model_max_length"] = n
	}
	if value, ok := set.Value("tokenizer.chat_template"); ok {
		if text, ok := value.Text(); ok {
			config["chat_template"] = text
		}
	}
	return made, lost, write("tokenizer_config.json", config)
}

// generation is the generation_config.json of a GGUF file: which tokens begin and
// end texts.
func (g *ggufConfig) generation() map[string]any {
	values := map[string]any{}
	id := func(key string) (int64, bool) {
		v, ok := g.set.Value("tokenizer.ggml." + key)
		if !ok {
			return 0, false
		}
		n, ok := v.Int()
		return n, ok && n >= 0 && n < maxVocab
	}
	if n, ok := id("bos_token_id"); ok {
		values["bos_token_id"] = n
	}
	if n, ok := id("padding_token_id"); ok {
		values["pad_token_id"] = n
	}
	var ends []int64
	for _, key := range []string{"eos_token_id", "eot_token_id", "eom_token_id"} {
		if n, ok := id(key); ok && (len(ends) == 0 || n != ends[0]) {
			ends = append(ends, n)
		}
	}
	if len(ends) > 0 {
		values["eos_token_id"] = ends
	}
	return values
}
