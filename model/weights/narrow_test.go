package weights

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// dequantized is what src becomes as d.
func dequantized(t testing.TB, d DType, src []float32) []float32 {
	data, err := AppendQuantized(nil, d, src)
	require.NoError(t, err)
	got, err := Tensor{DType: d, Data: data}.Float32s(nil)
	require.NoError(t, err)
	return got
}

func squares(want, got []float32) (sum float64) {
	for i := range want {
		e := float64(want[i]) - float64(got[i])
		sum += e * e
	}
	return sum
}

// plainK rounds to the levels that each group's extremes give, with exact scales
// and minima: what no 6-bit scales are needed for.
func plainK(x []float32, group int, top float64, symmetric bool) []float32 {
	out := make([]float32, len(x))
	for g := 0; g < len(x); g += group {
		low, high := extremes(x[g : g+group])
		low = min(low, 0)
		d, m := (float64(high)-float64(low))/top, float64(low)
		if symmetric {
			d, m = float64(max(high, -low))/(top/2), 0
		}
		for i, v := range x[g : g+group] {
			if d > 0 {
				out[g+i] = float32(math.RoundToEven((float64(v)-m)/d)*d + m)
			}
		}
	}
	return out
}

// The K types are to be no worse than plain rounding, though their scales are of
// 6 or 8 bits, and each of their bits is to count.
func TestQuantizeK(t *testing.T) {
	const n = 64 * superBlock
	r := rand.New(rand.NewPCG(1, 2))
	kinds := map[string]func() float32{
		"normal":  func() float32 { return float32(r.NormFloat64()) },
		"small":   func() float32 { return float32(r.NormFloat64() * 0.01) },
		"uniform": func() float32 { return r.Float32()*2 - 1 },
		"heavy":   func() float32 { v := r.NormFloat64(); return float32(v * v * v) },
		"shifted": func() float32 { return float32(r.NormFloat64() + 2) },
	}
	for name, next := range kinds {
		x := make([]float32, n)
		for i := range x {
			x[i] = next()
		}
		for _, c := range []struct {
			dtype     DType
			group     int
			top       float64
			symmetric bool
		}{
			{Q4_K, 32, 15, false}, {Q5_K, 32, 31, false}, {Q6_K, 16, 62, true},
		} {
			t.Run(fmt.Sprint(name, " ", c.dtype), func(t *testing.T) {
				got := squares(x, dequantized(t, c.dtype, x))
				plain := squares(x, plainK(x, c.group, c.top, c.symmetric))
				t.Logf("%.4f of plain rounding's error", got/plain)
				if !(got <= plain) {
					t.Errorf("squares of errors sum to %g, plain rounding's to %g", got, plain)
				}
			})
		}
	}
}

func TestQuantizeEdges(t *testing.T) {
	block := func(f func(i int) float32) []float32 {
		x := make([]float32, superBlock)
		for i := range x {
			x[i] = f(i)
		}
		return x
	}
	for name, x := range map[string][]float32{
		"zeros":       block(func(int) float32 { return 0 }),
		"positive":    block(func(int) float32 { return 3 }),
		"negative":    block(func(int) float32 { return -3 }),
		"one":         block(func(i int) float32 { return float32(i/255) * 5 }),
		"subnormal":   block(func(i int) float32 { return float32(i) * 1e-45 }),
		"great":       block(func(i int) float32 { return float32(i-128) * 400 }),
		"alternating": block(func(i int) float32 { return float32(1 - 2*(i&1)) }),
	} {
		for _, d := range []DType{Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K} {
			got := dequantized(t, d, x)
			var largest float64
			for _, v := range x {
				largest = max(largest, math.Abs(float64(v)))
			}
			for i := range x {
				if diff := math.Abs(float64(got[i]) - float64(x[i])); !(diff <= largest/6+1e-7) {
					t.Errorf("%s: %v: element %d of %v is %v", name, d, i, x[i], got[i])
				}
			}
		}
	}
}

func TestQuantizeRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, d := range []DType{F16, BF16, F32, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K} {
		for _, bad := range []float32{nan, inf} {
			x := make([]float32, superBlock)
			x[77] = bad
			got, err := AppendQuantized([]byte{9}, d, x)
			require.ErrorIs(t, err, ErrConvert)
			require.ErrorContains(t, err, "number 77")
			require.Equal(t, []byte{9}, got)
		}
		if block, _ := d.Block(); block > 1 {
			_, err := AppendQuantized(nil, d, make([]float32, block+1))
			require.ErrorIs(t, err, ErrConvert)
		}
		if d != F32 && d != BF16 {
			x := make([]float32, superBlock)
			x[0], x[1] = 3e38, -3e38
			_, err := AppendQuantized(nil, d, x)
			require.ErrorIs(t, err, errTooLarge, d)
		}
	}
	_, err := AppendQuantized(nil, BF16, []float32{math.MaxFloat32})
	require.ErrorIs(t, err, errTooLarge)
	_, err = AppendQuantized(nil, I8, []float32{1})
	require.ErrorIs(t, err, ErrConvert)
}

// Every binary16 number comes back.
func TestHalves(t *testing.T) {
	for h := range 1 << 16 {
		if h&0x7c00 == 0x7c00 {
			continue
		}
		require.Equal(t, uint16(h), halfBits(half([]byte{byte(h), byte(h >> 8)})))
	}
	for v, want := range map[float32]uint16{65519.996: 0x7bff, 65520: 0x7c00, 1e30: 0x7c00, 0x1p-25: 0, 0x1.8p-25: 1, 0x1.ffep-15: 0x400, 0x1.002p0: 0x3c00, 0x1.006p0: 0x3c02} {
		require.Equal(t, want, halfBits(v), v)
	}
}

func BenchmarkAppendQuantized(b *testing.B) {
	x := make([]float32, 64*superBlock)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	for d := Q4_0; d <= Q6_K; d++ {
		b.Run("dtype="+d.String(), func(b *testing.B) {
			b.SetBytes(int64(4 * len(x)))
			var dst []byte
			for b.Loop() {
				dst, _ = AppendQuantized(dst[:0], d, x)
			}
		})
	}
}
