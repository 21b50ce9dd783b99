package main

import (
	"fmt"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// blockFormat is one of GGUF's formats, as kernels packs it.
type blockFormat struct {
	name string
	bits int
	kind blockKind
}

var blockFormats = []blockFormat{
	{"Q80", 8, kindBytes},
	{"Q40", 4, kindOffset},
	{"Q41", 4, kindMins},
	{"Q50", 5, kindOffset},
	{"Q51", 5, kindMins},
}

const blockRowDoc = `%s sets 16 outputs for each of so many panels, which follow each other as they are packed, to their
products with one row of records (kernels.blockRow), plus bias if that is not nil. The outputs of panels are cstep bytes apart.`

// blockRow is the product of one row: codes come from memory once, in order, and go to the dots as they are unpacked. Nothing
// is prefetched: the processor does that best by itself where one place is read on and on.
func blockRow(m vm.Machine, d dots, f blockFormat) {
	name := fmt.Sprintf("BlockRow%s%s", map[bool]string{true: "VNNI"}[d.vnni], f.name)
	vm.Function(m, name, "blocks int, a, packed *uint8, panels int, c *float32, cstep int, bias *float32", fmt.Sprintf(blockRowDoc, name))
	src, c, bias, panels := m.Param("packed"), m.Param("c"), m.Param("bias"), m.Param("panels")
	n, base := m.GP(), m.GP()
	r := d.newRecord(base)
	other := d.newRecord(base) // the upper 16 integers, where they need a register of their own
	u := newUnpacker(m, f.bits, src)
	sum := m.V()
	m.Label("panel")
	m.MovR(n, m.Param("blocks"))
	m.MovR(base, m.Param("a"))
	m.Mov(sum, vm.Const(0))
	f.eachSpan(m, u, n, func(b int) {
		rowBlock(m, d, f, u, r, other, f.scalesAt(b), sum)
		m.AddI(base, recordBytes)
	})
	m.SubJump(bias, 0, vm.EQ, "write")
	w := m.V()
	m.Load(bias, 0, w)
	m.Add(sum, sum, w)
	m.AddI(bias, 64)
	m.Label("write")
	m.Store(sum, c, 0)
	m.AddR(c, m.Param("cstep"))
	m.SubJump(panels, 1, vm.NE, "panel")
	m.Ret()
}

// span is how many blocks have their scales in one line, which lies before their codes.
func (f blockFormat) span() int { return 2 / f.kind.values() }

// scalesAt is where the scales of block b of a span are.
func (f blockFormat) scalesAt(b int) int { return b * blockLine / f.span() }

// eachSpan runs block for the n blocks that begin at u.src, which moves on to their end: by its number in its span, with u.at
// at its codes. n is consumed.
func (f blockFormat) eachSpan(m vm.Machine, u *unpacker, n vm.GP, block func(b int)) {
	blocks := func(count int) {
		for b := 0; b < count; b++ {
			u.at = blockLine + b*blockSize(f.bits)
			block(b)
		}
		m.AddI(u.src, blockLine+count*blockSize(f.bits))
	}
	span := f.span()
	if span == 1 {
		m.Label("span")
		blocks(1)
		m.SubJump(n, 1, vm.NE, "span")
		return
	}
	m.SubJump(n, span, vm.LT, "last")
	m.Label("span")
	blocks(span)
	m.SubJump(n, span, vm.GE, "span")
	m.Label("last")
	m.AddI(n, span)
	m.SubJump(n, 0, vm.EQ, "spans")
	blocks(span - 1)
	m.Label("spans")
}

// rowBlock adds to sum the products of one block, whose scales are at the offset scales.
func rowBlock(m vm.Machine, d dots, f blockFormat, u *unpacker, r, other *record, scales int, sum vm.V) {
	acc := m.V()
	d.begin(acc, r, f.kind, recordOffset)
	d.load(r, 0)
	d.load(other, 1)
	u.groups(func(g int, v vm.V) {
		row := r
		if g >= 4 {
			row = other
		}
		d.add(acc, d.ready(v, f.kind), row, g)
	})
	m.ToFloat(acc, acc)
	w := m.V()
	m.LoadF16(u.src, scales, w)
	m.Mul(acc, acc, w)
	if f.kind == kindMins {
		w = m.V()
		m.LoadF16(u.src, scales+blockLine/2, w)
		d.fma(acc, w, r, recordSum)
	}
	d.fma(sum, acc, r, recordScale)
}
