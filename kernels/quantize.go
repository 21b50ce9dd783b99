package kernels

import "math"

// QuantizeRow sets dst to src in 8 bits, symmetric around 0, and returns the
// scale that undoes it:
//
//	m := max(|src|)
//	scale = m / 127
//	for i, x := range src {
//		dst[i] = round(x * (127 / m)) // half to even, within ±127
//	}
//
// A row whose largest magnitude is below 1e-35 gives scale 0 and zeros. With a
// NaN or an infinity in the row the bytes mean nothing and the scale is NaN or
// infinite, so that what is computed from them shows it.
func QuantizeRow(dst []int8, src []float32) (scale float32) {
	if len(dst) != len(src) {
		panic(errLength)
	}
	if len(src) == 0 {
		return 0
	}
	return quantizeRow(dst, src)
}

// quantizeMin is the least magnitude that is told from 0: 127 divided by it is
// still finite.
const quantizeMin = 1e-35

func quantizeRowGeneric(dst []int8, src []float32) float32 {
	m := maxAbs(src)
	if m < quantizeMin {
		clear(dst[:len(src)])
		return 0
	}
	inv := 127 / m
	dst = dst[:len(src)]
	for i, x := range src {
		// The low byte of the sum with 1.5·2²³ is the integer in two's complement.
		dst[i] = int8(math.Float32bits(float32(x*inv) + roundMagic))
	}
	return m / 127
}

// maxAbs is the largest magnitude, NaN if there is one.
func maxAbs(src []float32) float32 {
	// Magnitudes order as their bits do, and NaN is above them all.
	var m uint32
	for _, x := range src {
		m = max(m, math.Float32bits(x)&0x7fffffff)
	}
	return math.Float32frombits(m)
}
