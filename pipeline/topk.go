package pipeline

import (
	"cmp"
	"slices"
)

// topOf keeps the values with the highest scores, top of them; of equal ones the
// first. It sorts only when it has twice as many.
type topOf[T any] struct {
	top   int
	list  []scored[T]
	floor float64 // where full: what a score must be above
	full  bool
}

type scored[T any] struct {
	value T
	score float64
}

func (b *topOf[T]) add(value T, score float64) {
	if b.full && !(score > b.floor) {
		return
	}
	b.list = append(b.list, scored[T]{value, score})
	if len(b.list)/2 >= b.top {
		b.sort()
		b.full, b.floor = true, b.list[b.top-1].score
	}
}

// sort leaves the best, best first.
func (b *topOf[T]) sort() []scored[T] {
	slices.SortStableFunc(b.list, func(x, y scored[T]) int { return cmp.Compare(y.score, x.score) })
	b.list = b.list[:min(len(b.list), b.top)]
	return b.list
}
