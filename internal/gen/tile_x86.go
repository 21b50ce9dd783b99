package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// rows addresses up to 15 rows of a row-major matrix from few registers: a base at every fifth row, and the
// rows between by scaled indices (stride times 1, 2, 4 and three strides times 1).
type rows struct {
	x              *vm.X86
	bases          []vm.GP
	stride, triple vm.GP // bytes
}

func newRows(x *vm.X86, first, stride vm.GP, n int) rows {
	c := x.Ctx()
	r := rows{x: x, bases: []vm.GP{first}, stride: stride}
	if n > 3 {
		r.triple = c.GP64()
		c.LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, r.triple)
	}
	for i := 5; i < n; i += 5 {
		next := c.GP64()
		c.LEAQ(operand.Mem{Base: r.bases[len(r.bases)-1], Index: stride, Scale: 4}, next)
		c.ADDQ(stride, next)
		r.bases = append(r.bases, next)
	}
	return r
}

func (r rows) at(i, off int) operand.Mem {
	m := operand.Mem{Base: r.bases[i/5], Disp: off}
	switch i % 5 {
	case 1, 2, 4:
		m.Index, m.Scale = r.stride, uint8(i%5)
	case 3:
		m.Index, m.Scale = r.triple, 1
	}
	return m
}

func (r rows) advance(bytes int) {
	for _, b := range r.bases {
		r.x.AddI(b, bytes)
	}
}

// panels addresses up to four panels, stride bytes apart.
type panels struct {
	base, stride, triple vm.GP
}

func newPanels(x *vm.X86, base, stride vm.GP, n int) panels {
	p := panels{base: base, stride: stride}
	if n > 3 {
		t := x.GP()
		x.Ctx().LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, t)
		p.triple = t
	}
	return p
}

func (p panels) at(i, off int) operand.Mem {
	m := operand.Mem{Base: p.base, Disp: off}
	switch i {
	case 1, 2:
		m.Index, m.Scale = p.stride, uint8(i)
	case 3:
		m.Index, m.Scale = p.triple, 1
	}
	return m
}

// tile is a block of accumulators, mr rows by np panels of 16 columns.
type tile struct {
	x   *vm.X86
	mr  int
	np  int
	nv  int        // registers in a row
	acc [][]vm.Vec // [mr][nv]
	b   []vm.Vec   // [nv]
	a   []vm.Vec   // broadcasts, used in turn
}

func newTile(x *vm.X86, mr, np int) *tile {
	per := 64 / x.Bytes()
	t := &tile{x: x, mr: mr, np: np, nv: np * per}
	for i := 0; i < mr; i++ {
		row := make([]vm.Vec, t.nv)
		for j := range row {
			row[j] = x.Vec()
		}
		t.acc = append(t.acc, row)
	}
	for j := 0; j < t.nv; j++ {
		t.b = append(t.b, x.Vec())
	}
	registers := 16
	if x.Bytes() == 64 {
		registers = 32
	}
	free := registers - mr*t.nv
	if mr > 1 {
		free -= t.nv
	}
	for i := 0; i < min(2, free); i++ {
		t.a = append(t.a, x.Vec())
	}
	return t
}

// column is the panel and the byte offset in it of register j of a row.
func (t *tile) column(j int) (panel, off int) {
	per := 64 / t.x.Bytes()
	return j / per, j % per * t.x.Bytes()
}

func (t *tile) each(f func(i, j int)) {
	for i := 0; i < t.mr; i++ {
		for j := 0; j < t.nv; j++ {
			f(i, j)
		}
	}
}

func (t *tile) zero() {
	t.each(func(i, j int) { t.x.Zero(t.acc[i][j]) })
}

// fmaStep emits one k: load a row of B, broadcast each A element, multiply and add.
func (t *tile) fmaStep(a func(i int) operand.Mem, b func(j int) operand.Mem) {
	c := t.x.Ctx()
	if t.mr == 1 { // nothing to share: B straight from memory
		c.VBROADCASTSS(a(0), t.a[0])
		for j := range t.b {
			c.VFMADD231PS(b(j), t.a[0], t.acc[0][j])
		}
		return
	}
	for j, r := range t.b {
		c.VMOVUPS(b(j), r)
	}
	for i := 0; i < t.mr; i++ {
		s := t.a[i%len(t.a)]
		c.VBROADCASTSS(a(i), s)
		for j, r := range t.b {
			c.VFMADD231PS(s, r, t.acc[i][j])
		}
	}
}

