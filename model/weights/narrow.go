package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// AppendQuantized appends src to dst as type d stores it: F32, F16 or BF16,
// rounded to nearest even, or one of GGUF's block types, of which src must be
// whole blocks. Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 are llama.cpp's to the bit; the
// K types search for the scales and minima of least error, which is not larger
// than with the scales that a group's extremes give.
//
// The error matches ErrConvert when d is another type or a number is NaN,
// infinite or too large for d.
func AppendQuantized(dst []byte, d DType, src []float32) ([]byte, error) {
	narrow := narrower(d)
	if narrow == nil {
		return dst, fmt.Errorf("weights: float32 to %v: %w", d, ErrConvert)
	}
	block, size := d.Block()
	if len(src)%block != 0 {
		return dst, fmt.Errorf("weights: %d numbers to %v, whose blocks have %d: %w", len(src), d, block, ErrConvert)
	}
	for i, v := range src {
		if !finite(v) {
			return dst, fmt.Errorf("weights: number %d of %d is %v, to %v: %w", i, len(src), v, d, ErrConvert)
		}
	}
	for i := 0; i < len(src); i += block {
		at := len(dst)
		dst = append(dst, make([]byte, size)...)
		if err := narrow(dst[at:], src[i:i+block]); err != nil {
			return dst[:at], fmt.Errorf("weights: numbers %d to %d of %d, to %v: %w: %w", i, i+block, len(src), d, err, ErrConvert)
		}
	}
	return dst, nil
}

// errTooLarge says that a number's scale is no finite binary16.
var errTooLarge = errors.New("too large")

// narrower returns the function that makes one block of type d, which is zero
// before, of finite numbers; nil for types that have none.
func narrower(d DType) func(dst []byte, src []float32) error {
	switch d {
	case F32:
		return func(dst []byte, src []float32) error {
			binary.LittleEndian.PutUint32(dst, math.Float32bits(src[0]))
			return nil
		}
	case F16:
		return func(dst []byte, src []float32) error { return putHalf(dst, src[0]) }
	case BF16:
		return narrowBF16
	case Q8_0:
		return narrowQ8_0
	case Q4_0:
		return narrowQ4_0
	case Q4_1:
		return narrowQ4_1
	case Q5_0:
		return narrowQ5_0
	case Q5_1:
		return narrowQ5_1
	case Q4_K:
		return narrowQ4_K
	case Q5_K:
		return narrowQ5_K
	case Q6_K:
		return narrowQ6_K
	}
	return nil
}

// halfBits rounds a finite number to binary16, to nearest even; infinity where it
// is too large.
func halfBits(v float32) uint16 {
	u := math.Float32bits(v)
	sign, u := uint16(u>>16&0x8000), u&0x7fffffff
	if u < 0x38800000 { // below the least normal one: a multiple of 2^-24
		n := math.RoundToEven(float64(math.Float32frombits(u)) * 0x1p24)
		return sign | uint16(n)
	}
	u += 0xfff + u>>13&1 // a carry out of the fraction belongs in the exponent
	return sign | uint16(min((u-112<<23)>>13, 0x7c00))
}

func putHalf(dst []byte, v float32) error {
	h := halfBits(v)
	binary.LittleEndian.PutUint16(dst, h)
	if h&0x7fff == 0x7c00 {
		return errTooLarge
	}
	return nil
}

func narrowBF16(dst []byte, src []float32) error {
	u := math.Float32bits(src[0])
	u += 0x7fff + u>>16&1
	binary.LittleEndian.PutUint16(dst, uint16(u>>16))
	if u&0x7fffffff >= 0x7f800000 {
		return errTooLarge
	}
	return nil
}

// inverse is 1/d, and 0 where d is so small that it has none.
func inverse(d float32) float32 {
	if i := 1 / d; finite(i) {
		return i
	}
	return 0
}

// widest is the number of the largest magnitude, the first of several.
func widest(x []float32) (v float32) {
	for _, e := range x {
		if abs(e) > abs(v) {
			v = e
		}
	}
	return v
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

func extremes(x []float32) (low, high float32) {
	low, high = x[0], x[0]
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

func narrowQ8_0(dst []byte, src []float32) error {
	d := abs(widest(src)) / 127
	id := inverse(d)
	for i, v := range src {
		dst[2+i] = byte(int8(math.Round(float64(v * id))))
	}
	return putHalf(dst, d)
}

// The other types of 32 round by truncating what is at least 0.

func narrowQ4_0(dst []byte, src []float32) error {
	d := widest(src) / -8
	id := inverse(d)
	quant := func(v float32) byte { return byte(min(float32(v*id)+8.5, 15)) }
	for i := range smallBlock / 2 {
		dst[2+i] = quant(src[i]) | quant(src[i+smallBlock/2])<<4
	}
	return putHalf(dst, d)
}

func narrowQ4_1(dst []byte, src []float32) error {
	low, high := extremes(src)
	d := (high - low) / 15
	id := inverse(d)
	quant := func(v float32) byte { return byte(min(float32((v-low)*id)+0.5, 15)) }
	for i := range smallBlock / 2 {
		dst[4+i] = quant(src[i]) | quant(src[i+smallBlock/2])<<4
	}
	return errors.Join(putHalf(dst, d), putHalf(dst[2:], low))
}

func narrowQ5_0(dst []byte, src []float32) error {
	d := widest(src) / -16
	id := inverse(d)
	putFives(dst[2:], src, func(v float32) byte { return byte(min(float32(v*id)+16.5, 31)) })
	return putHalf(dst, d)
}

func narrowQ5_1(dst []byte, src []float32) error {
	low, high := extremes(src)
	d := (high - low) / 31
	id := inverse(d)
	putFives(dst[4:], src, func(v float32) byte { return byte(min(float32((v-low)*id)+0.5, 31)) })
	return errors.Join(putHalf(dst, d), putHalf(dst[2:], low))
}

// putFives stores 5 bits of each element: the high ones first, then the others.
func putFives(dst []byte, src []float32, quant func(float32) byte) {
	var bits uint32
	for i := range smallBlock / 2 {
		a, b := quant(src[i]), quant(src[i+smallBlock/2])
		bits |= uint32(a>>4)<<i | uint32(b>>4)<<(i+smallBlock/2)
		dst[4+i] = a&15 | b<<4
	}
	binary.LittleEndian.PutUint32(dst, bits)
}
