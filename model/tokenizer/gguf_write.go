package tokenizer

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Vocabulary is the reverse of FromVocabulary, for byte-level BPE ("gpt2") and for SentencePiece's BPE with byte
// fallback ("llama"). Another kind, or one that llama.cpp would cut texts by in another way, is an error that wraps
// ErrUnsupported. lost says in words which of the tokenizer's rules GGUF cannot hold; texts that they concern get other
// tokens.
func (t *Tokenizer) Vocabulary() (v *Vocabulary, lost []string, err error) {
	w := vocabularyWriter{t: t, v: &Vocabulary{Roles: map[string]int32{}}}
	if err := w.write(); err != nil {
		return nil, nil, fmt.Errorf("tokenizer: %s: for GGUF: %w", t.name, err)
	}
	return w.v, w.lost, nil
}

// Resize gives the vocabulary n tokens, as a model with n embeddings needs. New ones are never used; added tokens
// beyond n, which such a model could not read, are left out, and others are an error.
func (v *Vocabulary) Resize(n int) error {
	for id := n; id < len(v.Tokens); id++ {
		if kind := v.kind(id); kind != typeControl && kind != typeUserDefined {
			return fmt.Errorf("tokenizer: %d tokens, of which %s is one, for %d embeddings", len(v.Tokens), quote(v.Tokens[id]), n)
		}
	}
	if n < len(v.Tokens) {
		v.Tokens, v.Types = v.Tokens[:n], v.Types[:n]
		if v.Scores != nil {
			v.Scores = v.Scores[:n]
		}
		maps.DeleteFunc(v.Roles, func(_ string, id int32) bool { return int(id) >= n })
	}
	for id := len(v.Tokens); id < n; id++ {
		v.Tokens = append(v.Tokens, filler(id))
		v.Types = append(v.Types, typeUnused)
		if v.Scores != nil {
			v.Scores = append(v.Scores, unusedScore)
		}
	}
	return nil
}

// filler is the token of an id that stands for nothing, as llama.cpp writes it.
func filler(id int) string { return "[PAD" + strconv.Itoa(id) + "]" }

// unusedScore is that of tokens that nothing merges into.
const unusedScore = -math.MaxFloat32

type vocabularyWriter struct {
	t    *Tokenizer
	v    *Vocabulary
	lost []string
}

func (w *vocabularyWriter) lose(format string, args ...any) {
	w.lost = append(w.lost, fmt.Sprintf(format, args...))
}

func (w *vocabularyWriter) write() error {
	m, ok := w.t.model.(*bpe)
	if !ok {
		return fmt.Errorf("model: a kind other than BPE is %w", ErrUnsupported)
	}
	if m.prefix != "" || m.suffix != "" {
		return fmt.Errorf("model: continuing_subword_prefix or end_of_word_suffix is %w", ErrUnsupported)
	}
	w.tokens()
	var err error
	if w.t.inBytes() {
		err = w.gpt2(m)
	} else {
		err = w.llama(m)
	}
	if err != nil {
		return err
	}
	if err := w.surroundings(); err != nil {
		return err
	}
	for role := range w.t.roles {
		if id, ok := w.t.RoleID(role); ok {
			if _, said := w.v.Roles[role]; !said {
				w.v.Roles[role] = id
			}
		}
	}
	back, err := FromVocabulary(w.t.name, w.v)
	if err != nil {
		return err
	}
	w.compare(back)
	return nil
}

// tokens sets the tokens and their types.
func (w *vocabularyWriter) tokens() {
	t, words := w.t, w.t.model.vocabulary()
	n := len(words.places)
	for id := range t.addedByID {
		n = max(n, int(id)+1)
	}
	w.v.Tokens, w.v.Types = make([]string, n), make([]int32, n)
	for id := range n {
		token, ok := t.IDToToken(int32(id))
		kind := int32(typeNormal)
		if !ok {
			token, kind = filler(id), typeUnused
		}
		if a := t.addedByID[int32(id)]; a != nil {
			if kind = typeUserDefined; t.special[a.Content] {
				kind = typeControl
			}
			w.flags(a)
		}
		w.v.Tokens[id], w.v.Types[id] = token, kind
	}
}

// flags notes what is lost of an added token: in GGUF it is sought in the text as it is.
func (w *vocabularyWriter) flags(a *AddedToken) {
	if a.SingleWord || a.LStrip || a.RStrip {
		w.lose("added token %s: single_word, lstrip and rstrip", quote(a.Content))
	}
	if a.Normalized && w.t.normalizer != nil {
		var x text
		x.load(a.Content, 0)
		if w.t.normalizer.normalize(&x); string(x.buf) != a.Content {
			w.lose("added token %s: that it is sought in the normalized text", quote(a.Content))
		}
	}
}

// inBytes says whether the tokens are spelled in bytes.
func (t *Tokenizer) inBytes() bool {
	return slices.ContainsFunc(flatPre(t.pre), func(p preTokenizer) bool {
		_, ok := p.(byteLevel)
		return ok
	})
}

// flatPre lists what comes one after the other, also within sequences.
func flatPre(p preTokenizer) (list []preTokenizer) {
	switch p := p.(type) {
	case nil:
		return nil
	case preTokenizers:
		for _, part := range p {
			list = append(list, flatPre(part)...)
		}
		return list
	}
	return []preTokenizer{p}
}

