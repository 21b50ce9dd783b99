package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// lengths are every one that a loop with four times 16 lanes and a tail can
// tell apart, and a few long ones.
func lengths() []int {
	var n []int
	for i := range 4*16 + 4 {
		n = append(n, i)
	}
	return append(n, 127, 128, 129, 191, 192, 255, 384, 1000, 3079)
}

func TestLengthsAndAlignments(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(1, 2))
		for k := range operations {
			o := &operations[k]
			for _, n := range lengths() {
				for misalign := range 16 {
					if n > 300 && misalign%5 != 0 {
						continue
					}
					in, kept := make([][]float32, o.inputs), make([][]float32, o.inputs)
					for i := range in {
						in[i] = at[float32](n, (misalign+3*i)%16)
						fill(r, in[i], 3)
						kept[i] = append(make([]float32, 0, n), in[i]...)
					}
					// A sentinel on each side of dst shows a write past it.
					buf := at[float32](n+2, misalign)
					poison(buf)
					buf[0], buf[n+1] = 42, 43
					dst := buf[1 : n+1]
					o.run(dst, in)
					o.check(t, dst, in)
					requireSame(t, []float32{42, 43}, []float32{buf[0], buf[n+1]}, "%s wrote past dst of %d", o.name, n)
					for i := range in {
						requireSame(t, kept[i], in[i], "%s wrote its inputs", o.name)
					}
				}
			}
		}
	})
}

func TestDstMayBeSource(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(3, 4))
		for k := range operations {
			o := &operations[k]
			for _, n := range []int{1, 17, 64, 100, 259} {
				in := make([][]float32, o.inputs)
				for i := range in {
					in[i] = make([]float32, n)
					fill(r, in[i], 2)
				}
				want := make([]float32, n)
				o.run(want, in)
				o.run(in[0], in)
				require.Equal(t, want, in[0], "%s in place", o.name)
			}
		}
	})
}

// specials are the numbers at which a function of one variable may go wrong.
func specials() []float32 {
	inf := float32(math.Inf(1))
	x := []float32{
		0, float32(math.Copysign(0, -1)), tiny, -tiny, 0x1p-127, -0x1p-127, 0x1p-126, -0x1p-126, 1e-20, -1e-20,
		1, -1, 0.5, -0.5, tanhSmall, -tanhSmall, 5.5, -5.5, 6, -6, 9.5, -9.5, 20, -20, 88.72283, 88.72284, -87.33654, -87.33655, -87.4, -88, 89, -89,
		150, -150, 1e10, -1e10, math.MaxFloat32, -math.MaxFloat32, inf, -inf, float32(math.NaN()),
	}
	for _, v := range []float32{expLo, expHi, tanhSmall, geluC, geluTanhC} {
		x = append(x, math.Nextafter32(v, inf), math.Nextafter32(v, -inf), math.Nextafter32(-v, inf), math.Nextafter32(-v, -inf))
	}
	return x
}

func TestSpecialValues(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		for k := range operations {
			o := &operations[k]
			if o.whole {
				continue
			}
			// Every special value at every lane, in vectors and in tails.
			for _, x := range specials() {
				for _, n := range []int{1, 7, 16, 37} {
					for _, i := range []int{0, n / 2, n - 1} {
						in := make([][]float32, o.inputs)
						for j := range in {
							in[j] = make([]float32, n)
							for l := range in[j] {
								in[j][l] = float32(l-5) / 4
							}
							in[j][i] = x
						}
						dst := make([]float32, n)
						poison(dst)
						o.run(dst, in)
						o.check(t, dst, in)
					}
				}
			}
		}
	})
}

