package kernels

import "encoding/binary"

// codeWords are the codes of one block of 32 weights, four to a word.
type codeWords [codeGroups]uint32

const (
	lowNibbles = 0x0f0f0f0f
	lowBits    = 0x01010101
	lowPairs   = 0x03030303
	lowSixes   = 0x3f3f3f3f
	signBits   = 0x80808080
)

// spread puts the four low bits of x into the low bits of four bytes.
func spread(x uint32) uint32 { return x & 15 * 0x204081 & lowBits }

// words reads the codes of block sub of src, which is one block of the file.
func (f *blockForm) words(src []byte, sub int) (w codeWords) {
	le := binary.LittleEndian
	switch {
	case f.bits == 8: // d, then 32 integers
		for g := range w {
			w[g] = le.Uint32(src[2+4*g:]) ^ signBits
		}
	case !f.super: // d, perhaps m, perhaps 32 high bits, then nibbles: 0 to 15 low, 16 to 31 high
		at := 2 * f.kind.values()
		var high uint32
		if f.bits == 5 {
			high = le.Uint32(src[at:])
			at += 4
		}
		for g := range codeGroups / 2 {
			v := le.Uint32(src[at+4*g:])
			w[g] = v&lowNibbles | spread(high>>(4*g))<<4
			w[g+4] = v>>4&lowNibbles | spread(high>>(4*g+16))<<4
		}
	case f.bits == 6: // 128 bytes of nibbles, 64 of pairs of bits, 16 scales, d
		low := src[sub/4*64+sub%2*32:]
		high := src[128+sub/4*32:]
		for g := range w {
			w[g] = le.Uint32(low[4*g:])>>(sub%4/2*4)&lowNibbles | le.Uint32(high[4*g:])>>(sub%4*2)&lowPairs<<4
		}
	default: // d, dmin, 12 bytes of scales, perhaps 32 of high bits, 128 of nibbles
		low := src[f.bytes-128+sub/2*32:]
		for g := range w {
			w[g] = le.Uint32(low[4*g:]) >> (sub % 2 * 4) & lowNibbles
		}
		if f.bits == 5 {
			for g := range w {
				w[g] |= le.Uint32(src[16+4*g:]) >> sub & lowBits << 4
			}
		}
	}
	return w
}

// halves are the half-precision numbers of a block of the file, one or two.
func (f *blockForm) halves(src []byte) (h [2]uint16, n int) {
	le := binary.LittleEndian
	if f.kind == kindHalves {
		h[0] = le.Uint16(src[f.bytes-2:])
		return h, 1
	}
	h[0] = le.Uint16(src)
	if f.kind.values() == 1 {
		return h, 1
	}
	h[1] = le.Uint16(src[2:])
	return h, 2
}

// superScales are the bytes of a super-block that scale its scales: for kindMins
// those of the eight scales and the eight minimums, which have 6 bits; for
// kindHalves those of the 16 halves, signed.
func (f *blockForm) superScales(src []byte) (b [2 * superLen]byte) {
	if f.kind == kindHalves {
		copy(b[:], src[192:208])
		return b
	}
	s := src[4:16]
	for j := range 4 {
		b[j] = s[j] & 63
		b[j+4] = s[j+8]&15 | s[j]>>6<<4
		b[j+8] = s[j+4] & 63
		b[j+12] = s[j+8]>>4 | s[j+4]>>6<<4
	}
	return b
}

// Dequantize widens one row, or a part of whole blocks, as it is stored in a
// file: element i is d·(code - offset) or d·code + m by its block, rounded after
// each operation. src must have the size that dst takes in d.
func Dequantize(d DType, dst []float32, src []byte) {
	elements, bytes := d.Block()
	if elements == 0 || len(dst)%elements != 0 || len(src) != len(dst)/elements*bytes {
		panic(errLength)
	}
	le := binary.LittleEndian
	switch {
	case d == F32:
		for i := range dst {
			dst[i] = float32FromBits(le.Uint32(src[4*i:]))
		}
	case d.half():
		for i := range dst {
			dst[i] = widenHalf(d, le.Uint16(src[2*i:]))
		}
	default:
		f := d.form()
		for ; len(dst) > 0; dst, src = dst[elements:], src[bytes:] {
			f.dequantize(dst[:elements], src[:bytes])
		}
	}
}

// dequantize widens one block of the file.
func (f *blockForm) dequantize(dst []float32, src []byte) {
	h, _ := f.halves(src)
	var b [2 * superLen]byte
	if f.super {
		b = f.superScales(src)
	}
	for sub := range len(dst) / blockLen {
		f.widen((*[blockLen]float32)(dst[sub*blockLen:]), f.words(src, sub), f.values(h, &b, sub))
	}
}

// widen gives what codes stand for, by the scales that values gives.
func (f *blockForm) widen(dst *[blockLen]float32, w codeWords, s [2]float32) {
	offset := int32(f.offset)
	if f.kind == kindHalves {
		for g, v := range w {
			d, scale := (*[4]float32)(dst[4*g:]), s[g/4]
			d[0] = float32(int32(v&255)-offset) * scale
			d[1] = float32(int32(v>>8&255)-offset) * scale
			d[2] = float32(int32(v>>16&255)-offset) * scale
			d[3] = float32(int32(v>>24)-offset) * scale
		}
		return
	}
	for g, v := range w {
		d := (*[4]float32)(dst[4*g:])
		d[0] = float32(float32(int32(v&255)-offset)*s[0]) + s[1]
		d[1] = float32(float32(int32(v>>8&255)-offset)*s[0]) + s[1]
		d[2] = float32(float32(int32(v>>16&255)-offset)*s[0]) + s[1]
		d[3] = float32(float32(int32(v>>24)-offset)*s[0]) + s[1]
	}
}

// values are the scales of block sub of a super-block with the bytes b, or of a
// plain block: the scale and what is added, or the scales of both halves.
func (f *blockForm) values(h [2]uint16, b *[2 * superLen]byte, sub int) (s [2]float32) {
	s[0], s[1] = widenF16(h[0]), widenF16(h[1])
	switch {
	case f.kind == kindHalves:
		d := s[0]
		s[0] = d * float32(int8(b[2*sub]))
		s[1] = d * float32(int8(b[2*sub+1]))
	case f.super:
		s[0] *= float32(b[sub])
		s[1] *= -float32(b[superLen+sub])
	}
	return s
}
