package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// op is one operation on float32 slices of one length, with everything that the
// tests which range over all of them need to know. A new operation is a row of
// operations and gets them all.
type op struct {
	name   string // of the function in dispatch_*.go
	inputs int
	run    func(dst []float32, in [][]float32)
	ref    func(dst []float64, in [][]float32) // the contract, in float64
	// tol is how far got may be from want at i, where both were made of in.
	tol func(in [][]float32) tolerance
	// whole operations make an element of several, whose sums may overflow where float64's do not.
	whole bool
}

type tolerance func(want float64, i int) float64

const (
	ulp  = 0x1p-23
	tiny = math.SmallestNonzeroFloat32
)

// ulpOf is the distance of float32 numbers at x.
func ulpOf(x float64) float64 {
	x = math.Abs(x)
	if x < 0x1p-126 {
		return tiny
	}
	return math.Ldexp(1, math.Ilogb(x)-23)
}

func mapRef(f func(x float64) float64) func(dst []float64, in [][]float32) {
	return func(dst []float64, in [][]float32) {
		for i, x := range in[0] {
			dst[i] = f(float64(x))
		}
	}
}

func ulps(n float64) func(in [][]float32) tolerance {
	return func([][]float32) tolerance { return func(want float64, _ int) float64 { return n * ulpOf(want) } }
}

func inPlace(a Activation) func(dst []float32, in [][]float32) {
	return func(dst []float32, in [][]float32) {
		copy(dst, in[0])
		Activate(a, dst)
	}
}

func geluTol(in [][]float32) tolerance {
	return func(want float64, i int) float64 {
		x := float64(in[0][i])
		if x < 0 {
			return 7.2e-8*min(1, -x*4) + tiny
		}
		return 7.2e-8*min(1, x*4) + ulpOf(want)
	}
}

// sigmoidTol allows for the rounding of the exponential's argument, a part in
// 2²⁴ of it, beside 4 ulp.
func sigmoidTol(factor float64) func(in [][]float32) tolerance {
	return func(in [][]float32) tolerance {
		return func(want float64, i int) float64 {
			x := math.Abs(float64(in[0][i])) * factor
			if x > 87 {
				return ulpOf(want) + 2e-36 // where exp overflows and a negative x gives 0
			}
			return (4+x)*ulpOf(want) + 0x1p-126
		}
	}
}

func referenceLayerNorm(dst []float64, in [][]float32, eps float64, centre bool) {
	x, n := in[0], float64(len(in[0]))
	mean, variance := 0.0, 0.0
	if centre {
		for _, v := range x {
			mean += float64(v) / n
		}
	}
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean) / n
	}
	for i, v := range x {
		dst[i] = (float64(v) - mean) / math.Sqrt(variance+eps) * float64(in[1][i])
		if len(in) > 2 {
			dst[i] += float64(in[2][i])
		}
	}
}

// normTol: sums are good to some ulp of the largest element, and what is left
// of it after the mean is taken away is divided by the standard deviation.
func normTol(centre bool) func(in [][]float32) tolerance {
	return func(in [][]float32) tolerance {
		n := float64(len(in[0]))
		largest, mean, variance := 0.0, 0.0, 0.0
		for _, v := range in[0] {
			largest = max(largest, math.Abs(float64(v)))
			mean += float64(v) / n
		}
		if !centre {
			mean = 0
		}
		for _, v := range in[0] {
			variance += (float64(v) - mean) * (float64(v) - mean) / n
		}
		return func(want float64, i int) float64 {
			t := math.Abs(float64(in[1][i]))
			if len(in) > 2 {
				t += math.Abs(float64(in[2][i]))
			}
			return 8 * ulp * (math.Abs(want) + t*(1+largest/math.Sqrt(variance+testEps)))
		}
	}
}

const testEps = 1e-5

