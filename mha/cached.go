package mha

import (
	"math"

	"github.com/ladon-ml/ladon/kernels"
)

// What appending and RunCached panic with.
const (
	errCaches  = "mha: there must be a cache for every sequence, with the heads and sizes of the call"
	errDropped = "mha: a query sees keys that its cache has dropped"
)

// Append appends to every cache the keys and values of its sequence: caches[s] gets the tokens SeqQ[s] to SeqQ[s+1] of
// k and v. No cache may be in the list twice. An error, where there is no memory, leaves them as they were. It works
// on x's pass as Run does, and panics if the shapes do not fit together.
func (a *Attention) Append(x *kernels.Exec, b Batch, caches []*Cache, k, v View) error {
	if len(b.SeqQ) == 0 || !rising(b.SeqQ) {
		panic(errBatch)
	}
	if len(caches) != len(b.SeqQ)-1 {
		panic(errCaches)
	}
	if len(caches) == 0 {
		return nil
	}
	c, tokens := &caches[0].config, int(b.SeqQ[len(caches)])
	if !k.holds(c.KVHeads, tokens, c.HeadDim) || !v.holds(c.KVHeads, tokens, c.ValueDim) {
		panic(errView)
	}
	for s, other := range caches {
		if o := &other.config; o.KVHeads != c.KVHeads || o.HeadDim != c.HeadDim || o.ValueDim != c.ValueDim {
			panic(errCaches)
		}
		if err := other.reserve(int(b.SeqQ[s+1] - b.SeqQ[s])); err != nil {
			return err
		}
	}
	w := &a.storing
	*w = storing{Batch: b, caches: caches, k: k, v: v}
	const perNS = 4 // elements stored
	items := len(caches) * c.KVHeads
	if tokens*c.KVHeads*(c.HeadDim+c.ValueDim) < serialBelow*perNS {
		for i := range items {
			w.Run(0, i)
		}
	} else {
		x.Do(items, w)
	}
	for s, c := range caches {
		c.n += int(b.SeqQ[s+1] - b.SeqQ[s])
	}
	*w = storing{}
	return nil
}

// storing is the work of Append, a head of a sequence an item.
type storing struct {
	Batch
	caches []*Cache
	k, v   View
}

func (w *storing) Run(_, item int) {
	c := w.caches[item%len(w.caches)]
	s, head := item%len(w.caches), item/len(w.caches)
	from := int(w.SeqQ[s])
	n := int(w.SeqQ[s+1]) - from
	c.store(0, head, w.k, from, n)
	c.store(1, head, w.v, from, n)
}

// RunCached is [Attention.Run] with the keys and values of caches: sequence s has the queries SeqQ[s] to SeqQ[s+1] and
// all tokens of caches[s] as keys, the last of which stands beside the last query; b.SeqK is not looked at. One-token
// steps of some sequences and prompts of others go together.
//
// What a query gets does not depend, to the bit, on how many queries the call has: a prompt in one piece, in several
// and token by token give the same. To that end the keys of every query are taken in ranges of [SplitKeys], each
// with its own softmax, merged in order; up to so many keys, the bits are those of Run with more than a few queries.
func (a *Attention) RunCached(x *kernels.Exec, p Params, b Batch, out, q View, caches []*Cache) {
	p = p.withDefaults()
	j := &a.job
	if len(b.SeqQ) == 0 || len(caches) != len(b.SeqQ)-1 {
		panic(errCaches)
	}
	a.seqK = append(a.seqK[:0], 0)
	keys := 0
	for _, c := range caches {
		if o := &c.config; o.KVHeads != p.KVHeads || o.HeadDim != p.HeadDim || o.ValueDim != p.ValueDim {
			panic(errCaches)
		}
		if keys += c.n; keys > math.MaxInt32 {
			panic(errBatch)
		}
		a.seqK = append(a.seqK, int32(keys))
	}
	b.SeqK = a.seqK
	check(&p, b, q)
	queries := int(b.SeqQ[len(caches)])
	if !out.holds(p.Heads, queries, p.ValueDim) {
		panic(errView)
	}
	if overlap(out.part(p.Heads, queries, p.ValueDim), q.part(p.Heads, queries, p.HeadDim)) {
		panic(errOut)
	}
	j.Params, j.Batch, j.out, j.q, j.caches = p, b, out, q, caches
	for s, c := range caches {
		if n := int(b.SeqQ[s+1] - b.SeqQ[s]); n > 0 && c.first > 0 {
			sight := j.sight(&span{seq: s, queries: n, to: c.n})
			if sight.lo < c.first*CacheBlock || sight.prefix > 0 {
				j.forget()
				panic(errDropped)
			}
		}
	}
	j.run(x)
	j.forget()
}

// inParts is attend for RunCached: each range of SplitKeys by itself, merged in order, as a few queries have it.
func (j *job) inParts(w *scratch, sp *span, out []float32, ldo int) bool {
	sight := j.sight(sp)
	first, end := sight.lo/SplitKeys*SplitKeys, max(sight.prefix, sight.hi)
	if sight.prefix > 0 {
		first = 0
	}
	if end-first <= SplitKeys && j.Sinks == nil {
		return j.attend(w, sp, false, out, ldo)
	}
	sums := w.sums[:sp.lanes()]
	for r := range sums {
		sums[r] = j.begin(sp.head+r/sp.queries, out[r*ldo:][:j.ValueDim])
	}
	for part := *sp; first < end; first += SplitKeys {
		part.from, part.to = first, min(first+SplitKeys, sp.to)
		if !j.attend(w, &part, true, nil, 0) {
			continue
		}
		for r := range sums {
			sums[r].absorb(out[r*ldo:][:j.ValueDim], w.RowMax(r), w.RowSum(r), w.Partial(r))
		}
	}
	for r := range sums {
		sums[r].finish(out[r*ldo:][:j.ValueDim], j.factor(sp.seq, sp.head+r/sp.queries))
		w.Begin(r, sums[r].top, sums[r].sum) // where look finds them
	}
	return true
}

// keys gives those of a span from k on, and values their values: n of them, and the distance between rows.
func (j *job) keys(w *scratch, sp *span, kvHead, k, n int) (rows []float32, ld int) {
	if j.caches != nil {
		return j.fetch(w, sp, 0, kvHead, k, n)
	}
	return j.k.head(kvHead, int(j.SeqK[sp.seq])+k), j.k.Token
}

func (j *job) values(w *scratch, sp *span, kvHead, k, n int) (rows []float32, ld int) {
	if j.caches != nil {
		return j.fetch(w, sp, 1, kvHead, k, n)
	}
	return j.v.head(kvHead, int(j.SeqK[sp.seq])+k), j.v.Token
}

// fetch gives rows of a cache. A few queries find them in memory, since a step of a model has read all weights since
// the last time: then a plain reading loop brings them near faster than a tile, which jumps from row to row (32 heads
// of 128, 2048 keys: 6.0 ms against 10.0; in the third cache it would be 1.3 against 1.1 for a quarter of that).
func (j *job) fetch(w *scratch, sp *span, value, kvHead, k, n int) (rows []float32, ld int) {
	c := j.caches[sp.seq]
	rows, ld = c.rows(value, kvHead, k, n, &w.wide)
	if j.seqs[sp.seq].each == 0 && c.config.Type == CacheF32 {
		kernels.Read(rows)
	}
	return rows, ld
}
