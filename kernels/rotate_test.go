package kernels

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/internal/guard"
)

// Rows are turned each by its own angles, with the same bits on every tier, and
// what is between them stays.
func TestRotateRows(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(1, 2))
		for half := range 50 {
			for _, rows := range []int{0, 1, 2, 7} {
				ld := 2*half + half%3
				x, cos, sin := guard.Float32s(t, max(0, rows-1)*ld+2*half), guard.Float32s(t, rows*half), guard.Float32s(t, rows*half)
				fill(r, x, 1)
				fill(r, cos, 1)
				fill(r, sin, 1)
				want := append([]float32{}, x...)
				if rows > 0 {
					rotateGeneric(want, ld, rows, half, cos, sin)
				}
				Rotate(x, ld, rows, half, cos, sin)
				require.Equal(t, want, x, "%d rows of %d pairs", rows, half)
			}
		}
	})
	x := make([]float32, 20)
	require.PanicsWithValue(t, errShape, func() { Rotate(x, 4, -1, 2, nil, nil) })
	require.PanicsWithValue(t, errLength, func() { Rotate(x, 4, 2, 2, x[:4], x[:3]) })
	require.PanicsWithValue(t, errShort, func() { Rotate(x[:7], 4, 2, 2, x[:4], x[:4]) })
	require.PanicsWithValue(t, errStride, func() { Rotate(x, 3, 2, 2, x[:4], x[:4]) })
}
