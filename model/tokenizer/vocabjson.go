package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Folders older than tokenizer.json have a BPE as vocab.json and merges.txt, and leave the rules around it to a class
// of transformers. loadPair writes the tokenizer.json that the class would.

// A pairFamily is what some classes of transformers make of the two files.
type pairFamily struct {
	classes, types []string // as tokenizer_config.json names them, without Tokenizer and Fast, and as config.json
	roles          map[string]string
	normalizer     any
	pre            any
	decoder        any
	suffix         string
	unk            bool // the model has an unk_token
	around         bool // the text between cls_token, or else bos_token, and sep_token, or else eos_token
	trims          bool // offsets leave out blanks
}

type jsonObject = map[string]any

func pairFamilies() []*pairFamily {
	const end = "<|endoftext|>"
	byteLevelJSON := jsonObject{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	clip := jsonObject{"type": "Split", "pattern": jsonObject{"Regex": patternCLIP}, "behavior": "Removed", "invert": true}
	qwen := jsonObject{"type": "Split", "pattern": jsonObject{"Regex": patternQwen2}, "behavior": "Isolated", "invert": false}
	plain := jsonObject{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}
	return []*pairFamily{
		{
			classes: []string{"GPT2", "CodeGen"}, types: []string{"gpt2", "gpt_neo", "gptj", "codegen", "opt"},
			roles: map[string]string{"bos_token": end, "eos_token": end, "unk_token": end},
			pre:   byteLevelJSON, decoder: byteLevelJSON,
		},
		{
			classes: []string{"Roberta", "Bart", "Longformer", "LED"}, types: []string{"roberta", "bart", "longformer", "led"},
			roles: map[string]string{"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>",
				"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"},
			pre: byteLevelJSON, decoder: byteLevelJSON, around: true, trims: true,
		},
		{
			classes: []string{"Qwen2"}, types: []string{"qwen2", "qwen3"},
			roles:      map[string]string{"eos_token": end, "unk_token": end, "pad_token": end},
			normalizer: jsonObject{"type": "NFC"}, pre: jsonObject{"type": "Sequence", "pretokenizers": []any{qwen, plain}}, decoder: byteLevelJSON,
		},
		{
			classes: []string{"GPTNeoX"}, types: []string{"gpt_neox"},
			roles:      map[string]string{"bos_token": end, "eos_token": end, "unk_token": end, "pad_token": "<|padding|>"},
			normalizer: jsonObject{"type": "NFC"}, pre: byteLevelJSON, decoder: byteLevelJSON,
		},
		{
			classes: []string{"CLIP"}, types: []string{"clip", "clip_text_model"},
			roles: map[string]string{"bos_token": "<|startoftext|>", "eos_token": end, "unk_token": end, "pad_token": end},
			normalizer: jsonObject{"type": "Sequence", "normalizers": []any{
				jsonObject{"type": "NFC"},
				jsonObject{"type": "Replace", "pattern": jsonObject{"Regex": `\s+`}, "content": " "},
				jsonObject{"type": "Lowercase"},
			}},
			pre: jsonObject{"type": "Sequence", "pretokenizers": []any{clip, byteLevelJSON}}, decoder: byteLevelJSON,
			suffix: "</w>", unk: true, around: true,
		},
		{
			classes: []string{"OpenAIGPT"}, types: []string{"openai-gpt"},
			roles:      map[string]string{"unk_token": "<unk>"},
			normalizer: jsonObject{"type": "BertNormalizer", "lowercase": true},
			pre:        jsonObject{"type": "BertPreTokenizer"}, decoder: jsonObject{"type": "BPEDecoder", "suffix": "</w>"},
			suffix: "</w>", unk: true,
		},
	}
}

// familyOf finds the family by the class that tokenizer_config.json names, else by config.json's model_type, else, where
// neither says anything, by the tokens.
func familyOf(class, modelType string, ids map[string]int64) (*pairFamily, error) {
	families := pairFamilies()
	short := strings.TrimSuffix(strings.TrimSuffix(class, "Fast"), "Tokenizer")
	if short == "PreTrained" || short == "Tokenizers" {
		short = ""
	}
	for _, f := range families {
		for _, name := range f.classes {
			if short == name {
				return f, nil
			}
		}
	}
	if short != "" {
		return nil, unsupported("tokenizer_class", class)
	}
	for _, f := range families {
		for _, name := range f.types {
			if modelType == name {
				return f, nil
			}
		}
	}
	if modelType != "" {
		return nil, unsupported("the tokenizer of model_type", modelType)
	}
	if _, ok := ids["<s>"]; ok {
		return families[1], nil
	}
	return families[0], nil
}

// loadPair reads vocab.json and merges.txt; it returns fs.ErrNotExist if one of them is missing.
func loadPair(fsys fs.FS, dir string, config Config) (*Tokenizer, error) {
	name := path.Join(dir, "vocab.json")
	vocab, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	mergesName := path.Join(dir, "merges.txt")
	merges, err := fs.ReadFile(fsys, mergesName)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	modelType, _, err := readModelType(fsys, dir)
	if err != nil {
		return nil, err
	}
	if err := config.readAdded(fsys, dir); err != nil {
		return nil, err
	}
	data, config, err := pairJSON(vocab, merges, modelType, config)
	if errors.Is(err, ErrUnsupported) {
		err = fmt.Errorf("%w without a tokenizer.json; %s", err, howToMake)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s and %s: %w", name, mergesName, err)
	}
	t, err := load(name, data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s and %s: %w", name, mergesName, err)
	}
	t.configure(config)
	return t, nil
}

// readAdded reads added_tokens.json, tokens and their ids, where there is one.
func (c *Config) readAdded(fsys fs.FS, dir string) error {
	name := path.Join(dir, "added_tokens.json")
	data, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	var ids map[string]int32
	if err := unmarshal(data, &ids); err != nil {
		return fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	first := len(c.Added)
	for token, id := range ids {
		special := false
		for _, name := range c.Roles {
			special = special || name == token
		}
		if !slices.ContainsFunc(c.Added[:first], func(a AddedToken) bool { return a.Content == token }) {
			c.Added = append(c.Added, AddedToken{ID: id, Content: token, Special: special})
		}
	}
	slices.SortFunc(c.Added[first:], func(a, b AddedToken) int { return int(a.ID) - int(b.ID) })
	return nil
}

// readModelType reads the model_type of config.json, and the tokenizer_class that some have there; "" where it does not
// say.
func readModelType(fsys fs.FS, dir string) (modelType, class string, err error) {
	data, err := fs.ReadFile(fsys, path.Join(dir, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("tokenizer: %w", err)
	}
	var v struct {
		Type  any `json:"model_type"`
		Class any `json:"tokenizer_class"`
	}
	if json.Unmarshal(data, &v) != nil {
		return "", "", nil // who reads the model will say so
	}
	modelType, _ = v.Type.(string)
	class, _ = v.Class.(string)
	return modelType, class, nil
}

// pairJSON makes the tokenizer.json, and gives the config that goes with it.
func pairJSON(vocab, merges []byte, modelType string, config Config) ([]byte, Config, error) {
	s := scanner{data: vocab}
	if _, err := s.value(); err != nil { // the nesting, before encoding/json follows it
		return nil, config, err
	}
	var ids map[string]int64
	if err := unmarshal(vocab, &ids); err != nil {
		return nil, config, err
	}
	family, err := familyOf(config.Class, modelType, ids)
	if err != nil {
		return nil, config, err
	}
	roles := withRoles(family.roles, config.Roles)
	config.Roles = roles
	f := jsonFile{Version: "1.0", Added: []jsonAdded{}, Normalizer: family.normalizer, Pre: family.pre, Decoder: family.decoder}
	f.Model = jsonBPE{Type: "BPE", Vocab: vocab}
	if f.Model.Merges, err = mergesJSON(merges); err != nil {
		return nil, config, err
	}
	if family.suffix != "" {
		f.Model.Suffix = &family.suffix
	}
	if unk := roles["unk_token"]; family.unk && unk != "" {
		f.Model.Unk = &unk
	}
	config.addTokens(&f, ids)
	if f.Post, err = family.post(config, ids); err != nil {
		return nil, config, err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err = e.Encode(&f)
	return out.Bytes(), config, err
}

// addTokens lists the tokens with a role and the others that the config has. Those without an id get one after the
// vocabulary, in this order.
func (c *Config) addTokens(f *jsonFile, ids map[string]int64) {
	next := int64(len(ids))
	known := map[string]bool{}
	add := func(a AddedToken) {
		if known[a.Content] || a.Content == "" {
			return
		}
		known[a.Content] = true
		id, ok := ids[a.Content]
		if !ok {
			id = next
			next++
		}
		f.Added = append(f.Added, jsonAdded{int32(id), a.Content, a.SingleWord, a.LStrip, a.RStrip, a.Normalized, a.Special})
	}
	for _, a := range c.Added { // which know more of a token than its role
		add(a)
	}
	for _, role := range configTokens {
		if a, ok := c.flags[role[0]]; ok && a.Content == c.Roles[role[0]] {
			add(a)
			continue
		}
		add(AddedToken{Content: c.Roles[role[0]], Special: true})
	}
}

// post is the post-processor.
func (f *pairFamily) post(c Config, ids map[string]int64) (any, error) {
	token := func(roles ...string) ([]any, string, error) {
		for _, role := range roles {
			if name := c.Roles[role]; name != "" {
				id, ok := ids[name]
				if !ok {
					return nil, "", fmt.Errorf("%s %s is not in the vocabulary", role, quote(name))
				}
				return []any{name, id}, name, nil
			}
		}
		return nil, "", fmt.Errorf("there is no %s", roles[0])
	}
	switch {
	case f.around:
		cls, _, err := token("cls_token", "bos_token")
		if err != nil {
			return nil, err
		}
		sep, _, err := token("sep_token", "eos_token")
		if err != nil {
			return nil, err
		}
		return jsonObject{"type": "RobertaProcessing", "cls": cls, "sep": sep, "trim_offsets": f.trims, "add_prefix_space": false}, nil
	case c.addBOS:
		bos, name, err := token("bos_token")
		if err != nil {
			return nil, err
		}
		step := func(typeID int, sequence string) []any {
			return []any{jsonObject{"SpecialToken": jsonObject{"id": name, "type_id": typeID}}, jsonObject{"Sequence": jsonObject{"id": sequence, "type_id": typeID}}}
		}
		first := step(0, "A")
		return jsonObject{"type": "TemplateProcessing", "single": first, "pair": append(first[:2:2], step(1, "B")...),
			"special_tokens": jsonObject{name: jsonObject{"id": name, "ids": []any{bos[1]}, "tokens": []string{name}}}}, nil
	}
	return nil, nil
}

// mergesJSON turns the lines of a merges.txt into a list.
func mergesJSON(data []byte) (rawMessage, error) {
	out := make([]byte, 0, len(data)*3/2)
	out = append(out, '[')
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || i == 0 && strings.HasPrefix(line, "#version") {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = appendJSONString(out, line)
	}
	return append(out, ']'), nil
}
