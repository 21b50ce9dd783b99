package tokenizer

import "math"

// shortWord is the number of symbols up to which looking at all pairs for each merge is quicker than a heap.
const shortWord = 40

// pair returns what the symbols left and right of a word merge into, as rank<<32 | id, or noPair.
func (m *bpe) pair(word []byte, left, right symbol) uint64 {
	if m.scores == nil {
		return m.pairs.find(left.id, right.id)
	}
	n := int(right.end - left.start)
	if n > m.vocab.whole.maxLen {
		return noPair
	}
	id := m.vocab.find(&m.vocab.whole, 0, word[left.start:right.end])
	if id < 0 || m.scores[id] == neverMerged {
		return noPair
	}
	return uint64(m.scores[id])<<32 | uint64(uint32(id))
}

// merge merges ws.symbols, which stand for a word, until no neighbours merge.
func (m *bpe) merge(ws *workspace, word []byte) {
	if len(ws.symbols) > shortWord {
		m.mergeLong(ws, word)
		return
	}
	s := ws.symbols
	var table [shortWord]uint64
	for i := range len(s) - 1 {
		table[i] = m.pair(word, s[i], s[i+1])
	}
	pairs := table[:max(0, len(s)-1)] // pairs[i] is that of s[i] and s[i+1]
	for {
		best, at := uint64(math.MaxUint32), -1
		for i, p := range pairs {
			if p>>32 < best {
				best, at = p>>32, i
			}
		}
		if at < 0 {
			break
		}
		s[at] = symbol{int32(uint32(pairs[at])), s[at].start, s[at+1].end}
		copy(s[at+1:], s[at+2:])
		s = s[:len(s)-1]
		copy(pairs[at:], pairs[at+1:])
		pairs = pairs[:len(pairs)-1]
		if at > 0 {
			pairs[at-1] = m.pair(word, s[at-1], s[at])
		}
		if at < len(pairs) {
			pairs[at] = m.pair(word, s[at], s[at+1])
		}
	}
	ws.symbols = s
}

// link is what mergeLong knows of the symbol at its index.
type link struct {
	prev, next int32  // -1 at the ends; a symbol that has been merged into the one before has next == merged
	pair       uint64 // what it merges into with the next
}

const merged = -2

// mergeLong is merge with a heap of the pairs, by rank and then by place: n log n for any word.
func (m *bpe) mergeLong(ws *workspace, word []byte) {
	s := ws.symbols
	links, heap := ws.links[:0], ws.heap[:0]
	for i := range s {
		l := link{int32(i - 1), int32(i + 1), noPair}
		if i+1 == len(s) {
			l.next = -1
		} else if l.pair = m.pair(word, s[i], s[i+1]); l.pair != noPair {
			heap = append(heap, l.pair&^math.MaxUint32|uint64(i))
		}
		links = append(links, l)
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		siftDown(heap, i)
	}
	look := func(i int32) {
		l := &links[i]
		l.pair = noPair
		if l.next < 0 {
			return
		}
		if l.pair = m.pair(word, s[i], s[l.next]); l.pair != noPair {
			heap = push(heap, l.pair&^math.MaxUint32|uint64(i))
		}
	}
	for len(heap) > 0 {
		top := heap[0]
		heap[0] = heap[len(heap)-1]
		heap = heap[:len(heap)-1]
		siftDown(heap, 0)
		i := int32(uint32(top))
		l := &links[i]
		if l.next < 0 || l.pair>>32 != top>>32 {
			continue // one of the two has been merged with another since
		}
		right := l.next
		s[i] = symbol{int32(uint32(l.pair)), s[i].start, s[right].end}
		l.next = links[right].next
		links[right].next = merged
		if l.next >= 0 {
			links[l.next].prev = i
		}
		if l.prev >= 0 {
			look(l.prev)
		}
		look(i)
	}
	kept := s[:0]
	for i := range s {
		if links[i].next != merged {
			kept = append(kept, s[i])
		}
	}
	ws.symbols, ws.links, ws.heap = kept, links[:0], heap[:0]
}

// push adds a value to a heap that has the smallest first.
func push(heap []uint64, v uint64) []uint64 {
	heap = append(heap, v)
	i := len(heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if heap[up] <= v {
			break
		}
		heap[i] = heap[up]
		i = up
	}
	heap[i] = v
	return heap
}

// siftDown puts the value at i where it belongs.
func siftDown(heap []uint64, i int) {
	if i >= len(heap) {
		return
	}
	v := heap[i]
	for {
		c := 2*i + 1
		if c >= len(heap) {
			break
		}
		if c+1 < len(heap) && heap[c+1] < heap[c] {
			c++
		}
		if heap[c] >= v {
			break
		}
		heap[i] = heap[c]
		i = c
	}
	heap[i] = v
}