var operations = []op{
	{name: "exp", inputs: 1, tol: ulps(1),
		run: func(dst []float32, in [][]float32) { Exp(dst, in[0]) },
		ref: mapRef(func(x float64) float64 {
			if x < float64(float32(expLo)) {
				return 0
			}
			return math.Exp(x)
		})},
	{name: "softmax", inputs: 1, whole: true,
		run: func(dst []float32, in [][]float32) { Softmax(dst, in[0]) },
		ref: func(dst []float64, in [][]float32) {
			m, sum := math.Inf(-1), 0.0
			for _, x := range in[0] {
				m = max(m, float64(x))
			}
			for i, x := range in[0] {
				dst[i] = math.Exp(float64(x) - m)
				sum += dst[i]
			}
			for i := range dst {
				if dst[i] /= sum; math.IsInf(m, -1) {
					dst[i] = 0
				}
			}
		},
		tol: func(in [][]float32) tolerance {
			spread := 0.0
			for _, x := range in[0] {
				if v := math.Abs(float64(x)); v < math.Inf(1) {
					spread = max(spread, v)
				}
			}
			factor := (8 + 2*min(spread, 200) + float64(len(in[0]))/64) * ulp / 2
			return func(want float64, _ int) float64 { return want*factor + 0x1p-126 }
		}},
	{name: "layerNorm", inputs: 3, whole: true, tol: normTol(true),
		run: func(dst []float32, in [][]float32) { LayerNorm(dst, in[0], in[1], in[2], testEps) },
		ref: func(dst []float64, in [][]float32) { referenceLayerNorm(dst, in, float64(float32(testEps)), true) }},
	{name: "layerNorm", inputs: 2, whole: true, tol: normTol(true),
		run: func(dst []float32, in [][]float32) { LayerNorm(dst, in[0], in[1], nil, testEps) },
		ref: func(dst []float64, in [][]float32) { referenceLayerNorm(dst, in, float64(float32(testEps)), true) }},
	{name: "rmsNorm", inputs: 2, whole: true, tol: normTol(false),
		run: func(dst []float32, in [][]float32) { RMSNorm(dst, in[0], in[1], testEps) },
		ref: func(dst []float64, in [][]float32) { referenceLayerNorm(dst, in, float64(float32(testEps)), false) }},
	{name: "add", inputs: 2, tol: ulps(0.5),
		run: func(dst []float32, in [][]float32) { Add(dst, in[0], in[1]) },
		ref: func(dst []float64, in [][]float32) {
			for i := range dst {
				dst[i] = float64(in[0][i]) + float64(in[1][i])
			}
		}},
	{name: "mul", inputs: 2, tol: ulps(0.5),
		run: func(dst []float32, in [][]float32) { Mul(dst, in[0], in[1]) },
		ref: func(dst []float64, in [][]float32) {
			for i := range dst {
				dst[i] = float64(in[0][i]) * float64(in[1][i])
			}
		}},
	{name: "scale", inputs: 1, tol: ulps(0.5),
		run: func(dst []float32, in [][]float32) { Scale(dst, in[0], 1.7) },
		ref: mapRef(func(x float64) float64 { return x * float64(float32(1.7)) })},
	{name: "rotate", inputs: 3, whole: true,
		run: func(dst []float32, in [][]float32) {
			half := len(dst) / 2
			copy(dst, in[0])
			Rotate(dst, len(dst), 1, half, in[1][:half], in[2][:half])
		},
		ref: func(dst []float64, in [][]float32) {
			half := len(dst) / 2
			for i, x := range in[0] {
				dst[i] = float64(x)
			}
			for i := range half {
				a, b, c, s := dst[i], dst[half+i], float64(in[1][i]), float64(in[2][i])
				dst[i], dst[half+i] = a*c-b*s, b*c+a*s
			}
		},
		tol: func(in [][]float32) tolerance {
			half := len(in[0]) / 2
			return func(_ float64, i int) float64 {
				if i == 2*half {
					return 0
				}
				a, b, c, s := in[0][i], in[0][(i+half)%(2*half)], in[1][i%half], in[2][i%half]
				return 1.5 * ulpOf(math.Abs(float64(a)*float64(c))+math.Abs(float64(b)*float64(s)))
			}
		}},
	{name: "gelu", inputs: 1, tol: geluTol, run: inPlace(GELU),
		ref: mapRef(func(x float64) float64 {
			if math.IsInf(x, -1) {
				return 0
			}
			return x * math.Erfc(-x/math.Sqrt2) / 2
		})},
	{name: "geluTanh", inputs: 1, tol: geluTol, run: inPlace(GELUTanh),
		ref: mapRef(func(x float64) float64 {
			if math.IsInf(x, -1) {
				return 0
			}
			return x / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
		})},
	{name: "relu", inputs: 1, tol: ulps(0), run: inPlace(ReLU),
		ref: mapRef(func(x float64) float64 { return max(x, 0) })},
	{name: "silu", inputs: 1, tol: sigmoidTol(1), run: inPlace(SiLU),
		ref: mapRef(func(x float64) float64 { return x / (1 + math.Exp(-x)) })},
	{name: "quickGELU", inputs: 1, tol: sigmoidTol(quickGELUFactor), run: inPlace(QuickGELU),
		ref: mapRef(func(x float64) float64 { return x / (1 + math.Exp(-float64(float32(quickGELUFactor))*x)) })},
	{name: "tanh", inputs: 1, tol: ulps(2), run: inPlace(Tanh), ref: mapRef(math.Tanh)},
}

