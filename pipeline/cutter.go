package pipeline

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/model/tokenizer"
)

// A cutter cuts a text into pieces of at most so many tokens: after a line or a
// sentence, or where there is none, between words, or inside one.
type cutter struct {
	text   string
	starts []int32 // of its tokens, in bytes
	at     int     // where the next piece begins
}

func newCutter(t *tokenizer.Tokenizer, text string) *cutter {
	c := &cutter{text: text}
	var e tokenizer.Encoding
	// It was encoded before: whatever is wrong has been said.
	if _, err := t.AppendEncode(&e, text, tokenizer.Options{NoSpecial: true, MaxLen: -1}); err == nil {
		for _, o := range e.Offsets {
			c.starts = append(c.starts, o.Start)
		}
	}
	c.at = len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
	return c
}

// next gives the next piece, without white space around it, and what should stand
// between it and the one that follows: the ends of lines that stand there, or else
// a blank. The piece after the last is "".
func (c *cutter) next(tokens int) (piece, between string) {
	rest := c.text[c.at:]
	cut := len(rest)
	first := sort.Search(len(c.starts), func(i int) bool { return int(c.starts[i]) >= c.at })
	if first+tokens < len(c.starts) {
		cut = cutBefore(rest, int(c.starts[first+tokens])-c.at)
	}
	piece = strings.TrimRightFunc(rest[:cut], unicode.IsSpace)
	after := strings.TrimLeftFunc(rest[len(piece):], unicode.IsSpace)
	between = " "
	if n := strings.Count(rest[len(piece):len(rest)-len(after)], "\n"); n > 0 {
		between = strings.Repeat("\n", n)
	}
	c.at = len(c.text) - len(after)
	return piece, between
}

// back takes the last piece back.
func (c *cutter) back(piece string) { c.at = strings.LastIndex(c.text[:c.at], piece) }

// cutBefore finds where to cut a text of which only limit bytes fit: after at least
// one letter.
func cutBefore(text string, limit int) int {
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	if limit <= 0 {
		_, n := utf8.DecodeRuneInString(text)
		return n
	}
	if cut := max(strings.LastIndexByte(text[:limit], '\n')+1, sentenceBefore(text, limit)); cut > 0 {
		return cut
	}
	if cut := strings.LastIndexFunc(text[:limit], unicode.IsSpace); cut > 0 {
		return cut
	}
	return limit
}

// sentenceBefore is where the last sentence ends that does so in the first limit
// bytes, 0 if there is none. Marks of the East need no blank behind them.
func sentenceBefore(text string, limit int) int {
	end, last := false, 0
	for i, r := range text[:limit] {
		switch {
		case strings.ContainsRune("。！？｡", r):
			last, end = i+utf8.RuneLen(r), false
		case strings.ContainsRune(".!?…", r):
			end = true
		case end && strings.ContainsRune(`"')]}»”’`, r): // still of the sentence
		case end && unicode.IsSpace(r):
			last, end = i, false
		default:
			end = false
		}
	}
	if end && limit < len(text) {
		if r, _ := utf8.DecodeRuneInString(text[limit:]); unicode.IsSpace(r) {
			return limit
		}
	}
	return last
}
