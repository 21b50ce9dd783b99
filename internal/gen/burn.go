package main

import (
	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// The loops below do nothing but keep the multipliers busy: they measure the ceiling that products are held against.

// burnChains is how many independent accumulators a burn loop has, enough for two units of latency five.
func burnX86(x *vm.X86) {
	c := x.Ctx()
	chains := 12
	if x.Bytes() == 64 {
		chains = 24
	}
	burn := func(name, doc string, step func(a, b, acc vm.Vec)) {
		vm.Function(x, name, "n int", doc)
		n := x.Param("n")
		a, b := x.Vec(), x.Vec()
		x.Zero(a)
		x.Zero(b)
		var acc []vm.Vec
		for i := 0; i < chains; i++ {
			acc = append(acc, x.Vec())
			x.Zero(acc[i])
		}
		x.Label("loop")
		for u := 0; u < 2; u++ {
			for _, r := range acc {
				step(a, b, r)
			}
		}
		x.SubJump(n, 1, vm.NE, "loop")
		x.Ret()
	}
	lanes := x.Bytes() / 4
	burn("BurnFMA", docBurn("BurnFMA", 2*chains*lanes, "fused multiply-adds of f32"),
		func(a, b, acc vm.Vec) { c.VFMADD231PS(a, b, acc) })
	if x.Bytes() == 64 {
		burn("BurnInt8", docBurn("BurnInt8", 2*chains*lanes*4, "int8 multiply-adds by VPDPBUSD"),
			func(a, b, acc vm.Vec) { c.VPDPBUSD(a, b, acc) })
		return
	}
	burn("BurnInt8VNNI", docBurn("BurnInt8VNNI", 2*chains*lanes*4, "int8 multiply-adds by VPDPBUSD (VEX)"),
		func(a, b, acc vm.Vec) { vm.VPDPBUSDVEX(c, a, b, acc) })
	product := x.Vec
	burn("BurnInt8", docBurn("BurnInt8", 2*chains*lanes*2, "multiply-adds of 16 bits (VPMADDWD and VPADDD)"),
		func(a, b, acc vm.Vec) {
			p := product()
			c.VPMADDWD(a, b, p)
			c.VPADDD(p, acc, acc)
		})
}

func burnNEON(n *vm.NEON) {
	const chains = 16
	burn := func(name, doc string, step func(a, b, acc vm.Vec)) {
		vm.Function(n, name, "n int", doc)
		k := n.Param("n")
		a, b := n.Vec(), n.Vec()
		n.ZeroVec(a)
		n.ZeroVec(b)
		var acc []vm.Vec
		for i := 0; i < chains; i++ {
			acc = append(acc, n.Vec())
			n.ZeroVec(acc[i])
		}
		n.Label("loop")
		for u := 0; u < 2; u++ {
			for _, r := range acc {
				step(a, b, r)
			}
		}
		n.SubJump(k, 1, vm.NE, "loop")
		n.Ret()
	}
	burn("BurnFMA", docBurn("BurnFMA", 2*chains*4, "fused multiply-adds of f32"), func(a, b, acc vm.Vec) { n.FMAElem(a, 0, b, acc) })
	burn("BurnInt8", docBurn("BurnInt8", 2*chains*16, "int8 multiply-adds by SDOT"), func(a, b, acc vm.Vec) { n.SDOTElem(a, 0, b, acc) })
}

func readKernel(m vm.Machine) {
	vm.Function(m, "Read", "x *float32, n int, sink *float32", "Read loads n elements, a multiple of 256, and stores something of them in sink, so as to time memory.")
	x, n := m.Param("x"), m.Param("n")
	var acc [4]vm.V
	for i := range acc {
		acc[i] = m.Splat(0)
	}
	v := m.V()
	m.Label("loop")
	for i := 0; i < 16; i++ {
		m.Load(x, 64*i, v)
		m.Or(acc[i%4], acc[i%4], v)
	}
	m.AddI(x, 1024)
	m.SubJump(n, 256, vm.NE, "loop")
	for _, a := range acc[1:] {
		m.Or(acc[0], acc[0], a)
	}
	m.StoreLane0(acc[0], m.Param("sink"), 0)
	m.Ret()
}
