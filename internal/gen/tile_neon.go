package main

import (
	"fmt"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// neonTile is a block of accumulators, mr rows by one panel of 16 columns in four registers.
type neonTile struct {
	n   *vm.NEON
	mr  int
	acc [][4]vm.Vec
	b   [4]vm.Vec
	a   []vm.Vec // four k of each row
}

func newNEONTile(n *vm.NEON, mr int) *neonTile {
	t := &neonTile{n: n, mr: mr}
	for i := 0; i < mr; i++ {
		t.acc = append(t.acc, [4]vm.Vec{n.Vec(), n.Vec(), n.Vec(), n.Vec()})
		t.a = append(t.a, n.Vec())
	}
	t.b = [4]vm.Vec{n.Vec(), n.Vec(), n.Vec(), n.Vec()}
	return t
}

func (t *neonTile) zero() {
	for _, row := range t.acc {
		for _, r := range row {
			t.n.ZeroVec(r)
		}
	}
}

// pointers to mr rows, stride bytes apart; the first is p itself.
func (t *neonTile) pointers(p, stride vm.GP) []vm.GP {
	ps := []vm.GP{p}
	for i := 1; i < t.mr; i++ {
		q := t.n.GP()
		t.n.MovR(q, ps[i-1])
		t.n.AddR(q, stride)
		ps = append(ps, q)
	}
	return ps
}

// panel runs k (or groups of four k) over rows of A and one panel of B, four steps to a load of A.
func (t *neonTile) panel(k vm.GP, a []vm.GP, b vm.GP, mul func(a vm.Vec, i int, b, acc vm.Vec)) {
	n := t.n
	step := func(u int) {
		for j, r := range t.b {
			n.LoadVec(b, 64*u+16*j, r)
		}
		for i, row := range t.acc {
			for j, r := range row {
				mul(t.a[i], u, t.b[j], r)
			}
		}
	}
	next := n.Param("next")
	n.SubJump(k, 4, vm.LT, "rest")
	n.Label("loop")
	n.Prefetch(b, 1024)
	n.Prefetch(next, 0)
	n.AddI(next, 64)
	for i, p := range a {
		n.LoadVec(p, 0, t.a[i])
		n.AddI(p, 16)
	}
	for u := 0; u < 4; u++ {
		step(u)
	}
	n.AddI(b, 256)
	n.SubJump(k, 4, vm.GE, "loop")
	n.Label("rest")
	n.AddI(k, 4)
	n.SubJump(k, 0, vm.EQ, "store")
	n.Label("one")
	for i, p := range a {
		n.LoadLane(p, 0, 0, t.a[i])
		n.AddI(p, 4)
	}
	step(0)
	n.AddI(b, 64)
	n.SubJump(k, 1, vm.NE, "one")
	n.Label("store")
}

func (t *neonTile) eachRow(p, stride vm.GP, f func(i int)) {
	for i := 0; i < t.mr; i++ {
		f(i)
		if i+1 < t.mr {
			t.n.AddR(p, stride)
		}
	}
}

func (t *neonTile) store(p, stride vm.GP) {
	t.eachRow(p, stride, func(i int) {
		for j, r := range t.acc[i] {
			t.n.StoreVec(r, p, 16*j)
		}
	})
}

func (t *neonTile) addBias(bias vm.GP) {
	n := t.n
	n.SubJump(bias, 0, vm.EQ, "write")
	for j, r := range t.b {
		n.LoadVec(bias, 16*j, r)
	}
	for _, row := range t.acc {
		for j, r := range row {
			n.Op("VFADD", false, t.b[j], r, r)
		}
	}
	n.Label("write")
}

func gemmNEON(n *vm.NEON, mr int) {
	name := fmt.Sprintf("Gemm%dx16", mr)
	vm.Function(n, name, gemmSignature, fmt.Sprintf(gemmDoc, name, mr, 16)+"\nbstep and cstep are not used: there is one panel.")
	t := newNEONTile(n, mr)
	n.SubJump(n.Param("accumulate"), 0, vm.EQ, "zero")
	c, ldc := n.Param("c"), n.Param("ldc")
	t.eachRow(c, ldc, func(i int) {
		for j, r := range t.acc[i] {
			n.LoadVec(c, 16*j, r)
		}
	})
	n.Jump("begin")
	n.Label("zero")
	t.zero()
	n.Label("begin")
	t.panel(n.Param("k"), t.pointers(n.Param("a"), n.Param("lda")), n.Param("b"), n.FMAElem)
	t.addBias(n.Param("bias"))
	t.store(n.Param("c"), n.Param("ldc"))
	n.Ret()
}

func gemmInt8NEON(n *vm.NEON, mr int) {
	name := fmt.Sprintf("GemmInt8%dx16", mr)
	vm.Function(n, name, fmt.Sprintf(gemmInt8Signature, "int8"), fmt.Sprintf(gemmInt8Doc, name, mr, 16,
		"A holds signed bytes.")+"\nNeeds SDOT (FEAT_DotProd).")
	t := newNEONTile(n, mr)
	t.zero()
	t.panel(n.Param("k4"), t.pointers(n.Param("a"), n.Param("lda")), n.Param("b"), n.SDOTElem)
	s, prod := n.Vec(), n.Vec()
	n.ZeroVec(s)
	colSum, rowZero := n.Param("colSum"), n.Param("rowZero")
	for j, r := range t.b {
		n.LoadVec(colSum, 16*j, r)
	}
	for i, row := range t.acc {
		n.LoadLane(rowZero, 4*i, 0, s)
		n.Op("VDUP0", false, s, s)
		for j, r := range row {
			n.Op("VMLS", true, s, t.b[j], r)
			n.Op("VSCVTF", false, r, r)
		}
	}
	colScale := n.Param("colScale")
	for j, r := range t.b {
		n.LoadVec(colScale, 16*j, r)
	}
	rowScale := n.Param("rowScale")
	for i, row := range t.acc {
		n.LoadLane(rowScale, 4*i, 0, s)
		n.Op("VDUP0", false, s, s)
		for j, r := range row {
			n.Op("VFMUL", false, s, t.b[j], prod)
			n.Op("VFMUL", false, prod, r, r)
		}
	}
	t.addBias(n.Param("bias"))
	t.store(n.Param("c"), n.Param("ldc"))
	n.Ret()
}

func valuesNEON(n *vm.NEON, mr int) {
	name := fmt.Sprintf("Values%dx16", mr)
	vm.Function(n, name, valuesSignature, fmt.Sprintf(valuesDoc, name, mr, 16))
	t := newNEONTile(n, mr)
	alpha := n.Param("alpha")
	n.SubJump(alpha, 0, vm.EQ, "zero")
	in, ldi := n.Param("in"), n.Param("ldi")
	scaled := func(scale vm.GP, i int, row [4]vm.Vec) {
		n.LoadLane(scale, 4*i, 0, t.a[0])
		n.Op("VDUP0", false, t.a[0], t.a[0])
		for _, r := range row {
			n.Op("VFMUL", false, t.a[0], r, r)
		}
	}
	n.ZeroVec(t.a[0])
	t.eachRow(in, ldi, func(i int) {
		for j, r := range t.acc[i] {
			n.LoadVec(in, 16*j, r)
		}
		scaled(alpha, i, t.acc[i])
	})
	n.Jump("begin")
	n.Label("zero")
	t.zero()
	n.Label("begin")
	k, p, ldp, v, ldv := n.Param("n"), n.Param("p"), n.Param("ldp"), n.Param("v"), n.Param("ldv")
	n.SubJump(k, 0, vm.EQ, "finish")
	n.Label("loop")
	for j, r := range t.b {
		n.LoadVec(v, 16*j, r)
	}
	for i := range t.acc {
		if i%4 == 0 && i+4 <= mr {
			n.LoadVec(p, 4*i, t.a[i/4])
		} else if i >= mr/4*4 {
			n.LoadLane(p, 4*i, i%4, t.a[i/4])
		}
	}
	for i, row := range t.acc {
		for j, r := range row {
			n.FMAElem(t.a[i/4], i%4, t.b[j], r)
		}
	}
	n.AddR(p, ldp)
	n.AddR(v, ldv)
	n.SubJump(k, 1, vm.NE, "loop")
	n.Label("finish")
	final := n.Param("final")
	n.SubJump(final, 0, vm.EQ, "write")
	for i, row := range t.acc {
		scaled(final, i, row)
	}
	n.Label("write")
	t.store(n.Param("out"), n.Param("ldo"))
	n.Ret()
}

// transposeNEON is transposeX86's contract by blocks of 4×4.
func transposeNEON(n *vm.NEON) {
	vm.Function(n, "Transpose16", transposeSignature, transposeDoc)
	blocks, src, lds, dst, ldd := n.Param("blocks"), n.Param("src"), n.Param("lds"), n.Param("dst"), n.Param("ldd")
	scale := n.BroadcastParam("scale")[0]
	zip := func(name string, b, a vm.Vec) vm.Vec {
		d := n.Vec()
		n.Op(name, false, b, a, d)
		return d
	}
	n.Label("loop")
	row := n.GP()
	for col := 0; col < 4; col++ { // four source columns: four rows of dst
		n.MovR(row, src)
		out := n.GP()
		for quad := 0; quad < 4; quad++ { // four source rows
			var v [4]vm.Vec
			for i := range v {
				v[i] = n.Vec()
				n.LoadVec(row, 16*col, v[i])
				n.AddR(row, lds)
			}
			p, q := zip("VZIP1S4", v[1], v[0]), zip("VZIP2S4", v[1], v[0]) // 00 10 01 11 | 02 12 03 13
			r, s := zip("VZIP1S4", v[3], v[2]), zip("VZIP2S4", v[3], v[2])
			o := [4]vm.Vec{zip("VZIP1D2", r, p), zip("VZIP2D2", r, p), zip("VZIP1D2", s, q), zip("VZIP2D2", s, q)}
			n.MovR(out, dst)
			for _, x := range o {
				n.Op("VFMUL", false, scale, x, x)
				n.StoreVec(x, out, 16*quad)
				n.AddR(out, ldd)
			}
		}
		n.MovR(dst, out)
	}
	n.AddI(src, 64)
	n.SubJump(blocks, 1, vm.NE, "loop")
	n.Ret()
}
