package main

import "github.com/ladon-ml/ladon/internal/gen/vm"

// binaryKernel describes dst[i] = f(x[i], y[i]).
func binaryKernel(m vm.Machine, name, doc string, f func(m vm.Machine, d, x vm.V, y vm.Src)) {
	vm.Function(m, name, "dst, x, y *float32, n int", doc)
	dst, x, y, n := m.Param("dst"), m.Param("x"), m.Param("y"), m.Param("n")
	a, b := m.V(), m.V()
	vm.Loop(m, "", n, []vm.GP{x, y, dst}, []int{4, 4, 4}, func() {
		m.Load(x, 0, a)
		m.Load(y, 0, b)
		f(m, a, a, b)
		m.Store(a, dst, 0)
	}, func(rem vm.GP) {
		m.LoadTail(x, rem, one, a)
		m.LoadTail(y, rem, one, b)
		f(m, a, a, b)
		m.StoreTail(a, dst, rem)
	})
	m.Ret()
}

func elementwise(m vm.Machine) {
	binaryKernel(m, "Add", "Add sets dst[i] = x[i] + y[i] for n elements; dst may be x or y.", vm.Machine.Add)
	binaryKernel(m, "Mul", "Mul sets dst[i] = x[i] · y[i] for n elements; dst may be x or y.", vm.Machine.Mul)

	vm.Function(m, "Scale", "dst, x *float32, n int, s float32", "Scale sets dst[i] = x[i] · s for n elements; dst may be x.")
	dst, x, n := m.Param("dst"), m.Param("x"), m.Param("n")
	s := m.BroadcastParam("s")
	mapLoop(m, dst, x, n, func(v vm.V) { m.Mul(v, v, s) })
}

// accumulators is how many sums or maxima a reduction keeps: four chains hide the latency of the addition.
const accumulators = 4

// reduce runs four independent accumulators over x[0:n] and leaves the fold of them in the first: blocks of 64
// elements go to all four, what is left to the first. step must take lanes filled with fill as neutral.
func reduce(m vm.Machine, id string, x, n vm.GP, fill vm.Src, start vm.Const, step func(acc, x vm.V), join func(acc, other vm.V)) vm.V {
	rem, p := m.GP(), m.GP()
	m.MovR(rem, n)
	m.MovR(p, x)
	var acc [accumulators]vm.V
	for i := range acc {
		acc[i] = m.Splat(start)
	}
	v := m.V()
	m.SubJump(rem, accumulators*vm.Lanes, vm.LT, id+"Short")
	m.Label(id + "Wide")
	for i := range acc {
		m.Load(p, 64*i, v)
		step(acc[i], v)
	}
	m.AddI(p, 64*accumulators)
	m.SubJump(rem, accumulators*vm.Lanes, vm.GE, id+"Wide")
	m.Label(id + "Short")
	m.AddI(rem, accumulators*vm.Lanes)
	vm.Loop(m, id, rem, []vm.GP{p}, []int{4}, func() {
		m.Load(p, 0, v)
		step(acc[0], v)
	}, func(r vm.GP) {
		m.LoadTail(p, r, fill, v)
		step(acc[0], v)
	})
	join(acc[0], acc[1])
	join(acc[2], acc[3])
	join(acc[0], acc[2])
	return acc[0]
}

func reductions(m vm.Machine) {
	vm.Function(m, "AbsMax", "x *float32, n int, max *float32", "AbsMax sets *max to the largest |x[i]| of n elements, 0 if there are none, NaN if there is one.")
	x, n := m.Param("x"), m.Param("n")
	mask := m.Fixed(absMask)
	s := reduce(m, "max", x, n, vm.Const(0), 0, func(acc, v vm.V) {
		// As integers, magnitudes have the order of the numbers, and NaN is above all.
		m.And(v, v, mask)
		m.MaxInt(acc, acc, v)
	}, func(acc, o vm.V) { m.MaxInt(acc, acc, o) })
	m.MaxIntLanes(s)
	m.StoreLane0(s, m.Param("max"), 0)
	m.Ret()
}

