package weights

import (
	"encoding/binary"
	"math"
)

// The block types of GGUF, as llama.cpp defines them. A block holds consecutive
// elements of a row: d and m are binary16, the rest are integers.
//
//	Q8_0  32: d, 32 int8                            x = d·q
//	Q4_0  32: d, 32×4 bits                          x = d·(q-8)
//	Q4_1  32: d, m, 32×4 bits                       x = d·q + m
//	Q5_0  32: d, 32 high bits, 32×4 bits            x = d·(q-16)
//	Q5_1  32: d, m, 32 high bits, 32×4 bits         x = d·q + m
//	Q4_K 256: d, m, 8 scales and 8 minima of 6 bits, 256×4 bits
//	                                                x = d·scale·q - m·min, of each 32
//	Q5_K 256: d, m, the same, 256 high bits, 256×4 bits
//	Q6_K 256: 256×4 bits, 256×2 high bits, 16 int8 scales, d
//	                                                x = d·scale·(q-32), of each 16
//
// Of 32 elements with 4 bits each, byte i holds element i in its low half and
// element i+16 in its high one; in the K types, of 64 elements, i and i+32.
const (
	smallBlock = 32
	superBlock = 256
)

// half reads a binary16 number.
func half(src []byte) float32 {
	var f [1]float32
	widenF16(f[:], src)
	return f[0]
}

// eachBlock calls widen for each block of d and the elements it becomes.
func eachBlock(d DType, widen func(dst []float32, src []byte)) func(dst []float32, src []byte) {
	n, size := d.Block()
	return func(dst []float32, src []byte) {
		for ; len(dst) > 0; dst, src = dst[n:], src[size:] {
			widen(dst[:n], src[:size])
		}
	}
}

// In what follows float32(…) around a product keeps compilers from fusing it
// with the sum: every machine is to give the same numbers.

func widenQ8_0(dst []float32, src []byte) {
	d, q := half(src), src[2:][:smallBlock]
	for i := range q {
		dst[i] = d * float32(int8(q[i]))
	}
}

func widenQ4_0(dst []float32, src []byte) {
	d := half(src)
	low, high := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
	for i, q := range src[2:][:smallBlock/2] {
		low[i] = d * float32(int(q&15)-8)
		high[i] = d * float32(int(q>>4)-8)
	}
}

func widenQ4_1(dst []float32, src []byte) {
	d, m := half(src), half(src[2:])
	low, high := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
	for i, q := range src[4:][:smallBlock/2] {
		low[i] = float32(d*float32(q&15)) + m
		high[i] = float32(d*float32(q>>4)) + m
	}
}

func widenQ5_0(dst []float32, src []byte) {
	d, bits := half(src), binary.LittleEndian.Uint32(src[2:])
	low, high := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
	for i, q := range src[6:][:smallBlock/2] {
		low[i] = d * float32(int(q&15)+int(bits>>i&1)<<4-16)
		high[i] = d * float32(int(q>>4)+int(bits>>(i+16)&1)<<4-16)
	}
}

func widenQ5_1(dst []float32, src []byte) {
	d, m, bits := half(src), half(src[2:]), binary.LittleEndian.Uint32(src[4:])
	low, high := dst[:smallBlock/2], dst[smallBlock/2:smallBlock]
	for i, q := range src[8:][:smallBlock/2] {
		low[i] = float32(d*float32(uint32(q&15)+bits>>i&1<<4)) + m
		high[i] = float32(d*float32(uint32(q>>4)+bits>>(i+16)&1<<4)) + m
	}
}

// scalesK unpacks the 8 scales and minima of a Q4_K or Q5_K block from 12 bytes.
// Those of the first four groups are the low 6 bits of bytes 0…3 and 4…7; the
// others have their low 4 bits in bytes 8…11 and their high 2 in the same bytes'
// highest.
func scalesK(src []byte) (scales, mins [8]uint8) {
	for i := range 4 {
		a, b, c := src[i], src[i+4], src[i+8]
		scales[i], mins[i] = a&63, b&63
		scales[i+4], mins[i+4] = c&15|a>>6<<4, c>>4|b>>6<<4
	}
	return scales, mins
}

func widenQ4_K(dst []float32, src []byte) {
	d, m := half(src), half(src[2:])
	scales, mins := scalesK(src[4:16])
	for g := 0; g < 8; g += 2 {
		d0, m0 := d*float32(scales[g]), m*float32(mins[g])
		d1, m1 := d*float32(scales[g+1]), m*float32(mins[g+1])
		low, high := dst[g*32:][:32], dst[g*32+32:][:32]
		for i, q := range src[16+g*16:][:32] {
			low[i] = float32(d0*float32(q&15)) - m0
			high[i] = float32(d1*float32(q>>4)) - m1
		}
	}
}

func widenQ5_K(dst []float32, src []byte) {
	d, m := half(src), half(src[2:])
	scales, mins := scalesK(src[4:16])
	bits := src[16:48] // bit g of byte i is the fifth of element i of group g
	for g := 0; g < 8; g += 2 {
		d0, m0 := d*float32(scales[g]), m*float32(mins[g])
		d1, m1 := d*float32(scales[g+1]), m*float32(mins[g+1])
		low, high := dst[g*32:][:32], dst[g*32+32:][:32]
		for i, q := range src[48+g*16:][:32] {
			low[i] = float32(d0*float32(q&15+bits[i]>>g&1<<4)) - m0
			high[i] = float32(d1*float32(q>>4+bits[i]>>(g+1)&1<<4)) - m1
		}
	}
}

func widenQ6_K(dst []float32, src []byte) {
	d := half(src[208:])
	// Halves of 128 elements: 64 bytes of low bits, 32 of high ones, 8 scales.
	for h := range 2 {
		out, low, high, scales := dst[h*128:][:128], src[h*64:][:64], src[128+h*32:][:32], src[192+h*8:][:8]
		var s [8]float32
		for i := range s {
			s[i] = d * float32(int8(scales[i]))
		}
		for i := range 32 {
			a, b, c := low[i], low[i+32], high[i]
			out[i] = s[i/16] * float32(int(a&15|c&3<<4)-32)
			out[i+32] = s[2+i/16] * float32(int(b&15|c>>2&3<<4)-32)
			out[i+64] = s[4+i/16] * float32(int(a>>4|c>>4&3<<4)-32)
			out[i+96] = s[6+i/16] * float32(int(b>>4|c>>6<<4)-32)
		}
	}
}

// finite says whether a float32 is neither NaN nor infinite.
func finite(v float32) bool { return math.Abs(float64(v)) <= math.MaxFloat32 }
