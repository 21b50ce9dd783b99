package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Config holds the settings that stand beside a vocabulary, in tokenizer_config.json and special_tokens_map.json. Its
// zero value stands for BERT's defaults.
type Config struct {
	KeepCase     bool  // do_lower_case is false
	StripAccents *bool // nil: as lower case
	KeepCJK      bool  // tokenize_chinese_chars is false
	MaxLen       int   // model_max_length; 0: unknown or unlimited

	PaddingSide string // "left" or "right"; "": unknown
	Class       string // tokenizer_class; "": unknown

	Inputs []string // model_input_names; nil: unknown

	Roles map[string]string // the tokens of "unk_token", "cls_token" and so on
	Added []AddedToken      // further tokens; those that the vocabulary lacks get the ids after it, in this order

	// What only vocab.json and merges.txt need.
	addBOS bool                  // add_bos_token
	flags  map[string]AddedToken // of the tokens of roles that are written with flags

	pieces pieceSettings // what only SentencePiece's files need
}

// configTokens are the roles that a BERT tokenizer has, with their defaults.
var configTokens = [...][2]string{
	{"unk_token", "[UNK]"}, {"sep_token", "[SEP]"}, {"pad_token", "[PAD]"}, {"cls_token", "[CLS]"}, {"mask_token", "[MASK]"},
	{"bos_token", ""}, {"eos_token", ""},
}

// configToken is a token as a string, or as an object with its content.
type configToken struct {
	content string
	flags   *AddedToken // nil: it is a string
}

func (t *configToken) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var v struct {
			Content    string
			SingleWord bool `json:"single_word"`
			LStrip     bool
			RStrip     bool
			Normalized bool
		}
		err := unmarshal(data, &v)
		t.content = v.Content
		t.flags = &AddedToken{0, v.Content, true, v.SingleWord, v.LStrip, v.RStrip, v.Normalized}
		return err
	}
	var v *string
	err := unmarshal(data, &v)
	if v != nil {
		t.content = *v
	}
	return err
}

// readConfig reads what there is of the two files; special_tokens_map.json has the last word.
func readConfig(fsys fs.FS, dir string) (Config, error) {
	c := Config{Roles: map[string]string{}}
	for _, base := range []string{"tokenizer_config.json", "special_tokens_map.json"} {
		name := path.Join(dir, base)
		data, err := fs.ReadFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return c, fmt.Errorf("tokenizer: %w", err)
		}
		if err := c.parse(data); err != nil {
			return c, fmt.Errorf("tokenizer: %s: %w", name, err)
		}
	}
	return c, nil
}

func (c *Config) parse(data []byte) error {
	s := scanner{data: data}
	if _, err := s.value(); err != nil { // the nesting, before encoding/json follows it
		return err
	}
	var v struct {
		LowerCase    *bool         `json:"do_lower_case"`
		StripAccents *bool         `json:"strip_accents"`
		CJK          *bool         `json:"tokenize_chinese_chars"`
		MaxLen       float64       `json:"model_max_length"`
		Side         string        `json:"padding_side"`
		Class        *string       `json:"tokenizer_class"`
		Inputs       []string      `json:"model_input_names"`
		AddBOS       bool          `json:"add_bos_token"`
		Additional   []configToken `json:"additional_special_tokens"`
		Decoder      map[string]struct {
			Content    string
			Special    bool
			SingleWord bool `json:"single_word"`
			LStrip     bool
			RStrip     bool
			Normalized bool
		} `json:"added_tokens_decoder"`
	}
	if err := unmarshal(data, &v); err != nil {
		return err
	}
	if v.LowerCase != nil {
		c.KeepCase = !*v.LowerCase
	}
	if v.StripAccents != nil {
		c.StripAccents = v.StripAccents
	}
	if v.CJK != nil {
		c.KeepCJK = !*v.CJK
	}
	if v.MaxLen >= 1 && v.MaxLen < maxLength {
		c.MaxLen = int(v.MaxLen)
	}
	if v.Side == "left" || v.Side == "right" {
		c.PaddingSide = v.Side
	}
	if v.Class != nil {
		c.Class = *v.Class
	}
	if v.Inputs != nil {
		c.Inputs = v.Inputs
	}
	c.addBOS = c.addBOS || v.AddBOS
	if err := unmarshal(data, &c.pieces); err != nil {
		return err
	}
	for _, a := range v.Additional {
		c.Added = append(c.Added, AddedToken{Content: a.content, Special: true})
	}
	first := len(c.Added)
	for key, a := range v.Decoder {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil || id < 0 {
			return fmt.Errorf("added_tokens_decoder: %s is not an id", quote(key))
		}
		c.Added = append(c.Added, AddedToken{int32(id), a.Content, a.Special, a.SingleWord, a.LStrip, a.RStrip, a.Normalized})
	}
	slices.SortFunc(c.Added[first:], func(a, b AddedToken) int { return int(a.ID) - int(b.ID) })
	var tokens map[string]rawMessage
	if err := unmarshal(data, &tokens); err != nil {
		return err
	}
	for _, role := range configTokens {
		raw, ok := tokens[role[0]]
		if !ok {
			continue
		}
		var t configToken
		if err := t.UnmarshalJSON(raw); err != nil {
			return fmt.Errorf("%s: %w", role[0], err)
		}
		if t.content != "" {
			c.Roles[role[0]] = t.content
			if t.flags != nil {
				if c.flags == nil {
					c.flags = map[string]AddedToken{}
				}
				c.flags[role[0]] = *t.flags
			}
		}
	}
	return nil
}

