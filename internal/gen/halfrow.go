package main

import (
	"fmt"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

const halfRowDoc = `%s sets %d outputs to the product of one row of k elements with panels [k][16] of %s, bstep bytes
apart, each output one chain of fused multiply-adds in the order of k, plus bias if that is not nil. The outputs of panels are
cstep bytes apart. The panels after these are prefetched.`

// halfRows are products of one row with weights of 16 bits, which are widened as they come from memory.
func halfRows(m vm.Machine) {
	for _, np := range []int{1, 4} {
		halfRow(m, np, "F16", "half-precision floats", func(src vm.GP, off int, v vm.V) { m.LoadF16(src, off, v) })
		halfRow(m, np, "BF16", "bfloat16", func(src vm.GP, off int, v vm.V) {
			m.Load16(src, off, v)
			m.Shl(v, v, 16)
		})
	}
}

func halfRow(m vm.Machine, np int, format, what string, load func(src vm.GP, off int, v vm.V)) {
	name := fmt.Sprintf("%sRow%d", format, 16*np)
	vm.Function(m, name, "k int, a *float32, b *uint16, bstep int, c *float32, cstep int, bias *float32", fmt.Sprintf(halfRowDoc, name, 16*np, what))
	k, a, bstep := m.Param("k"), m.Param("a"), m.Param("bstep")
	src := []vm.GP{m.Param("b")}
	far := m.GP() // as far on as the panels after these
	m.MovR(far, src[0])
	m.AddR(far, bstep)
	for p := 1; p < np; p++ {
		next := m.GP()
		m.MovR(next, src[p-1])
		m.AddR(next, bstep)
		src = append(src, next)
		m.AddR(far, bstep)
	}
	sums := make([]vm.V, np)
	for p := range sums {
		sums[p] = m.Splat(0)
	}
	x, w := m.V(), m.V()
	step := func(u int) {
		m.Broadcast(a, 4*u, x)
		for p, s := range src {
			load(s, 32*u, w)
			m.FMA(sums[p], x, w)
		}
	}
	advance := func(steps int) {
		m.AddI(a, 4*steps)
		for _, s := range src {
			m.AddI(s, 32*steps)
		}
	}
	const unroll = 4
	m.SubJump(k, unroll, vm.LT, "rest")
	m.Label("loop")
	for u := 0; u < unroll*np/2; u++ {
		m.PrefetchFar(far, 64*u)
	}
	m.AddI(far, 32*unroll*np)
	for u := 0; u < unroll; u++ {
		step(u)
	}
	advance(unroll)
	m.SubJump(k, unroll, vm.GE, "loop")
	m.Label("rest")
	m.AddI(k, unroll)
	m.SubJump(k, 0, vm.EQ, "done")
	m.Label("one")
	step(0)
	advance(1)
	m.SubJump(k, 1, vm.NE, "one")
	m.Label("done")
	bias := m.Param("bias")
	m.SubJump(bias, 0, vm.EQ, "write")
	for p, s := range sums {
		m.Load(bias, 64*p, w)
		m.Add(s, s, w)
	}
	m.Label("write")
	c, cstep := m.Param("c"), m.Param("cstep")
	for p, s := range sums {
		m.Store(s, c, 0)
		if p+1 < np {
			m.AddR(c, cstep)
		}
	}
	m.Ret()
}
