package generate

import (
	"math"

	"github.com/ladon-ml/ladon/kernels"
)

// greedy gives the first of the largest logits, or -1 where all are -Inf or NaN.
func greedy(logits []float32) int32 {
	best, at := negInf, -1
	for i, x := range logits {
		if x > best {
			best, at = x, i
		}
	}
	return int32(at)
}

// A lottery draws tokens by their probabilities. It keeps scratch memory.
type lottery struct {
	ids    []int32 // candidates, ascending
	scores []float32
	probs  []float32
	buf    []float32
}

// coldest is a temperature at which only the likeliest is left already, and by which
// a logit may be divided.
const coldest = 1e-30

// fill makes the candidates of logits: what the Config's temperature, top-k,
// top-p and min-p leave, and at least the keep likeliest.
func (l *lottery) fill(logits []float32, c *Config, keep int) {
	floor := negInf
	if c.TopK > 0 && max(c.TopK, keep) < len(logits) {
		l.buf = kthLargest(l.buf, logits, max(c.TopK, keep))
		floor = l.buf[0]
	}
	l.ids, l.scores = l.ids[:0], l.scores[:0]
	temperature := max(float32(c.Temperature), coldest)
	for i, x := range logits {
		if x >= floor && x != negInf { // a NaN goes on, to be noticed
			l.ids, l.scores = append(l.ids, int32(i)), append(l.scores, x/temperature)
		}
	}
	l.probs = append(l.probs[:0], l.scores...)
	kernels.Softmax(l.probs, l.probs)
	if c.TopP > 0 && c.TopP < 1 {
		l.topP(c.TopP, keep)
	}
	if c.MinP > 0 {
		l.minP(c.MinP, keep)
	}
}

// topP keeps the fewest of the likeliest candidates whose probabilities reach p.
// Of equal ones at the border it keeps the last.
func (l *lottery) topP(p float64, keep int) {
	// Those that are this unlikely are below 1-p even all together.
	hopeless := float32((1 - p) / float64(len(l.probs)))
	l.buf = l.buf[:0]
	for _, x := range l.probs {
		if !(x <= hopeless) {
			l.buf = append(l.buf, x)
		}
	}
	floor, ties := massFloor(l.buf, p)
	if keep > 1 && keep < len(l.probs) {
		l.buf = kthLargest(l.buf, l.probs, keep)
		if l.buf[0] <= floor {
			floor, ties = l.buf[0], len(l.probs)
		}
	}
	equal := 0
	for _, x := range l.probs {
		if x == floor {
			equal++
		}
	}
	l.keep(func(x float32) bool {
		if x == floor {
			equal--
			return equal < ties
		}
		return x > floor
	})
}

// minP keeps the candidates that are at least p times as likely as the likeliest.
func (l *lottery) minP(p float64, keep int) {
	top := float32(0)
	for _, x := range l.probs {
		top = max(top, x)
	}
	floor := float32(p) * top
	if keep > 1 && keep < len(l.probs) {
		l.buf = kthLargest(l.buf, l.probs, keep)
		floor = min(floor, l.buf[0])
	}
	l.keep(func(x float32) bool { return !(x < floor) })
}

// keep drops the candidates whose probability does not satisfy f.
func (l *lottery) keep(f func(p float32) bool) {
	n := 0
	for i, x := range l.probs {
		if f(x) {
			l.ids[n], l.scores[n], l.probs[n] = l.ids[i], l.scores[i], x
			n++
		}
	}
	l.ids, l.scores, l.probs = l.ids[:n], l.scores[:n], l.probs[:n]
}

// draw gives the index of the candidate at which the sum of the probabilities
// passes u, in [0, 1), of all; -1 where there is none or one is NaN.
func (l *lottery) draw(u float64) int {
	sum := 0.0
	for _, x := range l.probs {
		sum += float64(x)
	}
	if !(sum > 0) || math.IsInf(sum, 1) {
		return -1
	}
	u *= sum
	last := -1
	for i, x := range l.probs {
		if x == 0 {
			continue
		}
		if u -= float64(x); u < 0 {
			return i
		}
		last = i
	}
	return last
}
