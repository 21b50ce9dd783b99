package tokenizer

import "sync"

// Properties of characters as the reference library's regular expressions and grapheme rule know them;
// testdata/properties.py probes it for every code point.
const (
	propSpace  = 1 << iota // \s
	propLetter             // \p{L}
	propNumber             // \p{N}
	propMark               // \p{M}
	propUpper              // \p{Lu} and \p{Lt}
	propLower              // \p{Ll}
	propJoins              // belongs to the grapheme of the character before it
)

var bmpProperties = sync.OnceValue(func() *[bmpSize]uint8 {
	t := new([bmpSize]uint8)
	spread(t, propertyRuns[:])
	return t
})

// properties looks up the properties of characters, as classes does classes.
type properties struct{ bmp *[bmpSize]uint8 }

func newProperties() properties { return properties{bmpProperties()} }

func (p properties) of(r rune) uint8 {
	if uint32(r) < bmpSize {
		return p.bmp[r]
	}
	return searchRuns(propertyRuns[:], r)
}

// at returns the properties of the character at byte i of s and its width.
func (p properties) at(s []byte, i int) (uint8, int) {
	if c := s[i]; c < 0x80 {
		return p.bmp[c], 1
	}
	r, n := decode(s, i)
	return p.of(r), n
}

// while returns the end of the run of characters from i on that have a property of mask.
func (p properties) while(s []byte, i int, mask uint8) int {
	for i < len(s) {
		k, n := p.at(s, i)
		if k&mask == 0 {
			break
		}
		i += n
	}
	return i
}

// until returns the start of the first character from i on that has a property of mask.
func (p properties) until(s []byte, i int, mask uint8) int {
	for i < len(s) {
		k, n := p.at(s, i)
		if k&mask != 0 {
			break
		}
		i += n
	}
	return i
}
