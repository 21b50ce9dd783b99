package mha

import (
	"slices"

	"github.com/ladon-ml/ladon/kernels"
)

// Times for cutting work into items. They need be right only to a factor of two.
const (
	flopsPerNS  = 60    // multiply-adds a nanosecond on one core
	bytesPerNS  = 10    // keys and values read
	serialBelow = 20e3  // ns: less is not worth handing over
	itemTarget  = 100e3 // ns
)

const (
	// SplitKeys is how many keys an item takes where few queries meet many keys.
	SplitKeys = 256
	// fewQueries is how many that is at most, of all heads that share keys: the narrowest tile of any tier.
	fewQueries = 16
	// rowwise is up to how many of them keys and values are read row after row for each.
	rowwise = 4
)

// job is one Run: who does which tile. A work item is some consecutive tiles of one head of one sequence, so that
// items of a head follow each other while its keys are in cache; or, for few queries, a range of keys of all the heads
// that share them, so that keys are read once and by all workers.
type job struct {
	Params
	Batch
	out, q, k, v View
	weights      Map      // where the probe's go, unless Data is nil
	noValues     bool     // there is no output, only the probe's
	caches       []*Cache // instead of k and v
	looking

	lanes int       // queries of a tile
	seqs  []plan    // per sequence
	first []int32   // per sequence: its first item; one more at the end
	tiles []scratch // per worker
	merge merge
	again again
}

// plan is how a sequence is cut.
type plan struct {
	each  int32 // tiles of an item; 0: the sequence is split over keys
	parts int32 // ranges of SplitKeys keys
	slot  int32 // where the results of its parts are: that of its first lane's first part
}

// scratch is one worker's tile, apart from the next one's.
type scratch struct {
	kernels.AttentionTile
	q   []float32 // queries of several heads, side by side
	out []float32 // and their output

	sums [32]rowSum // of inParts, per lane
	wide []float32  // keys or values of a block, widened

	relating

	keeping bool // scores, for a probe
	kept    kernels.KeptScores
	factors [kernels.MaxTileQueries]float32
	row     []float32
	_       [64]byte
}

func (j *job) run(x *kernels.Exec) {
	j.lanes = kernels.TileQueries()
	total := j.plan()
	if j.Probe != nil {
		j.beginLook()
	}
	if w := x.Width(); len(j.tiles) < w {
		j.tiles = make([]scratch, w)
	}
	items := int(j.first[len(j.first)-1])
	j.merge.job, j.again.job = j, j
	if total < serialBelow {
		for i := range items {
			j.Run(0, i)
		}
		for i := range len(j.merge.seqs) * j.KVHeads {
			j.merge.Run(0, i)
		}
	} else {
		x.Do(items, j)
		x.Do(len(j.merge.seqs)*j.KVHeads, &j.merge)
	}
	if j.Probe != nil {
		x.Do(len(j.merge.seqs)*j.KVHeads, &j.again)
		j.gather()
	}
}

// forget keeps no caller's memory alive.
func (j *job) forget() {
	j.out, j.q, j.k, j.v, j.weights, j.caches, j.Batch, j.Params = View{}, View{}, View{}, View{}, Map{}, nil, Batch{}, Params{}
	j.noValues, j.rows = false, nil
}

// plan fills seqs and first, and estimates the time of the whole in ns on one core.
func (j *job) plan() float64 {
	n := len(j.SeqQ) - 1
	j.seqs = slices.Grow(j.seqs[:0], n)[:n]
	j.first = slices.Grow(j.first[:0], n+1)[:n+1]
	j.merge.seqs = j.merge.seqs[:0]
	total, items, slots := 0.0, int32(0), int32(0)
	group := j.Heads / j.KVHeads
	for s := range n {
		queries, keys := int(j.SeqQ[s+1]-j.SeqQ[s]), int(j.SeqK[s+1]-j.SeqK[s])
		j.first[s] = items
		p := &j.seqs[s]
		*p = plan{}
		if queries*group <= fewQueries && queries > 0 && (group > 1 || keys > SplitKeys) && !j.noValues {
			p.parts = int32(max(1, (keys+SplitKeys-1)/SplitKeys))
			items += p.parts * int32(j.KVHeads)
			total += float64(keys*j.KVHeads) * 4 * float64(j.HeadDim+j.ValueDim) / bytesPerNS
			if p.parts > 1 {
				p.slot = slots
				slots += p.parts * int32(queries*j.Heads)
				j.merge.seqs = append(j.merge.seqs, int32(s))
			}
			continue
		}
		tiles := (queries + j.lanes - 1) / j.lanes
		seen := keys
		if j.Left > 0 && (j.Right > 0 || j.Causal) {
			seen = min(seen, j.Left+j.Right+min(queries, j.lanes))
		} else if j.Causal {
			seen = seen/2 + 1
		}
		ns := float64(min(queries, j.lanes)*seen*(j.HeadDim+j.ValueDim)) / flopsPerNS
		total += ns * float64(tiles*j.live(s))
		p.each = int32(min(max(1, itemTarget/max(ns, 1)), float64(max(1, tiles))))
		if j.Probe != nil && j.Probe.Look.Mass {
			p.each = int32(massChunk(queries) / j.lanes)
		}
		items += int32(j.Heads * ((tiles + int(p.each) - 1) / int(p.each)))
	}
	j.first[n] = items
	j.merge.reserve(int(slots), j.ValueDim)
	return total
}

// Run does item i.
func (j *job) Run(worker, i int) {
	s, found := slices.BinarySearch(j.first, int32(i))
	if !found {
		s--
	}
	for int(j.first[s+1]) <= i { // sequences without items share a first
		s++
	}
	w, p := &j.tiles[worker], j.seqs[s]
	queries, keys := int(j.SeqQ[s+1]-j.SeqQ[s]), int(j.SeqK[s+1]-j.SeqK[s])
	i -= int(j.first[s])
	if p.each == 0 {
		part, group := i%int(p.parts), j.Heads/j.KVHeads
		sp := span{seq: s, head: i / int(p.parts) * group, heads: group, queries: queries, from: part * SplitKeys, to: min(keys, (part+1)*SplitKeys)}
		j.few(w, &sp, part)
		return
	}
	perHead := int(j.first[s+1]-j.first[s]) / j.Heads
	head, part := i/perHead, i%perHead
	step := j.lanes * int(p.each)
	for i := part * step; i < min((part+1)*step, queries); i += j.lanes {
		sp := span{seq: s, head: head, heads: 1, query: i, queries: min(j.lanes, queries-i), to: keys}
		switch {
		case j.masked(&sp):
			j.leaveOut(&sp)
			if j.Probe != nil {
				j.blank(&sp)
			}
		case j.noValues && !j.Probe.sees(&sp):
		case j.noValues:
			j.whole(w, &sp, nil, 0)
		default:
			j.whole(w, &sp, j.out.head(head, int(j.SeqQ[s])+i), j.out.Token)
		}
	}
}
