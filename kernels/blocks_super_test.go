package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// Every tile of every set gives the bits of its contract: several tiles one below
// the other, sums that go on, C and bias or none, codes packed, kept for others and
// expanded; and touches nothing else.
func TestSuperTiles(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(41, 42))
		for _, d := range blockTypes {
			f := d.form()
			if !f.super {
				continue
			}
			tiles := &blockTiles().super[d]
			for name, list := range map[string][]superTile{"packed": tiles.packed, "keep": tiles.keep, "wide": tiles.wide} {
				for mr := 1; mr < len(list); mr++ {
					for n := 1; n <= 3; n++ {
						testSuperTile(t, r, d, list[mr], fmt.Sprintf("%v %s %d rows, %d tiles", d, name, mr, n), name, n, mr)
					}
				}
			}
		}
	})
}

func testSuperTile(t *testing.T, r *rand.Rand, d DType, tile superTile, what, form string, tiles, mr int) {
	f := d.form()
	supers, rows := tiles, tiles*mr
	packed, _ := packRandom(t, r, d, panelWidth, supers*superWeights)
	src := places[byte]()["end"](t, len(packed.i8))
	copy(src, bytesOf(packed.i8))
	expanded := make([]byte, supers*superWeights*panelWidth)
	for s := range supers {
		f.expandCodes(&expanded[s*superWeights*panelWidth], &src[s*f.superBytes()+f.superHead()], superLen)
	}
	codes := places[byte]()["end"](t, len(expanded))
	if form == "wide" {
		copy(codes, expanded)
	}

	lda := (supers + 1) * superRecordBytes
	a := places[byte]()["end"](t, (rows-1)*lda+supers*superRecordBytes)
	x := make([]float32, supers*superWeights)
	for i := range rows {
		fill(r, x, math.Exp(r.NormFloat64()))
		f.quantize(&a[i*lda], x)
	}
	const ldc = panelWidth + 3
	c := places[float32]()["end"](t, (rows-1)*ldc+panelWidth)
	sums := places[float32]()["end"](t, rows*panelWidth)
	bias := places[float32]()["end"](t, panelWidth)
	fill(r, bias, 1)
	for _, first := range []int{1, 0} {
		for _, out := range []*float32{nil, &c[0]} {
			for _, b := range []*float32{nil, &bias[0]} {
				fill(r, sums, 1)
				fill(r, c, 1)
				wantSums, wantC := append([]float32(nil), sums...), append([]float32(nil), c...)
				wantOut := out
				if out != nil {
					wantOut = &wantC[0]
				}
				superGeneric(f, rows, supers, &a[0], lda, &expanded[0], &src[0], &wantSums[0], first, wantOut, 4*ldc, b)
				tile(tiles, supers, &a[0], lda, &codes[0], &src[0], &sums[0], first, out, 4*ldc, b, &src[0])
				require.Equal(t, wantSums, append([]float32(nil), sums...), "%s: sums, first %d, C %v", what, first, out != nil)
				require.Equal(t, wantC, append([]float32(nil), c...), "%s: C, first %d, bias %v", what, first, b != nil)
			}
		}
	}
	if form == "keep" {
		require.Equal(t, expanded, append([]byte(nil), codes...), "%s: codes", what)
	}
}
