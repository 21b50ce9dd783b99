package main

import (
	"fmt"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// blockFormat is one of GGUF's formats, as kernels packs it.
type blockFormat struct {
	name  string
	bits  int
	kind  blockKind
	super bool
}

var blockFormats = []blockFormat{
	{"Q80", 8, kindBytes, false},
	{"Q40", 4, kindOffset, false},
	{"Q41", 4, kindMins, false},
	{"Q50", 5, kindOffset, false},
	{"Q51", 5, kindMins, false},
	{"Q4K", 4, kindMins, true},
	{"Q5K", 5, kindMins, true},
	{"Q6K", 6, kindHalves, true},
}

// rowAhead is how far before its use a line of codes is asked for, into the second cache: unpacking keeps too much of
// the processor busy for it to look far ahead by itself, and lines on their way to the first cache are too few to cover
// the latency of memory. Of 4, 8, 16 and 32 KiB, 16 did best.
const rowAhead = 16 << 10

const blockRowDoc = `%s sets 16 outputs to the product of one row of records with a panel of so many blocks, as it is packed
(kernels.blockRow), plus bias if that is not nil.`

// blockRow is the product of one row: codes come from memory once and go to the dots as they are unpacked.
func blockRow(m vm.Machine, d dots, f blockFormat) {
	name := "BlockRow" + f.name
	if d.vnni {
		name = "BlockRowVNNI" + f.name
	}
	vm.Function(m, name, "blocks int, a, codes, scales *uint8, c, bias *float32", fmt.Sprintf(blockRowDoc, name))
	n, src, scales := m.Param("blocks"), m.Param("codes"), m.Param("scales")
	r := d.newRecord(m.Param("a"))
	u := newUnpacker(m, f.bits, src)
	sum := m.Splat(0)
	var inner, fine vm.GP // of a super-block: blocks left, and the bytes of the one in hand
	if f.super {
		inner, fine = m.GP(), m.GP()
		m.Label("super")
		m.MovR(fine, scales)
		m.AddI(n, -8)
		m.SetR(inner, 8)
	}
	m.Label("block")
	for line := 0; line < f.bits; line++ {
		m.PrefetchFar(src, rowAhead+blockLine*line)
	}
	first := m.V()
	d.begin(first, r, f.kind, recordOffset)
	second := first
	if f.kind == kindHalves {
		second = m.V()
		d.begin(second, r, f.kind, recordSum)
	}
	other := d.newRecord(r.base) // the upper 16 integers, where they need a register of their own
	d.load(r, 0)
	d.load(other, 1)
	u.groups(func(g int, v vm.V) {
		acc, row := first, r
		if g >= 4 {
			acc, row = second, other
		}
		d.add(acc, d.ready(v, f.kind), row, g)
	})
	m.ToFloat(first, first)
	switch {
	case !f.super:
		w := m.V()
		m.LoadF16(scales, 0, w)
		m.Mul(first, first, w)
		if f.kind == kindMins {
			w = m.V()
			m.LoadF16(scales, 32, w)
			d.fma(first, w, r, recordSum)
		}
		m.AddI(scales, 32*f.kind.values())
	case f.kind == kindMins:
		m.Mul(first, first, superScale(m, scales, 0, fine, 64, false))
		w := superScale(m, scales, 32, fine, 192, false)
		m.Xor(w, w, signBit)
		d.fma(first, w, r, recordSum)
		m.AddI(fine, 16)
	default:
		m.Mul(first, first, superScale(m, scales, 0, fine, 32, true))
		w := superScale(m, scales, 0, fine, 48, true)
		m.ToFloat(second, second)
		m.FMA(first, second, w)
		m.AddI(fine, 32)
	}
	d.fma(sum, first, r, recordScale)
	m.AddI(r.base, recordBytes)
	m.AddI(src, blockSize(f.bits))
	if f.super {
		m.SubJump(inner, 1, vm.NE, "block")
		size := 320
		if f.kind == kindHalves {
			size = 288
		}
		m.AddI(scales, size)
		m.SubJump(n, 0, vm.NE, "super")
	} else {
		m.SubJump(n, 1, vm.NE, "block")
	}
	finishRow(m, sum)
}

// finishRow adds the bias if there is one and stores the 16 outputs.
func finishRow(m vm.Machine, sum vm.V) {
	bias := m.Param("bias")
	m.SubJump(bias, 0, vm.EQ, "write")
	b := m.V()
	m.Load(bias, 0, b)
	m.Add(sum, sum, b)
	m.Label("write")
	m.Store(sum, m.Param("c"), 0)
	m.Ret()
}
