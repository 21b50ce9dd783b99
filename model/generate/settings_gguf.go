package generate

import (
	"fmt"
	"os"
	"slices"

	"github.com/ladon-ml/ladon/model/weights"
)

// OpenSettings reads the settings of a checkpoint's folder or GGUF file.
func OpenSettings(path string) (*Settings, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fileError(path, err)
	case info.IsDir():
		return LoadSettings(os.DirFS(path), ".", path)
	}
	set, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	return SettingsOf(path, set)
}

// SettingsOf reads the tokens that end a text from the metadata of a GGUF file,
// which errors call file; other formats have none.
func SettingsOf(file string, set *weights.Set) (*Settings, error) {
	s := &Settings{file: file}
	for _, key := range []string{"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"} {
		id, err := ggufID(file, set, key)
		if err != nil {
			return nil, err
		}
		if id != nil && !slices.Contains(s.EOS, int32(*id)) {
			s.EOS = append(s.EOS, int32(*id))
		}
	}
	var err error
	if s.BOS, err = ggufID(file, set, "tokenizer.ggml.bos_token_id"); err != nil {
		return nil, err
	}
	s.Pad, err = ggufID(file, set, "tokenizer.ggml.padding_token_id")
	return s, err
}

// ggufID reads a token; nil where the file has none, which some write as the
// largest number.
func ggufID(file string, set *weights.Set, key string) (*int, error) {
	v, ok := set.Value(key)
	if !ok {
		return nil, nil
	}
	n, ok := v.Int()
	switch {
	case ok && (n == -1 || n == 1<<32-1):
		return nil, nil
	case !ok || n < 0 || n >= 1<<31:
		return nil, &SettingsError{file, []string{fmt.Sprintf("%s: %v is no token", key, v)}}
	}
	id := int(n)
	return &id, nil
}
