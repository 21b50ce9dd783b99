package tokenizer

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites a text before it is cut into words.
type normalizer interface {
	normalize(x *text)
	// local reports that every ASCII character is normalized by itself, and that a text may be normalized in parts, cut
	// before white space, punctuation or ASCII.
	local() bool
}

type normalizers []normalizer

func (ns normalizers) normalize(x *text) {
	for _, n := range ns {
		n.normalize(x)
	}
}

func (ns normalizers) local() bool {
	for _, n := range ns {
		if !n.local() {
			return false
		}
	}
	return true
}

// bertNormalizer is BERT's basic cleaning.
type bertNormalizer struct {
	classes classes

	cleanText    bool // drop control characters, turn white space into blanks
	cjk          bool // blanks around ideographs
	stripAccents bool // canonical decomposition without nonspacing marks
	lowercase    bool
}

func (n *bertNormalizer) local() bool { return true }

func (n *bertNormalizer) normalize(x *text) {
	if !n.onePass(x) {
		n.steps(x)
	}
}

// onePass does all steps at once, character by character. It gives up, and leaves the text as it is, where characters
// act on each other: marks that are not stripped may have to change places.
func (n *bertNormalizer) onePass(x *text) bool {
	x.begin()
	for i := 0; i < len(x.buf); {
		r, w := decode(x.buf, i)
		a := x.align[i]
		i += w
		class := n.classes.of(r)
		if n.cleanText && class&(classControl|classSpace) != 0 {
			if class&classControl == 0 {
				x.put(' ', a)
			}
			continue
		}
		ideograph := n.cjk && isCJK(r)
		if ideograph {
			x.put(' ', a)
		}
		if n.stripAccents && class&(classNorm|classMn) != 0 {
			if class&classMn != 0 {
				continue
			}
			if r >= hangulBase && r < hangulEnd {
				for _, jamo := range decomposeHangul(r) {
					if jamo != 0 {
						x.put(jamo, a)
					}
				}
				continue
			}
			var ok bool
			if r, ok = n.baseOf(x.buf[i-w:], r); !ok {
				return false
			}
		}
		if r == 0x130 && n.lowercase { // the only character whose lower case is two
			x.put('i', a)
			r = 0x307
		} else if n.lowercase {
			r = lower(r)
		}
		x.put(r, a)
		if ideograph {
			x.put(' ', a)
		}
	}
	x.end()
	return true
}

// baseOf returns what is left of r, which begins buf and which the normalization data know, without its accents. It
// reports false if that is a mark or more than one character.
func (n *bertNormalizer) baseOf(buf []byte, r rune) (rune, bool) {
	properties := norm.NFD.Properties(buf)
	d := properties.Decomposition()
	if d == nil {
		return r, properties.CCC() == 0
	}
	base, w := decode(d, 0)
	for d = d[w:]; len(d) > 0; d = d[w:] {
		var mark rune
		if mark, w = decode(d, 0); n.classes.of(mark)&classMn == 0 {
			return 0, false
		}
	}
	class := n.classes.of(base)
	return base, class&classMn == 0 && (class&classNorm == 0 || base >= hangulBase && base < hangulEnd)
}

// steps is the reference: one after the other.
func (n *bertNormalizer) steps(x *text) {
	if n.cleanText {
		n.clean(x)
	}
	if n.cjk {
		spaceCJK(x)
	}
	if n.stripAccents {
		formNFD.normalize(x)
		removeClass(x, n.classes, classMn)
	}
	if n.lowercase {
		lowercase{}.normalize(x)
	}
}

func (n *bertNormalizer) clean(x *text) {
	x.begin()
	for i := 0; i < len(x.buf); {
		r, w := decode(x.buf, i)
		class := n.classes.of(r)
		switch {
		case class&classControl != 0:
		case class&classSpace != 0:
			x.put(' ', x.align[i])
		default:
			x.put(r, x.align[i])
		}
		i += w
	}
	x.end()
}

func spaceCJK(x *text) {
	x.begin()
	for i := 0; i < len(x.buf); {
		r, w := decode(x.buf, i)
		if isCJK(r) {
			x.put(' ', x.align[i])
			x.put(r, x.align[i])
			x.put(' ', x.align[i])
		} else {
			x.put(r, x.align[i])
		}
		i += w
	}
	x.end()
}

