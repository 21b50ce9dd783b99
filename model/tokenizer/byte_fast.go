package tokenizer

import (
	"unicode/utf8"
	"unsafe"
)

// byteTable is the pipeline of a byte-level tokenizer without the detour over characters for bytes: its words are cut
// from the text as it is, and their tokens found by their bytes.
type byteTable struct {
	usable bool
	cuts   []searcher // each cuts the words of the one before; what none matches is a word too
	nfc    bool       // only for text that is in this form already
	vocab  *vocab     // the tokens by the bytes that they stand for
	bytes  [256]int32
}

// newByteTable works for BPE over all 256 bytes behind patterns that isolate their matches and the ByteLevel step.
func newByteTable(t *Tokenizer) (b byteTable) {
	m, ok := t.model.(*bpe)
	if !ok || m.scores != nil || m.prefix != "" || m.suffix != "" || m.cuts && m.ignoreMerges || t.cooked != nil {
		return b
	}
	if t.normalizer != nil {
		if t.normalizer != formNFC {
			return b
		}
		b.nfc = true
	}
	steps, ok := t.pre.(preTokenizers)
	if !ok {
		steps = preTokenizers{t.pre}
	}
	for i, p := range steps {
		switch p := p.(type) {
		case split:
			if p.behavior != isolated {
				return b
			}
			b.cuts = append(b.cuts, p.match)
		case digits:
			if p.behavior != isolated {
				return b
			}
			b.cuts = append(b.cuts, eachDigit{p.classes})
		case byteLevel:
			if i+1 != len(steps) || p.addPrefix {
				return b
			}
			if p.match != nil {
				b.cuts = append(b.cuts, p.match)
			}
			b.usable = true
		default:
			return b
		}
	}
	if !b.usable {
		return b
	}
	b.usable = b.index(m)
	return b
}

// index finds the tokens' bytes. It reports false if a byte has no token.
func (b *byteTable) index(m *bpe) bool {
	for i := range b.bytes {
		if b.bytes[i] = m.vocab.findString(string(byteChar(byte(i)))); b.bytes[i] < 0 {
			return false
		}
	}
	var list tokenList
	list.grow(m.vocab.count, len(m.vocab.text))
	var raw []byte
	for id := range m.vocab.places {
		token, ok := m.vocab.token(int32(id))
		if !ok || m.vocab.findString(token) != int32(id) {
			continue
		}
		if raw, ok = appendRaw(raw[:0], token); ok {
			list.add(raw, int64(id))
		}
	}
	var err error
	b.vocab, err = newVocab(&list, keepAll)
	return err == nil
}

// eachDigit matches single numeric characters.
type eachDigit struct{ classes classes }

func (f eachDigit) next(s []byte, i int) (int, int) {
	for i < len(s) {
		r, n := decode(s, i)
		if f.classes.of(r)&classDigit != 0 {
			return i, i + n
		}
		i += n
	}
	return -1, -1
}

// takes reports whether in[a:b] can go this way.
func (b *byteTable) takes(s string) bool {
	return b.usable && utf8.ValidString(s) && (!b.nfc || formNFC.data().QuickSpanString(s) == len(s))
}

// bytes tokenizes in[a:b], which the table takes.
func (w *worker) bytes(a, b int) {
	s := unsafe.Slice(unsafe.StringData(w.in), len(w.in))[a:b]
	w.cut(s, a, w.t.bytes.cuts)
}

// cut tokenizes s, which is at byte base of the text, cut by what is left of the cuts.
func (w *worker) cut(s []byte, base int, cuts []searcher) {
	if len(cuts) == 0 {
		w.wordBytes(s, base)
		return
	}
	for i := 0; i < len(s) && len(w.s.tokens) <= w.stop; {
		from, to := cuts[0].next(s, i)
		if from < 0 {
			from, to = len(s), len(s)
		}
		if from > i {
			w.cut(s[i:from], base+i, cuts[1:])
		}
		if to > from {
			w.cut(s[from:to], base+from, cuts[1:])
		}
		i = to
	}
}

// wordBytes tokenizes a word that is not empty.
func (w *worker) wordBytes(s []byte, base int) {
	table, m := &w.t.bytes, w.t.model.(*bpe)
	first := len(w.s.tokens)
	w.s.tokens = m.tokenizeBytes(w.ws, w.s.tokens, s, table)
	for i := range w.s.tokens[first:] {
		k := &w.s.tokens[first+i]
		a, b := base+int(k.span.Start), base+int(k.span.End)
		// A token of part of a character stands for all of it.
		for a > base && !utf8.RuneStart(w.in[a]) {
			a--
		}
		for b < base+len(s) && !utf8.RuneStart(w.in[b]) {
			b++
		}
		k.span = Span{int32(a), int32(b)}
		k.word = w.words
	}
	w.words++
}

// tokenizeBytes is tokenize for a word as bytes.
func (m *bpe) tokenizeBytes(ws *workspace, dst []token, word []byte, table *byteTable) []token {
	id := int32(-1)
	if len(word) <= table.vocab.whole.maxLen {
		id = table.vocab.find(&table.vocab.whole, 0, word)
	}
	if id >= 0 && (m.ignoreMerges || m.isWhole(id) == wholeYes) {
		return append(dst, token{id: id, span: Span{0, int32(len(word))}})
	}
	ws.symbols = ws.symbols[:0]
	for i, c := range word {
		ws.symbols = append(ws.symbols, symbol{table.bytes[c], int32(i), int32(i + 1)})
	}
	m.merge(ws, word)
	if id >= 0 && m.isWhole(id) == wholeUnknown {
		m.noteWhole(id, len(ws.symbols) == 1 && ws.symbols[0].id == id)
	}
	return m.emit(ws, dst, word, 0)
}
