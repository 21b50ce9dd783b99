package mha

import (
	"encoding/binary"
	"math"

	"github.com/ladon-ml/ladon/kernels"
)

// Mask says key by key what a query sees. Query i of head h of sequence s sees key j, both counted from the beginning
// of the sequence, where
//
//	Data[s*Seq+h*Head+i*Query+j*Key]
//
// is not zero; with Hides, where it is zero. A stride of 0 broadcasts.
type Mask struct {
	Data                  []uint8
	Seq, Head, Query, Key int
	Hides                 bool // nonzero hides, as torch.nn.MultiheadAttention has it
}

// holds tells whether strided data of n elements has room for every sequence.
func holds(n int, p *Params, b Batch, seq, head, query, key int) bool {
	if seq < 0 || head < 0 || query < 0 || key < 0 {
		return false
	}
	for s := range len(b.SeqQ) - 1 {
		q, k := int(b.SeqQ[s+1]-b.SeqQ[s]), int(b.SeqK[s+1]-b.SeqK[s])
		if q > 0 && k > 0 && s*seq+(p.Heads-1)*head+(q-1)*query+(k-1)*key >= n {
			return false
		}
	}
	return true
}

func (m *Mask) row(seq, head, query, key int) []uint8 {
	return m.Data[seq*m.Seq+head*m.Head+query*m.Query+key*m.Key:]
}

// zeros tells whether any of eight bytes is zero.
func zeros(x uint64) bool {
	const ones = 0x0101010101010101
	return (x-ones)&^x&(ones<<7) != 0
}

// seesAny tells whether one of n keys of a row is visible.
func (m *Mask) seesAny(row []uint8, n int) bool {
	i := 0
	if m.Key == 1 {
		for ; i+8 <= n; i += 8 {
			x := binary.LittleEndian.Uint64(row[i:])
			if m.Hides && zeros(x) || !m.Hides && x != 0 {
				return true
			}
		}
	}
	for ; i < n; i++ {
		if (row[i*m.Key] != 0) != m.Hides {
			return true
		}
	}
	return false
}

// hide hides from lane r of a block of n keys what the row hides.
func (m *Mask) hide(t *kernels.AttentionTile, row []uint8, r, n int) {
	for i := 0; i < n; i++ {
		if m.Key == 1 && i+8 <= n {
			x := binary.LittleEndian.Uint64(row[i:])
			if m.Hides && x == 0 || !m.Hides && !zeros(x) {
				i += 7
				continue
			}
		}
		if (row[i*m.Key] != 0) == m.Hides {
			t.Score(i)[r] = hidden
		}
	}
}

var hidden = float32(math.Inf(-1))

// span is what a tile works on: the queries of one head, or of several that share their keys, side by side in its
// lanes, and a range of keys. Lane r is query query+r%queries of head head+r/queries.
type span struct {
	seq            int
	head, heads    int
	query, queries int
	from, to       int // keys
}

func (s *span) lanes() int { return s.heads * s.queries }

// sight is what causality, window and prefix let the queries of a span see: query r the keys before prefix, and those
// from first+r-left to first+r+right, both included.
type sight struct {
	first, left, right int
	queries            int
	prefix             int

	lo, hi   int // what any of the queries sees, apart from the prefix
	from, to int // the span's
}

// far stands for no limit; nothing that it is added to overflows.
const far = 1 << 28

func (j *job) sight(sp *span) sight {
	keys := int(j.SeqK[sp.seq+1] - j.SeqK[sp.seq])
	v := sight{first: j.place(sp.seq, sp.query), left: far, right: far, queries: sp.queries, from: sp.from, to: sp.to}
	if j.Left > 0 {
		v.left = j.Left - 1
	}
	if j.Right > 0 {
		v.right = j.Right - 1
	}
	if j.Causal {
		v.right = 0
	}
	if j.Prefix != nil {
		v.prefix = min(keys, int(j.Prefix[sp.seq]))
	}
	v.lo = max(0, v.first-v.left)
	v.hi = min(keys, v.first+sp.queries-1+v.right+1)
	return v
}

// place is the key beside which query i of sequence s stands.
func (j *job) place(s, i int) int {
	at := i + j.Offset
	if !j.TopLeft {
		at += int(j.SeqK[s+1]-j.SeqK[s]) - int(j.SeqQ[s+1]-j.SeqQ[s])
	}
	return at
}

// next is the first block of keys, or part of one, from key k on that is not wholly hidden: n keys, 0 if there is none.
func (v *sight) next(k int) (from, n int) {
	k = max(k, v.from)
	if k >= v.prefix {
		k = max(k, v.lo)
	}
	limit := min(v.to, max(v.prefix, v.hi))
	if k >= limit {
		return k, 0
	}
	to := min((k/KeyBlock+1)*KeyBlock, limit)
	if k < v.prefix && v.prefix < to && v.lo >= to {
		to = v.prefix
	}
	return k, to - k
}

// hide hides what v does of the keys k … k+n-1 of a block; those that it hides from any query lie in from … to-1 of
// the block.
func (v *sight) hide(t *kernels.AttentionTile, k, n int) (from, to int) {
	// Query r sees a key from its right to the left of it: key-first-right <= r <= key-first+left.
	begin := max(k, v.prefix)
	if begin >= k+n || k+n-1 <= v.first+v.right && begin >= v.first+v.queries-1-v.left {
		return 0, 0
	}
	from = n
	for key := begin; key < k+n; key++ {
		a := min(max(0, key-v.first-v.right), v.queries)
		b := min(max(0, key-v.first+v.left+1), v.queries)
		if a == 0 && b == v.queries {
			continue
		}
		scores := t.Score(key - k)
		for ; len(scores) > 0; scores = scores[v.queries:] {
			fill(scores[:a])
			fill(scores[b:v.queries])
		}
		from, to = min(from, key-k), key-k+1
	}
	return from, to
}

func fill(scores []float32) {
	for i := range scores {
		scores[i] = hidden
	}
}