// forEachSet runs a test under every set of instructions that this CPU has, or the one that LADON_ISA names.
func forEachSet(t *testing.T, f func(t *testing.T, set cpu.Set)) {
	for _, set := range cpu.Tested() {
		t.Run("isa="+set.String(), func(t *testing.T) {
			defer cpu.Use(set)()
			f(t, set)
		})
	}
}

// at returns n elements that begin misalign elements after a cache line.
func at[T any](n, misalign int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	s := make([]T, n+misalign+cacheLine/size)
	skip := 0
	for uintptr(unsafe.Pointer(&s[skip]))%cacheLine != 0 {
		skip++
	}
	return s[skip+misalign:][:n:n]
}

func fill(r *rand.Rand, x []float32, spread float64) {
	for i := range x {
		x[i] = float32(r.NormFloat64() * spread)
	}
}

func poison(x []float32) {
	for i := range x {
		x[i] = float32(math.NaN())
	}
}

// threadCounts are those that must give the bits of one thread.
func threadCounts() []int {
	if testing.Short() {
		return []int{3}
	}
	return []int{1, 2, 3, 8}
}

// requireSame is for many elements: reflection takes its time only where they differ.
func requireSame[T comparable](t *testing.T, want, got []T, format string, args ...any) {
	t.Helper()
	if !slices.Equal(want, got) {
		require.Equal(t, want, got, append([]any{format}, args...)...)
	}
}

// check compares with the contract, NaN-safe.
func (o *op) check(t *testing.T, dst []float32, in [][]float32) {
	t.Helper()
	want := make([]float64, len(dst))
	o.ref(want, in)
	tol := o.tol(in)
	for i, got := range dst {
		w := want[i]
		switch {
		case math.IsNaN(w):
			require.True(t, got != got, "%s: element %d of %d is %v, want NaN", o.name, i, len(dst), got)
		case math.Abs(w) > math.MaxFloat32:
			require.True(t, math.IsInf(float64(got), sign(w)), "%s: element %d of %d is %v, want %v", o.name, i, len(dst), got, w)
		default:
			if !(math.Abs(float64(got)-w) <= tol(w, i)) {
				t.Fatalf("%s: element %d of %d is %v, want %v within %.3g (%v)", o.name, i, len(dst), got, w, tol(w, i), elements(in, i))
			}
		}
	}
}

func sign(x float64) int {
	if x < 0 {
		return -1
	}
	return 1
}

func elements(in [][]float32, i int) (e []float32) {
	for _, x := range in {
		e = append(e, x[i])
	}
	return e
}
