package mha

import "github.com/ladon-ml/ladon/kernels"

// Relative lets queries say how much they want a key that stands so far away, and one of their own segment or of
// another (Dai et al. 2019, "Transformer-XL"; Yang et al. 2019, "XLNet"). The score of query i and key j of head h is
//
//	Scale·((q[i]+Content[h])·k[j] + (q[i]+Position[h])·Distances[h][j-place(i)] + (q[i]+Segment[h])·Segments[other(i, j)][h])
//
// where other(i, j) is 0 if the two are of the same segment, else 1. Params.Cap bounds the first term alone. Every head
// has distances of its own, also where heads share keys.
type Relative struct {
	Content   []float32 // [Heads, HeadDim]
	Position  []float32 // [Heads, HeadDim]
	Distances *DistanceKeys

	// Backward, of each sequence: its distances count the other way round. nil: those of none do.
	Backward []bool

	// Segments stand for the keys of a query's own segment and for those of others, [2, Heads, HeadDim]. nil: segments
	// do not matter, and what follows is not looked at.
	Segments  []float32
	Segment   []float32 // [Heads, HeadDim]
	SegmentsQ []int32   // the segment of every query of the stream
	SegmentsK []int32   // and of every key
}

// DistanceKeys are keys that stand for distances of a key from the query's place. They are packed once and used by any
// number of Runs at the same time.
type DistanceKeys struct {
	heads, dim  int
	first, last int       // distances
	zero        int       // the column of distance 0
	columns     int       // of a head: whole panels
	panels      []float32 // [heads][columns/16][dim][16]
	rows        []float32 // [16, dim], for packing
}

// Set takes the keys from v, token t of which stands for the distance first+t, up to distance last. The memory of
// earlier ones is used again.
func (d *DistanceKeys) Set(v View, heads, dim, first, last int) {
	if heads < 1 || dim < 1 || dim > MaxDim || first > last || !v.holds(heads, last-first+1, dim) {
		panic(errRelative)
	}
	// Tiles begin at multiples of 16 or 32, so that the first distance of most is the first of a panel.
	lead := ((first-1)%16 + 16) % 16
	*d = DistanceKeys{heads: heads, dim: dim, first: first, last: last, zero: lead - first, panels: d.panels, rows: d.rows}
	d.columns = (lead + last - first + 16) / 16 * 16
	d.panels = grow(d.panels, heads*d.columns*dim)
	d.rows = grow(d.rows, 16*dim)
	for h := range heads {
		to := d.panels[h*d.columns*dim:]
		for c := 0; c < d.columns; c += 16 {
			for r := range 16 {
				row, t := d.rows[r*dim:(r+1)*dim], c+r-lead
				if t < 0 || t > last-first {
					clear(row)
				} else {
					copy(row, v.head(h, t))
				}
			}
			kernels.PackPanel(to[c*dim:], d.rows, dim, dim)
		}
	}
}

// Covers tells whether all distances from first to last are there.
func (d *DistanceKeys) Covers(first, last int) bool { return d.first <= first && last <= d.last }

const errRelative = "mha: relative attention needs biases for every head, keys for every distance of the batch, and a segment for every query and key"

func (r *Relative) check(p *Params, b Batch) {
	size, last, d := p.Heads*p.HeadDim, len(b.SeqQ)-1, r.Distances
	if len(r.Content) != size || len(r.Position) != size || d == nil || d.heads != p.Heads || d.dim != p.HeadDim || r.Backward != nil && len(r.Backward) < last {
		panic(errRelative)
	}
	if r.Segments != nil && (len(r.Segments) != 2*size || len(r.Segment) != size || len(r.SegmentsQ) < int(b.SeqQ[last]) || len(r.SegmentsK) < int(b.SeqK[last])) {
		panic(errRelative)
	}
	j := job{Params: *p, Batch: b}
	for s := range last {
		queries, keys := int(b.SeqQ[s+1]-b.SeqQ[s]), int(b.SeqK[s+1]-b.SeqK[s])
		from, to := -j.place(s, queries-1), keys-1-j.place(s, 0)
		if r.backward(s) {
			from, to = -to, -from
		}
		if queries > 0 && keys > 0 && !d.Covers(from, to) {
			panic(errRelative)
		}
	}
}

