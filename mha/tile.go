package mha

import (
	"math"

	"github.com/ladon-ml/ladon/kernels"
)

// KeyBlock is how many keys a tile takes between two updates of its running softmax. Blocks lie at multiples of it
// from a sequence's first key, whatever the tile, so that results do not depend on how queries are cut into tiles.
// Scores of a block, 32 queries wide, are 16 KiB: half of the smallest first cache.
const KeyBlock = 128

// tile does rows queries from the i-th of sequence s for one head.
func (j *job) tile(t *kernels.AttentionTile, s, head, i, rows int) {
	kvHead := head * j.KVHeads / j.Heads
	firstQ, firstK := int(j.SeqQ[s]), int(j.SeqK[s])
	queries, keys := int(j.SeqQ[s+1])-firstQ, int(j.SeqK[s+1])-firstK
	out := j.out.head(head, firstQ+i)

	limit := keys // the tile sees keys before it
	sees := keys  // its first query sees keys before it
	if j.Causal {
		sees = i + 1 + keys - queries
		limit = min(keys, sees+rows-1)
	}
	if limit <= 0 {
		for r := range rows {
			clear(out[r*j.out.Token:][:j.ValueDim])
		}
		return
	}
	t.Queries(j.q.head(head, firstQ+i), j.q.Token, rows, j.HeadDim, j.ValueDim, j.Scale)
	for k := 0; k < limit; k += KeyBlock {
		n := min(KeyBlock, limit-k)
		t.Scores(j.k.head(kvHead, firstK+k), j.k.Token, n)
		if k+n > sees {
			hideFuture(t, sees-k, n)
		}
		t.Softmax(n)
		t.Values(j.v.head(kvHead, firstK+k), j.v.Token, n, k+n == limit, out, j.out.Token)
	}
}

var hidden = float32(math.Inf(-1))

// hideFuture hides the keys of a block that causality does: query r sees the keys before sees+r, of n.
func hideFuture(t *kernels.AttentionTile, sees, n int) {
	for key := max(0, sees); key < n; key++ {
		scores := t.Score(key)
		scores = scores[:min(len(scores), key-sees+1)]
		for r := range scores {
			scores[r] = hidden
		}
	}
}
