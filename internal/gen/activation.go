package main

import (
	"math"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// hex is a float32 constant given exactly.
func hex(values ...float64) []vm.Const {
	var c []vm.Const
	for _, v := range values {
		if float64(float32(v)) != v {
			panic("constant is no float32")
		}
		c = append(c, f32(v))
	}
	return c
}

// Φ(-y) ≈ ((cut-y)·R(y))² for y in [0, cut], and 0 beyond. docs/numerics.md says how R was fitted and how well.
var (
	geluErfCut  = f32(6)
	geluErfCoef = hex(0x1.e2b7ep-4, -0x1.c0816ap-6, -0x1.c89006p-7, 0x1.c74ba6p-10, 0x1.ae0edep-10, -0x1.c3038ap-13,
		-0x1.8ea64p-23, -0x1.3be93p-14, 0x1.5d8f3p-15, -0x1.4b2454p-17, 0x1.4e4956p-20, -0x1.6302ecp-24, 0x1.3976aap-29)
	geluTanhCut  = f32(5.5)
	geluTanhCoef = hex(0x1.074d06p-3, -0x1.c95dc8p-6, -0x1.f527a6p-7, 0x1.b2873ap-10, 0x1.f54c3ep-10, -0x1.e6c764p-12,
		0x1.3a0746p-12, -0x1.64bfeap-12, 0x1.80cd9cp-13, -0x1.d6295ap-15, 0x1.605fd8p-17, -0x1.4217f8p-20, 0x1.4979eap-24, -0x1.201ed8p-29)
	tanhCoef = hex(-0x1.555532p-2, 0x1.1106f6p-3, -0x1.b835a4p-5, 0x1.51f8cep-6, -0x1.750ce4p-8)
)

func horner(m vm.Machine, coef []vm.Const, x vm.V) vm.V {
	r := m.Splat(coef[len(coef)-1])
	for k := len(coef) - 2; k >= 0; k-- {
		r = m.Horner(r, x, coef[k])
	}
	return r
}

// gelu emits x = max(x,0) - |x|·Φ(-|x|), which needs neither division nor exp.
func gelu(m vm.Machine, cut vm.Const, coef []vm.Const) func(x vm.V) {
	zero := m.Fixed(0)
	return func(x vm.V) {
		y := m.V()
		m.And(y, x, absMask)
		m.Min(y, y, cut)
		q := horner(m, coef, y)
		d := m.V()
		m.Sub(d, y, cut) // the sign is lost in the square
		m.Mul(q, q, d)
		m.Mul(q, q, q)
		m.Max(x, zero, x) // x is the second source, so a NaN stays
		m.FNMA(x, y, q)
	}
}

// logistic emits x = x / (1 + exp(-factor·x)): SiLU, and quick-GELU with 1.702.
func logistic(m vm.Machine, factor float64) func(x vm.V) {
	e := newExponential(m)
	return func(x vm.V) {
		t := m.V()
		m.Mul(t, x, f32(-factor))
		e.apply(t, t, true)
		m.Add(t, t, one)
		m.Div(x, x, t)
	}
}

func tanh(m vm.Machine) func(x vm.V) {
	e := newExponential(m)
	ceiling := m.Fixed(f32(20))
	return func(x vm.V) {
		big := m.V()
		m.And(big, x, absMask)
		m.Add(big, big, big)
		m.Min(big, ceiling, big)
		e.apply(big, big, false)
		m.Add(big, big, one)
		two := m.Splat(f32(2))
		m.Div(two, two, big)
		m.Mov(big, one)
		m.Sub(big, big, two)
		y, u := m.V(), m.V()
		m.And(y, x, absMask)
		m.Mul(u, y, y)
		p := horner(m, tanhCoef, u)
		m.Mul(p, p, y)
		m.Mul(p, p, u)
		m.Add(p, p, y)
		m.SelectLess(big, y, f32(0.625), p)
		m.And(x, x, signBit)
		m.Or(x, x, big)
	}
}

// activations are the functions that follow a product, in place over a strip of rows still in the first cache.
func activations(m vm.Machine) {
	strip := func(name, doc string, f func() func(x vm.V)) {
		vm.Function(m, name, "x *float32, ld, rows, n int", name+" sets x[i][j] = "+doc+" for rows ld bytes apart of n elements; rows ≥ 1.")
		x, ld, rows, n := m.Param("x"), m.Param("ld"), m.Param("rows"), m.Param("n")
		g := f()
		p, left, v := m.GP(), m.GP(), m.V()
		m.Label("row")
		m.MovR(p, x)
		m.MovR(left, n)
		vm.Loop(m, "", left, []vm.GP{p}, []int{4}, func() {
			m.Load(p, 0, v)
			g(v)
			m.Store(v, p, 0)
		}, func(rem vm.GP) {
			m.LoadTail(p, rem, one, v)
			g(v)
			m.StoreTail(v, p, rem)
		})
		m.AddR(x, ld)
		m.SubJump(rows, 1, vm.NE, "row")
		m.Ret()
	}
	strip("GELU", "x·Φ(x) with the error function (Hendrycks and Gimpel 2016)", func() func(vm.V) { return gelu(m, geluErfCut, geluErfCoef) })
	strip("GELUTanh", "x/2·(1+tanh(√(2/π)(x+0.044715x³)))", func() func(vm.V) { return gelu(m, geluTanhCut, geluTanhCoef) })
	strip("ReLU", "max(x, 0), NaN kept,", func() func(vm.V) {
		zero := m.Fixed(0)
		return func(x vm.V) { m.Max(x, zero, x) }
	})
	strip("SiLU", "x/(1+exp(-x))", func() func(vm.V) { return logistic(m, 1) })
	strip("QuickGELU", "x/(1+exp(-1.702x))", func() func(vm.V) { return logistic(m, 1.702) })
	strip("Tanh", "tanh x", func() func(vm.V) { return tanh(m) })
}

// stripPairs are what else follows a product over a strip of rows: a residual added, a gate multiplied.
func stripPairs(m vm.Machine) {
	pair := func(name, sign string, f func(d, a vm.V, b vm.Src)) {
		vm.Function(m, name, "x *float32, ldx int, y *float32, ldy, rows, n int",
			name+" sets x[i][j] = x[i][j] "+sign+" y[i][j] for rows ldx and ldy bytes apart of n elements; rows ≥ 1.")
		x, ldx, y, ldy, rows, n := m.Param("x"), m.Param("ldx"), m.Param("y"), m.Param("ldy"), m.Param("rows"), m.Param("n")
		p, q, left, v, w := m.GP(), m.GP(), m.GP(), m.V(), m.V()
		m.Label("row")
		m.MovR(p, x)
		m.MovR(q, y)
		m.MovR(left, n)
		vm.Loop(m, "", left, []vm.GP{p, q}, []int{4, 4}, func() {
			m.Load(p, 0, v)
			m.Load(q, 0, w)
			f(v, v, w)
			m.Store(v, p, 0)
		}, func(rem vm.GP) {
			m.LoadTail(p, rem, one, v)
			m.LoadTail(q, rem, one, w)
			f(v, v, w)
			m.StoreTail(v, p, rem)
		})
		m.AddR(x, ldx)
		m.AddR(y, ldy)
		m.SubJump(rows, 1, vm.NE, "row")
		m.Ret()
	}
	pair("AddStrip", "+", m.Add)
	pair("MulStrip", "·", m.Mul)
}

var mostNegative = f32(-math.MaxFloat32)
