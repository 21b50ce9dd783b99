package tokenizer

import (
	"bytes"
	"regexp"
)

// searcher finds the stretches that a text is split at, or that are replaced.
type searcher interface {
	// next returns the first match in s at or after from that is not empty, or -1.
	next(s []byte, from int) (a, b int)
}

// literal finds a string.
type literal []byte

func (f literal) next(s []byte, from int) (int, int) {
	i := bytes.Index(s[from:], f)
	if i < 0 {
		return -1, -1
	}
	return from + i, from + i + len(f)
}

// expression finds what a regular expression matches, by Go's engine: in linear time.
type expression struct{ *regexp.Regexp }

func (f expression) next(s []byte, from int) (int, int) {
	loc := f.FindIndex(s[from:])
	if loc == nil {
		return -1, -1
	}
	return from + loc[0], from + loc[1]
}

// The patterns that byte-level tokenizers split text with, each as a scanner by hand: they look ahead, which Go's
// regular expressions cannot, and they are where the time goes. A pattern is recognized by its exact text.
const (
	patternGPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

	patternCL100K = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternQwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternQwen35 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternCL100P = `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`

	patternO200K = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?` +
		`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?` +
		`|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternTekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` +
		`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` +
		`|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`

	patternNumber = `\p{N}`

	patternCLIP = `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`
)

// scannerOf returns the scanner of a pattern, nil for one that has none.
func scannerOf(pattern string) searcher {
	p := newProperties()
	switch pattern {
	case patternGPT2:
		return scanGPT2{p}
	case patternCL100K, patternCL100P:
		return scanCL100K{p, 3, propLetter}
	case patternQwen2:
		return scanCL100K{p, 1, propLetter}
	case patternQwen35:
		return scanCL100K{p, 1, propLetter | propMark}
	case patternO200K:
		return scanO200K{p, 3, true}
	case patternTekken:
		return scanO200K{p, 1, false}
	case patternNumber:
		return scanNumber{p}
	case patternCLIP:
		return scanCLIP{p}
	}
	return nil
}

const propWordy = propLetter | propNumber

// contraction returns the end of an English clitic with its apostrophe at i, or i.
func contraction(s []byte, i int) int {
	if i+1 >= len(s) || s[i] != '\'' {
		return i
	}
	switch s[i+1] {
	case 's', 't', 'm', 'd':
		return i + 2
	case 'r', 'v':
		if i+2 < len(s) && s[i+2] == 'e' {
			return i + 3
		}
	case 'l':
		if i+2 < len(s) && s[i+2] == 'l' {
			return i + 3
		}
	}
	return i
}

// contractionFold is contraction for letters of both cases, of which the long s is one.
func contractionFold(s []byte, i int) int {
	if i+1 >= len(s) || s[i] != '\'' {
		return i
	}
	switch s[i+1] | 0x20 {
	case 's', 't', 'm', 'd':
		return i + 2
	case 'r', 'v':
		if i+2 < len(s) && s[i+2]|0x20 == 'e' {
			return i + 3
		}
	case 'l':
		if i+2 < len(s) && s[i+2]|0x20 == 'l' {
			return i + 3
		}
	}
	if i+2 < len(s) && s[i+1] == 0xC5 && s[i+2] == 0xBF {
		return i + 3
	}
	return i
}

// spaces matches white space at i: all of it where the text ends, otherwise without its last character, which belongs
// to what follows, unless it is the only one: \s+(?!\S)|\s+. With lines, white space up to its last line break is
// preferred: \s*[\r\n]+.
func (p properties) spaces(s []byte, i int, lines bool) int {
	last, line := i, -1
	j := i
	for j < len(s) {
		k, n := p.at(s, j)
		if k&propSpace == 0 {
			break
		}
		if s[j] == '\r' || s[j] == '\n' {
			line = j + 1
		}
		last = j
		j += n
	}
	switch {
	case lines && line >= 0:
		return line
	case j < len(s) && last > i:
		return last
	}
	return j
}

// numbers returns the end of at most limit numeric characters from i on.
func (p properties) numbers(s []byte, i, limit int) int {
	for ; limit > 0 && i < len(s); limit-- {
		k, n := p.at(s, i)
		if k&propNumber == 0 {
			break
		}
		i += n
	}
	return i
}

// scanGPT2 is patternGPT2. Every character is part of a match.
type scanGPT2 struct{ p properties }

func (f scanGPT2) next(s []byte, i int) (int, int) {
	if i >= len(s) {
		return -1, -1
	}
	if j := contraction(s, i); j > i {
		return i, j
	}
	k, n := f.p.at(s, i)
	j := i
	if s[i] == ' ' && i+1 < len(s) {
		if next, m := f.p.at(s, i+1); next&propSpace == 0 {
			k, j, n = next, i+1, m
		}
	}
	switch {
	case k&propLetter != 0:
		return i, f.p.while(s, j+n, propLetter)
	case k&propNumber != 0:
		return i, f.p.while(s, j+n, propNumber)
	case k&propSpace == 0:
		return i, f.p.until(s, j+n, propWordy|propSpace)
	}
	return i, f.p.spaces(s, i, false)
}

// scanCL100K is the pattern of cl100k and Llama 3, with at most digits numeric characters in a word, and Qwen's, with
// one, and in its later form with words of letters and marks.
type scanCL100K struct {
	p      properties
	digits int
	word   uint8
}

func (f scanCL100K) next(s []byte, i int) (int, int) {
	if i >= len(s) {
		return -1, -1
	}
	if j := contractionFold(s, i); j > i {
		return i, j
	}
	k, n := f.p.at(s, i)
	switch {
	case k&f.word != 0:
		return i, f.p.while(s, i+n, f.word)
	case k&propNumber != 0:
		return i, f.p.numbers(s, i, f.digits)
	}
	if i+n < len(s) && s[i] != '\r' && s[i] != '\n' {
		next, m := f.p.at(s, i+n)
		if next&f.word != 0 {
			return i, f.p.while(s, i+n+m, f.word)
		}
		if s[i] == ' ' && next&(f.word|propNumber|propSpace) == 0 {
			k, n = next, n+m
		}
	}
	if k&propSpace == 0 {
		j := f.p.until(s, i+n, f.word|propNumber|propSpace)
		for j < len(s) && (s[j] == '\r' || s[j] == '\n') {
			j++
		}
		return i, j
	}
	return i, f.p.spaces(s, i, true)
}

// scanO200K is the pattern of o200k, which also parts words before a capital, and Mistral's Tekken, which knows no
// contractions.
type scanO200K struct {
	p            properties
	digits       int
	contractions bool
}

func (f scanO200K) next(s []byte, i int) (int, int) {
	if i >= len(s) {
		return -1, -1
	}
	k, n := f.p.at(s, i)
	start := i
	if k&propWordy == 0 && s[i] != '\r' && s[i] != '\n' {
		start += n
	}
	// With the character before the word and without, which differ where that is a mark.
	for _, word := range [...]func(s []byte, i int) int{f.capitalized, f.capitals} {
		if j := word(s, start); j > start {
			return i, f.clitic(s, j)
		}
		if j := word(s, i); start > i && j > i {
			return i, f.clitic(s, j)
		}
	}
	if k&propNumber != 0 {
		return i, f.p.numbers(s, i, f.digits)
	}
	if s[i] == ' ' && i+1 < len(s) {
		if next, m := f.p.at(s, i+1); next&(propWordy|propSpace) == 0 {
			k, n = next, n+m
		}
	}
	if k&propSpace == 0 {
		j := f.p.until(s, i+n, propWordy|propSpace)
		for j < len(s) && (s[j] == '\r' || s[j] == '\n' || s[j] == '/') {
			j++
		}
		return i, j
	}
	return i, f.p.spaces(s, i, true)
}

func (f scanO200K) clitic(s []byte, i int) int {
	if f.contractions {
		return contractionFold(s, i)
	}
	return i
}

// capitalized matches any number of characters that are not lower case, then at least one that is not upper case.
func (f scanO200K) capitalized(s []byte, i int) int {
	j, end := i, i // end follows the last character that is neither
	for j < len(s) {
		k, n := f.p.at(s, j)
		if k&(propLetter|propMark) == 0 || k&propLower != 0 {
			break
		}
		j += n
		if k&propUpper == 0 {
			end = j
		}
	}
	if e := f.notUpper(s, j); e > j {
		return e
	}
	return end
}

// capitals matches at least one character that is not lower case, then any number that are not upper case.
func (f scanO200K) capitals(s []byte, i int) int {
	j := i
	for j < len(s) {
		k, n := f.p.at(s, j)
		if k&(propLetter|propMark) == 0 || k&propLower != 0 {
			break
		}
		j += n
	}
	if j == i {
		return i
	}
	return f.notUpper(s, j)
}

func (f scanO200K) notUpper(s []byte, i int) int {
	for i < len(s) {
		k, n := f.p.at(s, i)
		if k&(propLetter|propMark) == 0 || k&propUpper != 0 {
			break
		}
		i += n
	}
	return i
}

// scanCLIP is CLIP's pattern; white space is between the matches.
type scanCLIP struct{ p properties }

func (f scanCLIP) next(s []byte, i int) (int, int) {
	if i = f.p.while(s, i, propSpace); i >= len(s) {
		return -1, -1
	}
	if j := contraction(s, i); j > i {
		return i, j
	}
	k, n := f.p.at(s, i)
	switch {
	case k&propLetter != 0:
		return i, f.p.while(s, i+n, propLetter)
	case k&propNumber != 0:
		return i, i + n
	}
	return i, f.p.until(s, i+n, propWordy|propSpace)
}

// scanNumber matches single numeric characters.
type scanNumber struct{ p properties }

func (f scanNumber) next(s []byte, i int) (int, int) {
	if i = f.p.until(s, i, propNumber); i >= len(s) {
		return -1, -1
	}
	_, n := decode(s, i)
	return i, i + n
}