// unrolled runs step(u) for u in 0…unroll-1 while k lasts, advance after each block, and the rest one by one.
func unrolled(x *vm.X86, k vm.GP, unroll int, step func(u int), advance func(steps int)) {
	x.SubJump(k, unroll, vm.LT, "rest")
	x.Label("loop")
	for u := 0; u < unroll; u++ {
		step(u)
	}
	advance(unroll)
	x.SubJump(k, unroll, vm.GE, "loop")
	x.Label("rest")
	x.AddI(k, unroll)
	x.SubJump(k, 0, vm.EQ, "store")
	x.Label("one")
	step(0)
	advance(1)
	x.SubJump(k, 1, vm.NE, "one")
	x.Label("store")
}

// prefetchAhead is how far before its use a line of B is asked for where weights stream from memory: 2 to 8 KiB
// measured alike, in cache it costs nothing.
const prefetchAhead = 4096

// prefetch asks for what comes: the panels in hand, some way ahead, and a line in every fourth step of what the caller
// wants in the second cache by the time it is done here, as a rule a part of the panels after these.
func prefetch(x *vm.X86, u, np int, b panels, next vm.GP) {
	c := x.Ctx()
	for p := 0; p < np; p++ {
		c.PREFETCHT0(b.at(p, 64*u+prefetchAhead))
	}
	if u == 0 {
		c.PREFETCHT1(operand.Mem{Base: next})
	}
}

const gemmDoc = `%s sets an %d×%d tile, rows ldc bytes apart, panels of 16 columns cstep bytes apart:
C = (accumulate is not 0 ? C : 0) + A·B (+ bias if not nil). A is row-major, rows lda bytes apart; B is np panels
[k][16] that are bstep bytes apart. Every output is one chain of fused multiply-adds in the order of k, which begins at
C or 0, so that cutting k into parts changes no bit; k may be 0. Of the memory at next, 16·k bytes are prefetched.`

const gemmSignature = "k int, a *float32, lda int, b *float32, bstep int, c *float32, ldc, cstep, accumulate int, bias, next *float32"

// eachOutput visits the rows of C at out, which it moves to the last row.
func (t *tile) eachOutput(out, ldc, cstep vm.GP, f func(i, j int, m operand.Mem)) {
	cp := newPanels(t.x, out, cstep, t.np)
	for i := 0; i < t.mr; i++ {
		for j := 0; j < t.nv; j++ {
			p, off := t.column(j)
			f(i, j, cp.at(p, off))
		}
		if i+1 < t.mr {
			t.x.AddR(out, ldc)
		}
	}
}

// fetchOutput asks for the lines of C, so that the stores at the end do not wait for them.
func (t *tile) fetchOutput() {
	x := t.x
	t.eachOutput(x.Param("c"), x.Param("ldc"), x.Param("cstep"), func(i, j int, m operand.Mem) {
		if _, off := t.column(j); off == 0 {
			x.Ctx().PREFETCHT0(m)
		}
	})
}

// start begins the accumulators at C or at zero.
func (t *tile) start() {
	x := t.x
	t.fetchOutput()
	x.SubJump(x.Param("accumulate"), 0, vm.EQ, "zero")
	t.eachOutput(x.Param("c"), x.Param("ldc"), x.Param("cstep"), func(i, j int, m operand.Mem) {
		x.Ctx().VMOVUPS(m, t.acc[i][j])
	})
	x.Jump("begin")
	x.Label("zero")
	t.zero()
	x.Label("begin")
}

// addBias adds the parameter bias, a row, to every row if it is not nil.
func (t *tile) addBias() {
	x := t.x
	c := x.Ctx()
	bias := x.Param("bias")
	x.SubJump(bias, 0, vm.EQ, "write")
	for j := range t.b {
		c.VMOVUPS(operand.Mem{Base: bias, Disp: j * x.Bytes()}, t.b[j])
	}
	t.each(func(i, j int) { c.VADDPS(t.b[j], t.acc[i][j], t.acc[i][j]) })
	x.Label("write")
}

