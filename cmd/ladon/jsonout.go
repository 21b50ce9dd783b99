package main

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Output is written by hand rather than by encoding/json: a line of embed is
// hundreds of numbers, and float32 must print in its own shortest form.

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if b := s[i]; b < utf8.RuneSelf {
			if b >= 0x20 && b != '"' && b != '\\' && b != 0x7f {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch b {
			case '"', '\\':
				dst = append(dst, '\\', b)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + n
		case r == '\u2028' || r == '\u2029':
			// Valid in JSON, yet line ends to readers that split the stream.
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hex[r&15])
			start = i + n
		}
		i += n
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendFloat appends x in the shortest form that reads back as the same
// float32. JSON has no NaN and no infinity: they are errors.
func appendFloat(dst []byte, x float32) ([]byte, error) {
	if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, fmt.Errorf("the result holds %v, which JSON cannot", f)
	}
	return strconv.AppendFloat(dst, float64(x), 'g', -1, 32), nil
}

// appendFloats appends a list of numbers.
func appendFloats(dst []byte, list []float32) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i, x := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendFloat(dst, x); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendInts appends a list of whole numbers.
func appendInts[T ~int | ~int32 | ~uint8](dst []byte, list []T) []byte {
	dst = append(dst, '[')
	for i, x := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(x), 10)
	}
	return append(dst, ']')
}

// appendStrings appends a list of strings.
func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}
