package main

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// blockKind is what a block's sum of integers goes through, as package kernels names them.
type blockKind int

const (
	kindOffset blockKind = iota
	kindBytes            // kindOffset with codes of eight bits, too wide for some instructions
	kindMins
)

var kindNames = map[blockKind]string{kindOffset: "Offset", kindBytes: "Bytes", kindMins: "Mins"}

// values is how many rows of 16 scales a block has.
func (k blockKind) values() int {
	if k < kindMins {
		return 1
	}
	return 2
}

// dots multiplies codes by the activations of a record, by the instructions that a machine has for it.
type dots struct {
	m    vm.Machine
	vnni bool // AVX2: VPDPBUSD in its VEX form
}

// evex tells whether dots are VPDPBUSD of AVX-512, which takes unsigned codes and broadcasts from memory.
func (d dots) evex() bool {
	x, ok := d.m.(*vm.X86)
	return ok && x.Bytes() == 64
}

// centres tells whether codes of eight bits are made signed: where unsigned ones have no place, the offset goes.
func (d dots) centres(kind blockKind) bool { return kind == kindBytes && !d.evex() && !d.vnni }

// pairs tells whether dots are pairs of 16-bit products (AVX2 without VNNI).
func (d dots) pairs() bool {
	_, ok := d.m.(*vm.X86)
	return ok && !d.evex() && !d.vnni
}

// record is the activations of one row: 32 integers, their scale, offset and sum.
type record struct {
	base vm.GP
	q    vm.Vec // NEON: 16 of the integers
}

func (d dots) newRecord(base vm.GP) *record {
	r := &record{base: base}
	if n, ok := d.m.(*vm.NEON); ok {
		r.q = n.Vec()
	}
	return r
}

// codes are one group of 16 outputs, ready to be multiplied.
type codes struct {
	v   vm.V
	abs vm.V // AVX2 without VNNI, eight bits
}

func (d dots) ready(v vm.V, kind blockKind) codes {
	c := codes{v: v}
	if !d.centres(kind) {
		return c
	}
	d.m.Xor(v, v, signBytes)
	if d.pairs() {
		x := d.m.(*vm.X86)
		c.abs = x.V()
		for j, r := range v {
			x.Ctx().VPABSB(r, c.abs[j])
		}
	}
	return c
}

// begin sets acc to what the sum of a record begins at, found at the offset at.
func (d dots) begin(acc vm.V, r *record, kind blockKind, at int) {
	if kind == kindMins || d.centres(kind) {
		d.m.Mov(acc, vm.Const(0))
		return
	}
	d.m.Broadcast(r.base, at, acc)
}

// add emits acc += the four products of group g for each output. Groups come in any order on x86; on NEON those
// below 4 come first, or load says that the integers must be loaded anew.
func (d dots) add(acc vm.V, c codes, r *record, g int) {
	if n, ok := d.m.(*vm.NEON); ok {
		for j, v := range c.v {
			n.SDOTElem(r.q, g%4, v, acc[j])
		}
		return
	}
	x := d.m.(*vm.X86)
	ctx := x.Ctx()
	at := operand.Mem{Base: r.base, Disp: 4 * g}
	if d.evex() {
		ctx.VPDPBUSD_BCST(at, c.v[0], acc[0])
		return
	}
	a := x.Vec()
	ctx.VPBROADCASTD(at, a)
	for j, v := range c.v {
		if d.vnni {
			vm.VPDPBUSDVEX(ctx, a, v, acc[j])
			continue
		}
		// Pairs of products fit in 16 bits: codes of up to six bits are at most 63, and of eight bits the magnitudes are
		// at most 128, times activations within ±127 that take the sign.
		p := x.Vec()
		if c.abs != nil {
			ctx.VPSIGNB(v, a, p)
			ctx.VPMADDUBSW(p, c.abs[j], p)
		} else {
			ctx.VPMADDUBSW(a, v, p)
		}
		ctx.VPMADDWD(x.Memory(0x00010001), p, p)
		ctx.VPADDD(p, acc[j], acc[j])
	}
}

// load reads the integers of groups 4·half and on where they are needed in a register.
func (d dots) load(r *record, half int) {
	if n, ok := d.m.(*vm.NEON); ok {
		n.LoadVec(r.base, 16*half, r.q)
	}
}

// fma emits acc += v·(the float32 at offset at of the record).
func (d dots) fma(acc, v vm.V, r *record, at int) {
	switch m := d.m.(type) {
	case *vm.NEON:
		t := m.Vec()
		m.LoadVec(r.base, at&^15, t)
		for j := range acc {
			m.FMAElem(t, at%16/4, v[j], acc[j])
		}
	case *vm.X86:
		mem := operand.Mem{Base: r.base, Disp: at}
		if m.Bytes() == 64 {
			m.Ctx().VFMADD231PS_BCST(mem, v[0], acc[0])
			return
		}
		t := m.Vec()
		m.Ctx().VBROADCASTSS(mem, t)
		for j := range acc {
			m.Ctx().VFMADD231PS(t, v[j], acc[j])
		}
	}
}
