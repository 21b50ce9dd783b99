package weights

import (
	"encoding/binary"
	"math"
)

// widener returns the function that converts little-endian elements of type d to
// float32, and their size in bytes; nil for types that have none. It converts
// len(dst) elements, and src must have exactly so many.
func widener(d DType) (widen func(dst []float32, src []byte), size int) {
	switch d {
	case F32:
		return func(dst []float32, src []byte) { copy(bytesOf(dst), src) }, 4
	case F16:
		return widenF16, 2
	case BF16:
		return widenBF16, 2
	case F64:
		return widenF64, 8
	}
	return nil, 0
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
