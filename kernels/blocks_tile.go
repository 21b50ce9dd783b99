package kernels

import (
	"math"
	"unsafe"
)

// blockTile computes a tile of C, mr rows by one panel of 16 columns, from rows
// of records and the expanded codes and scales of the panel:
//
//	for i := range mr {
//		for j := range 16 {
//			acc := 0
//			for b := range blocks {
//				r := a[i][b]
//				sum := r.offset // kindMins: 0
//				for kk := range 32 {
//					sum += r.q[kk] * codes[b][kk/4][j][kk%4]
//				}
//				f := float32(sum) * scales[b][0][j]
//				if kindMins {
//					f = fma(r.sum, scales[b][1][j], f)
//				}
//				acc = fma(f, r.scale, acc)
//			}
//			C[i][j] = acc + bias[j] // if bias is not nil
//		}
//	}
//
// The sums are exact and each operation of floats is rounded once: all
// implementations give the same bits. Rows of a are lda bytes apart, rows of C
// ldc. The 64·blocks bytes at next will be wanted in cache soon after. K-quants
// have tiles of their own, superTile.
type blockTile func(blocks int, a *uint8, lda int, codes *uint8, scales *float32, c *float32, ldc int, bias *float32, next *uint8)

// blockRow is a blockTile of one row for so many panels as they are packed, one
// after the other. The outputs of panels are cstep bytes apart, and bias goes on
// from one to the next. For K-quants blocks are super-blocks, and the sum is that
// of a superTile.
type blockRow func(blocks int, a, packed *uint8, panels int, c *float32, cstep int, bias *float32)

// blockConfig is how one set of instructions multiplies weights in blocks.
type blockConfig struct {
	name   string
	tiles  [numKinds][]blockTile   // by rows
	rows   [numDTypes]blockRow     // nil where expanding is no slower
	expand *[numDTypes]expandPanel // for tiles
	super  [numDTypes]superTiles   // K-quants
	chunk  int                     // bytes of records that stay in L2 while panels pass by
	rate   float64                 // multiply-adds a nanosecond, about
}

// height is the rows of the tallest tile for weights in d.
func (c *blockConfig) height(d DType) int {
	if f := d.form(); !f.super {
		return len(c.tiles[f.kind]) - 1
	}
	return c.super[d].height()
}

var blockGenericConfig = blockConfig{
	name: "generic 4x16",
	tiles: [numKinds][]blockTile{
		{nil, blockOffset1, blockOffset2, blockOffset3, blockOffset4},
		{nil, blockOffset1, blockOffset2, blockOffset3, blockOffset4},
		{nil, blockMins1, blockMins2, blockMins3, blockMins4},
	},
	expand: &expandGenerics,
	super: [numDTypes]superTiles{
		Q4_K: {wide: superGenericTiles(Q4_K)},
		Q5_K: {wide: superGenericTiles(Q5_K)},
		Q6_K: {wide: superGenericTiles(Q6_K)},
	},
	chunk: 256 << 10,
	rate:  1,
}

func blockOffset1(n int, a *uint8, lda int, codes *uint8, scales, c *float32, ldc int, bias *float32, _ *uint8) {
	blockGeneric(1, kindOffset, n, a, lda, codes, scales, c, ldc, bias)
}

func blockOffset2(n int, a *uint8, lda int, codes *uint8, scales, c *float32, ldc int, bias *float32, _ *uint8) {
	blockGeneric(2, kindOffset, n, a, lda, codes, scales, c, ldc, bias)
}

func blockOffset3(n int, a *uint8, lda int, codes *uint8, scales, c *float32, ldc int, bias *float32, _ *uint8) {
	blockGeneric(3, kindOffset, n, a, lda, codes, scales, c, ldc, bias)
}

func blockOffset4(n int, a *uint8, lda int, codes *uint8, scales, c *float32, ldc int, bias *float32, _ *uint8) {
	blockGeneric(4, kindOffset, n, a, lda, codes, scales, c, ldc, bias)
}

