package kernels

import "math"

// Softmax sets dst to the softmax of one row:
//
//	m, sum := max(src), 0
//	for i, x := range src {
//		dst[i] = exp(x - m)
//		sum += dst[i]
//	}
//	for i := range dst {
//		dst[i] *= 1 / sum
//	}
//
// A row that is -Inf everywhere, wholly masked, gives zeros. A NaN or +Inf
// anywhere gives NaN everywhere.
func Softmax(dst, src []float32) {
	if len(dst) != len(src) {
		panic(errLength)
	}
	if len(src) > 0 {
		softmax(dst, src)
	}
}

func softmaxGeneric(dst, src []float32) {
	// A finite floor makes exp(-Inf - m) a plain 0 where everything is -Inf.
	m := float32(-math.MaxFloat32)
	for _, x := range src {
		if x > m {
			m = x
		}
	}
	dst = dst[:len(src)]
	var lanes lanes16
	for i, x := range src {
		e := exp1(x - m)
		dst[i] = e
		lanes[i%16] += e
	}
	inv := lanes.sum()
	if inv != 0 {
		inv = 1 / inv
	}
	for i := range dst {
		dst[i] *= inv
	}
}
