package tokenizer

import (
	"bytes"
	"fmt"
	"math"
	"sync/atomic"
	"unicode/utf8"
)

// bpe merges, beginning with single characters, again and again the two neighbours that come first in the list of
// merges, the leftmost of equals (Sennrich, Haddow and Birch 2016). SentencePiece's kind has no list: any two whose
// spelling is a token merge, that of the best score first (Kudo and Richardson 2018).
type bpe struct {
	vocab  *vocab
	pairs  pairTable
	scores []uint32 // SentencePiece's: ranks of tokens by their scores, or neverMerged; nil: pairs count
	fixed  *matcher // user-defined tokens, which a word is cut at before anything merges; nil for none

	chars [utf8.RuneSelf]int32 // tokens of ASCII characters, -1 for none
	bytes [256]int32           // tokens of bytes, for characters that have none; all are there or hasBytes is false

	unk          int32  // -1: unknown characters are left out, or missing is set
	missing      string // an unk_token that the vocabulary lacks: meeting an unknown character is an error
	fuseUnk      bool   // neighbours become one unknown token
	byteFallback bool   // unknown characters become the tokens of their bytes
	ignoreMerges bool   // a word that is a token is that token, whatever the merges say
	prefix       string // of every token but the first of a word
	suffix       string // of the last token of a word

	// A long text without pre-tokenizer is cut before U+2581, which stands for a blank, wherever no token spans that:
	// joined has the bytes that some token has directly before it.
	cuts   bool
	joined [256]bool

	// whole has two bits a token: whether merging its own spelling gives it again, which most tokens do, so that a word
	// need not be merged to know. Found out when it is first asked; what is stored does not depend on who asks.
	whole []atomic.Uint32
}

const (
	wholeUnknown = iota
	wholeYes
	wholeNo
)

// metaspace is U+2581, which SentencePiece writes for a blank.
const metaspace = "\u2581"

// bpeSettings are those of a tokenizer.json.
type bpeSettings struct {
	unk                                 *string
	prefix, suffix                      string
	fuseUnk, byteFallback, ignoreMerges bool
}

// newBPE makes the model without its merges.
func newBPE(v *vocab, s bpeSettings) (*bpe, error) {
	m := &bpe{
		vocab: v, unk: -1, fuseUnk: s.fuseUnk, byteFallback: s.byteFallback, ignoreMerges: s.ignoreMerges,
		prefix: s.prefix, suffix: s.suffix, whole: make([]atomic.Uint32, (len(v.places)+15)/16),
	}
	if len(s.prefix) > maxAffix || len(s.suffix) > maxAffix {
		return nil, fmt.Errorf("a prefix or suffix of more than %d bytes is %w", maxAffix, ErrUnsupported)
	}
	if s.unk != nil {
		if m.unk = v.findString(*s.unk); m.unk < 0 {
			m.missing = *s.unk
		}
	}
	for c := range m.chars {
		m.chars[c] = v.findString(string(rune(c)))
	}
	for b := range m.bytes {
		m.bytes[b] = v.findString(fmt.Sprintf("<0x%02X>", b))
	}
	if s.prefix == "" && s.suffix == "" && v.findString(metaspace) >= 0 {
		m.findCuts()
	}
	return m, nil
}

// maxAffix is the longest prefix or suffix of tokens, in bytes.
const maxAffix = 64

// findCuts notes what stands before U+2581 within tokens.
func (m *bpe) findCuts() {
	m.cuts = true
	text := m.vocab.text
	for _, p := range m.vocab.places {
		if p.n <= 0 {
			continue
		}
		token := text[p.start : p.start+uint32(p.n)]
		for i := 1; i+len(metaspace) <= len(token); i++ {
			if token[i] == metaspace[0] && token[i:i+len(metaspace)] == metaspace {
				m.joined[token[i-1]] = true
			}
		}
	}
}

// setMerges takes the merges in their order; a merge whose tokens are not in the vocabulary is an error.
func (m *bpe) setMerges(n int, merge func(i int) (left, right []byte)) error {
	m.pairs = newPairTable(n)
	var spelling []byte
	for i := range n {
		left, right := merge(i)
		a, b := m.vocab.find(&m.vocab.whole, 0, left), m.vocab.find(&m.vocab.whole, 0, right)
		if a < 0 {
			return fmt.Errorf("merge %d: token %s is not in the vocabulary", i, quote(string(left)))
		}
		if b < 0 {
			return fmt.Errorf("merge %d: token %s is not in the vocabulary", i, quote(string(right)))
		}
		if len(right) < len(m.prefix) {
			return fmt.Errorf("merge %d: token %s is shorter than the prefix of continuing tokens", i, quote(string(right)))
		}
		spelling = append(append(spelling[:0], left...), right[len(m.prefix):]...)
		id := m.vocab.find(&m.vocab.whole, 0, spelling)
		if id < 0 {
			return fmt.Errorf("merge %d: token %s is not in the vocabulary", i, quote(string(spelling)))
		}
		m.pairs.insert(a, b, uint32(i), id)
	}
	return nil
}

// setScores takes the scores of all tokens, better ones being greater.
func (m *bpe) setScores(scores []float32) error {
	m.scores = make([]uint32, len(scores))
	for i, s := range scores {
		if s != s {
			return fmt.Errorf("the score of token %d is not a number", i)
		}
		m.scores[i] = rankOf(s)
	}
	return nil
}

// rankOf is smaller for greater scores. The bits of floats are in the floats' order once negative ones are turned
// around; 0 and -0 are equal.
func rankOf(score float32) uint32 {
	b := math.Float32bits(score + 0)
	if b>>31 != 0 {
		return b
	}
	return ^(b | 1<<31)
}

