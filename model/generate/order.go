package generate

// kthLargest puts the k largest of xs into buf, which it returns with the least
// of them first, without sorting: whatever is not above the k best so far is
// passed over, and a buffer of 2k is halved by quickselect when it is full.
// NaN counts as less than all; k is 1…len(xs).
func kthLargest(buf, xs []float32, k int) []float32 {
	buf = buf[:0]
	floor := negInf
	for _, x := range xs {
		if !(x > floor) {
			continue
		}
		if buf = append(buf, x); len(buf) == 2*k {
			selectLargest(buf, k)
			buf = buf[:k]
			floor = least(buf)
		}
	}
	for len(buf) < k {
		buf = append(buf, negInf)
	}
	selectLargest(buf, k)
	buf = buf[:k]
	for i, x := range buf {
		if x < buf[0] {
			buf[0], buf[i] = x, buf[0]
		}
	}
	return buf
}

func least(xs []float32) float32 {
	m := xs[0]
	for _, x := range xs {
		m = min(m, x)
	}
	return m
}

// selectLargest moves the k largest of xs to its front.
func selectLargest(xs []float32, k int) {
	var r pivots
	for k > 0 && k < len(xs) {
		greater, equal := partition(xs, xs[r.next(len(xs))])
		switch {
		case k <= greater:
			xs = xs[:greater]
		case k <= greater+equal:
			return
		default:
			xs, k = xs[greater+equal:], k-greater-equal
		}
	}
}

// massFloor gives the least of the fewest largest numbers of p whose sum reaches
// mass, and how many numbers of that value it takes. p is reordered. Where all of
// p is less than mass, the floor is below all of it.
func massFloor(p []float32, mass float64) (floor float32, ties int) {
	var r pivots
	for len(p) > 0 {
		pivot := p[r.next(len(p))]
		greater, equal := partition(p, pivot)
		sum := 0.0
		for _, x := range p[:greater] {
			sum += float64(x)
		}
		if sum >= mass {
			p = p[:greater]
			continue
		}
		mass -= sum
		for n := range equal {
			if mass -= float64(pivot); mass <= 0 {
				return pivot, n + 1
			}
		}
		p = p[greater+equal:]
	}
	return -1, 0
}

// partition moves what is greater than pivot to the front of xs and what is less
// to the back.
func partition(xs []float32, pivot float32) (greater, equal int) {
	i, end := 0, len(xs)
	for i < end {
		switch x := xs[i]; {
		case x > pivot:
			xs[greater], xs[i] = x, xs[greater]
			greater++
			i++
		case x < pivot:
			end--
			xs[i], xs[end] = xs[end], x
		default:
			i++
		}
	}
	return greater, end - greater
}

// pivots gives places for pivots that no order of the numbers is made for, the
// same ones each time.
type pivots uint32

func (r *pivots) next(n int) int {
	*r = *r*1664525 + 1013904223
	return int(uint64(*r) * uint64(n) >> 32)
}
