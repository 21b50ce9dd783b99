package tokenizer

import (
	"bytes"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/text/unicode/norm"
)

// pieceNormalizer is SentencePiece's: the longest strings that its map has are replaced, blanks become U+2581, and one
// goes before the text.
type pieceNormalizer struct {
	charsmap     *precompiled // nil: characters stay what they are
	user         *matcher     // strings that stay as they are, blanks excepted; nil for none
	scheme       prependScheme
	removeSpaces bool // blanks at the ends go, and all but one in a row
	codes        bool // a text may begin with a code such as >>fra<<, which is no text
}

func (n *pieceNormalizer) local() bool { return false }

func (n *pieceNormalizer) normalize(x *text) {
	x.begin()
	from := 0
	if n.codes {
		from = languageCode(x.buf)
		x.nextBuf = append(x.nextBuf, x.buf[:from]...)
		x.nextAlign = append(x.nextAlign, x.align[:from]...)
	}
	n.rest(x, from)
	x.end()
}

// languageCode returns the length of a code such as >>fra<< that s begins with, 0 if there is none.
func languageCode(s []byte) int {
	if !bytes.HasPrefix(s, []byte(">>")) {
		return 0
	}
	if end := bytes.Index(s, []byte("<<")); end >= 0 {
		return end + 2
	}
	return 0
}

// rest appends the normal form of x.buf from byte i on.
func (n *pieceNormalizer) rest(x *text, i int) {
	first := i == len(x.buf) || x.align[i].Start == 0
	// A text that goes on after a special token keeps a blank before it where it does not get one.
	blank := n.removeSpaces && (first || n.scheme != prependFirst)
	if blank {
		for i < len(x.buf) {
			to, w := n.next(x.buf, i)
			if string(to) != " " {
				break
			}
			i += w
		}
	}
	if i == len(x.buf) {
		return
	}
	base := len(x.nextBuf)
	if n.scheme == prependAlways || n.scheme == prependFirst && first {
		x.put(metaspaceRune, x.align[i])
	}
	for i < len(x.buf) {
		to, w := n.next(x.buf, i)
		span := Span{x.align[i].Start, x.align[i+w-1].End}
		for blank && len(to) > 0 && to[0] == ' ' {
			to = to[1:]
		}
		for k := 0; k < len(to); {
			r, size := decode(to, k)
			if r == ' ' {
				r = metaspaceRune
			}
			x.put(r, span)
			k += size
		}
		if len(to) > 0 {
			blank = n.removeSpaces && to[len(to)-1] == ' '
		}
		i += w
	}
	if n.removeSpaces {
		for len(x.nextBuf) > base && bytes.HasSuffix(x.nextBuf, []byte(metaspace)) {
			x.nextBuf = x.nextBuf[:len(x.nextBuf)-len(metaspace)]
		}
		x.nextAlign = x.nextAlign[:len(x.nextBuf)]
	}
}

// stripCombining drops the characters with a combining class, of which not all marks are.
type stripCombining struct{}

func (stripCombining) local() bool { return true }

func (stripCombining) normalize(x *text) {
	x.begin()
	for i := 0; i < len(x.buf); {
		r, w := decode(x.buf, i)
		if r < 0x300 || norm.NFKD.Properties(x.buf[i:]).CCC() == 0 {
			x.put(r, x.align[i])
		}
		i += w
	}
	x.end()
}

// metaspaceRune is the character of metaspace.
const metaspaceRune = '\u2581'

// next returns what becomes of the w bytes that s has at i.
func (n *pieceNormalizer) next(s []byte, i int) (to []byte, w int) {
	if n.user != nil {
		if p := n.user.longestAt(unsafe.String(unsafe.SliceData(s), len(s)), i); p >= 0 {
			w = len(n.user.patterns[p])
			return s[i : i+w], w
		}
	}
	if n.charsmap != nil {
		if to, w = n.charsmap.longest(s[i:]); w > 0 {
			return to, w
		}
	}
	_, w = decode(s, i)
	return s[i : i+w], w
}

// maxMapped is more bytes than the strings of a map have; a map that goes in circles is followed no further.
const maxMapped = 1 << 10

// longest returns what the longest beginning of s that the map has is replaced by, and its length, 0 for none.
func (n *precompiled) longest(s []byte) (to []byte, length int) {
	offset := func(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
	node := offset(n.units[0])
	for i, c := range s[:min(len(s), maxMapped)] {
		node ^= uint32(c)
		if c == 0 || int64(node) >= int64(len(n.units)) {
			break
		}
		u := n.units[node]
		if u&(1<<31|0xFF) != uint32(c) {
			break
		}
		node ^= offset(u)
		if u>>8&1 == 0 {
			continue
		}
		if int64(node) >= int64(len(n.units)) {
			break
		}
		at := int64(n.units[node] & (1<<31 - 1))
		// A map that cuts characters, which none that SentencePiece wrote does, is not followed.
		if at > int64(len(n.strings)) || i+1 < len(s) && !utf8.RuneStart(s[i+1]) || at < int64(len(n.strings)) && !utf8.RuneStart(n.strings[at]) {
			break
		}
		to, length = n.strings[at:], i+1
	}
	if end := bytes.IndexByte(to, 0); end >= 0 {
		to = to[:end]
	}
	return to, length
}