func TestExpWithinOneUlp(t *testing.T) {
	stride := uint32(1009)
	if testing.Short() {
		stride = 100003
	}
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		const n = 4096
		src, dst := make([]float32, 0, n), make([]float32, n)
		worst := 0.0
		flush := func() {
			Exp(dst[:len(src)], src)
			for i, x := range src {
				want := math.Exp(float64(x))
				if x < expLo {
					require.Zero(t, dst[i], "exp(%v)", x)
					continue
				}
				if x > expHi {
					require.True(t, math.IsInf(float64(dst[i]), 1), "exp(%v) is %v", x, dst[i])
					continue
				}
				e := math.Abs(float64(dst[i])-want) / ulpOf(want)
				if !(e <= 1) {
					t.Fatalf("exp(%v) is %v, want %v: %.3f ulp", x, dst[i], want, e)
				}
				worst = max(worst, e)
			}
			src = src[:0]
		}
		for b := uint32(0); b < 0x7f800000-stride; b += stride {
			x := math.Float32frombits(b)
			if x > 200 {
				break
			}
			if src = append(src, x, -x); len(src) == n {
				flush()
			}
		}
		for x := float32(expLo); x < -80 && !testing.Short(); x = math.Nextafter32(x, 0) {
			if src = append(src, x); len(src) == n {
				flush()
			}
		}
		flush()
		t.Logf("largest error %.3f ulp", worst)
	})
}

func TestActivationSweep(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		for k := range operations {
			o := &operations[k]
			if o.inputs != 1 || o.whole {
				continue
			}
			src := make([]float32, 0, 1<<17)
			for x := -12.0; x < 12; x += 24.0 / (1 << 16) {
				src = append(src, float32(x))
			}
			for e := -40.0; e < 6; e += 0.002 {
				src = append(src, float32(math.Exp(e)), -float32(math.Exp(e)))
			}
			dst := make([]float32, len(src))
			o.run(dst, [][]float32{src})
			o.check(t, dst, [][]float32{src})
		}
	})
}

// Signs and ranges are checked apart: in saturated tails a wrong sign is within
// any tolerance.
func TestActivationInvariants(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		var x []float32
		for v := float32(-200); v < 200; v += 0.037 {
			x = append(x, v)
		}
		for a := None; a < numActivations; a++ {
			y := append([]float32(nil), x...)
			Activate(a, y)
			for i, v := range y {
				var ok bool
				switch {
				case a == Tanh:
					ok = math.Abs(float64(v)) <= 1 && v*x[i] >= 0
				case a == None:
					ok = v == x[i]
				case x[i] >= 0:
					ok = v >= 0 && v <= x[i]
				default:
					ok = v <= 0 && v >= -0.29
				}
				if !ok {
					t.Fatalf("%v(%v) is %v", a, x[i], v)
				}
			}
		}
	})
}

func TestSoftmaxRows(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, n := range lengths()[1:] {
			src, dst := make([]float32, n), make([]float32, n)
			sum := func(what string) {
				t.Helper()
				s := 0.0
				for _, v := range dst {
					if !(v >= 0 && v <= 1) {
						t.Fatalf("%s, length %d: weight %v", what, n, v)
					}
					s += float64(v)
				}
				require.InDelta(t, 1, s, 1e-6*(1+float64(n)/1000), "%s, length %d", what, n)
			}
			fill(r, src, 10)
			Softmax(dst, src)
			sum("random")
			for i := range src {
				src[i] = -7
			}
			Softmax(dst, src)
			sum("equal")
			for i := range dst {
				require.InDelta(t, 1/float64(n), float64(dst[i]), 1e-7/float64(n)*4, "equal")
			}
			for i := range src {
				src[i] = -inf
			}
			Softmax(dst, src)
			for i := range dst {
				require.Zero(t, dst[i], "wholly masked, length %d", n)
			}
			src[n/2] = -3e38
			Softmax(dst, src)
			sum("all but one masked")
			require.Equal(t, float32(1), dst[n/2])
			for _, bad := range []float32{nan, inf} {
				src[n-1] = bad
				Softmax(dst, src)
				for i := range dst {
					require.True(t, dst[i] != dst[i], "%v in a row of %d: weight %d is %v", bad, n, i, dst[i])
				}
			}
			for i := range src {
				src[i] = -inf
			}
			src[0] = nan
			Softmax(dst, src)
			for i := range dst {
				require.True(t, dst[i] != dst[i], "masked row of %d with a NaN: weight %d is %v", n, i, dst[i])
			}
		}
	})
}