// scoreOf is rankOf's reverse.
func scoreOf(rank uint32) float32 {
	if rank>>31 != 0 {
		return math.Float32frombits(rank)
	}
	return math.Float32frombits(^rank &^ (1 << 31))
}

func (m *bpe) vocabulary() *vocab { return m.vocab }

func (m *bpe) tokenize(ws *workspace, dst []token, word []byte) []token {
	if m.fixed != nil {
		return m.tokenizeFixed(ws, dst, word)
	}
	return m.tokenizePart(ws, dst, word, 0)
}

// tokenizePart appends the tokens of word[base:], which holds no fixed ones.
func (m *bpe) tokenizePart(ws *workspace, dst []token, word []byte, base int) []token {
	if m.ignoreMerges {
		if id := m.vocab.find(&m.vocab.whole, 0, word[base:]); id >= 0 {
			return append(dst, token{id: id, span: Span{int32(base), int32(len(word))}})
		}
	}
	if !m.cuts {
		return m.tokenizeWord(ws, dst, word[base:], base)
	}
	start := base
	for i := base + 1; ; {
		k := bytes.Index(word[i:], []byte(metaspace))
		if k < 0 {
			return m.tokenizeWord(ws, dst, word[start:], start)
		}
		if i += k; !m.joined[word[i-1]] {
			dst = m.tokenizeWord(ws, dst, word[start:i], start)
			start = i
		}
		i++
	}
}

// tokenizeWord appends the tokens of a word, or of a part that no token spans the ends of, with base added to spans.
func (m *bpe) tokenizeWord(ws *workspace, dst []token, word []byte, base int) []token {
	key := word
	if m.suffix != "" {
		ws.key = append(append(ws.key[:0], word...), m.suffix...)
		key = ws.key
	}
	id := int32(-1)
	if len(key) <= m.vocab.whole.maxLen {
		id = m.vocab.find(&m.vocab.whole, 0, key)
	}
	if id >= 0 {
		switch m.isWhole(id) {
		case wholeYes:
			return append(dst, token{id: id, span: Span{int32(base), int32(base + len(word))}})
		case wholeUnknown:
			m.split(ws, word)
			m.merge(ws, word)
			m.noteWhole(id, len(ws.symbols) == 1 && ws.symbols[0].id == id)
			return m.emit(ws, dst, word, base)
		}
	}
	m.split(ws, word)
	m.merge(ws, word)
	return m.emit(ws, dst, word, base)
}

func (m *bpe) emit(ws *workspace, dst []token, word []byte, base int) []token {
	if m.scores != nil {
		m.spellUnknown(ws, word)
	}
	for _, s := range ws.symbols {
		dst = append(dst, token{id: s.id, span: Span{int32(base) + s.start, int32(base) + s.end}})
	}
	return dst
}

func (m *bpe) isWhole(id int32) uint32 { return m.whole[id/16].Load() >> (id % 16 * 2) & 3 }

func (m *bpe) noteWhole(id int32, yes bool) {
	bits := uint32(wholeNo)
	if yes {
		bits = wholeYes
	}
	m.whole[id/16].Or(bits << (id % 16 * 2))
}

// symbol is a stretch of a word that has become one token.
type symbol struct{ id, start, end int32 }

// split fills ws.symbols with the tokens of single characters. As in the reference library, spans are sums of lengths,
// so that those after a character that was left out are too small.
func (m *bpe) split(ws *workspace, word []byte) {
	ws.symbols = ws.symbols[:0]
	if m.scores != nil {
		m.splitSpelled(ws, word)
		return
	}
	at, unk := int32(0), int32(0) // length of unknown characters that are still to be added
	add := func(id int32, n int) {
		ws.symbols = append(ws.symbols, symbol{id, at, at + int32(n)})
		at += int32(n)
	}
	for i := 0; i < len(word); {
		n := 1
		var id int32
		if c := word[i]; c < utf8.RuneSelf && m.prefix == "" && m.suffix == "" {
			id = m.chars[c]
		} else {
			_, n = decode(word, i)
			id = m.vocab.find(&m.vocab.whole, 0, m.affixed(ws, word, i, n))
		}
		switch {
		case id >= 0:
			if unk > 0 {
				add(m.unk, int(unk))
				unk = 0
			}
			add(id, n)
		case m.byteFallback && m.haveBytes(m.affixed(ws, word, i, n)):
			for _, c := range m.affixed(ws, word, i, n) {
				add(m.bytes[c], 1)
			}
		case m.unk >= 0:
			if unk > 0 && !m.fuseUnk {
				add(m.unk, int(unk))
				unk = 0
			}
			unk += int32(n)
		case m.missing != "" && ws.err == nil:
			ws.err = fmt.Errorf("character %s has no token, nor has unk_token %s", quote(string(word[i:i+n])), quote(m.missing))
		}
		i += n
	}
	if unk > 0 {
		add(m.unk, int(unk))
	}
}

// affixed returns the character word[i:i+n] as the vocabulary spells it there.
func (m *bpe) affixed(ws *workspace, word []byte, i, n int) []byte {
	first, last := i == 0, i+n == len(word)
	if (first || m.prefix == "") && (!last || m.suffix == "") {
		return word[i : i+n]
	}
	key := ws.char[:0]
	if !first {
		key = append(key, m.prefix...)
	}
	key = append(key, word[i:i+n]...)
	if last {
		key = append(key, m.suffix...)
	}
	ws.char = key
	return key
}

func (m *bpe) haveBytes(s []byte) bool {
	for _, c := range s {
		if m.bytes[c] < 0 {
			return false
		}
	}
	return true
}
