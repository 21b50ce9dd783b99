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

// Int8ToF32 undoes QuantizeRow:
//
//	for i, q := range src {
//		dst[i] = float32(q) * scale
//	}
func Int8ToF32(dst []float32, src []int8, scale float32) {
	if len(dst) != len(src) {
		panic(errLength)
	}
	if len(src) > 0 {
		int8ToF32(dst, src, scale)
	}
}

func int8ToF32Generic(dst []float32, src []int8, scale float32) {
	dst = dst[:len(src)]
	for i, q := range src {
		dst[i] = float32(q) * scale
	}
}

// quantizeMin is the least magnitude that is told from 0: 255 divided by it is
// still finite.
const quantizeMin = 1e-35

// zeroPoint128 as flip gives bytes that are 128 more than the integers.
const zeroPoint128 = 0xffffff80

// quantizeRow is QuantizeRow for a row that is not empty.
func quantizeRow(dst []int8, src []float32) (scale float32) {
	m := absMax(src)
	inv := float32(0)
	if !(m < quantizeMin) {
		inv, scale = 127/m, m/127
	}
	quantise(dst, src, inv, 0, 0)
	return scale
}

// quantizeRange quantises a row of activations, which are not empty, to the 256
// integers that its range takes:
//
//	low, high := min(0, src...), max(0, src...)
//	scale = high/255 - low/255
//	zero = round(-low/scale)
//	for i, x := range src {
//		q := min(round(x/scale+zero), 255) // 0 to 255, x ≈ (q-zero)·scale
//	}
//
// Activations seldom lie evenly around 0: a GELU ends at -0.17 below, and a
// LayerNorm has outliers to one side. Symmetric integers lose up to half of
// their values there. dst gets q-128, or with zeroPoint128 as flip the bytes q.
// Rows of no range, or not finite, are as in [QuantizeRow].
func quantizeRange(dst []int8, src []float32, flip uint32) (scale float32, zero int32) {
	low, high := valueRange(src)
	scale = high/255 - low/255
	if scale != scale {
		return scale, 0
	}
	if high-low < quantizeMin {
		scale = 0
		quantise(dst, src, 0, -128, flip)
		return 0, 0
	}
	inv := 1 / scale
	z := float32(-low*inv) + roundMagic - roundMagic
	quantise(dst, src, inv, z-128, flip)
	return scale, int32(z)
}

// quantiseGeneric is dst[i] = round(min(src[i]·inv + zero, 127)), half to even,
// with its bits flipped by the low byte of flip.
func quantiseGeneric(dst []int8, src []float32, inv, zero float32, flip uint32) {
	dst = dst[:len(src)]
	for i, x := range src {
		// The low byte of the sum with 1.5·2²³ is the integer in two's complement.
		dst[i] = int8(math.Float32bits(min(float32(x*inv)+zero, 127)+roundMagic) ^ flip)
	}
}

// rangeGeneric is the least and the largest of 0 and x, NaN if one of x is not
// finite.
func rangeGeneric(x []float32) (low, high float32) {
	spoilt := float32(0)
	for _, v := range x {
		low, high = min(low, v), max(high, v)
		spoilt += v * 0
	}
	return low + spoilt, high + spoilt
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
