package kernels

// lanes16 are the partial sums of a reduction. Every tier adds element i to
// lane i mod 16 and ends with the same tree, whatever the width of its
// registers, so that the order of summation is one.
type lanes16 [16]float32

func (l *lanes16) sum() float32 {
	for half := 8; half > 0; half /= 2 {
		for i := range half {
			l[i] += l[i+half]
		}
	}
	return l[0]
}
