package weights

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// A scanner reads JSON token by token from text that is known to be UTF-8.
//
// encoding/json's Unmarshal takes a duplicate key (the last wins), a key in the
// wrong case and an array of the wrong length without a word, and its Decoder
// buffers runs of white space of any length. A header's grammar is small, so it
// is read here strictly and without copies. Errors have no file yet.
type scanner struct {
	text []byte
	pos  int
}

// peek skips white space and returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	for i, c := range s.text[s.pos:] {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			s.pos += i
			return c
		}
	}
	s.pos = len(s.text)
	return 0
}

// expect skips white space and the byte c.
func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return s.unexpected("'" + string(rune(c)) + "'")
	}
	s.pos++
	return nil
}

// end checks that nothing but white space is left.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.text) {
		return s.unexpected("the end")
	}
	return nil
}

func (s *scanner) unexpected(want string) error {
	if s.pos >= len(s.text) {
		return fail(ErrJSON, "ends where %s was expected", want)
	}
	return fail(ErrJSON, "byte %d is %q where %s was expected", s.pos, s.text[s.pos], want)
}

// object reads an object; member reads the value of each key in turn.
func (s *scanner) object(member func(key string) error) error {
	return s.list('{', '}', func() error {
		key, err := s.string()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		return member(key)
	})
}

// array reads an array; element reads each of its values.
func (s *scanner) array(element func() error) error {
	return s.list('[', ']', element)
}

// list reads items between first and last, separated by commas.
func (s *scanner) list(first, last byte, item func() error) error {
	if err := s.expect(first); err != nil {
		return err
	}
	if s.peek() == last {
		s.pos++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case last:
			s.pos++
			return nil
		default:
			return s.unexpected("',' or '" + string(rune(last)) + "'")
		}
	}
}

// string reads a string.
func (s *scanner) string() (string, error) {
	quoted, escaped, err := s.quoted()
	if err != nil {
		return "", err
	}
	if !escaped {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var v string
	if err := json.Unmarshal(quoted, &v); err != nil {
		return "", fail(ErrJSON, "string %s: %v", quote(string(quoted)), err)
	}
	// Unmarshal puts U+FFFD for half a surrogate pair, which would make different
	// names equal.
	if strings.Count(v, "\uFFFD") > bytes.Count(quoted, []byte("\uFFFD")) {
		return "", fail(ErrJSON, "string %s: an escape is no character", quote(string(quoted)))
	}
	return v, nil
}

// quoted returns the next string's text with its quotes, and whether there are
// backslashes in it.
func (s *scanner) quoted() (text []byte, escaped bool, err error) {
	if s.peek() != '"' {
		return nil, false, s.unexpected("a string")
	}
	begin := s.pos
	for s.pos++; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return s.text[begin:s.pos], escaped, nil
		case c == '\\':
			escaped = true
			s.pos++
		case c < ' ':
			return nil, false, s.unexpected("a printable character")
		}
	}
	s.pos = len(s.text)
	return nil, false, s.unexpected("the end of a string")
}

// integer reads a number that must be whole, from 0 to 2^63-1, and written so:
// 1.0 and 1e3 are refused, as the reference implementation refuses them.
func (s *scanner) integer() (int64, error) {
	c := s.peek()
	if c != '-' && (c < '0' || c > '9') {
		return 0, s.unexpected("a number")
	}
	rest := s.text[s.pos:]
	n := bytes.IndexFunc(rest, func(r rune) bool {
		return r != '+' && r != '-' && r != '.' && r != 'e' && r != 'E' && (r < '0' || r > '9')
	})
	if n < 0 {
		n = len(rest)
	}
	word := rest[:n]
	leadingZero := len(word) > 1 && word[0] == '0'
	if bytes.ContainsAny(word, "+-.eE") || leadingZero || len(word) > len("9223372036854775807") {
		return 0, fail(ErrNumber, "%s", quote(string(word)))
	}
	v, err := strconv.ParseInt(string(word), 10, 64)
	if err != nil {
		return 0, fail(ErrNumber, "%s", quote(string(word)))
	}
	s.pos += n
	return v, nil
}

// skip reads a value of any kind and forgets it.
func (s *scanner) skip() error {
	s.peek()
	decoder := json.NewDecoder(bytes.NewReader(s.text[s.pos:]))
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return fail(ErrJSON, "value at byte %d: %v", s.pos, err)
	}
	s.pos += int(decoder.InputOffset())
	return nil
}
