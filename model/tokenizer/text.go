package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// Span is a range of bytes [Start, End).
type Span struct{ Start, End int32 }

// text is a stretch of input on its way through normalizers and pre-tokenizers. Every byte of buf knows the bytes of
// the original text that it stands for; all bytes of one character know the same ones.
type text struct {
	buf   []byte
	align []Span // for each byte of buf
	parts []part // of buf: what added tokens and pre-tokenizers have cut so far

	// The next state of the three, and room for the normalization forms.
	nextBuf   []byte
	nextAlign []Span
	nextParts []part
	changes   []change
	sorted    []change
}

// part is a stretch [a, b) of a text: one added token, or text for the pre-tokenizers to cut and the model to see.
type part struct {
	a, b  int
	token *AddedToken // nil for text
}

// load starts afresh with s, which begins at byte base of the original text. Bytes that are not UTF-8 become U+FFFD.
func (x *text) load(s string, base int) {
	x.buf, x.align, x.parts = x.buf[:0], x.align[:0], x.parts[:0]
	x.align = slices.Grow(x.align, len(s))
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			x.buf = append(x.buf, c)
			x.align = append(x.align, Span{int32(base + i), int32(base + i + 1)})
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		x.add(r, Span{int32(base + i), int32(base + i + n)})
		i += n
	}
}

func (x *text) add(r rune, a Span) {
	before := len(x.buf)
	x.buf = utf8.AppendRune(x.buf, r)
	for range len(x.buf) - before {
		x.align = append(x.align, a)
	}
}

// put appends a character to the next state.
func (x *text) put(r rune, a Span) {
	if uint32(r) < utf8.RuneSelf {
		x.nextBuf = append(x.nextBuf, byte(r))
		x.nextAlign = append(x.nextAlign, a)
		return
	}
	before := len(x.nextBuf)
	x.nextBuf = utf8.AppendRune(x.nextBuf, r)
	for range len(x.nextBuf) - before {
		x.nextAlign = append(x.nextAlign, a)
	}
}

func (x *text) begin() { x.nextBuf, x.nextAlign = x.nextBuf[:0], x.nextAlign[:0] }

func (x *text) end() {
	x.buf, x.nextBuf = x.nextBuf, x.buf
	x.align, x.nextAlign = x.nextAlign, x.align
}

// decode returns the character at byte i of buf, which is valid UTF-8, and its width.
func decode(buf []byte, i int) (rune, int) {
	if c := buf[i]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRune(buf[i:])
}

// change is a character of the new text and what it does to the old one, in the reference library's terms: positive,
// it is inserted; otherwise it replaces one old character and -n more that follow it are gone.
type change struct {
	r     rune
	n     int32
	class uint8 // combining class
}

// apply rewrites the text by x.changes. The spans follow the reference library to the letter, which matters where
// canonical ordering has moved marks: a replacement has the span of the old character at the running position, an
// insertion that of the character before the position.
func (x *text) apply() {
	x.begin()
	pos := 0
	for _, c := range x.changes {
		if c.n > 0 {
			var a Span
			if pos > 0 {
				a = x.align[pos-1]
			}
			x.put(c.r, a)
			continue
		}
		if pos == len(x.buf) {
			break
		}
		x.put(c.r, x.align[pos])
		for k := c.n; k <= 0 && pos < len(x.buf); k++ {
			_, n := decode(x.buf, pos)
			pos += n
		}
	}
	x.end()
}

// span returns the original bytes that buf[a:b] stands for.
func (x *text) span(a, b int) Span {
	if a >= b {
		return Span{}
	}
	return Span{x.align[a].Start, x.align[b-1].End}
}
