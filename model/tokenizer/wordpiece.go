package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// model turns a word into tokens.
type model interface {
	// tokenize appends the tokens of a word that is not empty; their spans are bytes of the word. What it cannot do is
	// an error in the workspace.
	tokenize(ws *workspace, dst []token, word []byte) []token
	vocabulary() *vocab
}

// token is an id with the bytes and the word that it stands for. Spans start as bytes of the normalized word and end as
// bytes of the original text.
type token struct {
	id   int32
	span Span
	word int32
}

// wordPiece takes the longest token that begins a word, then the longest that goes on, and so on; a word that cannot be
// spelled so, or is too long, becomes one unknown token (Schuster & Nakajima 2012, as in BERT).
type wordPiece struct {
	vocab    *vocab
	rest     index // tokens with the prefix, by what follows it
	prefix   int   // bytes of the prefix
	unk      int32
	maxChars int
}

func newWordPiece(v *vocab, unk, prefix string, maxChars int) (*wordPiece, error) {
	m := &wordPiece{vocab: v, prefix: len(prefix), maxChars: maxChars}
	if m.unk = v.findString(unk); m.unk < 0 {
		return nil, fmt.Errorf("unk_token %s is not in the vocabulary", quote(unk))
	}
	var cont []int32
	for id := range v.places {
		if t, ok := v.token(int32(id)); ok && len(t) > len(prefix) && strings.HasPrefix(t, prefix) {
			cont = append(cont, int32(id))
		}
	}
	m.rest = newIndex(len(cont))
	for _, id := range cont {
		v.insert(&m.rest, len(prefix), id)
	}
	return m, nil
}

func (m *wordPiece) vocabulary() *vocab { return m.vocab }

func (m *wordPiece) tokenize(_ *workspace, dst []token, word []byte) []token {
	if len(word) > m.maxChars && utf8.RuneCount(word) > m.maxChars {
		return append(dst, token{id: m.unk, span: Span{0, int32(len(word))}})
	}
	id := m.vocab.find(&m.vocab.whole, 0, word)
	if id >= 0 {
		return append(dst, token{id: id, span: Span{0, int32(len(word))}})
	}
	first := len(dst)
	id, n := m.vocab.longest(&m.vocab.whole, 0, word, len(word)-1)
	for at := 0; id >= 0; {
		dst = append(dst, token{id: id, span: Span{int32(at), int32(at + n)}})
		if at += n; at == len(word) {
			return dst
		}
		id, n = m.vocab.longest(&m.rest, m.prefix, word[at:], len(word)-at)
	}
	return append(dst[:first], token{id: m.unk, span: Span{0, int32(len(word))}})
}

// wordLevel knows whole words only.
type wordLevel struct {
	vocab *vocab
	unk   int32 // -1: unknown words are left out
}

func (m *wordLevel) vocabulary() *vocab { return m.vocab }

func (m *wordLevel) tokenize(_ *workspace, dst []token, word []byte) []token {
	id := m.vocab.find(&m.vocab.whole, 0, word)
	if id < 0 {
		id = m.unk
	}
	if id < 0 {
		return dst
	}
	return append(dst, token{id: id, span: Span{0, int32(len(word))}})
}