func TestNormRows(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		for _, n := range []int{1, 5, 16, 33, 100, 384} {
			x, w, b, dst := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			for i := range x {
				x[i], w[i], b[i] = 3, 2, float32(i)
			}
			LayerNorm(dst, x, w, b, 1e-12)
			require.Equal(t, b, dst, "equal elements leave the bias")
			x[n-1] = float32(math.NaN())
			LayerNorm(dst, x, w, b, 1e-12)
			for i := range dst {
				require.True(t, dst[i] != dst[i])
			}
			RMSNorm(dst, x, w, 1e-12)
			for i := range dst {
				require.True(t, dst[i] != dst[i])
			}
			x[n-1] = 3
			// RMSNorm does not change when x is scaled by a power of two.
			RMSNorm(dst, x, w, 0)
			for i := range x {
				x[i] *= 64
			}
			scaled := make([]float32, n)
			RMSNorm(scaled, x, w, 0)
			require.Equal(t, dst, scaled)
		}
	})
}

func TestDot(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, n := range lengths() {
			for misalign := range 16 {
				x, y := at[float32](n, misalign), at[float32](n, (misalign*5)%16)
				fill(r, x, 1)
				fill(r, y, 1)
				want, size := 0.0, 0.0
				for i := range x {
					want += float64(x[i]) * float64(y[i])
					size += math.Abs(float64(x[i]) * float64(y[i]))
				}
				if got := float64(Dot(x, y)); !(math.Abs(got-want) <= size*ulp/2*(8+float64(n)/64)) {
					t.Fatalf("dot of %d is %v, want %v", n, got, want)
				}
			}
		}
		x, y := []float32{1, 2, float32(math.NaN())}, []float32{0, 0, 0}
		require.True(t, math.IsNaN(float64(Dot(x, y))), "0 times NaN")
	})
}

// The tiers in assembly do the same in the same order: the same bits.
func TestTiersAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for k := range operations {
		o := &operations[k]
		for _, n := range lengths()[1:] {
			in := make([][]float32, o.inputs)
			for i := range in {
				in[i] = make([]float32, n)
				fill(r, in[i], 4)
			}
			var first []float32
			for _, set := range cpu.Available() {
				if set.Tier == cpu.Generic {
					continue
				}
				restore := cpu.Use(set)
				got := make([]float32, n)
				o.run(got, in)
				restore()
				if first == nil {
					first = got
				}
				require.Equal(t, first, got, "%s of %d on %v", o.name, n, set)
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		var half [40]uint16
		var bytes [40]int8
		require.Zero(t, testing.AllocsPerRun(10, func() {
			// Buffers on the stack must stay there.
			var x, y, z [40]float32
			x[3] = 1
			Exp(y[:], x[:])
			Softmax(y[:], x[:])
			LayerNorm(z[:], y[:], x[:], x[:], 1e-5)
			LayerNorm(z[:], y[:], x[:], nil, 1e-5)
			RMSNorm(z[:], y[:], x[:], 1e-5)
			Add(z[:], y[:], x[:])
			Mul(z[:], y[:], x[:])
			Scale(z[:], y[:], Dot(x[:], y[:]))
			for a := range numActivations {
				Activate(a, z[:])
			}
			F32ToF16(half[:], z[:])
			F16ToF32(z[:], half[:])
			F32ToBF16(half[:], z[:])
			BF16ToF32(z[:], half[:])
			QuantizeRow(bytes[:], z[:])
		}))
	})
}

func TestWrongShapesPanic(t *testing.T) {
	a, b := make([]float32, 4), make([]float32, 5)
	for name, f := range map[string]func(){
		"exp":       func() { Exp(a, b) },
		"softmax":   func() { Softmax(a, b) },
		"layerNorm": func() { LayerNorm(a, a, a, b, 1) },
		"rmsNorm":   func() { RMSNorm(a, a, b, 1) },
		"add":       func() { Add(a, a, b) },
		"mul":       func() { Mul(a, b, a) },
		"scale":     func() { Scale(a, b, 1) },
		"dot":       func() { Dot(a, b) },
		"f16":       func() { F16ToF32(a, make([]uint16, 5)) },
		"quantize":  func() { QuantizeRow(make([]int8, 3), a) },
	} {
		require.PanicsWithValue(t, errLength, f, name)
	}
	require.PanicsWithValue(t, errActivation, func() { Activate(numActivations, a) })
}

func TestActiveIsRequired(t *testing.T) {
	require.NoError(t, cpu.Required())
}