func (t *tile) store() {
	x := t.x
	t.eachOutput(x.Param("c"), x.Param("ldc"), x.Param("cstep"), func(i, j int, m operand.Mem) {
		x.Ctx().VMOVUPS(t.acc[i][j], m)
	})
}

func gemmX86(x *vm.X86, mr, np int) {
	name := fmt.Sprintf("Gemm%dx%d", mr, 16*np)
	vm.Function(x, name, gemmSignature, fmt.Sprintf(gemmDoc, name, mr, 16*np))
	t := newTile(x, mr, np)
	t.start()
	k := x.Param("k")
	a := newRows(x, x.Param("a"), x.Param("lda"), mr)
	b := newPanels(x, x.Param("b"), x.Param("bstep"), np)
	next := x.Param("next")
	unrolled(x, k, 4, func(u int) {
		prefetch(x, u, np, b, next)
		t.fmaStep(
			func(i int) operand.Mem { return a.at(i, 4*u) },
			func(j int) operand.Mem { p, off := t.column(j); return b.at(p, 64*u+off) })
	}, func(steps int) {
		a.advance(4 * steps)
		x.AddI(b.base, 64*steps)
		x.AddI(next, 16*steps)
	})
	t.addBias()
	t.store()
	x.Ret()
}

const valuesDoc = `%s sets O[i][j] = (alpha is nil ? 0 : O[i][j]·alpha[i]) + Σ P[key][i]·V[key][j], then times final[i] if
final is not nil, for %d queries i and %d columns j. P has rows of ldp bytes, V of ldv, O of ldo. The sum is one chain
of fused multiply-adds in the order of the keys, n of them; in and out may be the same.`

const valuesSignature = "n int, p *float32, ldp int, v *float32, ldv int, in *float32, ldi int, alpha, out *float32, ldo int, final *float32"

// valuesX86 is the second product of attention: probabilities, key after key, times rows of V.
func valuesX86(x *vm.X86, mr, np int) {
	c := x.Ctx()
	name := fmt.Sprintf("Values%dx%d", mr, 16*np)
	vm.Function(x, name, valuesSignature, fmt.Sprintf(valuesDoc, name, mr, 16*np))
	t := newTile(x, mr, np)
	alpha := x.Param("alpha")
	x.SubJump(alpha, 0, vm.EQ, "zero")
	in, ldi := x.Param("in"), x.Param("ldi")
	for i := 0; i < mr; i++ {
		c.VBROADCASTSS(operand.Mem{Base: alpha, Disp: 4 * i}, t.a[0])
		for j := range t.b {
			c.VMULPS(operand.Mem{Base: in, Disp: j * x.Bytes()}, t.a[0], t.acc[i][j])
		}
		if i+1 < mr {
			x.AddR(in, ldi)
		}
	}
	x.Jump("begin")
	x.Label("zero")
	t.zero()
	x.Label("begin")
	n, p, ldp, v, ldv := x.Param("n"), x.Param("p"), x.Param("ldp"), x.Param("v"), x.Param("ldv")
	pRows, vRows := newRows(x, p, ldp, 2), newRows(x, v, ldv, 2)
	unrolled(x, n, 2, func(u int) {
		t.fmaStep(
			func(i int) operand.Mem { return pRows.at(u, 4*i) },
			func(j int) operand.Mem { return vRows.at(u, j*x.Bytes()) })
	}, func(steps int) {
		for s := 0; s < steps; s++ {
			x.AddR(p, ldp)
			x.AddR(v, ldv)
		}
	})
	final := x.Param("final")
	x.SubJump(final, 0, vm.EQ, "write")
	for i := 0; i < mr; i++ {
		c.VBROADCASTSS(operand.Mem{Base: final, Disp: 4 * i}, t.a[0])
		for j := range t.b {
			c.VMULPS(t.a[0], t.acc[i][j], t.acc[i][j])
		}
	}
	x.Label("write")
	out, ldo := x.Param("out"), x.Param("ldo")
	for i := 0; i < mr; i++ {
		for j := range t.b {
			c.VMOVUPS(t.acc[i][j], operand.Mem{Base: out, Disp: j * x.Bytes()})
		}
		if i+1 < mr {
			x.AddR(out, ldo)
		}
	}
	x.Ret()
}
