package main

import (
	"math"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

func f32(v float64) vm.Const { return vm.Const(math.Float32bits(float32(v))) }

// Constants of exp: ln 2 in two parts, of which the first has few enough bits that its product with n is exact
// (Cody and Waite 1980); below expLo the result is 0, above expHi it is +Inf.
var (
	log2e   = f32(math.Log2E)
	ln2Hi   = f32(0.693359375)
	ln2Lo   = f32(-2.12194440e-4)
	expLo   = f32(-87.33654)
	expHi   = f32(88.72283)
	expCoef = hex(1, 1, 0x1.fffffcp-2, 0x1.555492p-3, 0x1.5558acp-5, 0x1.12397cp-7, 0x1.6a511ap-10) // minimax: 0.88 ulp
	one     = f32(1)
	posInf  = f32(math.Inf(1))
	negInf  = f32(math.Inf(-1))
	absMask = vm.Const(0x7fffffff)
	signBit = vm.Const(0x80000000)
)

// exp2Polynomial gives coefficients of 2^r on |r| ≤ 1/2 with c[0] = 1 by interpolation at Chebyshev nodes.
func exp2Polynomial(degree int) []vm.Const {
	return interpolate(degree, 1, 0.5*1.0005, math.Ln2)
}

// interpolate fits exp(base·r) on |r| ≤ half by a polynomial whose first fixed coefficients are Taylor's.
func interpolate(degree, fixed int, half, base float64) []vm.Const {
	n := degree - fixed + 1
	var c []vm.Const
	first := 1.0 // baseᶠ/f! at f = fixed
	for i := 0; i < fixed; i++ {
		c = append(c, f32(first))
		first *= base / float64(i+1)
	}
	rows := make([][]float64, n)
	for i := range rows {
		r := half * math.Cos(math.Pi*(float64(i)+.5)/float64(n))
		g, term := 0.0, first
		for j := 0; j < 40; j++ {
			g += term
			term *= base * r / float64(j+fixed+1)
		}
		rows[i] = make([]float64, n+1)
		x := 1.0
		for j := 0; j < n; j++ {
			rows[i][j] = x
			x *= r
		}
		rows[i][n] = g
	}
	solve(rows)
	for i := range rows {
		c = append(c, f32(rows[i][n]))
	}
	return c
}

// solve is Gauss-Jordan elimination with partial pivoting; the last column becomes the solution.
func solve(rows [][]float64) {
	n := len(rows)
	for i := 0; i < n; i++ {
		p := i
		for k := i; k < n; k++ {
			if math.Abs(rows[k][i]) > math.Abs(rows[p][i]) {
				p = k
			}
		}
		rows[i], rows[p] = rows[p], rows[i]
		for k := 0; k < n; k++ {
			if k == i {
				continue
			}
			f := rows[k][i] / rows[i][i]
			for j := i; j <= n; j++ {
				rows[k][j] -= float64(f * rows[i][j])
			}
		}
	}
	for i := range rows {
		rows[i][n] /= rows[i][i]
	}
}

// exp emits d = exp(x), x kept: 0 below expLo, NaN for NaN. Above expHi it stays at exp(expHi) unless overflow says
// to give +Inf. hi and lo are expHi and expLo in registers.
type exponential struct {
	m      vm.Machine
	hi, lo vm.V
}

func newExponential(m vm.Machine) exponential {
	return exponential{m: m, hi: m.Fixed(expHi), lo: m.Fixed(expLo)}
}

func (e exponential) apply(d, x vm.V, overflow bool) {
	m := e.m
	r, n := m.V(), m.V()
	m.Max(r, e.lo, x) // the second source is the result where either is NaN, so x is
	m.Min(r, e.hi, r)
	m.Mul(n, r, log2e)
	m.Round(n, n)
	m.FNMA(r, n, ln2Hi)
	m.FNMA(r, n, ln2Lo)
	p := m.V()
	k := len(expCoef) - 1
	m.Mov(p, expCoef[k])
	for k--; k >= 0; k-- {
		p = m.Horner(p, r, expCoef[k])
	}
	m.ToInt(n, n)
	m.Shl(n, n, 23)
	m.AddInt(p, p, n)
	m.ZeroIfLess(p, x, expLo)
	if overflow {
		m.SelectLess(p, e.hi, x, posInf)
	}
	m.Mov(d, p)
}

func expKernel(m vm.Machine) {
	vm.Function(m, "Exp", "dst, src *float32, n int", `Exp sets dst[i] = exp(src[i]) for n elements, within 1 ulp; 0 below -87.33654, +Inf above 88.72283.`)
	dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
	e := newExponential(m)
	mapLoop(m, dst, src, n, func(x vm.V) { e.apply(x, x, true) })
}

// mapLoop sets dst[i] = f(src[i]) and returns.
func mapLoop(m vm.Machine, dst, src, n vm.GP, f func(x vm.V)) {
	vm.Loop(m, "", n, []vm.GP{src, dst}, []int{4, 4}, func() {
		x := m.V()
		m.Load(src, 0, x)
		f(x)
		m.Store(x, dst, 0)
	}, func(rem vm.GP) {
		x := m.V()
		m.LoadTail(src, rem, one, x)
		f(x)
		m.StoreTail(x, dst, rem)
	})
	m.Ret()
}
