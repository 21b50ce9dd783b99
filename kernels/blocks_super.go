package kernels

import (
	"encoding/binary"
	"unsafe"
)

// K-quants: 256 weights, a super-block, have one scale in floating point, and
// its eight blocks, or their halves, small integers by which it is multiplied.
// Activations have one scale for as many. So the sums of products are multiplied
// and added as integers, and a float32 is needed only for every 256.
//
// A panel holds the super-blocks one after the other, each its scales and then
// the codes of its blocks, so that memory is read in order. The scales of
// Q4_K and Q5_K, which have 6 bits, are three lines of 64 bytes, four bytes for
// each output, in two halves: the lower for even blocks, the upper for odd ones.
// A half of 16 bits has at bits 0 and 6 the scales 0, 1 (line 0), 2, 3 (line 1)
// and the minimums 0, 1 (line 2) of such blocks; what is left, four bits in each
// line from bit 12 on, is minimum 2, bits 0 to 3 in line 0 and 4 to 5 in line 1,
// and minimum 3, bits 0 to 1 in line 1 from bit 14 on and 2 to 5 in line 2. A
// fourth line has d and dmin in half precision. The scales of Q6_K have 8 bits,
// in four lines: of the four bytes of an output those of halves 0, 2, 1 and 3.
// Half a line of d follows, and half a line is left free.

const (
	superScaleLines = 3 // kindMins
	superHalfLines  = 4 // kindHalves
	superWeights    = superLen * blockLen
)

// superHead is the size of the scales of a super-block of a panel.
func (f *blockForm) superHead() int {
	if f.kind == kindHalves {
		return (superHalfLines + 1) * cacheLine
	}
	return (superScaleLines + 1) * cacheLine
}

// superBytes is the size of a super-block of a panel.
func (f *blockForm) superBytes() int { return f.superHead() + superLen*f.codeBytes() }

// sumShift is how many bits a sum of products loses before it is multiplied by
// its scale, so that 16 are enough for it.
func (f *blockForm) sumShift() int {
	if f.bits == 5 {
		return 2
	}
	return 1
}

// setSuper packs the scales of super-block s.
func (c *column) setSuper(s int, h [2]uint16, b *[2 * superLen]byte) {
	le := binary.LittleEndian
	o := c.f.scalesAt(s * superLen)
	lines := superHalfLines
	if c.f.kind == kindHalves {
		for l := range lines {
			copy(c.panel[o+l*cacheLine+4*c.lane:], []byte{b[4*l], b[4*l+2], b[4*l+1], b[4*l+3]})
		}
	} else {
		lines = superScaleLines
		for half := range 2 {
			x := func(i int) uint16 { return uint16(b[2*i+half]) } // scales 0 to 3, minimums 4 to 7
			for l, v := range [superScaleLines]uint16{
				x(0) | x(1)<<6 | x(6)<<12,
				x(2) | x(3)<<6 | x(6)>>4<<12 | x(7)<<14,
				x(4) | x(5)<<6 | x(7)>>2<<12,
			} {
				le.PutUint16(c.panel[o+l*cacheLine+4*c.lane+2*half:], v)
			}
		}
		le.PutUint16(c.panel[o+lines*cacheLine+2*panelWidth+2*c.lane:], h[1])
	}
	le.PutUint16(c.panel[o+lines*cacheLine+2*c.lane:], h[0])
}

// super is what setSuper has packed.
func (c *column) super(s int) (h [2]uint16, b [2 * superLen]byte) {
	return superScalesAt(c.f, c.panel[c.f.scalesAt(s*superLen):], c.lane)
}

