package mha

import "math"

// KeyBlock is how many keys a tile takes between two updates of its running softmax. Blocks lie at multiples of it
// from a sequence's first key, whatever the tile, so that results do not depend on how queries are cut into tiles.
// Scores of a block, 32 queries wide, are 16 KiB: half of the smallest first cache.
const KeyBlock = 128

// attend does a span and writes its lanes to rows of out that are ldo apart. With partial it leaves the sums in the
// tile, and gives false if the span sees nothing.
func (j *job) attend(w *scratch, sp *span, partial bool, out []float32, ldo int) bool {
	sight := j.sight(sp)
	k, n := sight.next(0)
	if n == 0 {
		if !partial {
			for r := range sp.lanes() {
				clear(out[r*ldo:][:j.ValueDim])
			}
		}
		return false
	}
	kvHead := sp.head * j.KVHeads / j.Heads
	j.queries(w, sp, partial)
	began := false
	for n > 0 {
		next, more := sight.next(k + n)
		if more == 0 && !partial || !j.hidesAll(sp, k, n) {
			from, to := j.scores(w, sp, &sight, kvHead, k, n)
			w.Softmax(n)
			last := more == 0 && !partial
			rows, ld := j.values(w, sp, kvHead, k, n)
			w.ValuesHidden(rows, ld, n, from, to, last, out, ldo)
			began = true
		}
		k, n = next, more
	}
	return began
}

// queries begins a tile with a span's. Sinks of parts wait for their merging.
func (j *job) queries(w *scratch, sp *span, partial bool) {
	first := int(j.SeqQ[sp.seq]) + sp.query
	q, ld := j.q.head(sp.head, first), j.q.Token
	if sp.heads > 1 {
		w.q = grow(w.q, sp.lanes()*j.HeadDim)
		for r := range sp.lanes() {
			copy(w.q[r*j.HeadDim:][:j.HeadDim], j.q.head(sp.head+r/sp.queries, first+r%sp.queries))
		}
		q, ld = w.q, j.HeadDim
	}
	w.Queries(q, ld, sp.lanes(), j.HeadDim, j.ValueDim, j.Scale)
	if j.seqs[sp.seq].each == 0 && sp.lanes() <= rowwise && j.caches == nil {
		w.ReadOnce()
	}
	if j.Sinks != nil && !partial {
		for r := range sp.lanes() {
			w.Begin(r, j.Sinks[sp.head+r/sp.queries]*math.Log2E, 1)
		}
	}
}

// scores computes those of the keys k … k+n-1 with all that belongs to them. Keys from … to-1 of the block may be
// hidden from some query.
func (j *job) scores(w *scratch, sp *span, sight *sight, kvHead, k, n int) (from, to int) {
	rows, ld := j.keys(w, sp, kvHead, k, n)
	w.Scores(rows, ld, n)
	if j.Cap > 0 {
		w.Cap(n, j.Cap)
	}
	if len(j.Biases) > 0 {
		for r := range sp.lanes() {
			row := w.Bias(r, n)
			clear(row)
			at := Row{Seq: sp.seq, Head: sp.head + r/sp.queries, Query: sp.query + r%sp.queries, Key: k}
			at.Place = j.place(sp.seq, at.Query)
			for _, b := range j.Biases {
				b.Add(row, at)
			}
		}
		w.AddBias(n)
	}
	from, to = sight.hide(&w.AttentionTile, k, n)
	for i := range j.Masks {
		m := &j.Masks[i]
		for r := range sp.lanes() {
			m.hide(&w.AttentionTile, m.row(sp.seq, sp.head+r/sp.queries, sp.query+r%sp.queries, k), r, n)
		}
	}
	if len(j.Biases)+len(j.Masks) > 0 {
		return 0, n
	}
	return from, to
}

// hidesAll tells whether a mask hides the keys k … k+n-1 from all queries of a span.
func (j *job) hidesAll(sp *span, k, n int) bool {
	for i := range j.Masks {
		m := &j.Masks[i]
		any := false
		for r := 0; r < sp.lanes() && !any; r++ {
			any = m.seesAny(m.row(sp.seq, sp.head+r/sp.queries, sp.query+r%sp.queries, k), n)
		}
		if !any {
			return true
		}
	}
	return false
}

// weigh sets the rows of a span in the weights.
func (j *job) weigh(w *scratch, sp *span) {
	row := func(r int) []float32 {
		m := &j.weights
		return m.Data[sp.seq*m.Seq+(sp.head+r/sp.queries)*m.Head+(sp.query+r%sp.queries)*m.Query:][:sp.to]
	}
	if sp.to == 0 {
		return
	}
	for r := range sp.lanes() {
		fill(row(r))
	}
	sight := j.sight(sp)
	j.queries(w, sp, false)
	for k, n := sight.next(0); n > 0; k, n = sight.next(k + n) {
		j.scores(w, sp, &sight, sp.head*j.KVHeads/j.Heads, k, n)
		for i := range n {
			for r, s := range w.Score(i) {
				row(r)[k+i] = s
			}
		}
		w.Softmax(n)
	}
	for r := range sp.lanes() {
		normalise(row(r), w.RowMax(r), w.RowSum(r))
	}
}