// ranges gives the least and the largest element in one pass, two chains of each.
func ranges(m vm.Machine) {
	vm.Function(m, "ValueRange", "x *float32, n int, low, high *float32", `ValueRange sets *low to the least of 0 and the n elements, and *high to the largest; both are NaN if an element is NaN
or infinite.`)
	x, n := m.Param("x"), m.Param("n")
	type chain struct{ low, high, spoilt vm.V }
	var chains [2]chain
	for i := range chains {
		chains[i] = chain{m.Splat(0), m.Splat(0), m.Splat(0)}
	}
	v := m.V()
	step := func(c chain) {
		m.Min(c.low, c.low, v)
		m.Max(c.high, c.high, v)
		m.FMA(c.spoilt, v, vm.Const(0)) // stays 0 for finite numbers alone
	}
	m.SubJump(n, 2*vm.Lanes, vm.LT, "short")
	m.Label("wide")
	for i, c := range chains {
		m.Load(x, 64*i, v)
		step(c)
	}
	m.AddI(x, 128)
	m.SubJump(n, 2*vm.Lanes, vm.GE, "wide")
	m.Label("short")
	m.AddI(n, 2*vm.Lanes)
	vm.Loop(m, "", n, []vm.GP{x}, []int{4}, func() {
		m.Load(x, 0, v)
		step(chains[0])
	}, func(rem vm.GP) {
		m.LoadTail(x, rem, vm.Const(0), v)
		step(chains[0])
	})
	c, d := chains[0], chains[1]
	m.Min(c.low, c.low, d.low)
	m.Max(c.high, c.high, d.high)
	m.Add(c.spoilt, c.spoilt, d.spoilt)
	m.SumLanes(c.spoilt)
	m.MinLanes(c.low)
	m.MaxLanes(c.high)
	m.Add(c.low, c.low, c.spoilt)
	m.Add(c.high, c.high, c.spoilt)
	m.StoreLane0(c.low, m.Param("low"), 0)
	m.StoreLane0(c.high, m.Param("high"), 0)
	m.Ret()
}

// dot keeps four chains as reduce does, with two operands.
func dot(m vm.Machine) {
	vm.Function(m, "Dot", "x, y *float32, n int, dot *float32", "Dot sets *dot to Σ x[i]·y[i] of n elements in 64 partial sums of fused multiply-adds.")
	x, y, n := m.Param("x"), m.Param("y"), m.Param("n")
	var acc [accumulators]vm.V
	for i := range acc {
		acc[i] = m.Splat(0)
	}
	a, b := m.V(), m.V()
	m.SubJump(n, accumulators*vm.Lanes, vm.LT, "short")
	m.Label("wide")
	for i := range acc {
		m.Load(x, 64*i, a)
		m.Load(y, 64*i, b)
		m.FMA(acc[i], a, b)
	}
	m.AddI(x, 64*accumulators)
	m.AddI(y, 64*accumulators)
	m.SubJump(n, accumulators*vm.Lanes, vm.GE, "wide")
	m.Label("short")
	m.AddI(n, accumulators*vm.Lanes)
	vm.Loop(m, "", n, []vm.GP{x, y}, []int{4, 4}, func() {
		m.Load(x, 0, a)
		m.Load(y, 0, b)
		m.FMA(acc[0], a, b)
	}, func(rem vm.GP) {
		m.LoadTail(x, rem, vm.Const(0), a)
		m.LoadTail(y, rem, vm.Const(0), b)
		m.FMA(acc[0], a, b)
	})
	m.Add(acc[0], acc[0], acc[1])
	m.Add(acc[2], acc[2], acc[3])
	m.Add(acc[0], acc[0], acc[2])
	m.SumLanes(acc[0])
	m.StoreLane0(acc[0], m.Param("dot"), 0)
	m.Ret()
}
