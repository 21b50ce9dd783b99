package main

import (
	"fmt"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

const floatRowDoc = `%s sets the outputs of so many panels %s of %s, which follow each other, to the product
with one row of k elements, each output one chain of fused multiply-adds in the order of k, plus bias if that is not nil. The
outputs of 16 columns are cstep bytes apart.`

// weights are floats as panels hold them.
type weights struct {
	name, what string
	size       int // bytes of 16
	load       func(src vm.GP, off int, v vm.V)
}

// floatRows are products of one row: weights come from memory once, in order, and those of 16 bits are widened on the way, two
// panels side by side, since one chain of additions would take longer than memory. Nothing is prefetched: the processor does
// that best by itself where one place is read on and on.
func floatRows(m vm.Machine) {
	floatRow(m, weights{"F32", "floats", 64, m.Load}, 1)
	for _, w := range []weights{
		{"F16", "half-precision floats", 32, m.LoadF16},
		{"BF16", "bfloat16", 32, func(src vm.GP, off int, v vm.V) {
			m.Load16(src, off, v)
			m.Shl(v, v, 16)
		}},
	} {
		floatRow(m, w, 2)
		halfOne(m, w)
		widenPanel(m, w)
	}
}

// floatRow takes np panels at a time, whose elements lie side by side.
func floatRow(m vm.Machine, f weights, np int) {
	name := f.name + "Row"
	vm.Function(m, name, "k int, a *float32, packed *uint8, panels int, c *float32, cstep int, bias *float32",
		fmt.Sprintf(floatRowDoc, name, fmt.Sprintf("[k][%d]", 16*np), f.what))
	src, c, bias, panels := m.Param("packed"), m.Param("c"), m.Param("bias"), m.Param("panels")
	n, a := m.GP(), m.GP()
	x, w, sums := m.V(), m.V(), make([]vm.V, np)
	for p := range sums {
		sums[p] = m.V()
	}
	m.Label("panel")
	m.MovR(n, m.Param("k"))
	m.MovR(a, m.Param("a"))
	for _, sum := range sums {
		m.Mov(sum, vm.Const(0))
	}
	rowSteps(m, n, func(count int) {
		for u := 0; u < count; u++ {
			m.Broadcast(a, 4*u, x)
			for p, sum := range sums {
				f.load(src, f.size*(u*np+p), w)
				m.FMA(sum, x, w)
			}
		}
		m.AddI(a, 4*count)
		m.AddI(src, f.size*np*count)
	})
	m.SubJump(bias, 0, vm.EQ, "write")
	for p, sum := range sums {
		m.Load(bias, 64*p, w)
		m.Add(sum, sum, w)
	}
	m.AddI(bias, 64*np)
	m.Label("write")
	for _, sum := range sums {
		m.Store(sum, c, 0)
		m.AddR(c, m.Param("cstep"))
	}
	m.SubJump(panels, 1, vm.NE, "panel")
	m.Ret()
}

// rowSteps runs steps for n in all, eight and then one at a time.
func rowSteps(m vm.Machine, n vm.GP, steps func(count int)) {
	const unroll = 8
	m.SubJump(n, unroll, vm.LT, "rest")
	m.Label("loop")
	steps(unroll)
	m.SubJump(n, unroll, vm.GE, "loop")
	m.Label("rest")
	m.AddI(n, unroll)
	m.SubJump(n, 0, vm.EQ, "done")
	m.Label("one")
	steps(1)
	m.SubJump(n, 1, vm.NE, "one")
	m.Label("done")
}

func halfOne(m vm.Machine, f weights) {
	name := f.name + "One"
	vm.Function(m, name, "k int, a *float32, packed *uint8, step int, c, bias *float32", fmt.Sprintf(`%s is %sRow for one panel of 16, whose elements are step bytes apart.`, name, f.name))
	k, a, src, step := m.Param("k"), m.Param("a"), m.Param("packed"), m.Param("step")
	sum, x, w := m.Splat(0), m.V(), m.V()
	m.Label("one")
	m.Broadcast(a, 0, x)
	f.load(src, 0, w)
	m.FMA(sum, x, w)
	m.AddI(a, 4)
	m.AddR(src, step)
	m.SubJump(k, 1, vm.NE, "one")
	bias := m.Param("bias")
	m.SubJump(bias, 0, vm.EQ, "write")
	m.Load(bias, 0, w)
	m.Add(sum, sum, w)
	m.Label("write")
	m.Store(sum, m.Param("c"), 0)
	m.Ret()
}

func widenPanel(m vm.Machine, f weights) {
	name := "Widen" + f.name
	vm.Function(m, name, "dst *float32, packed *uint8, step, k int", fmt.Sprintf(`%s widens a panel of %s, whose elements are step bytes apart, to [k][16].`, name, f.what))
	dst, src, step, k := m.Param("dst"), m.Param("packed"), m.Param("step"), m.Param("k")
	m.Label("one")
	w := m.V()
	f.load(src, 0, w)
	m.Store(w, dst, 0)
	m.AddI(dst, 64)
	m.AddR(src, step)
	m.SubJump(k, 1, vm.NE, "one")
	m.Ret()
}
