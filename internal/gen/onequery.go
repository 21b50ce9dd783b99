package main

import "github.com/ladon-ml/ladon/internal/gen/vm"

// rowsAtOnce is how many keys or values one query reads side by side: enough chains to hide the latency of a sum.
const rowsAtOnce = 4

// oneQuery is attention where keys and values come from memory and each is used once: both are read row after row.
func oneQuery(m vm.Machine) {
	scoresRow(m)
	valuesRow(m)
}

// sideBySide gives pointers to rowsAtOnce rows, of which the first is p.
func sideBySide(m vm.Machine, p, stride vm.GP) []vm.GP {
	rows := []vm.GP{p}
	for len(rows) < rowsAtOnce {
		next := m.GP()
		m.MovR(next, rows[len(rows)-1])
		m.AddR(next, stride)
		rows = append(rows, next)
	}
	return rows
}

func scoresRow(m vm.Machine) {
	vm.Function(m, "ScoresRow", "n, dim int, q, k *float32, ldk int, s *float32, lds int", `ScoresRow sets s[i] = Σ q[d]·k[i][d] for n keys i of dim elements, in 16 partial sums of fused multiply-adds that a
tree adds up. Keys are ldk bytes apart, scores lds. n and dim are at least 1.`)
	group := func(id string, count int, k, s vm.GP) {
		acc := make([]vm.V, count)
		for i := range acc {
			acc[i] = m.Splat(0)
		}
		p := []vm.GP{m.GP()}
		m.MovR(p[0], k)
		if count > 1 {
			p = sideBySide(m, p[0], m.Param("ldk"))
		}
		q, left := m.Param("q"), m.Param("dim")
		a, b := m.V(), m.V()
		sizes := []int{4}
		for range p {
			sizes = append(sizes, 4)
		}
		vm.Loop(m, id, left, append([]vm.GP{q}, p...), sizes, func() {
			m.Load(q, 0, a)
			for i, r := range p {
				if count > 1 {
					m.Prefetch(r, prefetchAhead)
				}
				m.Load(r, 0, b)
				m.FMA(acc[i], a, b)
			}
		}, func(rem vm.GP) {
			m.LoadTail(q, rem, vm.Const(0), a)
			for i, r := range p {
				m.LoadTail(r, rem, vm.Const(0), b)
				m.FMA(acc[i], a, b)
			}
		})
		lds := m.Param("lds")
		for _, v := range acc {
			m.SumLanes(v)
			m.StoreLane0(v, s, 0)
			m.AddR(s, lds)
		}
	}
	n, k, s := m.Param("n"), m.Param("k"), m.Param("s")
	step := m.GP()
	m.SubJump(n, rowsAtOnce, vm.LT, "rest")
	m.Label("keys")
	group("many", rowsAtOnce, k, s)
	m.MovR(step, m.Param("ldk"))
	m.ShlR(step, 2)
	m.AddR(k, step)
	m.SubJump(n, rowsAtOnce, vm.GE, "keys")
	m.Label("rest")
	m.AddI(n, rowsAtOnce)
	m.SubJump(n, 0, vm.EQ, "end")
	m.Label("key")
	group("one", 1, k, s)
	m.AddR(k, m.Param("ldk"))
	m.SubJump(n, 1, vm.NE, "key")
	m.Label("end")
	m.Ret()
}

func valuesRow(m vm.Machine) {
	vm.Function(m, "ValuesRow", "n, dim int, w *float32, ldw int, v *float32, ldv int, o *float32", `ValuesRow sets o[d] += Σ w[i]·v[i][d] for dim elements d and n values i: one chain of fused multiply-adds in the order
of i. Weights are ldw bytes apart, values ldv. n and dim are at least 1.`)
	group := func(id string, count int, v, w vm.GP) {
		p := []vm.GP{m.GP()}
		m.MovR(p[0], v)
		if count > 1 {
			p = sideBySide(m, p[0], m.Param("ldv"))
		}
		ldw := m.Param("ldw")
		weights := make([]vm.V, count)
		for i := range weights {
			weights[i] = m.V()
			m.Broadcast(w, 0, weights[i])
			m.AddR(w, ldw)
		}
		o, left := m.Param("o"), m.Param("dim")
		sum, x := m.V(), m.V()
		sizes := []int{4}
		for range p {
			sizes = append(sizes, 4)
		}
		vm.Loop(m, id, left, append([]vm.GP{o}, p...), sizes, func() {
			m.Load(o, 0, sum)
			for i, r := range p {
				if count > 1 {
					m.Prefetch(r, prefetchAhead)
				}
				m.Load(r, 0, x)
				m.FMA(sum, weights[i], x)
			}
			m.Store(sum, o, 0)
		}, func(rem vm.GP) {
			m.LoadTail(o, rem, vm.Const(0), sum)
			for i, r := range p {
				m.LoadTail(r, rem, vm.Const(0), x)
				m.FMA(sum, weights[i], x)
			}
			m.StoreTail(sum, o, rem)
		})
	}
	n, v, w := m.Param("n"), m.Param("v"), m.Param("w")
	step := m.GP()
	m.SubJump(n, rowsAtOnce, vm.LT, "rest")
	m.Label("values")
	group("many", rowsAtOnce, v, w)
	m.MovR(step, m.Param("ldv"))
	m.ShlR(step, 2)
	m.AddR(v, step)
	m.SubJump(n, rowsAtOnce, vm.GE, "values")
	m.Label("rest")
	m.AddI(n, rowsAtOnce)
	m.SubJump(n, 0, vm.EQ, "end")
	m.Label("value")
	group("one", 1, v, w)
	m.AddR(v, m.Param("ldv"))
	m.SubJump(n, 1, vm.NE, "value")
	m.Label("end")
	m.Ret()
}
