package main

import "github.com/ladon-ml/ladon/internal/gen/vm"

// rotate turns pairs of rows by the angles of their positions. Products and sums round apart, as Go's do.
func rotate(m vm.Machine) {
	vm.Function(m, "Rotate", "x *float32, ld, rows, half int, cos, sin *float32", `Rotate sets x[i], x[half+i] = x[i]·cos[i]-x[half+i]·sin[i], x[half+i]·cos[i]+x[i]·sin[i] of rows ld bytes apart, half such
pairs each; cos and sin go on from row to row; rows ≥ 1.`)
	x, ld, rows, half, cos, sin := m.Param("x"), m.Param("ld"), m.Param("rows"), m.Param("half"), m.Param("cos"), m.Param("sin")
	low, high, left := m.GP(), m.GP(), m.GP()
	a, b, c, s, t := m.V(), m.V(), m.V(), m.V(), m.V()
	turn := func() {
		m.Mul(t, b, s)
		m.Mul(b, b, c)
		m.Mul(s, a, s)
		m.Mul(a, a, c)
		m.Sub(a, a, t)
		m.Add(b, b, s)
	}
	m.Label("row")
	m.MovR(low, x)
	m.MovR(high, half)
	m.ShlR(high, 2)
	m.AddR(high, x)
	m.MovR(left, half)
	vm.Loop(m, "", left, []vm.GP{low, high, cos, sin}, []int{4, 4, 4, 4}, func() {
		m.Load(low, 0, a)
		m.Load(high, 0, b)
		m.Load(cos, 0, c)
		m.Load(sin, 0, s)
		turn()
		m.Store(a, low, 0)
		m.Store(b, high, 0)
	}, func(rem vm.GP) {
		m.LoadTail(low, rem, vm.Const(0), a)
		m.LoadTail(high, rem, vm.Const(0), b)
		m.LoadTail(cos, rem, vm.Const(0), c)
		m.LoadTail(sin, rem, vm.Const(0), s)
		turn()
		m.StoreTail(a, low, rem)
		m.StoreTail(b, high, rem)
		m.ShlR(rem, 2)
		m.AddR(cos, rem)
		m.AddR(sin, rem)
	})
	m.AddR(x, ld)
	m.SubJump(rows, 1, vm.NE, "row")
	m.Ret()
}
