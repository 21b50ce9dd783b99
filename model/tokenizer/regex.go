package tokenizer

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// What \s and \d stand for in Oniguruma, the reference library's engine, within a class of Go's.
const (
	regexSpace = `\t-\r \x{85}\p{Z}`
	regexDigit = `\p{Nd}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{16130}-\x{16139}` + // with Unicode 16
		`\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1e5f1}-\x{1e5fa}`
)

// regexWord is what \w stands for: classWord without the joiners U+200C and U+200D, and outside of brackets, for
// reasons of that engine, with Latin-1's small numbers.
func regexWord(bracket bool) string {
	var out strings.Builder
	if !bracket {
		out.WriteString(`\xb2\xb3\xb9\xbc-\xbe`)
	}
	for i, run := range classRuns {
		lo, hi := run>>8, uint32(utf8.MaxRune)
		if i+1 < len(classRuns) {
			hi = classRuns[i+1]>>8 - 1
		}
		if run&classWord != 0 && lo != 0x200C {
			fmt.Fprintf(&out, `\x{%x}-\x{%x}`, lo, hi)
		}
	}
	return out.String()
}

// regexProperty returns the property that s, what follows a \p, begins with, 0 for one that is not in our table.
func regexProperty(s string) uint8 {
	switch {
	case strings.HasPrefix(s, "{L}"):
		return propLetter
	case strings.HasPrefix(s, "{N}"):
		return propNumber
	case strings.HasPrefix(s, "{M}"):
		return propMark
	case strings.HasPrefix(s, "{Ll}"):
		return propLower
	}
	return 0
}

// withProperty is the inside of a class of all characters that have a property: Go's own tables are of another version
// of Unicode.
func withProperty(property uint8) string {
	var out strings.Builder
	for i, run := range propertyRuns {
		if hi := uint32(utf8.MaxRune); uint8(run)&property != 0 {
			if i+1 < len(propertyRuns) {
				hi = propertyRuns[i+1]>>8 - 1
			}
			fmt.Fprintf(&out, `\x{%x}-\x{%x}`, run>>8, hi)
		}
	}
	return out.String()
}

// compileRegex translates a regular expression of the reference library into Go's. Expressions that could mean
// something else there are refused rather than approximated: anchors, look-around, back-references, class arithmetic.
func compileRegex(source string) (*regexp.Regexp, error) {
	translated, err := translateRegex(source)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(translated)
	if err != nil {
		why := "it does not compile"
		if e := (*syntax.Error)(nil); errors.As(err, &e) { // whose text would show the translation
			why = e.Code.String()
		}
		return nil, fmt.Errorf("regular expression %s is %w: %s", quote(source), ErrUnsupported, why)
	}
	if re.MatchString("") {
		return nil, fmt.Errorf("regular expression %s, which matches nothing at all, is %w", quote(source), ErrUnsupported)
	}
	return re, nil
}

func translateRegex(source string) (string, error) {
	refuse := func(what string) (string, error) {
		return "", fmt.Errorf("regular expression %s is %w: %s", quote(source), ErrUnsupported, what)
	}
	var out strings.Builder
	class, inner := false, 0
	for i := 0; i < len(source); i++ {
		c := source[i]
		switch {
		case c == '\\':
			if i++; i == len(source) {
				return refuse("it ends in a backslash")
			}
			switch c := source[i]; {
			case c == 'w':
				writeClass(&out, regexWord(class), false, class)
			case c == 's':
				writeClass(&out, regexSpace, false, class)
			case c == 'd':
				writeClass(&out, regexDigit, false, class)
			case c == 'W' && !class:
				writeClass(&out, regexWord(class), true, class)
			case c == 'S' && !class:
				writeClass(&out, regexSpace, true, class)
			case c == 'D' && !class:
				writeClass(&out, regexDigit, true, class)
			case c == 'p' && regexProperty(source[i+1:]) != 0:
				writeClass(&out, withProperty(regexProperty(source[i+1:])), false, class)
				i += strings.IndexByte(source[i:], '}')
			case strings.IndexByte("pPtnrf", c) >= 0, c < 0x80 && strings.IndexByte(`!"#$%&'()*+,-./:;<=>?@[\]^_{|}~`+"`", c) >= 0:
				out.WriteByte('\\')
				out.WriteByte(c)
			default:
				return refuse(`the escape \` + string(rune(c)))
			}
		case class && c == '[' && !strings.HasPrefix(source[i+1:], "^") && !strings.HasPrefix(source[i+1:], "]") &&
			!strings.HasPrefix(source[i+1:], ":"):
			inner++ // a union: what is in it is in the outer class
		case class && c == ']' && inner > 0:
			inner--
		case class && (c == '[' || c == '&'):
			return refuse("a class within a class")
		case !class && (c == '^' || c == '$'):
			return refuse("an anchor")
		case !class && c == '(' && strings.HasPrefix(source[i+1:], "?") && !strings.HasPrefix(source[i+1:], "?:"):
			return refuse("a group that begins with (?")
		default:
			if c == '[' {
				class = true
				if strings.HasPrefix(source[i+1:], "^") {
					out.WriteByte(c)
					i++
					c = '^'
				}
				if strings.HasPrefix(source[i+1:], "]") {
					return refuse("an empty class")
				}
			} else if c == ']' {
				class = false
			}
			out.WriteByte(c)
		}
	}
	return out.String(), nil
}

// writeClass writes a class, or its inside where a class is open.
func writeClass(out *strings.Builder, inside string, negated, open bool) {
	if open {
		out.WriteString(inside)
		return
	}
	out.WriteByte('[')
	if negated {
		out.WriteByte('^')
	}
	out.WriteString(inside)
	out.WriteByte(']')
}
