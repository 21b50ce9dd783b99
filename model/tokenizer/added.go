package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// AddedToken is a token that is found in the text before the model sees it.
type AddedToken struct {
	ID      int32
	Content string
	Special bool // left out by Decode when asked to

	SingleWord bool // matches only where no word character touches it
	LStrip     bool // takes the white space before it along
	RStrip     bool // takes the white space after it along
	Normalized bool // is sought in the normalized text, by its own normalized form
}

// matcher finds the leftmost, longest of a set of tokens.
type matcher struct {
	patterns []string // sorted
	tokens   []*AddedToken
	first    [256]bool
	only     int // the one byte that all patterns begin with, or -1
}

// newMatcher takes patterns in the order of their tokens; of equal patterns the first counts.
func newMatcher(patterns []string, tokens []*AddedToken) *matcher {
	if len(patterns) == 0 {
		return nil
	}
	order := make([]int, len(patterns))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(patterns[a], patterns[b]) })
	m := &matcher{only: int(patterns[0][0])}
	for i, k := range order {
		if i > 0 && patterns[k] == m.patterns[len(m.patterns)-1] {
			continue
		}
		m.patterns = append(m.patterns, patterns[k])
		m.tokens = append(m.tokens, tokens[k])
		m.first[patterns[k][0]] = true
		if int(patterns[k][0]) != m.only {
			m.only = -1
		}
	}
	return m
}

// longestAt returns the longest pattern that s has at byte i, or -1.
func (m *matcher) longestAt(s string, i int) int {
	lo, hi, found := 0, len(m.patterns), -1
	for depth := 0; lo < hi; depth++ {
		if len(m.patterns[lo]) == depth { // sorted: the shortest of those with this prefix
			found = lo
			if lo++; lo == hi {
				break
			}
		}
		if i+depth >= len(s) {
			break
		}
		c := s[i+depth]
		a, b := lo, hi
		for a < b {
			if mid := int(uint(a+b) >> 1); m.patterns[mid][depth] < c {
				a = mid + 1
			} else {
				b = mid
			}
		}
		lo, b = a, hi
		for a < b {
			if mid := int(uint(a+b) >> 1); m.patterns[mid][depth] <= c {
				a = mid + 1
			} else {
				b = mid
			}
		}
		hi = a
	}
	return found
}

// next returns the first match at or after byte from, or -1.
func (m *matcher) next(s string, from int) (at, pattern int) {
	for i := from; i < len(s); i++ {
		if m.only >= 0 {
			k := strings.IndexByte(s[i:], byte(m.only))
			if k < 0 {
				break
			}
			i += k
		}
		if m.first[s[i]] {
			if p := m.longestAt(s, i); p >= 0 {
				return i, p
			}
		}
	}
	return -1, -1
}

// finder walks over a text from added token to added token.
type finder struct {
	m       *matcher
	classes classes
	s       string
	literal bool // what spells a special token is text
	search  int  // where to look for the next token
	done    int  // end of what has been returned
	held    part
	holding bool
}

// next returns the following stretch of plain text or token, false at the end. Stretches cover the text in order.
func (f *finder) next() (part, bool) {
	if f.holding {
		f.holding = false
		f.done = f.held.b
		return f.held, true
	}
	for f.m != nil {
		a, p := f.m.next(f.s, f.search)
		if a < 0 {
			break
		}
		token, b := f.m.tokens[p], a+len(f.m.patterns[p])
		f.search = b
		if f.literal && token.Special {
			continue
		}
		if token.SingleWord && (f.wordBefore(a) || f.wordAfter(b)) {
			continue
		}
		if token.LStrip {
			a = max(f.done, f.spaceBefore(a))
		}
		if token.RStrip {
			b = f.spaceAfter(b)
		}
		if a >= b {
			continue // nothing but white space that the token before has taken
		}
		if f.done < a {
			f.held, f.holding = part{a, b, token}, true
			return part{f.done, a, nil}, true
		}
		f.done = b
		return part{a, b, token}, true
	}
	if f.done < len(f.s) {
		a := f.done
		f.done, f.search = len(f.s), len(f.s)
		return part{a, len(f.s), nil}, true
	}
	return part{}, false
}

func (f *finder) wordBefore(i int) bool {
	r, n := utf8.DecodeLastRuneInString(f.s[:i])
	return n > 0 && f.classes.of(r)&classWord != 0
}

func (f *finder) wordAfter(i int) bool {
	r, n := utf8.DecodeRuneInString(f.s[i:])
	return n > 0 && f.classes.of(r)&classWord != 0
}

func (f *finder) spaceBefore(i int) int {
	for i > 0 {
		r, n := utf8.DecodeLastRuneInString(f.s[:i])
		if f.classes.of(r)&classSpace == 0 {
			break
		}
		i -= n
	}
	return i
}

func (f *finder) spaceAfter(i int) int {
	for i < len(f.s) {
		r, n := utf8.DecodeRuneInString(f.s[i:])
		if f.classes.of(r)&classSpace == 0 {
			break
		}
		i += n
	}
	return i
}

// trimSpaceRight returns b without the white space at its end.
func trimSpaceRight(classes classes, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeLastRune(b)
		if classes.of(r)&classSpace == 0 {
			break
		}
		b = b[:len(b)-n]
	}
	return b
}
