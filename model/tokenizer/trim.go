package tokenizer

import (
	"unicode/utf8"
	"unsafe"
)

// trim takes white space off the ends of the offsets that appendTokens has appended, from first on, for the tokens keep
// of q: byte-level tokens begin with their blank. Characters count, as in the reference library.
func (t *Tokenizer) trim(e *Encoding, first int, q *sequence, keep Span) {
	in := q.in
	surfaces := q.surfaces
	for i := range e.Offsets[first:] {
		index := int(keep.Start) + i
		for len(surfaces) > 0 && surfaces[0].index < index {
			surfaces = surfaces[1:]
		}
		token, _ := t.IDToToken(q.tokens[index].id)
		if len(surfaces) > 0 && surfaces[0].index == index {
			token = unsafe.String(&q.letters[surfaces[0].start], surfaces[0].end-surfaces[0].start)
		}
		left, right := t.blanks(token)
		span := &e.Offsets[first+i]
		if left == 1 && t.template.spares && (i == 0 || span.Start == 0) {
			left = 0
		}
		for ; left > 0 && span.Start < span.End; left-- {
			_, n := utf8.DecodeRuneInString(in[span.Start:span.End])
			span.Start += int32(n)
		}
		if n := int(span.End); n < utf8.UTFMax*right && utf8.RuneCountInString(in[:n]) < right {
			continue
		}
		for ; right > 0 && span.Start < span.End; right-- {
			_, n := utf8.DecodeLastRuneInString(in[span.Start:span.End])
			span.End -= int32(n)
		}
	}
}

// blankChar is what byte-level vocabularies write for a blank.
const blankChar = 0x120

// blanks counts the white space at both ends of a token.
func (t *Tokenizer) blanks(token string) (left, right int) {
	is := func(r rune) bool { return r == blankChar || t.classes.of(r)&classSpace != 0 }
	for s := token; s != ""; left++ {
		r, n := utf8.DecodeRuneInString(s)
		if !is(r) {
			break
		}
		s = s[n:]
	}
	for s := token; s != ""; right++ {
		r, n := utf8.DecodeLastRuneInString(s)
		if !is(r) {
			break
		}
		s = s[:len(s)-n]
	}
	return left, right
}
