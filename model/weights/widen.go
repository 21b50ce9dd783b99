package weights

import (
	"encoding/binary"
	"math"
)

// widener returns the function that converts stored elements of type d to
// float32; nil for types that have none. It converts len(dst) elements, which
// must be whole blocks, and src must have exactly so many.
func widener(d DType) func(dst []float32, src []byte) {
	switch d {
	case F32:
		return func(dst []float32, src []byte) { copy(bytesOf(dst), src) }
	case F16:
		return widenF16
	case BF16:
		return widenBF16
	case F64:
		return widenF64
	case Q8_0:
		return eachBlock(d, widenQ8_0)
	case Q4_0:
		return eachBlock(d, widenQ4_0)
	case Q4_1:
		return eachBlock(d, widenQ4_1)
	case Q5_0:
		return eachBlock(d, widenQ5_0)
	case Q5_1:
		return eachBlock(d, widenQ5_1)
	case Q4_K:
		return eachBlock(d, widenQ4_K)
	case Q5_K:
		return eachBlock(d, widenQ5_K)
	case Q6_K:
		return eachBlock(d, widenQ6_K)
	}
	return nil
}

// widenF16 moves the 10 mantissa and 5 exponent bits up to a float32's place,
// where they mean 2^-112 of what they did: the exponent's bias is 127, not 15.
// Multiplying by 2^112 is exact, for subnormals too. Infinity and NaN need an
// exponent of all ones instead.
func widenF16(dst []float32, src []byte) {
	for i := range dst {
		h := uint32(binary.LittleEndian.Uint16(src[2*i:]))
		u := h & 0x7fff << 13
		if h&0x7c00 == 0x7c00 {
			u |= 0x7f800000
		} else {
			u = math.Float32bits(math.Float32frombits(u) * 0x1p112)
		}
		dst[i] = math.Float32frombits(u | h&0x8000<<16)
	}
}

func widenBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

func widenF64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
	}
}
