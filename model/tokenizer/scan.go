package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON by hand. A vocabulary is one object of tens of thousands of members, which encoding/json would turn
// into as many map entries; everything small is left to encoding/json.
type scanner struct {
	data []byte // valid UTF-8
	pos  int
	buf  []byte // of the last string with escapes
}

// maxDepth of nested values is far above what any tokenizer has.
const maxDepth = 64

var errTruncated = errors.New("unexpected end of JSON")

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("at byte %d: %w", s.pos, fmt.Errorf(format, args...))
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is not white space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

func (s *scanner) expect(c byte) error {
	got := s.peek()
	if got == 0 && s.pos == len(s.data) {
		return errTruncated
	}
	if got != c {
		return s.errorf("%q where %q is expected", got, c)
	}
	s.pos++
	return nil
}

// object calls f with each key; f must read the value. The key is valid until f reads on.
func (s *scanner) object(f func(key []byte) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		key, err := s.str()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
		if s.peek() == '}' {
			s.pos++
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

// array calls f with the index of each element; f must read the element.
func (s *scanner) array(f func(i int) error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		if err := f(i); err != nil {
			return err
		}
		if s.peek() == ']' {
			s.pos++
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

// str reads a string. The result is valid until the next call.
func (s *scanner) str() ([]byte, error) {
	if err := s.expect('"'); err != nil {
		return nil, err
	}
	start := s.pos
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return s.data[start : s.pos-1], nil
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return nil, s.errorf("control character %q in a string", c)
		}
	}
	return nil, errTruncated
}

// escaped goes on with a string that has an escape at s.pos.
func (s *scanner) escaped(start int) ([]byte, error) {
	s.buf = append(s.buf[:0], s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		s.pos++
		switch {
		case c == '"':
			return s.buf, nil
		case c < ' ':
			return nil, s.errorf("control character %q in a string", c)
		case c != '\\':
			s.buf = append(s.buf, c)
			continue
		}
		if s.pos == len(s.data) {
			break
		}
		c = s.data[s.pos]
		s.pos++
		switch c {
		case '"', '\\', '/':
			s.buf = append(s.buf, c)
		case 'b':
			s.buf = append(s.buf, '\b')
		case 'f':
			s.buf = append(s.buf, '\f')
		case 'n':
			s.buf = append(s.buf, '\n')
		case 'r':
			s.buf = append(s.buf, '\r')
		case 't':
			s.buf = append(s.buf, '\t')
		case 'u':
			r, ok := s.hex4()
			if ok && utf16.IsSurrogate(r) {
				low := rune(0)
				if bytes.HasPrefix(s.data[s.pos:], []byte(`\u`)) {
					s.pos += 2
					low, ok = s.hex4()
				}
				r = utf16.DecodeRune(r, low)
				ok = ok && r != utf8.RuneError
			}
			if !ok {
				return nil, s.errorf("bad \\u escape")
			}
			s.buf = utf8.AppendRune(s.buf, r)
		default:
			return nil, s.errorf("bad escape \\%c", c)
		}
	}
	return nil, errTruncated
}

func (s *scanner) hex4() (rune, bool) {
	if s.pos+4 > len(s.data) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.data[s.pos:s.pos+4]), 16, 32)
	s.pos += 4
	return rune(n), err == nil
}

// id reads a number that is whole and not negative.
func (s *scanner) id() (int64, error) {
	s.space()
	start, n := s.pos, int64(0)
	for ; s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9'; s.pos++ {
		if n > (math.MaxInt64-9)/10 {
			return 0, s.errorf("a number beyond 2^63")
		}
		n = n*10 + int64(s.data[s.pos]-'0')
	}
	if s.pos == start {
		return 0, s.errorf("not an id")
	}
	if s.pos < len(s.data) && (s.data[s.pos] == '.' || s.data[s.pos] == 'e' || s.data[s.pos] == 'E') {
		return 0, s.errorf("an id that is not whole")
	}
	return n, nil
}

// value skips a value of any kind and returns its bytes. It checks the nesting, not the rest.
func (s *scanner) value() ([]byte, error) {
	s.space()
	start, depth := s.pos, 0
	for {
		switch c := s.peek(); c {
		case 0:
			return nil, errTruncated
		case '{', '[':
			if depth++; depth > maxDepth {
				return nil, s.errorf("values nested more than %d deep", maxDepth)
			}
			s.pos++
		case '}', ']':
			if depth--; depth < 0 {
				return nil, s.errorf("%q where a value is expected", c)
			}
			s.pos++
		case ',', ':':
			if depth == 0 {
				return nil, s.errorf("%q where a value is expected", c)
			}
			s.pos++
			continue
		case '"':
			if _, err := s.str(); err != nil {
				return nil, err
			}
		default:
			n := bytes.IndexAny(s.data[s.pos:], " \t\r\n,:]}[{\"")
			if n < 0 {
				n = len(s.data) - s.pos
			}
			if n == 0 {
				return nil, s.errorf("unexpected %q", c)
			}
			s.pos += n
		}
		if depth == 0 {
			return s.data[start:s.pos], nil
		}
	}
}