func blockMins1(n int, a *uint8, lda int, codes *uint8, scales, c *float32, ldc int, bias *float32, _ *uint8) {
	blockGeneric(1, kindMins, n, a, lda, codes, scales, c, ldc, bias)
}

func blockMins2(n int, a *uint8, lda int, codes *uint8, scales, c *float32, ldc int, bias *float32, _ *uint8) {
	blockGeneric(2, kindMins, n, a, lda, codes, scales, c, ldc, bias)
}

func blockMins3(n int, a *uint8, lda int, codes *uint8, scales, c *float32, ldc int, bias *float32, _ *uint8) {
	blockGeneric(3, kindMins, n, a, lda, codes, scales, c, ldc, bias)
}

func blockMins4(n int, a *uint8, lda int, codes *uint8, scales, c *float32, ldc int, bias *float32, _ *uint8) {
	blockGeneric(4, kindMins, n, a, lda, codes, scales, c, ldc, bias)
}

// activationRecord is a record as Go sees it.
type activationRecord struct {
	q      [blockLen]int8
	scale  float32
	offset int32
	sum    uint32
	_      [4]byte
}

func blockGeneric(mr int, kind blockKind, blocks int, a *uint8, lda int, codes *uint8, scales, c *float32, ldc int, bias *float32) {
	values := kind.values()
	for i := range mr {
		out := (*[panelWidth]float32)(unsafe.Add(unsafe.Pointer(c), i*ldc))
		clear(out[:])
		row := unsafe.Slice((*activationRecord)(unsafe.Add(unsafe.Pointer(a), i*lda)), blocks)
		for b := range row {
			r := &row[b]
			w := (*[codeGroups][panelWidth][4]uint8)(unsafe.Add(unsafe.Pointer(codes), b*blockLen*panelWidth))
			s := (*[2][panelWidth]float32)(unsafe.Add(unsafe.Pointer(scales), b*values*panelWidth*4))
			for j := range out {
				first, second := blockDots(&r.q, w, j)
				var f float32
				switch kind {
				case kindOffset, kindBytes:
					f = float32(first+second+r.offset) * s[0][j]
				case kindMins:
					f = fma(math.Float32frombits(r.sum), s[1][j], float32(first+second)*s[0][j])
				}
				out[j] = fma(f, r.scale, out[j])
			}
		}
		if bias != nil {
			for j, v := range (*[panelWidth]float32)(unsafe.Pointer(bias)) {
				out[j] += v
			}
		}
	}
}

// blockDots are the products of a block with output j, its halves apart.
func blockDots(q *[blockLen]int8, w *[codeGroups][panelWidth][4]uint8, j int) (first, second int32) {
	for g := range codeGroups / 2 {
		c, d := &w[g][j], &w[g+4][j]
		x, y := (*[4]int8)(q[4*g:]), (*[4]int8)(q[16+4*g:])
		first += int32(x[0])*int32(c[0]) + int32(x[1])*int32(c[1]) + int32(x[2])*int32(c[2]) + int32(x[3])*int32(c[3])
		second += int32(y[0])*int32(d[0]) + int32(y[1])*int32(d[1]) + int32(y[2])*int32(d[2]) + int32(y[3])*int32(d[3])
	}
	return first, second
}

// fma is x·y+z with one rounding. The product is exact in float64; the sum is
// rounded to odd there, from where rounding to float32 gives what rounding once
// would have (Boldo and Melquiond 2008).
func fma(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z)
	sum := p + c
	t := sum - p
	lost := (p - (sum - t)) + (c - t)
	if lost != 0 && lost == lost {
		bits := math.Float64bits(sum)
		if bits&1 == 0 {
			if (lost > 0) == (sum > 0) {
				bits++
			} else {
				bits--
			}
			sum = math.Float64frombits(bits)
		}
	}
	return float32(sum)
}
