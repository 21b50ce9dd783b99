package model

// groupTokens is how many tokens go through all layers together on one
// processor. Sequences do not depend on each other, so a large batch runs as
// groups of whole sequences: that bounds the workspace, and what a layer hands to
// the next stays in the second-level cache. With MiniLM's shape on a cache of
// 1 MiB, groups of 1024 run 10% slower than groups of 128 or 256.
const groupTokens = 256

// A group is some consecutive sequences of a batch.
type group struct {
	first, end int // sequences
	square     int // the squares of the lengths of all sequences before
}

// run runs the batch: groups side by side where there are enough for every
// worker, then the rest one after the other, each with all workers inside it.
// The first way needs no waiting between layers, and keeps a worker's data in its
// own cache.
func (w *workspace) run(b Batch, r *Result) {
	width := w.Width()
	w.split(&b, groupTokens)
	alone := len(w.groups) - len(w.groups)%width
	if width == 1 {
		alone = 0
	} else if alone < 2*width {
		alone = 0
		w.split(&b, groupTokens*width)
	}
	if alone > 0 {
		for len(w.sub) < width {
			w.sub = append(w.sub, newWorkspace(w.model))
		}
		w.share.batch, w.share.result = b, r
		w.Do(alone, &w.share)
		w.share.batch, w.share.result = Batch{}, nil
	}
	// Asked also when nothing is left: what a group saw, this pass must know of.
	for !w.Cancelled() && alone < len(w.groups) {
		w.group(&b, w.groups[alone], r)
		alone++
	}
}

// split makes groups of at most limit tokens, or of one sequence that is longer.
func (w *workspace) split(b *Batch, limit int) {
	w.groups = w.groups[:0]
	g, square := group{}, 0
	for s := range b.sequences() {
		if s > g.first && int(b.CuSeqlens[s+1]-b.CuSeqlens[g.first]) > limit {
			g.end = s
			w.groups = append(w.groups, g)
			g = group{first: s, square: square}
		}
		n := int(b.CuSeqlens[s+1] - b.CuSeqlens[s])
		square += n * n
	}
	if g.end = b.sequences(); g.end > g.first {
		w.groups = append(w.groups, g)
	}
}

// share runs groups side by side, each on one worker.
type share struct {
	w      *workspace
	batch  Batch
	result *Result
}

func (s *share) Run(worker, i int) {
	sub := s.w.sub[worker]
	sub.BeginWithin(&s.w.Pass)
	defer sub.End()
	sub.group(&s.batch, s.w.groups[i], s.result)
	sub.stream.release()
}
