package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/internal/guard"
)

// Products of panels are those in float64 of small whole numbers, exactly, for every number of rows and panels, and
// write nothing between rows.
func TestMulPanels(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	whole := func(x []float32) []float32 {
		for i := range x {
			x[i] = float32(r.IntN(17) - 8)
		}
		return x
	}
	for _, set := range cpu.Tested() {
		t.Run(set.String(), func(t *testing.T) {
			defer cpu.Use(set)()
			for rows := 1; rows <= MaxTileQueries; rows++ {
				k, n := 1+r.IntN(70), panelWidth*(1+r.IntN(12))
				b, a := whole(guard.Float32s(t, n*k)), whole(guard.Float32s(t, rows*k))
				panels := guard.Float32s(t, n*k)
				for j := 0; j < n; j += panelWidth {
					PackPanel(panels[j*k:], b[j*k:], k, k)
				}
				ld := n + 5
				dst := guard.Float32s(t, (rows-1)*ld+n)
				nan := float32(math.NaN())
				for i := range dst {
					dst[i] = nan
				}
				MulPanels(dst, ld, a, k, rows, k, panels, n)
				for i := range dst {
					row, j := i/ld, i%ld
					if j >= n {
						require.NotEqual(t, dst[i], dst[i], "between rows")
						continue
					}
					want := 0.0
					for d := range k {
						want += float64(a[row*k+d]) * float64(b[j*k+d])
					}
					require.Equal(t, float32(want), dst[i], "%d rows, k %d, n %d: row %d, column %d", rows, k, n, row, j)
				}
			}
		})
	}
}

func TestBadPanels(t *testing.T) {
	x := make([]float32, 64)
	for name, f := range map[string]func(){
		"no rows":          func() { MulPanels(x, 16, x, 2, 0, 2, x, 16) },
		"part of a panel":  func() { MulPanels(x, 16, x, 2, 1, 2, x, 8) },
		"rows that touch":  func() { MulPanels(x, 15, x, 2, 1, 2, x, 16) },
		"short panels":     func() { MulPanels(x, 16, x, 5, 1, 5, x, 16) },
		"short rows":       func() { MulPanels(x, 16, x, 40, 3, 2, x, 16) },
		"short output":     func() { MulPanels(x, 32, x, 2, 3, 2, x, 16) },
		"short panel":      func() { PackPanel(x[:31], x, 2, 2) },
		"short panel rows": func() { PackPanel(x, x, 8, 2) },
	} {
		require.PanicsWithValue(t, errShape, f, name)
	}
}
