package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Vocabulary is a tokenizer as the metadata of a GGUF file hold it, under the keys tokenizer.ggml.*.
type Vocabulary struct {
	Model  string    // model: "gpt2", "llama", "bert" or "t5"
	Pre    string    // pre: how a gpt2 text is cut into words; "" stands for "default"
	Tokens []string  // tokens, by id
	Scores []float32 // scores; may be nil
	Types  []int32   // token_type; nil: all are normal
	Merges []string  // merges, each two tokens with a blank between them

	// Roles has the ids of the tokens with a role, by the names that RoleID knows: "bos_token" for bos_token_id and so on,
	// "sep_token" for seperator_token_id.
	Roles map[string]int32

	// Nil where the file does not say, which stands for the model's own rule.
	AddBOS, AddEOS, AddSEP *bool  // add_bos_token, add_eos_token, add_sep_token
	AddSpacePrefix         *bool  // add_space_prefix
	RemoveExtraSpaces      *bool  // remove_extra_whitespaces
	Charsmap               []byte // precompiled_charsmap
}

// The token types of GGUF.
const (
	typeNormal = iota + 1
	typeUnknown
	typeControl
	typeUserDefined
	typeUnused
	typeByte
)

// FromVocabulary makes a tokenizer of a vocabulary; name, that of its file, is for messages. A model or a way to cut
// words that is not implemented gives an error that wraps ErrUnsupported.
func FromVocabulary(name string, v *Vocabulary) (*Tokenizer, error) {
	t, err := fromVocabulary(name, v)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	return t, nil
}

func fromVocabulary(name string, v *Vocabulary) (*Tokenizer, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	t := &Tokenizer{name: name, classes: newClasses(), spelled: -1, roles: map[string]string{}}
	var err error
	switch v.Model {
	case "gpt2":
		err = t.fromGPT2(v)
	case "llama":
		err = t.fromLlama(v)
	case "bert":
		err = t.fromBert(v)
	case "t5":
		err = t.fromT5(v)
	default:
		err = unsupported("model", v.Model)
	}
	if err != nil {
		return nil, err
	}
	if err := t.setAdded(v.added()); err != nil {
		return nil, err
	}
	for role, id := range v.Roles {
		t.roles[role], _ = t.IDToToken(id)
	}
	t.finish()
	return t, nil
}

func (v *Vocabulary) check() error {
	n := len(v.Tokens)
	if n == 0 {
		return errors.New("there are no tokens")
	}
	if v.Scores != nil && len(v.Scores) != n {
		return fmt.Errorf("%d scores for %d tokens", len(v.Scores), n)
	}
	if v.Types != nil && len(v.Types) != n {
		return fmt.Errorf("%d token types for %d tokens", len(v.Types), n)
	}
	for i, kind := range v.Types {
		if kind < 0 || kind > typeByte {
			return fmt.Errorf("token %d has type %d, which is none", i, kind)
		}
	}
	for role, id := range v.Roles {
		if id < 0 || int(id) >= n {
			return fmt.Errorf("%s: id %d is out of range for %d tokens", role, id, n)
		}
	}
	for i, token := range v.Tokens {
		if !utf8.ValidString(token) {
			return fmt.Errorf("token %d is not valid UTF-8", i)
		}
	}
	return nil
}

// list returns the tokens, each respelled by f.
func (v *Vocabulary) list(f func(id int, token string) string) *tokenList {
	size := 0
	for _, token := range v.Tokens {
		size += len(token) + 2
	}
	var l tokenList
	l.grow(len(v.Tokens), size)
	for id, token := range v.Tokens {
		if f != nil {
			token = f(id, token)
		}
		l.add([]byte(token), int64(id))
	}
	return &l
}

func (v *Vocabulary) kind(id int) int32 {
	if v.Types == nil {
		return typeNormal
	}
	return v.Types[id]
}

// added returns the tokens that are found in a text before the model sees it.
func (v *Vocabulary) added() []AddedToken {
	var list []AddedToken
	for id, token := range v.Tokens {
		switch v.kind(id) {
		case typeControl, typeUnknown:
			list = append(list, AddedToken{ID: int32(id), Content: token, Special: true})
		case typeUserDefined:
			list = append(list, AddedToken{ID: int32(id), Content: token})
		}
	}
	return list
}

// surround sets the template: the text between bos and eos, as far as the file, or else the model's rule, wants them.
func (t *Tokenizer) surround(v *Vocabulary, bos, eos bool) error {
	special := func(want bool, say *bool, key, role string) ([]step, error) {
		if say != nil {
			want = *say
		}
		if !want {
			return nil, nil
		}
		id, ok := v.Roles[role]
		if !ok {
			return nil, fmt.Errorf("%s is set, and there is no %s", key, role)
		}
		return []step{{sequence: -1, ids: []int32{id}}}, nil
	}
	before, err := special(bos, v.AddBOS, "add_bos_token", "bos_token")
	if err != nil {
		return err
	}
	after, err := special(eos, v.AddEOS, "add_eos_token", "eos_token")
	if err != nil {
		return err
	}
	join := func(parts ...[]step) (all []step) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	second := func(steps []step) []step {
		steps = slices.Clone(steps)
		for i := range steps {
			steps[i].typeID = 1
		}
		return steps
	}
	text, pair := []step{{sequence: 0}}, []step{{sequence: 1}}
	t.template.single = join(before, text, after)
	t.template.pair = join(t.template.single, second(before), second(pair), second(after))
	return nil
}

