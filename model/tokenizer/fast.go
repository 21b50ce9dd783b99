package tokenizer

import "unicode/utf8"

// asciiClass says what an ASCII character does when text is cut into words.
type asciiClass uint8

const (
	asciiWord   asciiClass = iota // joins its like
	asciiOther                    // joins its like, as a kind of its own
	asciiSpace                    // is dropped and separates
	asciiSingle                   // is a word
	asciiSlow                     // is for the general path, as is everything that is not ASCII
)

// asciiTable is the pipeline from added tokens to the model, worked out for each ASCII character. Most text is ASCII,
// and there normalizers and pre-tokenizers treat each character by itself: one look-up does for all of them.
type asciiTable struct {
	usable bool
	class  [256]asciiClass
	lower  [256]byte // what the character becomes
	breaks uint8     // character classes that a text may be cut before
	cjk    bool      // or before an ideograph
}

// newASCIITable tries the general path on every character. It is usable only if the normalizer is local, no added
// token must be sought in its result, and the pre-tokenizer goes by single characters.
func newASCIITable(t *Tokenizer) (table asciiTable) {
	for i := range table.class {
		table.class[i] = asciiSlow
	}
	if t.cooked != nil || t.normalizer != nil && !t.normalizer.local() || t.pre == nil {
		return table
	}
	var x text
	for c := range byte(utf8.RuneSelf) {
		x.load(string(rune(c)), 0)
		if t.normalizer != nil {
			t.normalizer.normalize(&x)
		}
		if len(x.buf) != 1 || x.buf[0] >= utf8.RuneSelf {
			continue
		}
		class, ok := t.pre.asciiClass(x.buf[0])
		if !ok {
			return table
		}
		table.class[c], table.lower[c] = class, x.buf[0]
	}
	table.usable = true
	table.breaks = classSpace
	if table.class['!'] == asciiSingle {
		table.breaks |= classPunct
	}
	// An ideograph that the normalizer puts between blanks starts a word.
	x.load("一", 0)
	if t.normalizer != nil {
		t.normalizer.normalize(&x)
	}
	table.cjk = len(x.buf) > 0 && table.class[x.buf[0]] == asciiSpace
	return table
}

// softLimit is the length in bytes from which the general path takes less than everything up to the next white space.
const softLimit = 4096

// fast tokenizes in[a:b]: words of ASCII straight from the table. A word that touches something else is left to the
// general path; one that ends at ASCII is whole, since a local normalizer leaves ASCII to itself.
func (w *worker) fast(a, b int) {
	table := &w.t.ascii
	in := w.in[:b]
	for i := a; i < len(in); {
		class := table.class[in[i]]
		j := i + 1
		switch class {
		case asciiSpace:
			i = j
			continue
		case asciiWord, asciiOther:
			for j < len(in) && table.class[in[j]] == class {
				j++
			}
		}
		if class == asciiSlow || j < len(in) && table.class[in[j]] == asciiSlow {
			j = w.slowEnd(i, j, b)
			w.general(i, j)
		} else {
			w.wordASCII(i, j)
		}
		i = j
		if len(w.s.tokens) > w.stop {
			return
		}
	}
}

// slowEnd returns where a stretch for the general path that begins at from, and goes on at i at least, may end.
func (w *worker) slowEnd(from, i, b int) int {
	table := &w.t.ascii
	for i < b {
		c := w.in[i]
		if table.class[c] == asciiSpace {
			return i
		}
		if i-from < softLimit {
			i++
			continue
		}
		r, n := rune(c), 1
		if c >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(w.in[i:])
		}
		if class := w.t.classes.of(r); class&table.breaks != 0 && class&classControl == 0 || table.cjk && isCJK(r) {
			return i
		}
		i += n
	}
	return b
}

// wordASCII tokenizes the word in[a:b], of ASCII alone.
func (w *worker) wordASCII(a, b int) {
	if cap(w.scratch) < b-a {
		w.scratch = make([]byte, 2*(b-a)+64)
	}
	word := w.scratch[:b-a]
	for i := range word {
		word[i] = w.t.ascii.lower[w.in[a+i]]
	}
	first := len(w.s.tokens)
	w.s.tokens = w.t.model.tokenize(w.ws, w.s.tokens, word)
	for i := range w.s.tokens[first:] {
		k := &w.s.tokens[first+i]
		k.span.Start += int32(a)
		k.span.End += int32(a)
		k.word = w.words
	}
	w.words++
}