// removeClass drops the characters that have any bit of class.
func removeClass(x *text, classes classes, class uint8) {
	x.begin()
	for i := 0; i < len(x.buf); {
		r, w := decode(x.buf, i)
		if classes.of(r)&class == 0 {
			x.put(r, x.align[i])
		}
		i += w
	}
	x.end()
}

type stripAccents struct{ classes classes }

func (stripAccents) local() bool         { return true }
func (n stripAccents) normalize(x *text) { removeClass(x, n.classes, classMark) }

type lowercase struct{}

func (lowercase) local() bool { return true }

func (lowercase) normalize(x *text) {
	x.begin()
	for i := 0; i < len(x.buf); {
		r, w := decode(x.buf, i)
		if r == 0x130 { // the only character whose lower case is two
			x.put('i', x.align[i])
			x.put(0x307, x.align[i])
		} else {
			x.put(lower(r), x.align[i])
		}
		i += w
	}
	x.end()
}

// lower is unicode.ToLower, quicker for the letters of most text, with the pairs that Unicode 16
// and 17 added, which the reference library knows.
func lower(r rune) rune {
	switch {
	case r < 0x80:
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	case r >= 0x430 && r < 0x460, r >= 0x3400 && r < 0xA000: // lower-case Cyrillic, ideographs
		return r
	case r < 0x1C89:
	case r == 0x1C89, r == 0xA7CC, r == 0xA7CE, r == 0xA7D2, r == 0xA7D4, r == 0xA7DA:
		return r + 1
	case r == 0xA7CB:
		return 0x264
	case r == 0xA7DC:
		return 0x19B
	case 0x10D50 <= r && r <= 0x10D65:
		return r + 0x20
	case 0x16EA0 <= r && r <= 0x16EB8:
		return r + 0x1B
	}
	return unicode.ToLower(r)
}

// nmt is the character cleaning of Google's NMT systems.
type nmt struct{}

func (nmt) local() bool { return false }

func (nmt) normalize(x *text) {
	x.begin()
	for i := 0; i < len(x.buf); {
		r, w := decode(x.buf, i)
		switch {
		case r >= 0x1 && r <= 0x8, r == 0xB, r >= 0xE && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
		case r == 0x9, r == 0xA, r == 0xC, r == 0xD, r == 0x1680, r >= 0x200B && r <= 0x200F,
			r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			x.put(' ', x.align[i])
		default:
			x.put(r, x.align[i])
		}
		i += w
	}
	x.end()
}

// strip removes white space from the ends.
type strip struct {
	classes     classes
	left, right bool
}

func (strip) local() bool { return false }

func (n strip) normalize(x *text) {
	from, to := 0, len(x.buf)
	if n.left {
		for from < to {
			r, w := decode(x.buf, from)
			if n.classes.of(r)&classSpace == 0 {
				break
			}
			from += w
		}
	}
	if n.right {
		to = from + len(trimSpaceRight(n.classes, x.buf[from:]))
	}
	x.begin()
	x.nextBuf = append(x.nextBuf, x.buf[from:to]...)
	x.nextAlign = append(x.nextAlign, x.align[from:to]...)
	x.end()
}

// prepend puts a string before a text that is not empty; it has the span of the first character.
type prepend struct{ content string }

func (prepend) local() bool { return false }

func (n prepend) normalize(x *text) {
	if len(x.buf) == 0 {
		return
	}
	x.begin()
	for _, r := range n.content {
		x.put(r, x.align[0])
	}
	x.nextBuf = append(x.nextBuf, x.buf...)
	x.nextAlign = append(x.nextAlign, x.align...)
	x.end()
}

// replace puts content in the place of every match.
type replace struct {
	match   searcher
	content string
}

func (replace) local() bool { return false }

func (n replace) normalize(x *text) {
	a, b := n.match.next(x.buf, 0)
	if a < 0 {
		return
	}
	x.begin()
	from := 0
	for a >= 0 {
		x.nextBuf = append(x.nextBuf, x.buf[from:a]...)
		x.nextAlign = append(x.nextAlign, x.align[from:a]...)
		for _, r := range n.content {
			x.put(r, x.align[b-1])
		}
		from = b
		a, b = n.match.next(x.buf, from)
	}
	x.nextBuf = append(x.nextBuf, x.buf[from:]...)
	x.nextAlign = append(x.nextAlign, x.align[from:]...)
	x.end()
}