func says(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}

func (t *Tokenizer) fromGPT2(v *Vocabulary) error {
	how, err := preTokenizerNamed(v.Pre)
	if err != nil {
		return err
	}
	words, err := newVocab(v.list(nil), keepAll)
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	m, err := newBPE(words, bpeSettings{ignoreMerges: how.ignoreMerges})
	if err != nil {
		return err
	}
	var merges mergeList
	for _, line := range v.Merges {
		if err := merges.addLine([]byte(line)); err != nil {
			return fmt.Errorf("merges: %w", err)
		}
	}
	if err := m.setMerges(len(merges.places), merges.merge); err != nil {
		return fmt.Errorf("merges: %w", err)
	}
	t.model, t.decoder = m, byteLevelDecoder{}
	cuts, err := how.cuts()
	if err != nil {
		return err
	}
	pre := preTokenizers{}
	for _, match := range cuts {
		pre = append(pre, split{match: match, behavior: isolated})
	}
	t.pre = append(pre, byteLevel{})
	return t.surround(v, how.addBOS, false)
}

func (t *Tokenizer) fromLlama(v *Vocabulary) error {
	if v.Scores == nil {
		return errors.New("a llama vocabulary without scores")
	}
	words, err := newVocab(v.list(nil), keepAll)
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	m, err := newBPE(words, bpeSettings{fuseUnk: true, byteFallback: true})
	if err != nil {
		return err
	}
	if id, ok := v.Roles["unk_token"]; ok {
		m.unk = id
	}
	if err := m.setScores(v.Scores); err != nil {
		return err
	}
	blanks := replace{literal(" "), metaspace}
	decode := decoders{replaceDecoder{literal(metaspace), " "}, byteFallbackDecoder{}, fuseDecoder{}}
	t.model, t.normalizer = m, blanks
	if says(v.AddSpacePrefix, true) {
		t.normalizer = normalizers{prepend{metaspace}, blanks}
		decode = append(decode, stripDecoder{' ', 1, 0})
	}
	t.decoder = decode
	return t.surround(v, true, false)
}

func (t *Tokenizer) fromBert(v *Vocabulary) error {
	// The file marks the beginning of a word, not what goes on.
	words, err := newVocab(v.list(func(id int, token string) string {
		if v.kind(id) != typeNormal {
			return token
		}
		if rest, ok := strings.CutPrefix(token, metaspace); ok {
			return rest
		}
		return defaultPrefix + token
	}), keepAll)
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	unk, ok := v.Roles["unk_token"]
	if !ok {
		return errors.New("a bert vocabulary without unk_token")
	}
	if t.model, err = newWordPiece(words, v.Tokens[unk], defaultPrefix, maxVocabBytes-1); err != nil {
		return err
	}
	t.normalizer = &bertNormalizer{t.classes, true, true, true, true}
	t.pre, t.decoder = bertPreTokenizer{t.classes}, wordPieceDecoder{defaultPrefix, true}
	cls, ok := v.Roles["cls_token"]
	if !ok {
		if cls, ok = v.Roles["bos_token"]; !ok {
			return errors.New("a bert vocabulary without cls_token")
		}
	}
	sep, ok := v.Roles["sep_token"]
	if !ok {
		if sep, ok = v.Roles["eos_token"]; !ok {
			return errors.New("a bert vocabulary without sep_token")
		}
	}
	first, second := step{sequence: -1, ids: []int32{cls}}, step{sequence: -1, ids: []int32{sep}}
	last := second
	last.typeID = 1
	t.template.single = []step{first, {sequence: 0}, second}
	t.template.pair = []step{first, {sequence: 0}, second, {sequence: 1, typeID: 1}, last}
	return nil
}

func (t *Tokenizer) fromT5(v *Vocabulary) error {
	if v.Scores == nil {
		return errors.New("a t5 vocabulary without scores")
	}
	words, err := newVocab(v.list(nil), keepAll)
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	scores := make([]float64, len(v.Scores))
	for i, s := range v.Scores {
		scores[i] = float64(s)
	}
	unk, ok := v.Roles["unk_token"]
	if !ok {
		unk = -1
	}
	m, err := newUnigram(words, scores, unk, false)
	if err != nil {
		return err
	}
	t.model, t.spelled = m, unk
	if v.Charsmap != nil {
		if t.normalizer, err = newPrecompiled(v.Charsmap); err != nil {
			return err
		}
	}
	mark := metaspacePre{mark: metaspace, cut: cutBefore(metaspace)}
	if !says(v.AddSpacePrefix, true) {
		mark.scheme = prependNever
	}
	t.pre, t.decoder = mark, metaspaceDecoder{metaspace, mark.scheme != prependNever}
	if says(v.RemoveExtraSpaces, true) {
		t.pre = preTokenizers{whitespaceSplit{t.classes}, mark}
	}
	return t.surround(v, false, true)
}
