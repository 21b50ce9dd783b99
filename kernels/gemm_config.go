package kernels

import "unsafe"

// gemmTile computes one tile of C, mr rows by 16·np columns, mr and np being
// the tile's own:
//
//	for i := range mr {
//		for j := range 16 * np {
//			acc := 0
//			if accumulate != 0 {
//				acc = C[i][j]
//			}
//			for kk := range k {
//				acc = fma(A[i][kk], B[j/16][kk][j%16], acc)
//			}
//			if bias != nil {
//				acc += bias[j]
//			}
//			C[i][j] = acc
//		}
//	}
//
// Rows of A are lda bytes apart, panels of B bstep bytes. Row i, column j of C
// is at i·ldc + j/16·cstep + j%16·4 bytes. Every output is one chain of
// additions in the order of k, starting at 0 or C: cutting k in two, or choosing
// another tile, changes no bit. k may be 0. If accumulate is 0, C is not read.
// The assembly fuses each multiplication and addition, portable tiles round
// twice. The 16·k bytes at next will be wanted in cache soon after.
type gemmTile func(k int, a *float32, lda int, b *float32, bstep int, c *float32, ldc, cstep, accumulate int, bias, next *float32)

// int8Tile computes one tile of C from quantised operands:
//
//	for i := range mr {
//		for j := range 16 * np {
//			sum := int32(0)
//			for kk := range 4 * k4 {
//				sum += A[i][kk] * B[j/16][kk/4][j%16][kk%4]
//			}
//			y := float32(sum-rowZero[i]*colSum[j]) * (rowScale[i] * colScale[j])
//			if bias != nil {
//				y += bias[j]
//			}
//			C[i][j] = y
//		}
//	}
//
// with each multiplication and addition of floats rounded by itself: all tiers
// give the same bits. The form of A is the configuration's.
type int8Tile func(k4 int, a *uint8, lda int, b *int8, bstep int, c *float32, ldc, cstep int, rowScale *float32, rowZero *int32, colScale *float32, colSum *int32, bias *float32, next *int8)

// anyA gives a tile whose A has other elements the type of all: every form of A
// is bytes to the driver.
func anyA[T int8 | int16](tile func(k4 int, a *T, lda int, b *int8, bstep int, c *float32, ldc, cstep int, rowScale *float32, rowZero *int32, colScale *float32, colSum *int32, bias *float32, next *int8)) int8Tile {
	return *(*int8Tile)(unsafe.Pointer(&tile))
}

// shape is a family of tiles of one width: tiles[mr] has mr rows, or is nil.
type shape[Tile gemmTile | int8Tile] struct {
	np    int
	tiles []Tile
}

// rows is the most rows that a tile has.
func (s *shape[Tile]) rows() int { return len(s.tiles) - 1 }

// has tells whether there is a tile of mr rows.
func (s *shape[Tile]) has(mr int) bool { return mr < len(s.tiles) && s.tiles[mr] != nil }

// gemmConfig is how one set of instructions multiplies: its tiles and the
// blocking that goes with them.
type gemmConfig[Tile gemmTile | int8Tile] struct {
	name string
	// shapes by decreasing width. Few rows take the widest that reaches as far
	// as they do; main is for many rows; the last is one panel wide and has
	// tiles of every height that any other has.
	shapes []shape[Tile]
	main   int
	kc     int     // longest stretch of k between visits to C; 0 for all of k
	chunk  int     // bytes of A that stay in L2 while panels pass by
	rate   float64 // multiply-adds a nanosecond, about, to cut the work by
	form   aForm   // of A, for int8
}

// longK is the kc of all assembly: the panels of a group stay in L2 up to there.
// Measured on Zen 4 at 1024³, share of peak: k in one piece 94% (AVX2) and 95%
// (AVX-512), in pieces of 512 91% and 92%, of 256 89% and 88%. Keeping a panel in
// L1 that way does not pay for visiting C again. Chunks of 128 to 512 KiB are equal.
const longK = 4096

// aForm is how an int8 tile wants the quantised activations.
type aForm uint8

const (
	formInt8  aForm = iota // int8
	formUint8              // plus 128, as bytes
	formPairs              // plus 128, as int16 in the order 0, 2, 1, 3 of every four
)

// size is the bytes of one element.
func (f aForm) size() int {
	if f == formPairs {
		return 2
	}
	return 1
}

// pick is the index of the shape for m rows.
func (c *gemmConfig[Tile]) pick(m int) int {
	for i := range c.main {
		if m <= c.shapes[i].rows() {
			return i
		}
	}
	return c.main
}

var gemmGenericConfig = gemmConfig[gemmTile]{
	name:   "generic 4x16",
	shapes: []shape[gemmTile]{{1, []gemmTile{nil, gemmGeneric1, gemmGeneric2, gemmGeneric3, gemmGeneric4}}},
	chunk:  256 << 10,
	rate:   2,
}

var int8GenericConfig = gemmConfig[int8Tile]{
	name:   "generic 6x16",
	shapes: []shape[int8Tile]{{1, []int8Tile{nil, int8Generic1, int8Generic2, int8Generic3, int8Generic4, int8Generic5, int8Generic6}}},
	chunk:  256 << 10,
	rate:   2.5,
}
