package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/internal/guard"
)

// Every element of a row comes back within half a step, 0 within none, and every
// tier gives the same integers.
func TestQuantizeRange(t *testing.T) {
	rows := map[string]func(r *rand.Rand) float32{
		"normal":      func(r *rand.Rand) float32 { return float32(r.NormFloat64()) },
		"one-sided":   func(r *rand.Rand) float32 { return float32(math.Abs(r.NormFloat64())) },
		"negative":    func(r *rand.Rand) float32 { return -5 - r.Float32() },
		"like a GELU": func(r *rand.Rand) float32 { return max(-0.17, float32(3*r.NormFloat64())) },
		"huge":        func(r *rand.Rand) float32 { return (2*r.Float32() - 1) * math.MaxFloat32 },
		"tiny":        func(r *rand.Rand) float32 { return r.Float32() * 1e-30 },
		"ties":        func(r *rand.Rand) float32 { return float32(r.IntN(511)-255) / 2 },
	}
	type result struct {
		q     []int8
		scale float32
		zero  int32
	}
	golden := map[string]map[int]result{}
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		for name, element := range rows {
			if golden[name] == nil {
				golden[name] = map[int]result{}
			}
			r := rand.New(rand.NewPCG(3, 4))
			for _, n := range []int{1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 384, 1000} {
				x, q := guard.Float32s(t, n), guard.Int8s(t, n)
				for i := range x {
					x[i] = element(r)
				}
				scale, zero := quantizeRange(q, x, 0)
				require.GreaterOrEqual(t, zero, int32(0))
				require.LessOrEqual(t, zero, int32(255))
				for i, v := range x {
					back := float64(int32(q[i])+128-zero) * float64(scale)
					if diff := math.Abs(back - float64(v)); !(diff <= 0.502*float64(scale)+1e-35) {
						t.Fatalf("%s, %d of %d: %v comes back as %v, a step is %v", name, i, n, v, back, scale)
					}
				}
				got := result{append([]int8(nil), q...), scale, zero}
				if want, ok := golden[name][n]; ok {
					require.Equal(t, want, got, "%s of %d", name, n)
				}
				golden[name][n] = got

				bytes := guard.Int8s(t, n)
				quantizeRange(bytes, x, zeroPoint128)
				for i := range q {
					require.Equal(t, int32(q[i])+128, int32(uint8(bytes[i])))
				}
			}
		}
		for _, spoil := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			for _, n := range []int{1, 16, 33, 70} {
				for i := range n {
					x, q := make([]float32, n), make([]int8, n)
					x[i] = spoil
					scale, _ := quantizeRange(q, x, 0)
					require.True(t, scale != scale, "%v at %d of %d gives scale %v", spoil, i, n, scale)
				}
			}
		}
		q := make([]int8, 20)
		scale, zero := quantizeRange(q, make([]float32, 20), 0)
		require.Zero(t, scale)
		for _, v := range q {
			require.Equal(t, zero-128, int32(v), "0 is the integer zero")
		}
	})
}

func TestInt8ToF32(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		for n := range 300 {
			src, dst := guard.Slice[int8](t, n), guard.Float32s(t, n)
			for i := range src {
				src[i] = int8(i - 128)
			}
			for _, scale := range []float32{0.0123, 0, float32(math.Inf(1)), float32(math.NaN())} {
				Int8ToF32(dst, src, scale)
				for i, x := range dst {
					if want := float32(src[i]) * scale; math.Float32bits(want)|quietSign(x) != math.Float32bits(x)|quietSign(x) {
						t.Fatalf("%d times %v is %v", src[i], scale, x)
					}
				}
			}
		}
		require.PanicsWithValue(t, errLength, func() { Int8ToF32(make([]float32, 1), nil, 1) })
	})
}

// quietSign is what may differ between NaNs.
func quietSign(x float32) uint32 {
	if x != x {
		return 0xffffffff
	}
	return 0
}
