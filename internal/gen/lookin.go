package main

import "github.com/ladon-ml/ladon/internal/gen/vm"

// lookIn is what attention's probes do with the scores of a tile: 16 queries are lanes, keys follow each other.
func lookIn(m vm.Machine) {
	weighLanes(m)
	groupLanes(m)
	topLanes(m)
	massLanes(m)
	spreadLanes(m)
	nearLanes(m)
}

// eachKey runs body for every key with its 16 scores at s.
func eachKey(m vm.Machine, body func(s vm.GP)) {
	keys, s, ld := m.Param("keys"), m.Param("s"), m.Param("ld")
	m.Label("key")
	body(s)
	m.AddR(s, ld)
	m.SubJump(keys, 1, vm.NE, "key")
}

func weighLanes(m vm.Machine) {
	vm.Function(m, "WeighLanes", "keys int, s *float32, ld int, row, entropy *float32", `WeighLanes turns scores in units of log2, s[key][q] with keys ld bytes apart, into weights in place: with
top, inverse, bits = row[0][q], row[1][q], row[2][q], the row's maximum, 1/its sum and log2 of its sum,
x = s-top; s = 2^x·inverse; entropy[q] -= s·(max(x, -126)-bits). keys ≥ 1.`)
	row, entropy := m.Param("row"), m.Param("entropy")
	sum := m.V()
	m.Load(entropy, 0, sum)
	eachKey(m, func(s vm.GP) {
		x, t := m.V(), m.V()
		m.Load(s, 0, x)
		m.Load(row, 0, t)
		m.Sub(x, x, t)
		exp2(m, x)
		u := m.V()
		m.Load(row, 64, u)
		m.Mul(x, x, u)
		y, v := m.V(), m.V()
		m.Load(s, 0, y)
		m.Load(row, 0, v)
		m.Sub(y, y, v)
		m.Max(y, y, exp2Low)
		m.Load(row, 128, v)
		m.Sub(y, y, v)
		m.FNMA(sum, x, y)
		m.Store(x, s, 0)
	})
	m.Store(sum, entropy, 0)
	m.Ret()
}

func groupLanes(m vm.Machine) {
	vm.Function(m, "GroupLanes", "groups, size int, s *float32, ld int, max *float32", `GroupLanes sets max[g][q] to the largest of s[g·size…g·size+size-1][q], keys ld bytes apart. Where one of them is NaN it may
be any of the others, or NaN. groups and size are at least 1.`)
	groups, s, to := m.Param("groups"), m.Param("s"), m.Param("max")
	top, x, n := m.V(), m.V(), m.GP()
	m.Label("group")
	m.Load(s, 0, top)
	m.MovR(n, m.Param("size"))
	m.Label("key")
	m.Load(s, 0, x)
	m.Max(top, top, x)
	m.AddR(s, m.Param("ld"))
	m.SubJump(n, 1, vm.NE, "key")
	m.Store(top, to, 0)
	m.AddI(to, 64)
	m.SubJump(groups, 1, vm.NE, "group")
	m.Ret()
}

func topLanes(m vm.Machine) {
	vm.Function(m, "TopLanes", "keys int, s *float32, ld, k int, best *float32, index *int32, first int32", `TopLanes takes scores s[key][q], keys ld bytes apart, into the k largest of every lane, best[1…k][q] in falling order with
their numbers in index; the first key has number first. best[0] is +Inf. Of equal scores the earlier one stays ahead; NaN
and what is not above best[k] is left out. keys and k are at least 1.`)
	keys, s := m.Param("keys"), m.Param("s")
	key := m.BroadcastParam("first")
	offset, last := m.GP(), m.GP()
	m.MovR(offset, m.Param("k"))
	m.ShlR(offset, 6)
	m.MovR(last, m.Param("best"))
	m.AddR(last, offset)
	x, t := m.V(), m.V()
	m.Label("key")
	m.Load(s, 0, x)
	m.Load(last, 0, t)
	m.JumpAnyLess(t, x, "insert")
	m.Label("next")
	m.AddInt(key, key, vm.Const(1))
	m.AddR(s, m.Param("ld"))
	m.SubJump(keys, 1, vm.NE, "key")
	m.Ret()

	// From the last level up, as long as a lane's score is above the level before.
	m.Label("insert")
	best, index := m.GP(), m.Param("index")
	m.MovR(best, last)
	m.AddR(index, offset)
	before, u := m.V(), m.V()
	m.Label("level")
	m.Load(best, 0, t)
	m.Load(best, -64, before)
	m.Load(index, 0, u)
	m.SelectLess(u, t, x, key)
	number := m.V()
	m.Load(index, -64, number)
	m.SelectLess(u, before, x, number)
	m.Store(u, index, 0)
	m.Mov(u, t)
	m.SelectLess(u, t, x, x)
	m.SelectLess(u, before, x, before)
	m.Store(u, best, 0)
	m.AddI(best, -64)
	m.AddI(index, -64)
	m.JumpAnyLess(before, x, "level")
	m.Jump("next")
}

func massLanes(m vm.Machine) {
	vm.Function(m, "MassLanes", "keys int, s *float32, ld int, u, mass *float32", `MassLanes sets mass[key] += Σ s[key][q]·u[q] over 16 lanes q, by the tree i+8, i+4, i+2, i+1. Keys are ld bytes apart,
at least one.`)
	u, mass := m.V(), m.Param("mass")
	m.Load(m.Param("u"), 0, u)
	x, t := m.V(), m.V()
	eachKey(m, func(s vm.GP) {
		m.Load(s, 0, x)
		m.Mul(x, x, u)
		m.SumLanes(x)
		m.Broadcast(mass, 0, t)
		m.Add(x, x, t)
		m.StoreLane0(x, mass, 0)
		m.AddI(mass, 4)
	})
	m.Ret()
}

// distances runs body for every key with the distances of its 16 lanes, |offset[q]+key|, and their weights.
func distances(m vm.Machine, body func(weight, distance vm.V)) {
	at, x, d := m.V(), m.V(), m.V()
	m.Load(m.Param("offset"), 0, at)
	eachKey(m, func(s vm.GP) {
		m.Load(s, 0, x)
		m.And(d, at, absMask)
		body(x, d)
		m.Add(at, at, one)
	})
}

func spreadLanes(m vm.Machine) {
	vm.Function(m, "SpreadLanes", "keys int, s *float32, ld int, offset, sum *float32", `SpreadLanes sets sum[q] += Σ s[key][q]·|offset[q]+key| over keys, ld bytes apart, at least one.`)
	to, sum := m.Param("sum"), m.V()
	m.Load(to, 0, sum)
	distances(m, func(weight, distance vm.V) { m.FMA(sum, weight, distance) })
	m.Store(sum, to, 0)
	m.Ret()
}

func nearLanes(m vm.Machine) {
	vm.Function(m, "NearLanes", "keys int, s *float32, ld int, offset, sum *float32, limit float32", `NearLanes sets sum[q] += Σ s[key][q] over the keys with |offset[q]+key| < limit. Keys are ld bytes apart, at least one.`)
	to, sum, limit := m.Param("sum"), m.V(), m.BroadcastParam("limit")
	m.Load(to, 0, sum)
	t := m.V()
	distances(m, func(weight, distance vm.V) {
		m.Mov(t, vm.Const(0))
		m.SelectLess(t, distance, limit, weight)
		m.Add(sum, sum, t)
	})
	m.Store(sum, to, 0)
	m.Ret()
}
