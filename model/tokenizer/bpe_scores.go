package tokenizer

import "unicode/utf8"

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
