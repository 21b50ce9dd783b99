package kernels

import "math"

// F16ToF32 widens IEEE half precision, exactly:
//
//	for i, h := range src {
//		dst[i] = float32 of the bits h
//	}
//
// A signalling NaN becomes quiet and keeps its sign and payload.
func F16ToF32(dst []float32, src []uint16) {
	if len(dst) != len(src) {
		panic(errLength)
	}
	if len(src) > 0 {
		f16ToF32(dst, src)
	}
}

func f16ToF32Generic(dst []float32, src []uint16) {
	dst = dst[:len(src)]
	for i, h := range src {
		dst[i] = widenF16(h)
	}
}

func widenF16(h uint16) float32 {
	sign, rest := uint32(h&0x8000)<<16, uint32(h&0x7fff)<<13
	if rest >= 0x7c00<<13 { // Inf and NaN
		rest |= 0x7f800000
		if rest > 0x7f800000 {
			rest |= 0x00400000
		}
		return math.Float32frombits(sign | rest)
	}
	// As float32 bits the exponent is 112 too small; the product mends it, and
	// normalises denormals.
	f := math.Float32frombits(rest) * 0x1p112
	return math.Float32frombits(sign | math.Float32bits(f))
}

// F32ToF16 rounds to IEEE half precision, half to even:
//
//	for i, x := range src {
//		dst[i] = bits of the half nearest to x
//	}
//
// Numbers of 65520 and more give Inf. NaN stays a NaN, quiet, with its sign and
// the top of its payload.
func F32ToF16(dst []uint16, src []float32) {
	if len(dst) != len(src) {
		panic(errLength)
	}
	if len(src) > 0 {
		f32ToF16(dst, src)
	}
}

func f32ToF16Generic(dst []uint16, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		dst[i] = narrowF16(x)
	}
}

func narrowF16(x float32) uint16 {
	b := math.Float32bits(x)
	sign, rest := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case rest > 0x7f800000:
		return sign | 0x7e00 | uint16(rest>>13)&0x1ff
	case rest >= 0x477ff000: // 65520, half way to the number after the largest
		return sign | 0x7c00
	case rest < 0x38800000: // below 2⁻¹⁴ the result is denormal: adding 1/2 leaves it in the low bits, rounded
		f := math.Float32frombits(rest) + 0.5
		return sign | uint16(math.Float32bits(f)-0x3f000000)
	}
	rest += 0xfff + rest>>13&1 // half to even at bit 13
	return sign | uint16((rest-112<<23)>>13)
}

// BF16ToF32 widens bfloat16, exactly:
//
//	for i, b := range src {
//		dst[i] = math.Float32frombits(uint32(b) << 16)
//	}
func BF16ToF32(dst []float32, src []uint16) {
	if len(dst) != len(src) {
		panic(errLength)
	}
	if len(src) > 0 {
		bf16ToF32(dst, src)
	}
}

func bf16ToF32Generic(dst []float32, src []uint16) {
	dst = dst[:len(src)]
	for i, b := range src {
		dst[i] = math.Float32frombits(uint32(b) << 16)
	}
}

// F32ToBF16 rounds to bfloat16, half to even:
//
//	for i, x := range src {
//		dst[i] = bits of the bfloat16 nearest to x
//	}
//
// NaN becomes the quiet NaN without payload of its sign.
func F32ToBF16(dst []uint16, src []float32) {
	if len(dst) != len(src) {
		panic(errLength)
	}
	if len(src) > 0 {
		f32ToBF16(dst, src)
	}
}

func f32ToBF16Generic(dst []uint16, src []float32) {
	dst = dst[:len(src)]
	for i, x := range src {
		b := math.Float32bits(x)
		if b&0x7fffffff > 0x7f800000 {
			dst[i] = uint16(b>>16)&0x8000 | 0x7fc0
			continue
		}
		dst[i] = uint16((b + 0x7fff + b>>16&1) >> 16)
	}
}
