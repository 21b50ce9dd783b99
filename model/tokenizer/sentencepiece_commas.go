package tokenizer

import (
	"bytes"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// commas is a model whose pieces like "9," are cut again, without the comma, as ALBERT's and XLNet's tokenizers do it.
type commas struct {
	model
	unk    int32
	pieces map[int32][]commaPart // that are cut, by their ids
}

// commaPart is a piece of so many bytes.
type commaPart struct{ id, size int32 }

// maxComma is longer than SentencePiece's trainer makes pieces.
const maxComma = 128

func newCommas(v *pieceVocabulary, inner model) (*commas, error) {
	m := &commas{inner, v.unk, map[int32][]commaPart{}}
	comma := v.findString(",")
	if comma < 0 {
		comma = v.unk
	}
	var ws workspace
	for i, p := range v.file.pieces {
		number, ok := bytes.CutSuffix(p.text, []byte{','})
		if r, _ := utf8.DecodeLastRune(number); !ok || !unicode.IsDigit(r) || i < v.drop {
			continue
		}
		if len(p.text) > maxComma {
			return nil, fmt.Errorf("piece %d, %s, of %d bytes with a comma at the end, is %w", i, quote(string(p.text)), len(p.text), ErrUnsupported)
		}
		// The number is a text of its own, which has a blank before it; it goes again if the piece had none.
		text := append([]byte(metaspace), bytes.ReplaceAll(number, []byte(metaspace), nil)...)
		tokens := inner.tokenize(&ws, nil, text)
		var parts []commaPart
		for _, k := range tokens {
			parts = append(parts, commaPart{k.id, k.span.End - k.span.Start})
		}
		if !bytes.HasPrefix(p.text, []byte(metaspace)) {
			if parts[0].size == int32(len(metaspace)) {
				parts = parts[1:]
			} else {
				first := v.find(&v.whole, 0, text[len(metaspace):parts[0].size])
				if first < 0 {
					first = v.unk
				}
				parts[0] = commaPart{first, parts[0].size - int32(len(metaspace))}
			}
		}
		m.pieces[v.id(i)] = append(parts, commaPart{comma, 1})
	}
	return m, nil
}

func (m *commas) tokenize(ws *workspace, dst []token, word []byte) []token {
	first := len(dst)
	dst = m.model.tokenize(ws, dst, word)
	cut := func(k token) bool { return m.pieces[k.id] != nil }
	if !slices.ContainsFunc(dst[first:], cut) {
		return dst
	}
	ws.uncut = append(ws.uncut[:0], dst[first:]...)
	dst = dst[:first]
	for _, k := range ws.uncut {
		if !cut(k) {
			dst = append(dst, k)
			continue
		}
		at := k.span
		for _, p := range m.pieces[k.id] {
			end := min(at.Start+p.size, at.End)
			dst = append(dst, token{id: p.id, span: Span{at.Start, end}})
			at.Start = end
		}
	}
	return dst
}
