package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// referenceF16 widens by the definition of the format.
func referenceF16(h uint16) float64 {
	s, e, f := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		s = -1
	}
	switch e {
	case 0:
		return s * math.Ldexp(f, -24)
	case 31:
		if f != 0 {
			return math.NaN()
		}
		return s * math.Inf(1)
	}
	return s * math.Ldexp(1024+f, e-25)
}

func TestF16AllValues(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		src, dst, back := make([]uint16, 1<<16), make([]float32, 1<<16), make([]uint16, 1<<16)
		for i := range src {
			src[i] = uint16(i)
		}
		F16ToF32(dst, src)
		F32ToF16(back, dst)
		for i, x := range dst {
			want := referenceF16(src[i])
			if math.IsNaN(want) {
				b := math.Float32bits(x)
				require.Equal(t, uint32(i&0x8000)<<16|0x7fc00000|uint32(i&0x3ff)<<13, b, "NaN %#x", i)
				require.Equal(t, src[i]|0x200, back[i], "NaN %#x and back", i)
				continue
			}
			require.Equal(t, want, float64(x), "%#x", i)
			require.Equal(t, math.Signbit(want), math.Signbit(float64(x)), "%#x", i)
			require.Equal(t, src[i], back[i], "%#x and back", i)
		}
	})
}

// Rounding is checked half way between neighbours and just beside it.
func TestF32ToF16Rounds(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		var src []float32
		var want []uint16
		for h := uint16(0); h < 0x7c00; h++ {
			next := referenceF16(h + 1)
			if h == 0x7bff {
				next = 65536 // as if the exponent went on
			}
			mid := float32((referenceF16(h) + next) / 2)
			even := h + h&1
			src = append(src, mid, math.Nextafter32(mid, 0), math.Nextafter32(mid, math.MaxFloat32), -mid)
			want = append(want, even, h, h+1, even|0x8000)
		}
		src = append(src, math.MaxFloat32, -1e10, tiny, float32(math.Inf(-1)))
		want = append(want, 0x7c00, 0xfc00, 0, 0xfc00)
		got := make([]uint16, len(src))
		F32ToF16(got, src)
		for i := range want {
			require.Equal(t, want[i], got[i], "%v", src[i])
		}
	})
}

func TestBF16(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		src, dst, back := make([]uint16, 1<<16), make([]float32, 1<<16), make([]uint16, 1<<16)
		for i := range src {
			src[i] = uint16(i)
		}
		BF16ToF32(dst, src)
		F32ToBF16(back, dst)
		for i, x := range dst {
			require.Equal(t, uint32(i)<<16, math.Float32bits(x))
			if x != x {
				require.Equal(t, uint16(i)&0x8000|0x7fc0, back[i])
				continue
			}
			require.Equal(t, src[i], back[i])
		}
		var wide []float32
		var want []uint16
		for b := uint32(0); b < 0x7f80; b += 3 {
			for _, low := range []uint32{0x7fff, 0x8000, 0x8001} {
				wide = append(wide, math.Float32frombits(b<<16|low))
				up := uint16(0)
				if low > 0x8000 || low == 0x8000 && b&1 == 1 {
					up = 1
				}
				want = append(want, uint16(b)+up)
			}
		}
		got := make([]uint16, len(wide))
		F32ToBF16(got, wide)
		require.Equal(t, want, got)
	})
}

func TestConversionLengths(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(1, 1))
		for _, n := range lengths() {
			for misalign := range 16 {
				src := at[float32](n, misalign)
				fill(r, src, 100)
				for name, f := range map[string]struct {
					to   func([]uint16, []float32)
					from func([]float32, []uint16)
					one  func(float32) uint16
				}{
					"f16":  {F32ToF16, F16ToF32, narrowF16},
					"bf16": {F32ToBF16, BF16ToF32, func(x float32) uint16 { b := math.Float32bits(x); return uint16((b + 0x7fff + b>>16&1) >> 16) }},
				} {
					buf := at[uint16](n+2, misalign)
					buf[0], buf[n+1] = 7, 8
					f.to(buf[1:n+1], src)
					for i, x := range src {
						if got := buf[i+1]; got != f.one(x) {
							t.Fatalf("%s %v is %#x, want %#x", name, x, got, f.one(x))
						}
					}
					requireSame(t, []uint16{7, 8}, []uint16{buf[0], buf[n+1]}, "%s wrote past dst", name)
					wide := at[float32](n+2, misalign)
					wide[0], wide[n+1] = 7, 8
					f.from(wide[1:n+1], buf[1:n+1])
					again := make([]uint16, n)
					f.to(again, wide[1:n+1])
					requireSame(t, buf[1:n+1], again, "%s", name)
					requireSame(t, []float32{7, 8}, []float32{wide[0], wide[n+1]}, "%s wrote past dst", name)
				}
			}
		}
	})
}

func TestQuantizeRow(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(2, 2))
		for _, n := range lengths() {
			for misalign := range 16 {
				src := at[float32](n, misalign)
				fill(r, src, 5)
				buf := at[int8](n+2, misalign)
				for i := range buf {
					buf[i] = 99
				}
				s := QuantizeRow(buf[1:n+1], src)
				largest := float32(0)
				for _, x := range src {
					largest = max(largest, float32(math.Abs(float64(x))))
				}
				require.Equal(t, largest/127, s)
				for i, x := range src {
					q := math.RoundToEven(float64(float32(x * (127 / largest))))
					require.Equal(t, int8(q), buf[i+1], "%v of %v", x, largest)
				}
				require.Equal(t, []int8{99, 99}, []int8{buf[0], buf[n+1]}, "wrote past dst")
			}
		}
		for _, n := range []int{1, 15, 16, 40} {
			src, q := make([]float32, n), make([]int8, n)
			for _, v := range []float32{0, 1e-36, tiny} {
				src[n/2] = v
				q[0] = 5
				require.Zero(t, QuantizeRow(q, src))
				require.Equal(t, make([]int8, n), q)
			}
			src[n/2] = math.MaxFloat32
			require.Equal(t, float32(math.MaxFloat32)/127, QuantizeRow(q, src))
			require.Equal(t, int8(127), q[n/2])
			src[n/2] = float32(math.Inf(-1))
			require.Equal(t, float32(math.Inf(1)), QuantizeRow(q, src))
			for i := range n {
				clear(src)
				src[i] = float32(math.NaN())
				src[(i+1)%n] += 1
				s := QuantizeRow(q, src)
				require.True(t, s != s, "NaN at %d of %d gives scale %v", i, n, s)
			}
		}
	})
}
