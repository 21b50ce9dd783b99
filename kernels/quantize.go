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
	return quantizeRow(dst, src, 0)
}

// quantizeMin is the least magnitude that is told from 0: 127 divided by it is
// still finite.
const quantizeMin = 1e-35

// zeroPoint128 as flip gives bytes that are 128 more than the integers.
const zeroPoint128 = 0xffffff80

// quantizeRow is QuantizeRow with the sign bit of every byte flipped if flip is
// zeroPoint128. src is not empty.
func quantizeRow(dst []int8, src []float32, flip uint32) (scale float32) {
	m := absMax(src)
	inv := float32(0)
	if !(m < quantizeMin) {
		inv, scale = 127/m, m/127
	}
	quantise(dst, src, inv, flip)
	return scale
}

// quantiseGeneric is dst[i] = round(src[i]·inv), half to even, with its bits
// flipped by the low byte of flip.
func quantiseGeneric(dst []int8, src []float32, inv float32, flip uint32) {
	dst = dst[:len(src)]
	for i, x := range src {
		// The low byte of the sum with 1.5·2²³ is the integer in two's complement.
		dst[i] = int8(math.Float32bits(float32(x*inv)+roundMagic) ^ flip)
	}
}

// absMaxGeneric is the largest magnitude, NaN if there is one.
func absMaxGeneric(x []float32) float32 {
	// Magnitudes order as their bits do, and NaN is above them all.
	var m uint32
	for _, v := range x {
		m = max(m, math.Float32bits(v)&0x7fffffff)
	}
	return math.Float32frombits(m)
}
