package tokenizer

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
)

// vocab holds the tokens of a model, their bytes in one string: two words a token, nothing for the garbage collector.
type vocab struct {
	text   string
	places []place // by id
	count  int     // of tokens
	seed   maphash.Seed
	whole  index
}

// place is where in the text of a vocab a token is; n is negative for an id that no token has.
type place struct {
	start uint32
	n     int32
}

// maxVocabBytes keeps the places in 32 bits.
const maxVocabBytes = 1<<31 - 1

// tokenList collects the tokens of a file.
type tokenList struct {
	text    []byte // one after another
	entries []entry
}

type entry struct {
	place
	id int64
}

// grow makes room for about so many tokens with so many bytes.
func (l *tokenList) grow(tokens, size int) {
	l.entries = slices.Grow(l.entries, tokens)
	l.text = slices.Grow(l.text, size)
}

func (l *tokenList) add(token []byte, id int64) {
	l.entries = append(l.entries, entry{place{uint32(len(l.text)), int32(len(token))}, id})
	l.text = append(l.text, token...)
}

func (l *tokenList) token(e entry) string { return string(l.text[e.start : e.start+uint32(e.n)]) }

// twins says what becomes of tokens with the same spelling.
type twins uint8

const (
	refuseTwins twins = iota
	keepLast          // the others are no tokens
	keepAll           // all are tokens, and the spelling is that of the last
)

// newVocab indexes the tokens. Ids may have holes, but not so many that the table is mostly holes.
func newVocab(l *tokenList, how twins) (*vocab, error) {
	if len(l.text) > maxVocabBytes {
		return nil, fmt.Errorf("%d bytes of tokens are more than the %d supported", len(l.text), maxVocabBytes)
	}
	top, limit := int64(-1), int64(len(l.entries))*4+1<<16
	for _, e := range l.entries {
		if e.id < 0 || e.id >= limit {
			return nil, fmt.Errorf("token %s has id %d, out of range for %d tokens", quote(l.token(e)), e.id, len(l.entries))
		}
		top = max(top, e.id)
	}
	v := &vocab{text: string(l.text), places: make([]place, top+1), count: len(l.entries), seed: maphash.MakeSeed()}
	for i := range v.places {
		v.places[i].n = -1
	}
	for _, e := range l.entries {
		if p := v.places[e.id]; p.n >= 0 {
			return nil, fmt.Errorf("tokens %s and %s have the same id %d", quote(l.token(entry{place: p})), quote(l.token(e)), e.id)
		}
		v.places[e.id] = e.place
	}
	v.whole = newIndex(len(l.entries))
	for _, e := range l.entries {
		switch old := v.insert(&v.whole, 0, int32(e.id)); {
		case old < 0, how == keepAll:
		case how == keepLast:
			v.places[old].n = -1
			v.count--
		default:
			return nil, fmt.Errorf("token %s appears twice, with ids %d and %d", quote(l.token(e)), old, e.id)
		}
	}
	return v, nil
}

// quote is %q, cut short for tokens that a hostile file made long.
func quote(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%q…", s[:80])
	}
	return fmt.Sprintf("%q", s)
}

func (v *vocab) token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(v.places) || v.places[id].n < 0 {
		return "", false
	}
	p := v.places[id]
	return v.text[p.start : p.start+uint32(p.n)], true
}

// index finds tokens, from some byte on, by their bytes: open addressing, at most half full. Half a slot is the token's
// id+1, the other half the upper bits of its hash, so that a miss hardly ever looks at the text.
type index struct {
	slots  []uint64
	mask   uint32
	maxLen int
	// lengths has, for each first byte, a bit for every length in bytes that occurs; bit 63 stands for 63 and more.
	lengths [256]uint64
}

func newIndex(n int) index {
	size := 1 << max(4, bits.Len(uint(2*n)))
	return index{slots: make([]uint64, size), mask: uint32(size - 1)}
}

const hashBits = 0xFFFFFFFF00000000

// insert makes token id findable by its bytes from skip on, and returns the id that was until now, or -1.
func (v *vocab) insert(x *index, skip int, id int32) int32 {
	full, _ := v.token(id)
	key := full[skip:]
	h := maphash.String(v.seed, key)
	slot := uint32(h) & x.mask
	for x.slots[slot] != 0 {
		if x.slots[slot]&hashBits == h&hashBits {
			old := int32(uint32(x.slots[slot])) - 1
			if t, _ := v.token(old); t[skip:] == key {
				x.slots[slot] = h&hashBits | uint64(uint32(id+1))
				return old
			}
		}
		slot = (slot + 1) & x.mask
	}
	x.slots[slot] = h&hashBits | uint64(uint32(id+1))
	x.maxLen = max(x.maxLen, len(key))
	if len(key) > 0 {
		x.lengths[key[0]] |= 1 << min(len(key), 63)
	}
	return -1
}

// find returns the id of the token whose bytes from skip on are key, or -1.
func (v *vocab) find(x *index, skip int, key []byte) int32 {
	h := maphash.Bytes(v.seed, key)
	slot := uint32(h) & x.mask
	for x.slots[slot] != 0 {
		if x.slots[slot]&hashBits == h&hashBits {
			id := int32(uint32(x.slots[slot])) - 1
			p := v.places[id]
			if v.text[int(p.start)+skip:int(p.start)+int(p.n)] == string(key) {
				return id
			}
		}
		slot = (slot + 1) & x.mask
	}
	return -1
}

// findString is find for a whole token.
func (v *vocab) findString(s string) int32 {
	h := maphash.String(v.seed, s)
	slot := uint32(h) & v.whole.mask
	for v.whole.slots[slot] != 0 {
		if v.whole.slots[slot]&hashBits == h&hashBits {
			id := int32(uint32(v.whole.slots[slot])) - 1
			if t, _ := v.token(id); t == s {
				return id
			}
		}
		slot = (slot + 1) & v.whole.mask
	}
	return -1
}

// longest returns the longest token that, from skip on, is a prefix of s and no longer than most, and its length.
func (v *vocab) longest(x *index, skip int, s []byte, most int) (id int32, n int) {
	lengths := x.lengths[s[0]]
	for n = min(most, len(s), x.maxLen); n > 0; n-- {
		if lengths>>min(n, 63)&1 == 0 {
			continue
		}
		if id = v.find(x, skip, s[:n]); id >= 0 {
			return id, n
		}
	}
	return -1, 0
}