// superScalesAt reads the scales of an output, at packed.
func superScalesAt(f *blockForm, packed []byte, lane int) (h [2]uint16, b [2 * superLen]byte) {
	le := binary.LittleEndian
	lines := superHalfLines
	if f.kind == kindHalves {
		for l := range lines {
			x := packed[l*cacheLine+4*lane:]
			b[4*l], b[4*l+1], b[4*l+2], b[4*l+3] = x[0], x[2], x[1], x[3]
		}
	} else {
		lines = superScaleLines
		for half := range 2 {
			var x [superScaleLines]uint16
			for l := range x {
				x[l] = le.Uint16(packed[l*cacheLine+4*lane+2*half:])
			}
			for i, v := range [superLen]uint16{
				x[0], x[0] >> 6, x[1], x[1] >> 6, x[2], x[2] >> 6,
				x[0]>>12 | x[1]>>12<<4, x[1]>>14 | x[2]>>12<<2,
			} {
				b[2*i+half] = byte(v & 63)
			}
		}
		h[1] = le.Uint16(packed[lines*cacheLine+2*panelWidth+2*lane:])
	}
	h[0] = le.Uint16(packed[lines*cacheLine+2*lane:])
	return h, b
}

// superTile computes so many tiles of C, one below the other, each of mr rows by one
// panel of 16 columns, from rows of records and so many super-blocks of the panel:
//
//	for i := range tiles*mr {
//		for j := range 16 {
//			acc := sums[i][j] // if first is not 0: 0
//			for s := range supers {
//				r := a[i][s]
//				var isum, imin int32
//				for b := range 8 {
//					sum := b%2 // Q5_K: 1+b%2
//					for kk := range 32 {
//						sum += r.q[b][kk] * code[s][b][kk][j]
//					}
//					isum += (sum >> 1) * scale[s][b][j] // Q5_K: sum >> 2
//					imin += r.sum[b] * min[s][b][j]
//				}
//				f := float32(isum) * (d[s][j] * 2) // Q5_K: d·4
//				f = fma(float32(imin), -dmin[s][j], f)
//				acc = fma(f, r.scale, acc)
//			}
//			sums[i][j] = acc
//			C[i][j] = acc + bias[j] // if C is not nil; bias may be
//		}
//	}
//
// For kindHalves there are no minimums, b counts 16 halves of 16 weights, and a
// sum begins at r.offset[b], which has b%2 in it. All but the last lines are
// exact, and those round once each: all implementations give the same bits. What
// is shifted out is at most 1 (Q5_K: 2) in a sum of some hundreds of products,
// and as often up as down.
//
// Rows of a are lda bytes apart, rows of C ldc. codes and scales are those of the
// first super-block. A tile for packed codes finds them after the scales; another
// takes codes as expandN gives them, or writes them so for those that come next. A
// part of the memory from next on, as large as an eighth of the super-blocks for
// each tile, will be wanted in cache soon after.
type superTile func(tiles, supers int, a *uint8, lda int, codes, scales *uint8, sums *float32, first int, c *float32, ldc int, bias *float32, next *uint8)

// superTiles are those of one format, by rows. Where a list is empty, it would be
// no faster.
type superTiles struct {
	packed []superTile // for packed codes
	keep   []superTile // for packed codes, which they write to codes expanded
	wide   []superTile // for expanded codes
}

// height is the rows of the tallest tile.
func (t *superTiles) height() int { return max(len(t.packed), len(t.wide)) - 1 }

// superGenericTiles are the portable twins.
func superGenericTiles(d DType) []superTile {
	tile := func(mr int) superTile {
		return func(tiles, supers int, a *uint8, lda int, codes, scales *uint8, sums *float32, first int, c *float32, ldc int, bias *float32, _ *uint8) {
			superGeneric(d.form(), tiles*mr, supers, a, lda, codes, scales, sums, first, c, ldc, bias)
		}
	}
	return []superTile{nil, tile(1), tile(2), tile(3), tile(4)}
}

