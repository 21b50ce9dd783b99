package mha

import "math"

// KeyBlock is how many keys a tile takes between two updates of its running softmax. Blocks lie at multiples of it
// from a sequence's first key, whatever the tile, so that results do not depend on how queries are cut into tiles.
// Scores of a block, 32 queries wide, are 16 KiB: half of the smallest first cache.
const KeyBlock = 128

// whole does a span, writes its lanes to rows of out that are ldo apart, and looks into it.
func (j *job) whole(w *scratch, sp *span, out []float32, ldo int) {
	looks := j.Probe != nil && j.Probe.sees(sp)
	w.keeping = looks && j.Probe.Look.wantsScores()
	if looks {
		w.kept.Reset(sp.lanes())
	}
	var began bool
	if j.caches == nil {
		began = j.attend(w, sp, false, out, ldo)
	} else {
		began = j.inParts(w, sp, out, ldo)
	}
	switch {
	case looks && began:
		j.look(w, sp)
	case looks:
		j.blank(sp)
	}
}

// attend does a span and writes its lanes to rows of out that are ldo apart. With partial it leaves the sums in the
// tile, and gives false if the span sees nothing.
func (j *job) attend(w *scratch, sp *span, partial bool, out []float32, ldo int) bool {
	sight := j.sight(sp)
	k, n := sight.next(0)
	if n == 0 {
		if !partial && !j.noValues {
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
			if w.keeping {
				w.kept.Keep(&w.AttentionTile, k, n)
			}
			w.Softmax(n)
			began = true
			if !j.noValues {
				last := more == 0 && !partial
				if last && j.HeadMask != nil {
					j.scaleRows(w, sp)
				}
				rows, ld := j.values(w, sp, kvHead, k, n)
				w.ValuesHidden(rows, ld, n, from, to, last, out, ldo)
			}
		}
		k, n = next, more
	}
	return began
}

// queries begins a tile with a span's. Sinks of parts wait for their merging.
func (j *job) queries(w *scratch, sp *span, partial bool) {
	first := int(j.SeqQ[sp.seq]) + sp.query
	q, ld := j.q.head(sp.head, first), j.q.Token
	if sp.heads > 1 || j.Relative != nil {
		w.q = grow(w.q, sp.lanes()*j.HeadDim)
		for r := range sp.lanes() {
			copy(w.q[r*j.HeadDim:][:j.HeadDim], j.q.head(sp.head+r/sp.queries, first+r%sp.queries))
		}
		q, ld = w.q, j.HeadDim
	}
	if j.Relative != nil {
		j.relateQueries(w, sp)
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
	if len(j.Biases) > 0 || j.Relative != nil {
		j.bias(w, sp, k, n)
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

// bias fills the rows of a block with what is added to its scores.
func (j *job) bias(w *scratch, sp *span, k, n int) {
	if j.Relative != nil {
		j.relate(w, sp, k, n)
	}
	for r := range sp.lanes() {
		row := w.Bias(r, n)
		if j.Relative == nil {
			clear(row)
		}
		at := Row{Seq: sp.seq, Head: sp.head + r/sp.queries, Query: sp.query + r%sp.queries, Key: k}
		at.Place = j.place(sp.seq, at.Query)
		for _, b := range j.Biases {
			b.Add(row, at)
		}
	}
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
