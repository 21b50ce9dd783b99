package mha

import (
	"slices"

	"github.com/ladon-ml/ladon/kernels"
)

// Times for cutting work into items. They need be right only to a factor of two.
const (
	flopsPerNS  = 60    // multiply-adds a nanosecond on one core
	serialBelow = 20e3  // ns: less is not worth handing over
	itemTarget  = 100e3 // ns
)

// job is one Run: who does which tile. A work item is some consecutive tiles of one head of one sequence, so that
// items of a head follow each other while its keys are in cache.
type job struct {
	Params
	Batch
	out, q, k, v View

	lanes int       // queries of a tile
	each  []int32   // per sequence: tiles of an item
	first []int32   // per sequence: its first item; one more at the end
	tiles []scratch // per worker
}

// scratch is one worker's tile, apart from the next one's.
type scratch struct {
	kernels.AttentionTile
	_ [64]byte
}

func (j *job) run(x *kernels.Exec, p Params, b Batch, out, q, k, v View) {
	j.Params, j.Batch, j.out, j.q, j.k, j.v = p, b, out, q, k, v
	j.lanes = kernels.TileQueries()
	total := j.plan()
	if w := x.Width(); len(j.tiles) < w {
		j.tiles = make([]scratch, w)
	}
	items := int(j.first[len(j.first)-1])
	if total < serialBelow {
		for i := range items {
			j.Run(0, i)
		}
	} else {
		x.Do(items, j)
	}
	j.out, j.q, j.k, j.v, j.Batch = View{}, View{}, View{}, View{}, Batch{} // keep no caller's memory alive
}

// plan fills each and first, and estimates the time of the whole in ns on one core.
func (j *job) plan() float64 {
	n := len(j.SeqQ) - 1
	j.each = slices.Grow(j.each[:0], n)[:n]
	j.first = slices.Grow(j.first[:0], n+1)[:n+1]
	total, items := 0.0, int32(0)
	for s := range n {
		queries, keys := int(j.SeqQ[s+1]-j.SeqQ[s]), int(j.SeqK[s+1]-j.SeqK[s])
		tiles := (queries + j.lanes - 1) / j.lanes
		ns := float64(min(queries, j.lanes)*keys*(j.HeadDim+j.ValueDim)) / flopsPerNS
		if j.Causal {
			ns /= 2
		}
		total += ns * float64(tiles*j.Heads)
		j.each[s] = int32(min(max(1, itemTarget/max(ns, 1)), float64(max(1, tiles))))
		j.first[s] = items
		items += int32(j.Heads * ((tiles + int(j.each[s]) - 1) / int(j.each[s])))
	}
	j.first[n] = items
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
	perHead := int(j.first[s+1]-j.first[s]) / j.Heads
	head, part := (i-int(j.first[s]))/perHead, (i-int(j.first[s]))%perHead
	queries := int(j.SeqQ[s+1] - j.SeqQ[s])
	step := j.lanes * int(j.each[s])
	for i := part * step; i < min((part+1)*step, queries); i += j.lanes {
		j.tile(&j.tiles[worker].AttentionTile, s, head, i, min(j.lanes, queries-i))
	}
}
