package main

import "github.com/ladon-ml/ladon/internal/gen/vm"

// blocks runs f on n whole values; narrow types have no masked tail on every machine, so the callers in package
// kernels send the last 1…15 elements through a buffer.
func blocks(m vm.Machine, n vm.GP, ptrs []vm.GP, sizes []int, f func()) {
	m.SubJump(n, 0, vm.EQ, "Done")
	m.Label("Loop")
	f()
	for i, p := range ptrs {
		m.AddI(p, vm.Lanes*sizes[i])
	}
	m.SubJump(n, vm.Lanes, vm.NE, "Loop")
	m.Label("Done")
	m.Ret()
}

const multiple = " n is a multiple of 16."

func conversions(m vm.Machine) {
	widen := func(name, doc string, f func(src vm.GP, v vm.V)) {
		vm.Function(m, name, "dst *float32, src *uint16, n int", doc+multiple)
		dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
		v := m.V()
		blocks(m, n, []vm.GP{dst, src}, []int{4, 2}, func() {
			f(src, v)
			m.Store(v, dst, 0)
		})
	}
	narrow := func(name, doc string, f func(v vm.V, dst vm.GP)) {
		vm.Function(m, name, "dst *uint16, src *float32, n int", doc+multiple)
		dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
		v := m.V()
		blocks(m, n, []vm.GP{dst, src}, []int{2, 4}, func() {
			m.Load(src, 0, v)
			f(v, dst)
		})
	}
	widen("F16ToF32", "F16ToF32 widens IEEE 754 half precision.", func(src vm.GP, v vm.V) { m.LoadF16(src, 0, v) })
	narrow("F32ToF16", "F32ToF16 rounds to IEEE 754 half precision, nearest even.", func(v vm.V, dst vm.GP) { m.StoreF16(v, dst, 0) })
	widen("BF16ToF32", "BF16ToF32 widens bfloat16.", func(src vm.GP, v vm.V) {
		m.Load16(src, 0, v)
		m.Shl(v, v, 16)
	})
	narrow("F32ToBF16", "F32ToBF16 rounds to bfloat16, nearest even; every NaN becomes 0x7fc0 with its sign.", func(v vm.V, dst vm.GP) {
		// Adding 0x7fff and the lowest kept bit carries exactly when nearest even rounds up.
		r, quiet := m.V(), m.V()
		m.Shr(r, v, 16)
		m.And(r, r, vm.Const(1))
		m.AddInt(r, r, vm.Const(0x7fff))
		m.AddInt(r, r, v)
		m.And(quiet, v, signBit)
		m.Or(quiet, quiet, vm.Const(0x7fc00000))
		// An ordered comparison with itself tells NaN: |v| < +Inf or |v| = +Inf keeps r.
		abs := m.V()
		m.And(abs, v, absMask)
		m.SelectNaN(r, abs, quiet)
		m.Shr(r, r, 16)
		m.Store16(r, dst, 0)
	})
}

func dequantise(m vm.Machine) {
	vm.Function(m, "Int8ToF32", "dst *float32, src *int8, n int, scale float32", "Int8ToF32 sets dst[i] = float32(src[i])·scale."+multiple)
	dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
	scale := m.BroadcastParam("scale")
	v := m.V()
	blocks(m, n, []vm.GP{dst, src}, []int{4, 1}, func() {
		m.Load8(src, 0, v) // the byte of x is x+256 below 0
		m.Xor(v, v, vm.Const(0x80))
		m.AddInt(v, v, vm.Const(0xffffff80)) // -128
		m.ToFloat(v, v)
		m.Mul(v, v, scale)
		m.Store(v, dst, 0)
	})
}

func quantise(m vm.Machine) {
	vm.Function(m, "Quantise", "dst *int8, src *float32, n int, inv, zero float32, flip uint32", `Quantise sets dst[i] = int8(round(min(src[i]·inv + zero, 127))) ^ int8(flip), nearest even, with a rounding after
each operation; flip is 0, or 0xffffff80 for unsigned bytes, 128 more. src[i]·inv + zero must be above -129.`+multiple)
	dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
	inv, zero, flip := m.BroadcastParam("inv"), m.BroadcastParam("zero"), m.BroadcastParam("flip")
	highest := f32(127)
	v := m.V()
	blocks(m, n, []vm.GP{dst, src}, []int{1, 4}, func() {
		m.Load(src, 0, v)
		m.Mul(v, v, inv)
		m.Add(v, v, zero)
		m.Min(v, v, highest)
		m.ToInt(v, v)
		m.Xor(v, v, flip)
		m.StoreInt8(v, dst, 0)
	})
}
