package main

import "github.com/ladon-ml/ladon/internal/gen/vm"

// minSum is below every sum of exponentials that has its maximum, 1, in it.
var minSum = f32(1e-30)

func softmax(m vm.Machine) {
	vm.Function(m, "Softmax", "dst, src *float32, n int", `Softmax sets dst[i] = exp(src[i]-max) / Σ exp(src[j]-max) over one row of n elements; dst may be src.
A row of which every element is -Inf becomes zeros; a NaN or +Inf makes the row NaN.`)
	dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
	greater := func(acc, x vm.V) { m.Max(acc, acc, x) }
	top := reduce(m, "max", src, n, negInf, mostNegative, greater, greater)
	m.MaxLanes(top)
	e := newExponential(m)
	sum, x := m.Splat(0), m.V()
	p, q, rem := m.GP(), m.GP(), m.GP()
	m.MovR(p, src)
	m.MovR(q, dst)
	m.MovR(rem, n)
	step := func() {
		m.Sub(x, x, top)
		e.apply(x, x, false)
		m.Add(sum, sum, x)
	}
	vm.Loop(m, "exp", rem, []vm.GP{p, q}, []int{4, 4}, func() {
		m.Load(p, 0, x)
		step()
		m.Store(x, q, 0)
	}, func(r vm.GP) {
		m.LoadTail(p, r, negInf, x)
		step()
		m.StoreTail(x, q, r)
	})
	m.SumLanes(sum)
	scale := m.Splat(one)
	m.Div(scale, scale, sum)
	m.SelectLess(scale, sum, minSum, vm.Const(0))
	m.MovR(p, dst)
	vm.Loop(m, "scale", n, []vm.GP{p}, []int{4}, func() {
		m.Load(p, 0, x)
		m.Mul(x, x, scale)
		m.Store(x, p, 0)
	}, func(r vm.GP) {
		m.LoadTail(p, r, vm.Const(0), x)
		m.Mul(x, x, scale)
		m.StoreTail(x, p, r)
	})
	m.Ret()
}

// normalise emits dst = (x - mean)·scale·weight + bias; mean and bias may be absent.
func normalise(m vm.Machine, id string, mean, scale vm.V, dst, x, weight, bias, n vm.GP, hasBias bool) {
	v, w, b := m.V(), m.V(), m.V()
	ptrs, sizes := []vm.GP{x, weight, dst}, []int{4, 4, 4}
	if hasBias {
		ptrs, sizes = append(ptrs, bias), append(sizes, 4)
	}
	centre := func() {
		if mean != nil {
			m.Sub(v, v, mean)
		}
		m.Mul(v, v, scale)
	}
	vm.Loop(m, id, n, ptrs, sizes, func() {
		m.Load(x, 0, v)
		centre()
		m.Load(weight, 0, w)
		if hasBias {
			m.Load(bias, 0, b)
			m.FMA(b, v, w)
			m.Store(b, dst, 0)
		} else {
			m.Mul(v, v, w)
			m.Store(v, dst, 0)
		}
	}, func(rem vm.GP) {
		m.LoadTail(x, rem, vm.Const(0), v)
		centre()
		m.LoadTail(weight, rem, vm.Const(0), w)
		if hasBias {
			m.LoadTail(bias, rem, vm.Const(0), b)
			m.FMA(b, v, w)
			m.StoreTail(b, dst, rem)
		} else {
			m.Mul(v, v, w)
			m.StoreTail(v, dst, rem)
		}
	})
}

func layerNorm(m vm.Machine) {
	vm.Function(m, "LayerNorm", "dst, x, weight, bias *float32, n int, count, eps float32", `LayerNorm sets dst[i] = (x[i]-mean)/√(variance+eps)·weight[i] + bias[i] over one row of n elements (Ba et al. 2016),
count is n, bias may be nil; dst may be x.`)
	dst, x, weight, bias, n := m.Param("dst"), m.Param("x"), m.Param("weight"), m.Param("bias"), m.Param("n")
	add := func(acc, v vm.V) { m.Add(acc, acc, v) }
	mean := reduce(m, "mean", x, n, vm.Const(0), 0, add, add)
	m.SumLanes(mean)
	m.Div(mean, mean, m.BroadcastParam("count"))
	scale := reduce(m, "var", x, n, mean, 0, func(acc, v vm.V) {
		m.Sub(v, v, mean)
		m.FMA(acc, v, v)
	}, add)
	rowScale(m, scale)
	m.SubJump(bias, 0, vm.EQ, "plain")
	normalise(m, "bias", mean, scale, dst, x, weight, bias, n, true)
	m.Ret()
	m.Label("plain")
	normalise(m, "plain", mean, scale, dst, x, weight, bias, n, false)
	m.Ret()
}

// rowScale turns a sum of squares into 1/√(sum/count + eps).
func rowScale(m vm.Machine, v vm.V) {
	m.SumLanes(v)
	m.Div(v, v, m.BroadcastParam("count"))
	m.Add(v, v, m.BroadcastParam("eps"))
	m.Sqrt(v, v)
	t := m.Splat(one)
	m.Div(t, t, v)
	m.Mov(v, t)
}

func rmsNorm(m vm.Machine) {
	vm.Function(m, "RMSNorm", "dst, x, weight *float32, n int, count, eps float32", `RMSNorm sets dst[i] = x[i]/√(mean of squares + eps)·weight[i] over one row of n elements (Zhang and Sennrich 2019),
count is n; dst may be x.`)
	dst, x, weight, n := m.Param("dst"), m.Param("x"), m.Param("weight"), m.Param("n")
	add := func(acc, v vm.V) { m.Add(acc, acc, v) }
	scale := reduce(m, "sum", x, n, vm.Const(0), 0, func(acc, v vm.V) { m.FMA(acc, v, v) }, add)
	rowScale(m, scale)
	normalise(m, "norm", nil, scale, dst, x, weight, weight, n, false)
	m.Ret()
}
