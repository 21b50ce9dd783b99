package mha

import (
	"math"

	"github.com/ladon-ml/ladon/kernels"
)

// looking is what a job keeps while a probe looks.
type looking struct {
	mass   []float32 // [sequence][head][chunk][rows][keys], sums over the queries of a chunk
	massAt []int     // where a sequence's begin
	chunks []int32   // how many it has

	// rows replace the factor 1 with which each query adds to the masses: there are as many masses as rows of it.
	// [rows][queries of the stream]
	rows     []float32
	rowCount int // 1 without rows
}

// A head's masses are sums over its queries. So that they do not depend on the number of workers, they are made of
// partial sums over chunks of fixed sizes: some whole tiles of any instruction set, and so few that they take no more
// memory than massChunks times the keys.
const massChunks = 16

func massChunk(queries int) int {
	const tile = 32
	n := (queries + massChunks - 1) / massChunks
	return max(tile, (n+tile-1)/tile*tile)
}

// beginLook makes room for what the probe will find. Sequences must have been planned.
func (j *job) beginLook() {
	j.Probe.prepare(&j.Params, j.Batch, j.weights.Data != nil)
	if j.Probe.Look.Mass {
		j.reserveMass()
	}
}

// reserveMass makes room for the masses, all zero.
func (j *job) reserveMass() {
	l := &j.looking
	if l.rows == nil {
		l.rowCount = 1
	}
	l.massAt, l.chunks = l.massAt[:0], l.chunks[:0]
	total := 0
	for s := range len(j.SeqQ) - 1 {
		queries, keys := int(j.SeqQ[s+1]-j.SeqQ[s]), int(j.SeqK[s+1]-j.SeqK[s])
		chunks := 1
		if n := massChunk(queries); j.seqs[s].each > 0 {
			chunks = max(1, (queries+n-1)/n)
		}
		l.massAt, l.chunks = append(l.massAt, total), append(l.chunks, int32(chunks))
		total += j.Heads * chunks * l.rowCount * keys
	}
	l.mass = grow(l.mass, total)
	clear(l.mass)
}

// massPart is the partial sums of a head over a chunk of its queries. [rows][keys]
func (j *job) massPart(seq, head, chunk int) []float32 {
	l, keys := &j.looking, int(j.SeqK[seq+1]-j.SeqK[seq])
	n := l.rowCount * keys
	return l.mass[l.massAt[seq]+(head*int(l.chunks[seq])+chunk)*n:][:n]
}

// sumMass sums the chunks in their order and leaves the sums in the first.
func (j *job) sumMass(seq, head int) []float32 {
	sum := j.massPart(seq, head, 0)
	for c := 1; c < int(j.looking.chunks[seq]); c++ {
		kernels.Add(sum, sum, j.massPart(seq, head, c))
	}
	return sum
}

// gather gives the probe the masses of all heads that it looks at.
func (j *job) gather() {
	if !j.Probe.Look.Mass || j.rows != nil {
		return
	}
	for s := range len(j.SeqQ) - 1 {
		for h := range j.Heads {
			if i := j.Probe.index[h]; i >= 0 {
				copy(j.Probe.MassOf(s, int(i)), j.sumMass(s, h))
			}
		}
	}
}

// look finds what the probe wants of a tile that is done: its scores are kept, and the softmax is what it came to.
func (j *job) look(w *scratch, sp *span) {
	p, kept := j.Probe, &w.kept
	l := &p.Look
	for lane := range kept.Lanes() {
		row := -1
		if lane < sp.lanes() {
			row = p.row(sp, lane)
		}
		if row < 0 || j.factor(sp.seq, sp.head+lane/sp.queries) == 0 {
			kept.Hide(lane)
			if row >= 0 {
				p.LogSumExp[row] = hidden
			}
			continue
		}
		top, sum := w.RowMax(lane), w.RowSum(lane)
		bits := math.Log2(float64(sum))
		kept.Row(lane, top, sum, float32(bits), j.place(sp.seq, sp.query+lane%sp.queries))
		p.LogSumExp[row] = float32((float64(top) + bits) * math.Ln2)
		if j.Relative != nil {
			p.LogSumExp[row] += w.lost[lane]
		}
	}
	if l.TopK > 0 {
		kept.Top(l.TopK)
		j.rank(w, sp)
	}
	if !l.wantsWeights() {
		return
	}
	kept.Weigh()
	if l.Entropy {
		for lane := range sp.lanes() {
			if row := p.row(sp, lane); row >= 0 {
				p.Entropy[row] = kept.Entropy(lane)
			}
		}
	}
	if l.Distance {
		j.spread(sp, p.Distance, 1, kept.Spread(), false)
	}
	for n, reach := range l.Near {
		j.spread(sp, p.Near[n:], len(l.Near), kept.Near(reach), true)
	}
	if l.Mass {
		j.addMass(w, sp)
	}
	if l.Weights {
		j.copyWeights(w, sp)
	}
}

// rank takes the best keys of every lane.
func (j *job) rank(w *scratch, sp *span) {
	p, k := j.Probe, j.Probe.Look.TopK
	for lane := range sp.lanes() {
		row := p.row(sp, lane)
		if row < 0 {
			continue
		}
		keys, weights := p.TopKeys[row*k:][:k], p.TopWeights[row*k:][:k]
		factor, sum := j.factor(sp.seq, sp.head+lane/sp.queries), w.RowSum(lane)
		for i := range keys {
			keys[i], weights[i] = w.kept.Best(lane, i)
			weights[i] *= factor
			if sum != sum && factor != 0 {
				keys[i], weights[i] = -1, sum
			}
		}
	}
}

