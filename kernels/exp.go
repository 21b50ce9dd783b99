package kernels

import "math"

// Exp sets dst to the exponential of src:
//
//	for i, x := range src {
//		dst[i] = exp(x)
//	}
//
// within 1 ulp. The result is 0 below -87.33654, where it would be denormal,
// and +Inf above 88.72283. NaN gives NaN.
func Exp(dst, src []float32) {
	if len(dst) != len(src) {
		panic(errLength)
	}
	if len(src) > 0 {
		exp(dst, src)
	}
}

// exp(x) = 2ⁿ·exp(r) with n = round(x·log₂e) and r = x - n·ln 2, and exp(r) a
// polynomial of degree 6, minimax in relative error on |r| ≤ ln2/2. 2ⁿ is
// applied to the exponent bits, so n = 128 needs no care. The assembly does the
// same in float32 with fused multiply-adds, with ln 2 in two parts; here r and
// the polynomial are float64, since float32 without fusing passes 1 ulp.
const (
	expLo = -87.33654
	expHi = 88.72283

	expC2 = 0x1.fffffcp-2
	expC3 = 0x1.555492p-3
	expC4 = 0x1.5558acp-5
	expC5 = 0x1.12397cp-7
	expC6 = 0x1.6a511ap-10

	// Adding 1.5·2²³ leaves a float32 of up to 22 bits rounded to an integer,
	// half to even, in its low bits.
	roundMagic = 3 << 22
)

func expGeneric(dst, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = exp1(x)
	}
}

// exp1 is the portable exp of one number.
func exp1(x float32) float32 {
	if !(x >= expLo) { // also NaN
		if x != x {
			return x
		}
		return 0
	}
	if x > expHi {
		return float32(math.Inf(1))
	}
	n := float32(x*math.Log2E) + roundMagic - roundMagic
	r := float64(x) - float64(float64(n)*math.Ln2)
	p := float64(float64(expC6*r+expC5)*r+expC4)*r + expC3
	p = float64(float64(p*r+expC2)*r+1)*r + 1
	return math.Float32frombits(math.Float32bits(float32(p)) + uint32(int32(n))<<23)
}
