package tokenizer

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizeForm is one of Unicode's normalization forms, https://unicode.org/reports/tr15/.
//
// x/text has the data, but not the spans; and the reference library's data are those of Unicode 9, so characters that
// it does not know (no classNorm) are left alone here too. Text that is already normal, most text, is not touched.
type normalizeForm uint8

const (
	formNFC normalizeForm = iota
	formNFD
	formNFKC
	formNFKD
)

// A composing form is not local: what follows "=" may turn it into "≠", which is no punctuation.
func (f normalizeForm) local() bool { return f == formNFD || f == formNFKD }

func (f normalizeForm) data() norm.Form {
	return [...]norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD}[f]
}

func (f normalizeForm) normalize(x *text) {
	if f.data().QuickSpan(x.buf) == len(x.buf) {
		return
	}
	decomposed := norm.NFD
	if f == formNFKC || f == formNFKD {
		decomposed = norm.NFKD
	}
	decompose(x, decomposed)
	if f == formNFC || f == formNFKC {
		compose(x)
	}
	x.apply()
}

// decompose fills x.changes with the decomposition of the text in canonical order.
func decompose(x *text, form norm.Form) {
	classes := newClasses()
	x.changes = x.changes[:0]
	run := 0 // where the marks since the last starter begin
	put := func(r rune, n int32) {
		class := combiningClass(classes, r)
		if class == 0 {
			x.sortMarks(run)
			run = len(x.changes) + 1
		}
		x.changes = append(x.changes, change{r, n, class})
	}
	for i := 0; i < len(x.buf); {
		r, w := decode(x.buf, i)
		switch {
		case r >= hangulBase && r < hangulEnd:
			for k, jamo := range decomposeHangul(r) {
				if jamo != 0 {
					put(jamo, min(int32(k), 1))
				}
			}
		case classes.of(r)&classNorm != 0:
			d := form.Properties(x.buf[i:]).Decomposition()
			if d == nil {
				put(r, 0)
			}
			for j := 0; j < len(d); {
				c, n := decode(d, j)
				put(c, min(int32(j), 1))
				j += n
			}
		default:
			put(r, 0)
		}
		i += w
	}
	x.sortMarks(run)
}

// sortMarks puts the changes from start on, all marks, into canonical order: a stable sort by combining class, in
// linear time because a text may be nothing but marks.
func (x *text) sortMarks(start int) {
	if len(x.changes)-start < 2 {
		return
	}
	run := x.changes[start:]
	if len(run) <= 16 {
		for i := range run {
			for j := i; j > 0 && run[j].class < run[j-1].class; j-- {
				run[j], run[j-1] = run[j-1], run[j]
			}
		}
		return
	}
	var at [256]int // where the next mark of a class goes
	for _, c := range run {
		at[c.class]++
	}
	sum := 0
	for i, n := range at {
		at[i] = sum
		sum += n
	}
	x.sorted = append(x.sorted[:0], run...)
	for _, c := range x.sorted {
		run[at[c.class]] = c
		at[c.class]++
	}
}

func combiningClass(classes classes, r rune) uint8 {
	if r < 0x300 || classes.of(r)&classNorm == 0 {
		return 0
	}
	return norm.NFD.PropertiesString(string(r)).CCC()
}

// compose composes the decomposed x.changes in place. A composite stands for its parts: the counts of both add up, and
// one character fewer is left.
func compose(x *text) {
	out := x.changes[:0]
	starter := -1 // index in out of the last starter
	last := -1    // combining class of what was kept since, -1 for nothing
	for _, c := range x.changes {
		class := int(c.class)
		if starter >= 0 && (last < class || last < 0) {
			if r, ok := composePair(out[starter].r, c.r); ok {
				out[starter] = change{r, out[starter].n + c.n - 1, 0}
				continue
			}
		}
		if class == 0 {
			starter, last = len(out), -1
		} else if starter >= 0 {
			last = class
		}
		out = append(out, c)
	}
	x.changes = out
}

const (
	hangulBase, hangulEnd              = 0xAC00, 0xAC00 + 11172
	jamoLBase, jamoVBase, jamoTBase    = 0x1100, 0x1161, 0x11A7
	jamoLCount, jamoVCount, jamoTCount = 19, 21, 28
)

// decomposeHangul returns the two or three parts of a syllable; the third may be 0.
func decomposeHangul(r rune) [3]rune {
	s := r - hangulBase
	parts := [3]rune{jamoLBase + s/(jamoVCount*jamoTCount), jamoVBase + s/jamoTCount%jamoVCount}
	if t := s % jamoTCount; t != 0 {
		parts[2] = jamoTBase + t
	}
	return parts
}

// composePair returns the primary composite of a and b, if there is one that the reference library knows.
func composePair(a, b rune) (rune, bool) {
	switch {
	case b < 0x300:
		return 0, false
	case b >= jamoVBase && b < jamoVBase+jamoVCount && a >= jamoLBase && a < jamoLBase+jamoLCount:
		return hangulBase + ((a-jamoLBase)*jamoVCount+b-jamoVBase)*jamoTCount, true
	case b > jamoTBase && b < jamoTBase+jamoTCount && a >= hangulBase && a < hangulEnd && (a-hangulBase)%jamoTCount == 0:
		return a + b - jamoTBase, true
	}
	r, ok := composites()[[2]rune{a, b}]
	return r, ok
}

// composites turns the decompositions of x/text around, which itself composes whole strings only. Hangul is left out.
var composites = sync.OnceValue(func() map[[2]rune]rune {
	m := make(map[[2]rune]rune, 1000)
	for i, run := range classRuns[:len(classRuns)-1] {
		for c := rune(run >> 8); run&classNorm != 0 && c < rune(classRuns[i+1]>>8); c++ {
			d := norm.NFD.PropertiesString(string(c)).Decomposition()
			if d == nil || !norm.NFC.IsNormalString(string(c)) {
				continue // not decomposed, or never composed again
			}
			last, n := utf8.DecodeLastRune(d)
			first := []rune(norm.NFC.String(string(d[:len(d)-n])))
			if len(first) == 1 {
				m[[2]rune{first[0], last}] = c
			}
		}
	}
	return m
})