// configure takes over what a tokenizer.json does not hold.
func (t *Tokenizer) configure(c Config) {
	t.modelMax, t.side, t.class, t.inputs = c.MaxLen, c.PaddingSide, c.Class, c.Inputs
	t.roles = c.Roles
	has := func(token string) bool { return t.special[token] }
	for _, family := range usualRoles {
		if !has(family["mask_token"]) || !has(family["cls_token"]) {
			continue
		}
		for role, token := range family {
			if t.roles[role] == "" && has(token) {
				t.roles[role] = token
			}
		}
		return
	}
}

// usualRoles are the tokens of BERT's, XLNet's and RoBERTa's kin, whose older files do not name them.
var usualRoles = [...]map[string]string{
	{"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"},
	{"cls_token": "<cls>", "sep_token": "<sep>", "pad_token": "<pad>", "mask_token": "<mask>"},
	{"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "mask_token": "<mask>"},
}

// LoadVocab makes a tokenizer of a vocab.txt, one token a line in the order of their ids, with BERT's rules.
func LoadVocab(name string, data []byte, config Config) (*Tokenizer, error) {
	t, err := loadVocab(name, data, config)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	return t, nil
}

func loadVocab(name string, data []byte, c Config) (*Tokenizer, error) {
	v, err := parseVocabText(data)
	if err != nil {
		return nil, err
	}
	roles := make(map[string]string, len(configTokens))
	for _, role := range configTokens {
		token := c.Roles[role[0]]
		if token == "" {
			token = role[1]
		}
		if token != "" {
			roles[role[0]] = token
		}
	}
	t := &Tokenizer{name: name, classes: newClasses(), spelled: -1, roles: roles, modelMax: c.MaxLen, side: c.PaddingSide, class: c.Class, inputs: c.Inputs}
	if t.model, err = newWordPiece(v, roles["unk_token"], defaultPrefix, defaultMaxChars); err != nil {
		return nil, err
	}
	n := &bertNormalizer{t.classes, true, !c.KeepCJK, !c.KeepCase, !c.KeepCase}
	if c.StripAccents != nil {
		n.stripAccents = *c.StripAccents
	}
	t.normalizer, t.pre = n, bertPreTokenizer{t.classes}
	t.decoder = wordPieceDecoder{defaultPrefix, true}
	var added []AddedToken
	for _, role := range configTokens {
		token := roles[role[0]]
		id := v.findString(token)
		if id < 0 && (role[0] == "cls_token" || role[0] == "sep_token") {
			return nil, fmt.Errorf("%s %s is not in the vocabulary", role[0], quote(token))
		}
		if id >= 0 {
			added = append(added, AddedToken{ID: id, Content: token, Special: true})
		}
	}
	if err := t.setAdded(append(added, c.Added...)); err != nil {
		return nil, err
	}
	cls := step{sequence: -1, ids: []int32{v.findString(roles["cls_token"])}}
	sep := step{sequence: -1, ids: []int32{v.findString(roles["sep_token"])}}
	second := sep
	second.typeID = 1
	t.template.single = []step{cls, {sequence: 0}, sep}
	t.template.pair = []step{cls, {sequence: 0}, sep, {sequence: 1, typeID: 1}, second}
	t.finish()
	return t, nil
}

// parseVocabText reads a vocab.txt. Where a token appears twice, as in some published files, the last one counts.
func parseVocabText(data []byte) (*vocab, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not valid UTF-8")
	}
	var list tokenList
	list.grow(bytes.Count(data, []byte{'\n'})+1, len(data))
	for id := int64(0); len(data) > 0; id++ {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		list.add(bytes.TrimSuffix(line, []byte{'\r'}), id)
		data = rest
	}
	return newVocab(&list, keepLast)
}
