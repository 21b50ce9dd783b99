package tokenizer

import (
	"math"
	"unicode/utf8"
	"unsafe"
)

// neverMerged is the rank of tokens that nothing merges into, after all ranks of scores.
const neverMerged = math.MaxUint32

// tokenizeFixed cuts a word at the longest of the fixed tokens, from left to right.
func (m *bpe) tokenizeFixed(ws *workspace, dst []token, word []byte) []token {
	s := unsafe.String(unsafe.SliceData(word), len(word))
	for done := 0; done < len(word); {
		at, p := m.fixed.next(s, done)
		if at < 0 {
			return m.tokenizePart(ws, dst, word, done)
		}
		if done < at {
			dst = m.tokenizePart(ws, dst, word[:at], done)
		}
		done = at + len(m.fixed.patterns[p])
		dst = append(dst, token{id: m.fixed.tokens[p].ID, span: Span{int32(at), int32(done)}})
	}
	return dst
}

// splitSpelled is split for SentencePiece's kind, where a character without a token may still merge: its id is -1 until
// spellUnknown.
func (m *bpe) splitSpelled(ws *workspace, word []byte) {
	for i := 0; i < len(word); {
		n, id := 1, int32(0)
		if c := word[i]; c < utf8.RuneSelf {
			id = m.chars[c]
		} else {
			_, n = decode(word, i)
			id = m.vocab.find(&m.vocab.whole, 0, word[i:i+n])
		}
		if id >= 0 && m.scores[id] == neverMerged {
			id = -1
		}
		ws.symbols = append(ws.symbols, symbol{id, int32(i), int32(i + n)})
		i += n
	}
}

// spellUnknown gives characters that have no token those of their bytes, or else the unknown token, one for neighbours.
func (m *bpe) spellUnknown(ws *workspace, word []byte) {
	known := true
	for _, s := range ws.symbols {
		known = known && s.id >= 0
	}
	if known {
		return
	}
	out := ws.spelled[:0]
	for _, s := range ws.symbols {
		switch {
		case s.id >= 0:
			out = append(out, s)
		case m.byteFallback && m.haveBytes(word[s.start:s.end]):
			for i := s.start; i < s.end; i++ {
				out = append(out, symbol{m.bytes[word[i]], i, i + 1})
			}
		case m.unk >= 0 && len(out) > 0 && m.fuseUnk && out[len(out)-1].id == m.unk:
			out[len(out)-1].end = s.end
		case m.unk >= 0:
			out = append(out, symbol{m.unk, s.start, s.end})
		}
	}
	ws.symbols, ws.spelled = out, ws.symbols[:0]
}