func (r *Relative) backward(seq int) bool { return r.Backward != nil && r.Backward[seq] }

// relating is what a tile keeps of its queries for relative attention.
type relating struct {
	toDistance []float32 // [lanes, dim]: what meets distances, scaled
	far        []float32 // [queries of a head, columns]: what they say to the distances of a block
	// What each says to its own segment and to others. All keys of a row may lose the same without changing its weights,
	// and most are of the query's own segment: what they lose is kept for the row's log-sum-exp.
	segments [kernels.MaxTileQueries][2]float32
	lost     [kernels.MaxTileQueries]float32
}

// relateQueries prepares the queries of a span, which lie in w.q, and adds to them what they have for keys.
func (j *job) relateQueries(w *scratch, sp *span) {
	r, dim := j.Relative, j.HeadDim
	w.toDistance = grow(w.toDistance, sp.lanes()*dim)
	for lane := range sp.lanes() {
		at := (sp.head + lane/sp.queries) * dim
		q, to := w.q[lane*dim:][:dim], w.toDistance[lane*dim:][:dim]
		w.lost[lane] = 0
		if r.Segments != nil {
			kernels.Add(to, q, r.Segment[at:at+dim])
			other := j.Heads*dim + at
			say := [2]float32{kernels.Dot(to, r.Segments[at:at+dim]) * j.Scale, kernels.Dot(to, r.Segments[other:other+dim]) * j.Scale}
			if j.Sinks == nil {
				w.lost[lane] = say[0]
				say = [2]float32{0, say[1] - say[0]}
			}
			w.segments[lane] = say
		}
		kernels.Add(to, q, r.Position[at:at+dim])
		kernels.Scale(to, to, j.Scale)
		kernels.Add(q, q, r.Content[at:at+dim])
	}
}

// relate begins the biases of a block of keys with what the queries of a span say to their distances and segments.
// Of all queries and all distances that any of them has to these keys there is one product; each query's row of it
// begins one column before that of the query above.
func (j *job) relate(w *scratch, sp *span, k, n int) {
	d, backward := j.Relative.Distances, j.Relative.backward(sp.seq)
	place := j.place(sp.seq, sp.query)
	from, to := k-(place+sp.queries-1), k+n-1-place
	if backward {
		from, to = -to, -from
	}
	first := (d.zero + from) &^ 15
	columns := (d.zero+to)&^15 + 16 - first
	ld := columns + 16 // rows must not fall on the same cache sets
	w.far = grow(w.far, sp.queries*ld)
	for h := range sp.heads {
		panels := d.panels[((sp.head+h)*d.columns+first)*d.dim:]
		kernels.MulPanels(w.far, ld, w.toDistance[h*sp.queries*d.dim:], d.dim, sp.queries, d.dim, panels, columns)
		for i := range sp.queries {
			row, far, distance := w.Bias(h*sp.queries+i, n), w.far[i*ld:][:columns], k-(place+i)
			if !backward {
				copy(row, far[d.zero-first+distance:])
				continue
			}
			far = far[:d.zero-first-distance+1]
			for c := range row {
				row[c] = far[len(far)-1-c]
			}
		}
	}
	if j.Relative.Segments != nil {
		j.relateSegments(w, sp, k, n)
	}
}

// relateSegments goes by stretches of keys of one segment, of which there are few.
func (j *job) relateSegments(w *scratch, sp *span, k, n int) {
	r := j.Relative
	of, own := r.SegmentsK[int(j.SeqK[sp.seq])+k:][:n], r.SegmentsQ[int(j.SeqQ[sp.seq])+sp.query:][:sp.queries]
	for from := 0; from < n; {
		to := from + 1
		for to < n && of[to] == of[from] {
			to++
		}
		for lane := range sp.lanes() {
			more, row := w.segments[lane][0], w.Bias(lane, n)[from:to]
			if own[lane%sp.queries] != of[from] {
				more = w.segments[lane][1]
			}
			if more == 0 {
				continue
			}
			for c := range row {
				row[c] += more
			}
		}
		from = to
	}
}
