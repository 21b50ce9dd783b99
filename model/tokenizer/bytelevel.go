package tokenizer

import "unicode/utf8"

// byteChar is the character that a byte-level vocabulary writes for a byte: printable bytes stand for themselves, the
// others follow from U+0100 on (as in GPT-2's vocabulary).
func byteChar(b byte) rune {
	switch {
	case b <= ' ':
		return 0x100 + rune(b)
	case b >= 0x7F && b <= 0xA0:
		return 0x100 + '!' + rune(b-0x7F)
	case b == 0xAD:
		return 0x143
	}
	return rune(b)
}

// charByte is the byte that a character stands for, -1 for none.
func charByte(r rune) int {
	switch {
	case r >= 0x100 && r <= 0x120:
		return int(r - 0x100)
	case r > 0x120 && r < 0x143:
		return int(r-0x121) + 0x7F
	case r == 0x143:
		return 0xAD
	case r > ' ' && r < 0x7F, r > 0xA0 && r <= 0xFF && r != 0xAD:
		return int(r)
	}
	return -1
}

// appendRaw appends the bytes that a byte-level token stands for. A token with a character that stands for none, such
// as an added one may have, is its own spelling; ok is false then.
func appendRaw(dst []byte, token string) (_ []byte, ok bool) {
	base := len(dst)
	for _, r := range token {
		b := charByte(r)
		if b < 0 {
			return append(dst[:base], token...), false
		}
		dst = append(dst, byte(b))
	}
	return dst, true
}

// byteLevel cuts a text as GPT-2 does, if it has its pattern, and then writes every byte as a character.
type byteLevel struct {
	match     searcher // nil: the text is not cut
	addPrefix bool     // a blank before every part that has none
}

func (p byteLevel) preTokenize(x *text) {
	if p.addPrefix {
		x.addBlanks()
	}
	if p.match != nil {
		split{match: p.match, behavior: isolated}.preTokenize(x)
	}
	x.begin()
	for i, part := range x.parts {
		start := len(x.nextBuf)
		if part.token != nil {
			x.nextBuf = append(x.nextBuf, x.buf[part.a:part.b]...)
			x.nextAlign = append(x.nextAlign, x.align[part.a:part.b]...)
		} else {
			for k := part.a; k < part.b; k++ {
				x.put(byteChar(x.buf[k]), x.align[k])
			}
		}
		x.parts[i].a, x.parts[i].b = start, len(x.nextBuf)
	}
	x.end()
}

func (p byteLevel) asciiClass(byte) (asciiClass, bool) { return 0, false }

// addBlanks puts a blank before every part of the text that begins with none; it has the span of the first character.
func (x *text) addBlanks() {
	x.begin()
	for i, part := range x.parts {
		start := len(x.nextBuf)
		if part.token == nil && part.a < part.b && x.buf[part.a] != ' ' {
			x.put(' ', x.align[part.a])
		}
		x.nextBuf = append(x.nextBuf, x.buf[part.a:part.b]...)
		x.nextAlign = append(x.nextAlign, x.align[part.a:part.b]...)
		x.parts[i].a, x.parts[i].b = start, len(x.nextBuf)
	}
	x.end()
}

// metaspacePre writes U+2581, or another mark, for blanks and cuts before it.
type metaspacePre struct {
	mark   string
	scheme prependScheme
	cut    preTokenizer // before the mark; nil: the text is not cut
}

type prependScheme uint8

const (
	prependAlways prependScheme = iota // before every part that does not begin with the mark
	prependFirst                       // only at the beginning of the text
	prependNever
)

var prependSchemes = map[string]prependScheme{"always": prependAlways, "first": prependFirst, "never": prependNever}

func (p metaspacePre) preTokenize(x *text) {
	mark, _ := utf8.DecodeRuneInString(p.mark)
	x.begin()
	for i, part := range x.parts {
		start := len(x.nextBuf)
		if part.token != nil {
			x.nextBuf = append(x.nextBuf, x.buf[part.a:part.b]...)
			x.nextAlign = append(x.nextAlign, x.align[part.a:part.b]...)
			x.parts[i].a, x.parts[i].b = start, len(x.nextBuf)
			continue
		}
		if part.a < part.b && p.prepends(x, part) {
			x.put(mark, x.align[part.a])
		}
		for k := part.a; k < part.b; {
			if x.buf[k] == ' ' {
				x.put(mark, x.align[k])
				k++
				continue
			}
			_, n := decode(x.buf, k)
			x.nextBuf = append(x.nextBuf, x.buf[k:k+n]...)
			x.nextAlign = append(x.nextAlign, x.align[k:k+n]...)
			k += n
		}
		x.parts[i].a, x.parts[i].b = start, len(x.nextBuf)
	}
	x.end()
	if p.cut != nil {
		p.cut.preTokenize(x)
	}
}

func cutBefore(mark string) preTokenizer {
	return split{match: literal(mark), behavior: mergedWithNext}
}

func (p metaspacePre) prepends(x *text, part part) bool {
	if p.scheme == prependNever || p.scheme == prependFirst && x.align[part.a].Start != 0 {
		return false
	}
	s := x.buf[part.a:part.b]
	return s[0] != ' ' && (len(s) < len(p.mark) || string(s[:len(p.mark)]) != p.mark)
}

func (p metaspacePre) asciiClass(byte) (asciiClass, bool) { return 0, false }
