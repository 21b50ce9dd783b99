package kernels

import "math"

// Activation names a function of one variable between two products.
type Activation uint8

const (
	None      Activation = iota // x
	GELU                        // x·Φ(x) with Φ the normal distribution, by erf (Hendrycks and Gimpel 2016)
	GELUTanh                    // x·(1+tanh(√(2/π)·(x+0.044715x³)))/2, which approximates GELU
	ReLU                        // max(x, 0)
	SiLU                        // x/(1+exp(-x))
	Tanh                        // tanh(x)
	QuickGELU                   // x/(1+exp(-1.702x))
	numActivations
)

var activationNames = [numActivations]string{"none", "gelu", "gelu-tanh", "relu", "silu", "tanh", "quick-gelu"}

func (a Activation) String() string {
	if a < numActivations {
		return activationNames[a]
	}
	return "Activation(?)"
}

// Activate applies a in place:
//
//	for i := range x {
//		x[i] = a(x[i])
//	}
//
// Errors: GELU and GELUTanh 2.7e-7·max(1, |x|/2) and no more than 7e-8 for
// negative x, Tanh 2 ulp, SiLU and QuickGELU 4 ulp of x times the sigmoid where
// that is normal. -Inf gives 0 for both GELUs and ReLU, NaN for SiLU and QuickGELU (as
// in PyTorch). The sign of a zero result is not promised.
func Activate(a Activation, x []float32) {
	if a >= numActivations {
		panic(errActivation)
	}
	if len(x) > 0 {
		activate(a, x, 1, len(x), len(x))
	}
}

// activate applies a to rows of n, ld apart; x is not empty.
func activate(a Activation, x []float32, rows, n, ld int) {
	switch a {
	case GELU:
		gelu(x, rows, n, ld)
	case GELUTanh:
		geluTanh(x, rows, n, ld)
	case ReLU:
		relu(x, rows, n, ld)
	case SiLU:
		silu(x, rows, n, ld)
	case Tanh:
		tanh(x, rows, n, ld)
	case QuickGELU:
		quickGELU(x, rows, n, ld)
	}
}

// Both GELUs are max(x, 0) - |x|·Q(|x|)², where Q(y)² = Φ(-y) or its
// approximation, and Q(y) = (c-y)·R(y): past c, where Φ(-y)·y is below what
// matters, Q is exactly 0. The square root makes a polynomial R of degree 12 or
// 13 enough, without division or exp, and the error is relative to the small
// second term. docs/numerics.md tells how the coefficients were found.
const (
	geluC     = 6
	geluTanhC = 5.5
)

var (
	geluR = [13]float32{
		0x1.e2b7ep-4, -0x1.c0816ap-6, -0x1.c89006p-7, 0x1.c74ba6p-10, 0x1.ae0edep-10, -0x1.c3038ap-13, -0x1.8ea64p-23,
		-0x1.3be93p-14, 0x1.5d8f3p-15, -0x1.4b2454p-17, 0x1.4e4956p-20, -0x1.6302ecp-24, 0x1.3976aap-29,
	}
	geluTanhR = [14]float32{
		0x1.074d06p-3, -0x1.c95dc8p-6, -0x1.f527a6p-7, 0x1.b2873ap-10, 0x1.f54c3ep-10, -0x1.e6c764p-12, 0x1.3a0746p-12,
		-0x1.64bfeap-12, 0x1.80cd9cp-13, -0x1.d6295ap-15, 0x1.605fd8p-17, -0x1.4217f8p-20, 0x1.4979eap-24, -0x1.201ed8p-29,
	}
)

func geluGeneric(x []float32, rows, n, ld int) {
	for i := range rows {
		geluPolynomial(x[i*ld:][:n], geluC, geluR[:])
	}
}

func geluTanhGeneric(x []float32, rows, n, ld int) {
	for i := range rows {
		geluPolynomial(x[i*ld:][:n], geluTanhC, geluTanhR[:])
	}
}

func geluPolynomial(row []float32, c float64, coef []float32) {
	for i, x := range row {
		y := min(math.Abs(float64(x)), c) // NaN stays NaN
		r := 0.0
		for k := len(coef) - 1; k >= 0; k-- {
			r = float64(r*y) + float64(coef[k])
		}
		q := (c - y) * r
		row[i] = float32(float64(max(x, 0)) - float64(y*float64(q*q)))
	}
}

func reluGeneric(x []float32, rows, n, ld int) {
	for i := range rows {
		row := x[i*ld:][:n]
		for j, v := range row {
			row[j] = max(v, 0)
		}
	}
}

func siluGeneric(x []float32, rows, n, ld int) {
	for i := range rows {
		row := x[i*ld:][:n]
		for j, v := range row {
			row[j] = v / (1 + exp1(-v))
		}
	}
}

const quickGELUFactor = 1.702

func quickGELUGeneric(x []float32, rows, n, ld int) {
	for i := range rows {
		row := x[i*ld:][:n]
		for j, v := range row {
			row[j] = v / (1 + exp1(v*-quickGELUFactor))
		}
	}
}

// tanh is x + x³·T(x²) for |x| below tanhSmall, minimax in relative error, and
// sign(x)·(1 - 2/(exp(2|x|)+1)) from there on.
const tanhSmall = 0.625

var tanhT = [5]float32{-0x1.555532p-2, 0x1.1106f6p-3, -0x1.b835a4p-5, 0x1.51f8cep-6, -0x1.750ce4p-8}

func tanhGeneric(x []float32, rows, n, ld int) {
	for i := range rows {
		row := x[i*ld:][:n]
		for j, v := range row {
			row[j] = tanh1(v)
		}
	}
}

// tanh1 is the portable tanh of one number.
func tanh1(x float32) float32 {
	y := float32(math.Abs(float64(x)))
	if y < tanhSmall {
		u, t := x*x, float32(0)
		for k := len(tanhT) - 1; k >= 0; k-- {
			t = float32(t*u) + tanhT[k]
		}
		return x + float32(float32(x*u)*t)
	}
	b := 1 - 2/(exp1(min(2*y, 20))+1)
	return float32(math.Copysign(float64(b), float64(x)))
}
