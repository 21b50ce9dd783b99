package generate

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// A Stopper looks for stop strings in a text that comes in pieces, and holds
// back what may still become one.
type Stopper struct {
	stops [][]byte
	held  []byte
}

// NewStopper makes a Stopper for some strings, which must be UTF-8 and not empty.
func NewStopper(stops ...string) (*Stopper, error) {
	s := &Stopper{}
	for i, stop := range stops {
		switch {
		case stop == "":
			return nil, errors.New("generate: an empty stop string")
		case !utf8.ValidString(stop):
			return nil, fmt.Errorf("generate: stop string %d is not UTF-8", i+1)
		}
		s.stops = append(s.stops, []byte(stop))
	}
	return s, nil
}

// Append takes the next piece of the text and appends to dst what is safe to
// show: all but a tail with which a stop string may begin. Where the text holds a
// stop string, dst gets what stands before the first one, and found is true:
// nothing may follow.
func (s *Stopper) Append(dst, piece []byte) (_ []byte, found bool) {
	if len(s.stops) == 0 {
		return append(dst, piece...), false
	}
	s.held = append(s.held, piece...)
	text := s.held
	at := -1
	for _, stop := range s.stops {
		if i := bytes.Index(text, stop); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	if at >= 0 {
		dst = append(dst, text[:at]...)
		s.held = s.held[:0]
		return dst, true
	}
	n := s.keep()
	dst = append(dst, text[:len(text)-n]...)
	s.held = append(s.held[:0], text[len(text)-n:]...)
	return dst, false
}

// keep is the length of the longest tail of the held text with which a stop
// string begins.
func (s *Stopper) keep() int {
	longest := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(s.held)); n > longest; n-- {
			if bytes.HasSuffix(s.held, stop[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// Flush appends what was held back, for a text that has ended.
func (s *Stopper) Flush(dst []byte) []byte {
	dst = append(dst, s.held...)
	s.held = s.held[:0]
	return dst
}

// Reset begins another text.
func (s *Stopper) Reset() { s.held = s.held[:0] }
