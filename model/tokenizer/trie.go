package tokenizer

import (
	"slices"
	"strings"
)

// trie finds all tokens that a text begins with. Nodes are numbered breadth first, so the children of each are
// neighbours, in the order of their bytes; node 0 is the root.
type trie struct {
	first  []uint32 // child nodes of node i are first[i] up to first[i+1]
	labels []byte   // the byte that leads to a node
	tokens []int32  // the token that ends at a node, or -1
	roots  [256]uint32
}

// newTrie takes the tokens that keep wants; nil: all.
func newTrie(v *vocab, keep func(id int32) bool) trie {
	// The token of a spelling is the one that the index finds, which matters where a vocabulary has it twice.
	ids := make([]int32, 0, len(v.places))
	for id := range v.places {
		if s, ok := v.token(int32(id)); ok && s != "" && v.findString(s) == int32(id) && (keep == nil || keep(int32(id))) {
			ids = append(ids, int32(id))
		}
	}
	spelling := func(id int32) string { s, _ := v.token(id); return s }
	slices.SortFunc(ids, func(a, b int32) int { return strings.Compare(spelling(a), spelling(b)) })

	// Each node stands for the tokens ids[lo:hi], which agree in their first depth bytes.
	type span struct{ lo, hi int }
	t := trie{labels: []byte{0}, tokens: []int32{-1}}
	level, next := []span{{0, len(ids)}}, []span(nil)
	for depth := 0; len(level) > 0; depth++ {
		for _, q := range level {
			node := len(t.first)
			t.first = append(t.first, uint32(len(t.labels)))
			lo := q.lo
			if lo < q.hi && len(spelling(ids[lo])) == depth {
				t.tokens[node] = ids[lo]
				lo++
			}
			for lo < q.hi {
				c, hi := spelling(ids[lo])[depth], lo+1
				for hi < q.hi && spelling(ids[hi])[depth] == c {
					hi++
				}
				if node == 0 {
					t.roots[c] = uint32(len(t.labels))
				}
				next = append(next, span{lo, hi})
				t.labels = append(t.labels, c)
				t.tokens = append(t.tokens, -1)
				lo = hi
			}
		}
		level, next = next, level[:0]
	}
	t.first = append(t.first, uint32(len(t.labels)))
	return t
}

// root returns the child of the root by a byte, 0 for none.
func (t *trie) root(c byte) uint32 { return t.roots[c] }

// child returns the child of a node by a byte, 0 for none.
func (t *trie) child(node uint32, c byte) uint32 {
	lo, hi := t.first[node], t.first[node+1]
	for hi-lo > 8 {
		if mid := (lo + hi) / 2; t.labels[mid] <= c {
			lo = mid
		} else {
			hi = mid
		}
	}
	for ; lo < hi; lo++ {
		if t.labels[lo] == c {
			return lo
		}
	}
	return 0
}
