package tokenizer

import "sync"

// Character classes as the reference library draws them; testdata/classes.py probes it for every code point.
const (
	classSpace   = 1 << iota // White_Space
	classWord                // \w of its regular expressions: letters, marks, decimal digits, connectors
	classPunct               // ASCII symbols and the Unicode categories P*
	classDigit               // numeric: Nd, Nl, No
	classControl             // what BERT's cleaning drops: Cc, Cf, Co, U+0000, U+FFFD, but not tab, LF and CR
	classMn                  // nonspacing marks, which BERT's accent stripping drops
	classMark                // all combining marks, which StripAccents drops
	classNorm                // known to its normalization data, which are older than ours
)

const bmpSize = 0x10000

// bmpClasses spreads classRuns over the Basic Multilingual Plane: one byte for each code point, made on first use.
var bmpClasses = sync.OnceValue(func() *[bmpSize]uint8 {
	t := new([bmpSize]uint8)
	spread(t, classRuns[:])
	return t
})

// spread fills t with the values of runs: code point<<8 | value at every place where the value changes.
func spread(t *[bmpSize]uint8, runs []uint32) {
	for i, run := range runs {
		end := uint32(bmpSize)
		if i+1 < len(runs) {
			end = min(end, runs[i+1]>>8)
		}
		for c := run >> 8; c < end; c++ {
			t[c] = uint8(run)
		}
	}
}

// classes looks up character classes. It is held by value so that the table is found without synchronization.
type classes struct{ bmp *[bmpSize]uint8 }

func newClasses() classes { return classes{bmpClasses()} }

func (t classes) of(r rune) uint8 {
	if uint32(r) < bmpSize {
		return t.bmp[r]
	}
	return searchRuns(classRuns[:], r)
}

// searchRuns returns the value of the last run that starts at or before r.
func searchRuns(runs []uint32, r rune) uint8 {
	lo, hi := 0, len(runs)
	for hi-lo > 1 {
		mid := int(uint(lo+hi) >> 1)
		if rune(runs[mid]>>8) <= r {
			lo = mid
		} else {
			hi = mid
		}
	}
	return uint8(runs[lo])
}

// isCJK is BERT's test for an ideograph that becomes a word of its own.
func isCJK(r rune) bool {
	switch {
	case r < 0x3400:
		return false
	case r <= 0x4DBF, r >= 0x4E00 && r <= 0x9FFF, r >= 0xF900 && r <= 0xFAFF:
		return true
	case r < 0x20000:
		return false
	}
	return r <= 0x2A6DF || r >= 0x2A700 && r <= 0x2B81F || r >= 0x2B920 && r <= 0x2CEAF || r >= 0x2F800 && r <= 0x2FA1F
}
