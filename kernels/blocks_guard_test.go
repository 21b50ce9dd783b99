package kernels

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// Products of blocks and 16-bit floats touch nothing beyond weights,
// activations, bias and C: one panel, four at once and a rest, rows of every
// tile.
func TestMatMulBlocksStaysInside(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(33, 34))
		var x Exec
		for where, slice := range places[float32]() {
			for _, d := range append(halfTypes, blockTypes...) {
				for _, s := range [][2]int{{1, 16}, {1, 64}, {1, 91}, {2, 33}, {17, 20}} {
					m, n, k := s[0], s[1], 256
					if d.half() {
						k = 37
					} else if m > 1 {
						k = (superStretch + 2) * superWeights
					}
					packed, _ := packRandom(t, r, d, n, k)
					guarded := *packed
					guarded.i8 = places[int8]()[where](t, len(packed.i8))
					copy(guarded.i8, packed.i8)
					a, bias := slice(t, m*k), slice(t, n)
					fill(r, a, 1)
					got, want := slice(t, m*n), make([]float32, m*n)
					x.MatMul(Out{C: got, LD: n}, a, m, k, &guarded, Epilogue{Bias: bias, Act: SiLU})
					x.MatMul(Out{C: want, LD: n}, a, m, k, packed, Epilogue{Bias: bias, Act: SiLU})
					require.Equal(t, want, append([]float32(nil), got...), "%v %v", d, s)
					row := slice(t, k)
					guarded.Row(row, n-1)
				}
			}
		}
	})
}

// Records are filled from 32 or 256 elements at a time and no more, equal on
// every set where the values are finite.
func TestQuantiseBlocks(t *testing.T) {
	type fill8 func(dst *uint8, src []float32, n int)
	type op struct {
		name            string
		elements, bytes int
		run, want       fill8
	}
	by := func(f func(dst *uint8, src []float32, n int, factor float32)) fill8 {
		return func(dst *uint8, src []float32, n int) { f(dst, src, n, -8) }
	}
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(35, 36))
		for _, o := range []op{
			{"blocks", blockLen, recordBytes, by(quantiseBlocks), by(quantiseBlocksGeneric)},
			{"super-blocks", superWeights, superRecordBytes, quantiseSuper, quantiseSuperGeneric},
			{"super-blocks of halves", superWeights, superRecordBytes, quantiseSuperHalves, quantiseSuperHalvesGeneric},
		} {
			for _, n := range []int{1, 2, 7} {
				for _, spread := range []float64{1, 1e-30, 1e-36, 1e-42, 1e37, 0} {
					for where, slice := range places[float32]() {
						src := slice(t, n*o.elements)
						fill(r, src, spread)
						src[r.IntN(len(src))] = float32(r.IntN(5)) / 2 * float32(spread) // ties
						got := places[byte]()[where](t, n*o.bytes)
						clear(got) // of what is left free
						want := make([]byte, n*o.bytes)
						o.run(&got[0], src, n)
						o.want(&want[0], src, n)
						if o.name == "super-blocks" { // only eight sums
							for i := range n {
								clear(got[i*o.bytes+superRecordSums+2*superLen : (i+1)*o.bytes])
							}
						}
						require.Equal(t, want, append([]byte(nil), got...), "%s, %d of %g", o.name, n, spread)
					}
				}
			}
		}
	})
}

// Panels expand to the same bytes and scales on every set: whole spans of blocks,
// and with blocks left over.
func TestExpandPanels(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(37, 38))
		for _, d := range blockTypes {
			f := d.form()
			sizes := []int{1, 2, 3, 16}
			if f.super {
				sizes = []int{superLen}
			}
			for _, blocks := range sizes {
				packed, _ := packRandom(t, r, d, 16, blocks*blockLen)
				first := 0
				if f.super {
					first = f.codesAt(0)
				}
				src := places[byte]()["end"](t, len(packed.i8)-first)
				copy(src, bytesOf(packed.i8[first:]))
				wide := places[byte]()["end"](t, blocks*blockLen*panelWidth)
				scales := places[float32]()["end"](t, blocks*f.kind.values()*panelWidth)
				if f.super {
					f.expandCodes(&wide[0], &src[0], blocks)
				} else {
					blockTiles().expand[d](&wide[0], &scales[0], &src[0], blocks)
				}
				for j := range panelWidth {
					c := packed.column(j)
					for b := range blocks {
						s := c.values(b)
						for v := 0; !f.super && v < f.kind.values(); v++ {
							require.Equal(t, s[v], scales[(b*f.kind.values()+v)*panelWidth+j], "%v", d)
						}
						for i := range blockLen {
							want := int(c.words(f.codesAt(b))[i/4] >> (i % 4 * 8) & 255)
							require.Equal(t, want, int(wide[((b*codeGroups+i/4)*panelWidth+j)*4+i%4]), "%v", d)
						}
					}
				}
			}
		}
	})
}
