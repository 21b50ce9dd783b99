package kernels

// lanes16 are the partial sums of a reduction, combined by a tree. Every tier
// has the same lanes, whatever the width of its registers, so that the order of
// summation is one.
type lanes16 [panelWidth]float32

func (l *lanes16) sum() float32 {
	for half := panelWidth / 2; half > 0; half /= 2 {
		for i := range half {
			l[i] += l[i+half]
		}
	}
	return l[0]
}

// lanes64 are four times as many, for sums that one chain of additions would
// hold up: element i goes to lane i mod 64 while there are whole blocks of 64,
// then to lane i mod 16.
type lanes64 [4]lanes16

// lane is where element i of n goes.
func (l *lanes64) lane(i, n int) *float32 {
	if i >= n&^63 {
		return &l[0][i%16]
	}
	return &l[i/16%4][i%16]
}

func (l *lanes64) sum() float32 {
	for i := range l[0] {
		l[0][i] = (l[0][i] + l[1][i]) + (l[2][i] + l[3][i])
	}
	return l[0].sum()
}
