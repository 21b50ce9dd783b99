package main

import (
	"fmt"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// exp2Coef is 2^r on |r| ≤ 1/2, degree 6, by the same interpolation as exp: exp(r·ln 2).
var exp2Coef = exp2Polynomial(6)

// exp2Low is where attention's 2^x becomes 0; below it the exponent would wrap.
var exp2Low = f32(-126)

// roundMagic added to |x| < 2^22 leaves round(x) in the low bits of the sum: 1.5·2^23.
var roundMagic = f32(12582912)

// exp2 emits x = 2^x for x ≤ 0, 0 below exp2Low (also for -Inf), NaN for NaN.
func exp2(m vm.Machine, x vm.V) {
	t, r := m.V(), m.V()
	m.Add(t, x, roundMagic)
	m.Sub(r, t, roundMagic)
	m.Sub(r, x, r)
	p := m.V()
	k := len(exp2Coef) - 1
	m.Mov(p, exp2Coef[k])
	for k--; k >= 0; k-- {
		p = m.Horner(p, r, exp2Coef[k])
	}
	m.Shl(t, t, 23)
	m.AddInt(p, p, t)
	m.ZeroIfLess(p, x, exp2Low)
	m.Mov(x, p)
}

func softmaxTiles(m vm.Machine, groups []int) {
	for _, g := range groups {
		softmaxTile(m, g)
	}
}

// softmaxTile is the online softmax of attention (Milakov and Gimelshein 2018; Dao et al. 2022), vertical: lanes are
// queries. groups is the width of a tile in values of 16 queries.
func softmaxTile(m vm.Machine, groups int) {
	name := fmt.Sprintf("SoftmaxTile%d", vm.Lanes*groups)
	vm.Function(m, name, "keys int, s *float32, rowMax, rowSum, alpha, final *float32", name+` takes a tile of scores in units of log2, s[key][query], and turns it into weights in place:
max = max(rowMax, s[…][q]); alpha[q] = 2^(rowMax-max); s = 2^(s-max); rowSum = rowSum·alpha + Σ s; rowMax = max;
final[q] = rowSum > 0 ? 1/rowSum : 0. rowMax begins at -1e30, below any score but -Inf, which means hidden. keys ≥ 1.`)
	keys, s := m.Param("keys"), m.Param("s")
	rowMax, rowSum := m.Param("rowMax"), m.Param("rowSum")
	width := 64 * groups

	const chains = 4
	acc := make([][]vm.V, chains)
	for u := range acc {
		for g := 0; g < groups; g++ {
			v := m.V()
			m.Load(rowMax, 64*g, v)
			acc[u] = append(acc[u], v)
		}
	}
	x := m.V()
	p, n := m.GP(), m.GP()
	m.MovR(p, s)
	m.MovR(n, keys)
	top := func(u int) {
		for g := 0; g < groups; g++ {
			m.Load(p, u*width+64*g, x)
			m.Max(acc[u][g], acc[u][g], x)
		}
	}
	m.SubJump(n, chains, vm.LT, "maxRest")
	m.Label("max")
	for u := range acc {
		top(u)
	}
	m.AddI(p, chains*width)
	m.SubJump(n, chains, vm.GE, "max")
	m.Label("maxRest")
	m.AddI(n, chains)
	m.SubJump(n, 0, vm.EQ, "maxDone")
	m.Label("maxOne")
	top(0)
	m.AddI(p, width)
	m.SubJump(n, 1, vm.NE, "maxOne")
	m.Label("maxDone")
	best := acc[0]
	for g := range best {
		m.Max(acc[1][g], acc[1][g], acc[2][g])
		m.Max(best[g], best[g], acc[3][g])
		m.Max(best[g], best[g], acc[1][g])
	}

	alpha := m.Param("alpha")
	var sum []vm.V
	for g := range best {
		a, l := m.V(), m.V()
		m.Load(rowMax, 64*g, a)
		m.Sub(a, a, best[g])
		exp2(m, a)
		m.Store(a, alpha, 64*g)
		m.Store(best[g], rowMax, 64*g)
		m.Load(rowSum, 64*g, l)
		m.Mul(l, l, a)
		sum = append(sum, l)
	}
	m.Label("exp")
	for g := range best {
		v := m.V()
		m.Load(s, 64*g, v)
		m.Sub(v, v, best[g])
		exp2(m, v)
		m.Store(v, s, 64*g)
		m.Add(sum[g], sum[g], v)
	}
	m.AddI(s, width)
	m.SubJump(keys, 1, vm.NE, "exp")
	final := m.Param("final")
	for g := range sum {
		m.Store(sum[g], rowSum, 64*g)
		f := m.Splat(one)
		m.Div(f, f, sum[g])
		m.SelectLess(f, sum[g], minSum, vm.Const(0))
		m.Store(f, final, 64*g)
	}
	m.Ret()
}
