package mha

import (
	"math"

	"github.com/ladon-ml/ladon/kernels"
)

// few does the queries of all heads that share keys, for a range of keys: to out if it is all there are, else to the
// part's place among those that wait for merging.
func (j *job) few(w *scratch, sp *span, part int) {
	p := &j.seqs[sp.seq]
	if j.masked(sp) {
		if p.parts == 1 {
			j.leaveOut(sp)
			if j.Probe != nil {
				j.blank(sp)
			}
		}
		return
	}
	if p.parts > 1 {
		w.keeping = false
		began := j.attend(w, sp, true, nil, 0)
		for r := range sp.lanes() {
			s := j.merge.part(p, sp.head*sp.queries+r, part, j.ValueDim)
			s[1] = 0
			if began {
				s[0], s[1] = w.RowMax(r), w.RowSum(r)
				copy(s[2:], w.Partial(r))
			}
		}
		return
	}
	first := int(j.SeqQ[sp.seq])
	if sp.heads == 1 {
		j.whole(w, sp, j.out.head(sp.head, first), j.out.Token)
		return
	}
	w.out = grow(w.out, sp.lanes()*j.ValueDim)
	j.whole(w, sp, w.out, j.ValueDim)
	for r := range sp.lanes() {
		copy(j.out.head(sp.head+r/sp.queries, first+r%sp.queries)[:j.ValueDim], w.out[r*j.ValueDim:])
	}
	j.leaveOut(sp)
}

// merge puts together the parts of queries that are split over keys, in the order of the keys.
type merge struct {
	*job
	seqs  []int32   // those that are split
	parts []float32 // [lane][part] of maximum, sum and the values' sum, [2+ValueDim]
}

func (m *merge) reserve(slots, valueDim int) { m.parts = grow(m.parts, slots*(2+valueDim)) }

// part is what belongs to a lane of a sequence: its queries, head after head.
func (m *merge) part(p *plan, lane, part, valueDim int) []float32 {
	return m.parts[(int(p.slot)+lane*int(p.parts)+part)*(2+valueDim):][:2+valueDim]
}

// Run does the queries of one key head.
func (m *merge) Run(_, item int) {
	s, group := int(m.seqs[item/m.KVHeads]), m.Heads/m.KVHeads
	p, firstQ := &m.job.seqs[s], int(m.SeqQ[s])
	queries := int(m.SeqQ[s+1]) - firstQ
	head := item % m.KVHeads * group
	for lane := head * queries; lane < (head+group)*queries; lane++ {
		h := lane / queries
		out, factor := m.out.head(h, firstQ+lane%queries)[:m.ValueDim], m.factor(s, h)
		if factor == 0 {
			clear(out)
			continue
		}
		sum := m.begin(h, out)
		for i := range int(p.parts) {
			part := m.part(p, lane, i, m.ValueDim)
			sum.absorb(out, part[0], part[1], part[2:])
		}
		sum.finish(out, factor)
		first := m.part(p, lane, 0, m.ValueDim)
		first[0], first[1] = sum.top, sum.sum // for again
	}
}

// rowSum is a query's softmax over some of its keys: the maximum of their scores in units of log2 and the sum of the
// weights relative to it. The sum of the values, weighted like this, lies where the query's output will be.
type rowSum struct{ top, sum float32 }

// begin is the sum over no keys, but for a sink.
func (j *job) begin(head int, out []float32) rowSum {
	if j.Sinks == nil || math.IsInf(float64(j.Sinks[head]), -1) {
		return rowSum{}
	}
	clear(out)
	return rowSum{top: j.Sinks[head] * math.Log2E, sum: 1}
}

// absorb adds the sum over further keys.
func (s *rowSum) absorb(out []float32, top, sum float32, values []float32) {
	switch {
	case sum == 0:
		return
	case s.sum == 0:
		*s = rowSum{top, sum}
		copy(out, values)
		return
	}
	highest := max(s.top, top)
	a, b := float32(math.Exp2(float64(s.top-highest))), float32(math.Exp2(float64(top-highest)))
	*s = rowSum{highest, float32(s.sum*a) + float32(sum*b)}
	if a != 1 {
		kernels.Scale(out, out, a)
	}
	if b != 1 {
		kernels.Scale(values, values, b)
	}
	kernels.Add(out, out, values)
}

// finish divides by the sum of weights and multiplies by the head mask's factor, as a tile's last block does.
func (s *rowSum) finish(out []float32, factor float32) {
	if s.sum < 1e-30 {
		clear(out)
		return
	}
	kernels.Scale(out, out, 1/s.sum*factor)
}

// grow is s with room for n elements, which are not kept.
func grow[T float32 | int32](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
