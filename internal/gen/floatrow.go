package main

import (
	"fmt"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

const floatRowDoc = `%s sets 16 outputs for each of so many panels [k][16] of %s, which follow each other, to the product
with one row of k elements, each output one chain of fused multiply-adds in the order of k, plus bias if that is not nil. The
outputs of panels are cstep bytes apart.`

// floatRows are products of one row: weights come from memory once, in order, and those of 16 bits are widened on the way.
// Nothing is prefetched: the processor does that best by itself where one place is read on and on.
func floatRows(m vm.Machine) {
	floatRow(m, "F32", "floats", 64, m.Load)
	floatRow(m, "F16", "half-precision floats", 32, m.LoadF16)
	floatRow(m, "BF16", "bfloat16", 32, func(src vm.GP, off int, v vm.V) {
		m.Load16(src, off, v)
		m.Shl(v, v, 16)
	})
}

// floatRow has weights of size bytes for 16 outputs.
func floatRow(m vm.Machine, format, what string, size int, load func(src vm.GP, off int, v vm.V)) {
	name := format + "Row"
	vm.Function(m, name, "k int, a *float32, packed *uint8, panels int, c *float32, cstep int, bias *float32", fmt.Sprintf(floatRowDoc, name, what))
	src, c, bias, panels := m.Param("packed"), m.Param("c"), m.Param("bias"), m.Param("panels")
	n, a := m.GP(), m.GP()
	sum, x, w := m.V(), m.V(), m.V()
	steps := func(count int) {
		for u := 0; u < count; u++ {
			m.Broadcast(a, 4*u, x)
			load(src, size*u, w)
			m.FMA(sum, x, w)
		}
		m.AddI(a, 4*count)
		m.AddI(src, size*count)
	}
	m.Label("panel")
	m.MovR(n, m.Param("k"))
	m.MovR(a, m.Param("a"))
	m.Mov(sum, vm.Const(0))
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
	m.SubJump(bias, 0, vm.EQ, "write")
	m.Load(bias, 0, w)
	m.Add(sum, sum, w)
	m.AddI(bias, 64)
	m.Label("write")
	m.Store(sum, c, 0)
	m.AddR(c, m.Param("cstep"))
	m.SubJump(panels, 1, vm.NE, "panel")
	m.Ret()
}
