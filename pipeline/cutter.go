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
	tokenizer *tokenizer.Tokenizer
	text      string
	at        int // where the next piece begins

	// The tokens of text[from:to], a part of the text so that the memory that they
	// take does not grow with it.
	enc      tokenizer.Encoding
	from, to int
}

// cutterBytes is how much of a text a cutter looks at, or more where that has too
// few tokens.
const cutterBytes = 1 << 16

func newCutter(t *tokenizer.Tokenizer, text string) *cutter {
	return &cutter{tokenizer: t, text: text, at: len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))}
}

// look encodes what comes next, with more than so many tokens unless the text ends.
func (c *cutter) look(tokens int) {
	for size := cutterBytes; ; size *= 2 {
		c.from, c.to = c.at, c.at+len(head(c.text[c.at:], size))
		c.enc.Reset()
		// It was encoded before: whatever is wrong has been said.
		_, err := c.tokenizer.AppendEncode(&c.enc, c.text[c.from:c.to], tokenizer.Options{NoSpecial: true, MaxLen: -1})
		if c.to == len(c.text) || err != nil || c.enc.Len() > tokens {
			return
		}
	}
}

// head is the beginning of a text, of about n bytes.
func head(text string, n int) string {
	if n >= len(text) {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// next gives the next piece, without white space around it, and what should stand
// between it and the one that follows: the ends of lines that stand there, or else
// a blank. The piece after the last is "".
func (c *cutter) next(tokens int) (piece, between string) {
	first := c.token()
	if c.enc.Len()-first <= tokens && c.to < len(c.text) {
		c.look(tokens)
		first = c.token()
	}
	rest := c.text[c.at:]
	cut := len(rest)
	if first+tokens < c.enc.Len() {
		cut = cutBefore(rest, c.from+int(c.enc.Offsets[first+tokens].Start)-c.at)
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

// token is the first token of the next piece.
func (c *cutter) token() int {
	return sort.Search(c.enc.Len(), func(i int) bool { return c.from+int(c.enc.Offsets[i].Start) >= c.at })
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