// spread copies what was found for each lane to its row of dst, rows ld apart.
func (j *job) spread(sp *span, dst []float32, ld int, found []float32, masked bool) {
	for lane := range sp.lanes() {
		row := j.Probe.row(sp, lane)
		if row < 0 {
			continue
		}
		x := found[lane]
		if masked {
			x *= j.factor(sp.seq, sp.head+lane/sp.queries)
		}
		dst[row*ld] = x
	}
}

// addMass adds a tile's weights to the masses of its heads' chunk.
func (j *job) addMass(w *scratch, sp *span) {
	chunk := 0
	if j.seqs[sp.seq].each > 0 {
		chunk = sp.query / massChunk(int(j.SeqQ[sp.seq+1]-j.SeqQ[sp.seq]))
	}
	keys := int(j.SeqK[sp.seq+1] - j.SeqK[sp.seq])
	for h := range sp.heads {
		head := sp.head + h
		part, factor := j.massPart(sp.seq, head, chunk), j.factor(sp.seq, head)
		if sp.heads > 1 {
			j.addRows(w, sp, h, part[:keys], factor)
			continue
		}
		for r := range j.rowCount {
			for lane := range sp.queries {
				w.factors[lane] = factor
				if j.rows != nil {
					w.factors[lane] *= j.rows[r*int(j.SeqQ[len(j.SeqQ)-1])+int(j.SeqQ[sp.seq])+sp.query+lane]
				}
			}
			w.kept.Mass(part[r*keys:][:keys], w.factors[:])
		}
	}
}

// addRows adds the rows of one of several heads that share a tile, one by one: a NaN of another must not reach them.
func (j *job) addRows(w *scratch, sp *span, h int, mass []float32, factor float32) {
	w.row = grow(w.row, len(mass))
	for lane := h * sp.queries; lane < (h+1)*sp.queries; lane++ {
		if j.Probe.row(sp, lane) >= 0 {
			w.kept.Rows(w.row, len(mass), lane, 1, len(mass), factor)
			kernels.Add(mass, mass, w.row)
		}
	}
}

// copyWeights copies a tile's weights to the rows of its queries.
func (j *job) copyWeights(w *scratch, sp *span) {
	keys := int(j.SeqK[sp.seq+1] - j.SeqK[sp.seq])
	for h := range sp.heads {
		first, n := j.shown(sp, h)
		if n == 0 || keys == 0 {
			continue
		}
		dst, ld := j.weightRows(sp, h*sp.queries+first)
		w.kept.Rows(dst, ld, h*sp.queries+first, n, keys, j.factor(sp.seq, sp.head+h))
	}
}

// shown is which queries of head h of a span are looked at.
func (j *job) shown(sp *span, h int) (first, n int) {
	p := j.Probe
	if p.index[sp.head+h] < 0 {
		return 0, 0
	}
	first = max(0, p.Look.From-sp.query)
	return first, max(0, min(sp.queries, p.Look.From+p.seqs[sp.seq].queries-sp.query)-first)
}

// weightRows is where the weights of a lane and of the next ones of its head go.
func (j *job) weightRows(sp *span, lane int) (dst []float32, ld int) {
	if m := &j.weights; m.Data != nil {
		return m.Data[sp.seq*m.Seq+(sp.head+lane/sp.queries)*m.Head+(sp.query+lane%sp.queries)*m.Query:], m.Query
	}
	p := j.Probe
	s := &p.seqs[sp.seq]
	return p.Weights[s.weights+(p.row(sp, lane)-s.row)*s.keys:], s.keys
}

// blank says of the rows of a span that they see nothing.
func (j *job) blank(sp *span) {
	p := j.Probe
	l := &p.Look
	for lane := range sp.lanes() {
		row := p.row(sp, lane)
		if row < 0 {
			continue
		}
		p.LogSumExp[row] = hidden
		if head := sp.head + lane/sp.queries; j.Sinks != nil && j.factor(sp.seq, head) != 0 {
			p.LogSumExp[row] = j.Sinks[head]
		}
		for i := range l.TopK {
			p.TopKeys[row*l.TopK+i], p.TopWeights[row*l.TopK+i] = -1, 0
		}
		if l.Entropy {
			p.Entropy[row] = 0
		}
		if l.Distance {
			p.Distance[row] = 0
		}
		clear(p.Near[row*len(l.Near) : (row+1)*len(l.Near)])
		if keys := p.seqs[sp.seq].keys; l.Weights && keys > 0 {
			dst, _ := j.weightRows(sp, lane)
			clear(dst[:keys])
		}
	}
}

// again looks into the queries that were split over keys: their keys are read a second time, now that the sums are
// known, a worker a key head.
type again struct{ *job }

func (a again) Run(worker, item int) {
	j := a.job
	s, group := int(j.merge.seqs[item/j.KVHeads]), j.Heads/j.KVHeads
	sp := span{seq: s, head: item % j.KVHeads * group, heads: group,
		queries: int(j.SeqQ[s+1] - j.SeqQ[s]), to: int(j.SeqK[s+1] - j.SeqK[s])}
	if !j.Probe.sees(&sp) {
		return
	}
	sight := j.sight(&sp)
	k, n := sight.next(0)
	if n == 0 || j.masked(&sp) {
		j.blank(&sp)
		return
	}
	w := &j.tiles[worker]
	j.queries(w, &sp, true)
	w.kept.Reset(sp.lanes())
	for lane := range sp.lanes() {
		sums := j.merge.part(&j.seqs[s], sp.head*sp.queries+lane, 0, j.ValueDim)
		w.Begin(lane, sums[0], sums[1])
	}
	for ; n > 0; k, n = sight.next(k + n) {
		if !j.hidesAll(&sp, k, n) {
			j.scores(w, &sp, &sight, sp.head/group, k, n)
			w.kept.Keep(&w.AttentionTile, k, n)
		}
	}
	j.look(w, &sp)
}