func superGeneric(f *blockForm, rows, supers int, a *uint8, lda int, codes, scales *uint8, sums *float32, first int, c *float32, ldc int, bias *float32) {
	size, shift := f.superBytes(), f.sumShift()
	for i := range rows {
		sum := (*[panelWidth]float32)(unsafe.Add(unsafe.Pointer(sums), i*4*panelWidth))
		if first != 0 {
			clear(sum[:])
		}
		row := unsafe.Slice((*superRecord)(unsafe.Add(unsafe.Pointer(a), i*lda)), supers)
		for s := range row {
			r := &row[s]
			packed := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(scales), s*size)), f.superHead())
			w := (*[superLen][codeGroups][panelWidth][4]uint8)(unsafe.Add(unsafe.Pointer(codes), s*superWeights*panelWidth))
			for j := range sum {
				h, scale := superScalesAt(f, packed, j)
				var isum, imin int32
				for b := range superLen {
					x, y := blockDots((*[blockLen]int8)(r.q[b*blockLen:]), &w[b], j)
					if f.kind == kindHalves {
						isum += (x+r.offsets()[2*b])>>shift*int32(int8(scale[2*b])) + (y+r.offsets()[2*b+1])>>shift*int32(int8(scale[2*b+1]))
						continue
					}
					isum += (x + y + int32(b%2+shift-1)) >> shift * int32(scale[b])
					imin += int32(r.sums[b]) * int32(scale[superLen+b])
				}
				v := float32(isum) * (widenF16(h[0]) * float32(int(1)<<shift))
				if f.kind == kindMins {
					v = fma(float32(imin), -widenF16(h[1]), v)
				}
				sum[j] = fma(v, r.scale, sum[j])
			}
		}
		if c == nil {
			continue
		}
		out := (*[panelWidth]float32)(unsafe.Add(unsafe.Pointer(c), i*ldc))
		*out = *sum
		if bias != nil {
			for j, v := range (*[panelWidth]float32)(unsafe.Pointer(bias)) {
				out[j] += v
			}
		}
	}
}

// superRecord is 256 activations.
type superRecord struct {
	q     [superWeights]int8
	scale float32 // element i is about scale·q[i]
	_     [12]byte
	sums  [2 * 2 * superLen]int16 // kindMins: eight sums of 32 integers; kindHalves: 16 int32, -32·Σ of 16 integers and 0, 1 by turns
}

const (
	superRecordBytes = 336
	superRecordScale = 256
	superRecordSums  = 272
)

func (r *superRecord) offsets() *[2 * superLen]int32 {
	return (*[2 * superLen]int32)(unsafe.Pointer(&r.sums))
}

// quantiseSuperGeneric fills n records of kindMins:
//
//	m := max(|src[256·s : 256·s+256]|)
//	scale = m · (1/127)
//	q[i] = round(src[256·s+i] · (127/m)) // half to even
//
// A super-block whose largest magnitude is below 1e-35 gives zeros. With a NaN or
// an infinity the scale is NaN, and the rest means nothing.
func quantiseSuperGeneric(dst *uint8, src []float32, n int) {
	quantiseGenericSuper(dst, src, n, false)
}

// quantiseSuperHalvesGeneric is the same for kindHalves.
func quantiseSuperHalvesGeneric(dst *uint8, src []float32, n int) {
	quantiseGenericSuper(dst, src, n, true)
}

func quantiseGenericSuper(dst *uint8, src []float32, n int, halves bool) {
	records := unsafe.Slice((*superRecord)(unsafe.Pointer(dst)), n)
	for s := range records {
		r := &records[s]
		x := src[s*superWeights:][:superWeights]
		m := absMaxGeneric(x)
		inv := float32(0)
		r.scale = 0
		if !(m < quantizeMin) {
			r.scale, inv = float32(m*(1.0/127))+float32(m*0), 127/m
		}
		quantiseGeneric(r.q[:], x, inv, 0, 0)
		var sums [2 * superLen]int32
		for i, v := range r.q {
			sums[i/16] += int32(v)
		}
		for h, v := range sums {
			if halves {
				r.offsets()[h] = int32(h%2) - 32*v
			} else if h%2 == 0 {
				r.sums[h/2] = int16(v + sums[h+1])
			}
		}
	}
}