func (w *vocabularyWriter) gpt2(m *bpe) error {
	switch n := w.t.normalizer.(type) {
	case nil:
	case normalizeForm:
		w.lose("normalizer: texts are not brought into a normal form of Unicode")
	case normalizers:
		if len(n) != 0 {
			return fmt.Errorf("normalizer is %w", ErrUnsupported)
		}
	default:
		return fmt.Errorf("normalizer is %w", ErrUnsupported)
	}
	for b := range 256 {
		if c := string(byteChar(byte(b))); m.unk >= 0 && m.vocab.findString(c) < 0 {
			return fmt.Errorf("model: an unk_token, of bytes that have no token as %s has none, is %w", quote(c), ErrUnsupported)
		}
	}
	cuts, err := w.t.byteCuts()
	if err != nil {
		return err
	}
	how, err := preTokenizerThat(cuts, &m.ignoreMerges)
	if err != nil && w.t.mergesMakeAll(m) {
		how, err = preTokenizerThat(cuts, nil)
	}
	if err != nil {
		return err
	}
	w.v.Model, w.v.Pre = "gpt2", how.names[0]
	for _, s := range m.pairs.inOrder() {
		left, right := w.v.Tokens[s.left], w.v.Tokens[s.right]
		if strings.ContainsRune(left+right, ' ') {
			return fmt.Errorf("model: merges of tokens with blanks, %s and %s, are %w", quote(left), quote(right), ErrUnsupported)
		}
		w.v.Merges = append(w.v.Merges, left+" "+right)
	}
	return nil
}

// byteCuts are the patterns that a byte-level text is cut with, one after the other.
func (t *Tokenizer) byteCuts() (cuts []searcher, err error) {
	list := flatPre(t.pre)
	for i, p := range list {
		last := i == len(list)-1
		switch p := p.(type) {
		case split:
			if p.invert || p.behavior != isolated || last {
				return nil, fmt.Errorf("pre_tokenizer: a Split that drops or joins what it finds is %w", ErrUnsupported)
			}
			cuts = append(cuts, p.match)
		case digits:
			if p.behavior != isolated || last {
				return nil, fmt.Errorf("pre_tokenizer: Digits that stay together are %w", ErrUnsupported)
			}
			cuts = append(cuts, scannerOf(patternNumber))
		case byteLevel:
			if p.addPrefix {
				return nil, fmt.Errorf("pre_tokenizer: add_prefix_space is %w", ErrUnsupported)
			}
			if !last {
				return nil, fmt.Errorf("pre_tokenizer: cutting after ByteLevel is %w", ErrUnsupported)
			}
			if p.match != nil {
				cuts = append(cuts, p.match)
			}
		default:
			return nil, fmt.Errorf("pre_tokenizer: a part other than Split, Digits and ByteLevel is %w", ErrUnsupported)
		}
	}
	return cuts, nil
}

// mergesMakeAll says whether merging the letters of any token gives that token, so that ignore_merges says nothing.
func (t *Tokenizer) mergesMakeAll(m *bpe) bool {
	var ws workspace
	for id := range m.vocab.places {
		token, ok := m.vocab.token(int32(id))
		if !ok || t.addedByID[int32(id)] != nil {
			continue
		}
		m.split(&ws, []byte(token))
		m.merge(&ws, []byte(token))
		if len(ws.symbols) != 1 {
			return false
		}
	}
	return true
}

// inOrder returns the merges by their ranks.
func (t *pairTable) inOrder() []pairSlot {
	list := slices.DeleteFunc(slices.Clone(t.slots), func(s pairSlot) bool { return s.left < 0 })
	slices.SortFunc(list, func(a, b pairSlot) int { return cmp.Compare(a.rank, b.rank) })
	return list
}

// surroundings says which tokens go around a text.
func (w *vocabularyWriter) surroundings() error {
	var around [2][]int32
	at := 0
	for _, s := range w.t.template.single {
		if s.sequence >= 0 {
			at = 1
			continue
		}
		around[at] = append(around[at], s.ids...)
	}
	for i, role := range []string{"bos_token", "eos_token"} {
		adds := len(around[i]) > 0
		if len(around[i]) > 1 {
			return fmt.Errorf("post_processor: %d tokens on one side of a text are %w", len(around[i]), ErrUnsupported)
		}
		if adds {
			w.v.Roles[role] = around[i][0]
		}
		if i == 0 {
			w.v.AddBOS = &adds
		} else {
			w.v.AddEOS = &adds
		}
	}
	return nil
}

// compare notes what else is not the same once it is read back.
func (w *vocabularyWriter) compare(back *Tokenizer) {
	if !reflect.DeepEqual(w.t.decoder, back.decoder) {
		w.lose("decoder: tokens may become another text")
	}
	if w.t.truncation != nil {
		w.lose("truncation: texts are not cut to %d tokens", w.t.truncation.max)
	}
	if !slices.EqualFunc(w.t.template.pair, back.template.pair, func(a, b step) bool {
		return a.sequence == b.sequence && slices.Equal(a.ids, b.ids)
	}) {
		w.lose("post_processor: what goes between the texts of a pair")
	}
}
