package tokenizer

import "unicode/utf8"

// appendLossy appends bytes as text: every maximal part of a character that is not whole, and every byte that begins
// none, becomes one U+FFFD, as the Unicode Standard recommends (section 3.9, "U+FFFD Substitution").
func appendLossy(dst, s []byte) []byte {
	for len(s) > 0 {
		if s[0] < utf8.RuneSelf {
			dst = append(dst, s[0])
			s = s[1:]
			continue
		}
		r, n := utf8.DecodeRune(s)
		if r != utf8.RuneError || n > 1 {
			dst = append(dst, s[:n]...)
		} else {
			dst = append(dst, "\uFFFD"...)
			n = brokenLen(s)
		}
		s = s[n:]
	}
	return dst
}

// brokenLen is the length of the maximal part of a character that s, which begins with no whole one, begins with.
func brokenLen(s []byte) int {
	n := 1
	for n < len(s) && !utf8.FullRune(s[:n+1]) {
		n++
	}
	return n
}

// incompleteTail is the number of bytes at the end of s that may become a character with more to come.
func incompleteTail(s []byte) int {
	for n := 1; n <= min(3, len(s)); n++ {
		if c := s[len(s)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(s[len(s)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}
