package pipeline

import "slices"

// offer puts a hit among the best so far, at most hits of them: a heap whose top
// is the worst.
func offer(best []Hit, h Hit, hits int) []Hit {
	if len(best) < hits {
		best = append(best, h)
		for i := len(best) - 1; i > 0; {
			up := (i - 1) / 2
			if !best[up].before(best[i]) {
				break
			}
			best[i], best[up] = best[up], best[i]
			i = up
		}
		return best
	}
	if hits > 0 && h.before(best[0]) {
		best[0] = h
		sink(best)
	}
	return best
}

// sink lets the top of a heap down to its place.
func sink(heap []Hit) {
	for i := 0; ; {
		worst := i
		for _, below := range [...]int{2*i + 1, 2*i + 2} {
			if below < len(heap) && heap[worst].before(heap[below]) {
				worst = below
			}
		}
		if worst == i {
			return
		}
		heap[i], heap[worst] = heap[worst], heap[i]
		i = worst
	}
}

// appendSorted appends the hits of a heap to dst, the best first.
func appendSorted(dst, heap []Hit) []Hit {
	first := len(dst)
	dst = append(dst, heap...)
	slices.SortFunc(dst[first:], func(a, b Hit) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	return dst
}
