package generate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// A beam is the beam search of one sequence, as transformers defines it
// (GenerationMixin._beam_search). Scores are float32 as there.
type beam struct {
	cfg   *Config
	proc  *processors
	rng   rand.PCG
	start int // length of the prompt, padding included
	limit int

	open     []hypothesis // best first; each a row of the decoder
	finished []hypothesis // best first, at most Width
	ended    bool

	found   []candidate
	logits  [][]float32 // of the open hypotheses: log-probabilities with their scores
	scratch []float32
	probs   []float32
}

// A hypothesis is a sequence with its score: the sum of its log-probabilities, of
// a finished one divided by the length penalty.
type hypothesis struct {
	history
	score  float32
	finish Finish
	parent int // the open hypothesis that it came from
}

// A candidate is an open hypothesis and a token to go on with.
type candidate struct {
	row   int
	id    int32
	score float32
}

func newBeam(c *Config, proc *processors, h history) *beam {
	b := &beam{cfg: c, proc: proc, start: h.length(), limit: h.limit, open: []hypothesis{{history: h}}}
	b.rng.Seed(c.Seed, 0)
	return b
}

// advance goes on by a token. logits gives those of an open hypothesis, and they
// are overwritten. Afterwards the open hypotheses are those to compute next, each
// with its parent and its token; none where the search has ended.
func (b *beam) advance(logits func(i int) []float32) error {
	b.logits = b.logits[:0]
	for i := range b.open {
		x, h := logits(i), &b.open[i]
		var lse float64
		b.scratch, lse = logSumExp(b.scratch, x)
		for j := range x {
			x[j] = float32(float64(x[j]) - lse)
		}
		b.proc.apply(x, &h.history)
		b.logits = append(b.logits, x)
	}
	// Even if every other candidate ends a sequence, enough remain open.
	want := max(2, 1+len(b.cfg.EOS)) * b.cfg.Beams.Width
	if b.cfg.Temperature == 0 {
		b.best(want)
	} else {
		b.draw(want)
	}
	if len(b.found) == 0 {
		return ErrNoToken
	}
	b.finish()
	b.follow()
	b.judge()
	return nil
}

// best finds the best n candidates, in order.
func (b *beam) best(n int) {
	b.found = b.found[:0]
	for row, x := range b.logits {
		score := b.open[row].score
		floor := negInf
		if n < len(x) {
			b.scratch = kthLargest(b.scratch, x, n)
			floor = b.scratch[0]
		}
		for id, p := range x {
			if p >= floor && p > negInf {
				b.found = append(b.found, candidate{row, int32(id), p + score})
			}
		}
	}
	slices.SortFunc(b.found, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(x.row, y.row), cmp.Compare(x.id, y.id))
	})
	b.found = b.found[:min(n, len(b.found))]
}

// draw draws n candidates by their probabilities, no candidate twice, in the
// order of the draws.
func (b *beam) draw(n int) {
	var all []candidate
	var l lottery
	for row, x := range b.logits {
		l.fill(x, b.cfg, 1+max(1, len(b.cfg.EOS)))
		for i, id := range l.ids {
			all = append(all, candidate{row, id, l.scores[i] + b.open[row].score})
		}
	}
	b.probs = b.probs[:0]
	for _, c := range all {
		b.probs = append(b.probs, c.score)
	}
	var lse float64
	b.scratch, lse = logSumExp(b.scratch, b.probs)
	for i, x := range b.probs {
		b.probs[i] = float32(math.Exp(float64(x) - lse))
	}
	b.found = b.found[:0]
	l.probs = b.probs
	for len(b.found) < n {
		i := l.draw(float64(b.rng.Uint64()>>11) / (1 << 53))
		if i < 0 {
			break
		}
		b.found = append(b.found, all[i])
		l.probs[i] = 0
	}
}

// finish takes the candidates that end into the list of the finished, if they are
// among the first Width and good enough.
func (b *beam) finish() {
	width := b.cfg.Beams.Width
	if b.full() && b.cfg.Beams.Early == EarlyTrue {
		return
	}
	penalty := float32(math.Pow(float64(b.length()+1-b.start), b.cfg.Beams.LengthPenalty))
	for _, c := range b.found[:min(width, len(b.found))] {
		if why := b.ends(c); why != Unfinished {
			h := b.extend(c)
			h.score, h.finish = c.score/penalty, why
			b.finished = append(b.finished, h)
		}
	}
	slices.SortStableFunc(b.finished, func(x, y hypothesis) int { return cmp.Compare(y.score, x.score) })
	b.finished = b.finished[:min(width, len(b.finished))]
}

// follow makes the best candidates that do not end the open hypotheses.
func (b *beam) follow() {
	b.found = slices.DeleteFunc(b.found, func(c candidate) bool { return b.ends(c) != Unfinished })
	slices.SortStableFunc(b.found, func(x, y candidate) int { return cmp.Compare(y.score, x.score) })
	next := make([]hypothesis, 0, b.cfg.Beams.Width)
	for _, c := range b.found[:min(cap(next), len(b.found))] {
		next = append(next, b.extend(c))
	}
	b.open = next
}

// judge ends the search where nothing better can come.
func (b *beam) judge() {
	beams := &b.cfg.Beams
	if len(b.open) == 0 || b.full() && beams.Early == EarlyTrue {
		b.ended = true
		return
	}
	if !b.full() {
		return
	}
	length := b.length() - b.start
	if beams.Early == EarlyNever && beams.LengthPenalty > 0 {
		length = b.limit - b.start
	}
	hope := b.open[0].score / float32(math.Pow(float64(length), beams.LengthPenalty))
	b.ended = !(hope > b.finished[len(b.finished)-1].score)
}

func (b *beam) full() bool  { return len(b.finished) == b.cfg.Beams.Width }
func (b *beam) length() int { return b.open[0].length() }

func (b *beam) ends(c candidate) Finish {
	switch {
	case slices.Contains(b.cfg.EOS, c.id):
		return EOS
	case b.start+len(b.generatedOf(c))+1 >= b.limit:
		return Length
	}
	return Unfinished
}

func (b *beam) generatedOf(c candidate) []int32 { return b.open[c.row].generated() }

// extend gives the hypothesis that a candidate makes, in memory of its own.
func (b *beam) extend(c candidate) hypothesis {
	h := hypothesis{history: b.open[c.row].history, score: c.score, parent: c.row}
	h.ids = append(slices.Clip(h.ids), c.id)
	return h
}
