package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// precompiled is SentencePiece's normalizer: a map of strings to strings, as a double-array trie over the strings that
// are replaced, and the replacements one after another, each ended by a zero byte.
type precompiled struct {
	props   properties
	units   []uint32
	strings []byte
}

func newPrecompiled(data []byte) (*precompiled, error) {
	if len(data) < 4 {
		return nil, errors.New("precompiled_charsmap is too short")
	}
	size := int64(binary.LittleEndian.Uint32(data))
	if size%4 != 0 || size == 0 || size > int64(len(data)-4) {
		return nil, fmt.Errorf("precompiled_charsmap has a trie of %d bytes, of %d that follow", size, len(data)-4)
	}
	n := &precompiled{props: newProperties(), units: make([]uint32, size/4), strings: data[4+size:]}
	for i := range n.units {
		n.units[i] = binary.LittleEndian.Uint32(data[4+4*i:])
	}
	if !utf8.Valid(n.strings) {
		return nil, errors.New("precompiled_charsmap has replacements that are not UTF-8")
	}
	return n, nil
}

func decodeCharsmap(text string) (*precompiled, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("precompiled_charsmap is not base64: %w", err)
	}
	return newPrecompiled(data)
}

func (n *precompiled) local() bool { return false }

// replacement returns what the shortest beginning of s that the map has is replaced by. That it is the shortest, and
// that the rest of s is lost then, is what the reference library does.
func (n *precompiled) replacement(s []byte) ([]byte, bool) {
	offset := func(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
	node := offset(n.units[0])
	for _, c := range s {
		node ^= uint32(c)
		if c == 0 || int64(node) >= int64(len(n.units)) {
			return nil, false
		}
		u := n.units[node]
		if u&(1<<31|0xFF) != uint32(c) {
			return nil, false
		}
		node ^= offset(u)
		if u>>8&1 != 0 {
			if int64(node) >= int64(len(n.units)) {
				return nil, false
			}
			at := int64(n.units[node] & (1<<31 - 1))
			if at > int64(len(n.strings)) {
				return nil, false
			}
			out := n.strings[at:]
			if end := bytes.IndexByte(out, 0); end >= 0 {
				out = out[:end]
			}
			return out, true
		}
	}
	return nil, false
}

// maxGrapheme is the length in bytes from which a grapheme is replaced character by character only.
const maxGrapheme = 6

func (n *precompiled) normalize(x *text) {
	x.changes = x.changes[:0]
	changed := false
	put := func(s []byte) bool {
		to, ok := n.replacement(s)
		if ok {
			changed = true
			x.exchange(utf8.RuneCount(s), to)
		}
		return ok
	}
	for i := 0; i < len(x.buf); {
		end := n.grapheme(x.buf, i)
		if end-i < maxGrapheme && put(x.buf[i:end]) {
			i = end
			continue
		}
		for i < end {
			r, w := decode(x.buf, i)
			if !put(x.buf[i : i+w]) {
				x.changes = append(x.changes, change{r: r})
			}
			i += w
		}
	}
	if changed {
		x.apply()
	}
}

// exchange appends the changes that put a string in the place of old characters.
func (x *text) exchange(old int, to []byte) {
	for i := 0; i < len(to); {
		r, w := decode(to, i)
		c := change{r: r}
		if old <= 0 {
			c.n = 1
		}
		old--
		x.changes = append(x.changes, c)
		i += w
	}
	if old > 0 && len(x.changes) > 0 {
		x.changes[len(x.changes)-1].n -= int32(old)
	}
}

// grapheme returns the end of the extended grapheme cluster at i, https://unicode.org/reports/tr29/; of clusters that
// reach maxGrapheme bytes, such as flags and emoji with joiners, any part of at least that length.
func (n *precompiled) grapheme(s []byte, i int) int {
	r, w := decode(s, i)
	end := i + w
	if r == '\r' && end < len(s) && s[end] == '\n' {
		return end + 1
	}
	if breaksGraphemes(r) {
		return end
	}
	for isPrepend(r) && end < len(s) {
		if r, w = decode(s, end); breaksGraphemes(r) {
			return end
		}
		end += w
	}
	for end < len(s) && s[end] >= utf8.RuneSelf {
		if r, w = decode(s, end); n.props.of(r)&propJoins == 0 {
			break
		}
		end += w
	}
	return end
}

// breaksGraphemes reports the characters that nothing joins: controls and line breaks.
func breaksGraphemes(r rune) bool {
	if r < 0x80 {
		return r < ' ' || r == 0x7F
	}
	if r == 0x200C || r == 0x200D || r >= 0xE0020 && r <= 0xE007F || r >= 0xE0100 && r <= 0xE01EF {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && !isPrepend(r) ||
		r >= 0xE0000 && r <= 0xE0FFF || r >= 0xFFF0 && r <= 0xFFF8 || r == 0x2065
}

// isPrepend reports the signs that join what follows them, Arabic and Indic ones mostly.
func isPrepend(r rune) bool {
	switch {
	case r < 0x600:
		return false
	case r <= 0x605, r == 0x6DD, r == 0x70F, r == 0x890, r == 0x891, r == 0x8E2, r == 0xD4E, r == 0x110BD, r == 0x110CD,
		r == 0x111C2, r == 0x111C3, r == 0x113D1, r == 0x1193F, r == 0x11941, r == 0x11A3A, r >= 0x11A84 && r <= 0x11A89,
		r == 0x11D46, r == 0x11F02:
		return true
	}
	return false
}
