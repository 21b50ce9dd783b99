package attnview

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Label makes a token readable: the part of the text that it stands for where
// there is one, else the vocabulary's token. White space becomes visible, and
// what does not print, or would change the direction of what stands beside it,
// its code.
func Label(token, surface string) string {
	s := token
	if surface != "" && utf8.ValidString(surface) {
		s = surface
		if trimmed := strings.TrimSpace(s); trimmed != "" {
			s = trimmed
		}
	}
	if s == "" {
		return "␀"
	}
	return visible(s, spaces)
}

// spaces are how white space is shown in a label.
var spaces = map[rune]string{' ': "␣", '\n': "↵", '\t': "⇥"}

// visible replaces what known names, and by their codes runes that do not print:
// among them those that change the direction of all that follows.
func visible(s string, known map[rune]string) string {
	var b strings.Builder
	for _, r := range s {
		to, ok := known[r]
		switch {
		case ok:
			b.WriteString(to)
		case unicode.IsPrint(r) && r != utf8.RuneError:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

// joint stands before the label of a token that goes on with a word.
const joint = "…"

// shown is the label as it stands alone, at most n runes long.
func (t *Token) shown(n int) string {
	s := t.Label
	if t.Joined {
		s = joint + s
	}
	return cutRunes(s, n)
}
