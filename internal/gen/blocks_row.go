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

// rowAhead is how far before its use a line of codes is asked for, into the second cache: unpacking keeps too much of
// the processor busy for it to look far ahead by itself, and lines on their way to the first cache are too few to cover
// the latency of memory. Of 4, 8, 16 and 32 KiB, 16 did best. With several panels side by side it is their place in those
// that come next.
const rowAhead = 16 << 10

const blockRowDoc = `%s sets 16 outputs for each of %d panels of so many blocks, stride bytes apart, as they are packed, to
their products with one row of records (kernels.blockRow), plus bias if that is not nil. The outputs of panels are cstep
bytes apart.`

// blockRow is the product of one row: codes come from memory once and go to the dots as they are unpacked. Panels pass by
// side by side, so that memory is read in several places at once: what the processor fetches ahead in one place is less
// than it takes to cover the latency.
func blockRow(m vm.Machine, d dots, f blockFormat, panels int) {
	name := fmt.Sprintf("BlockRow%s%s%d", map[bool]string{true: "VNNI"}[d.vnni], f.name, 16*panels)
	vm.Function(m, name, "blocks int, a, codes, scales *uint8, stride int, c *float32, cstep int, bias *float32", fmt.Sprintf(blockRowDoc, name, panels))
	n, src, scales := m.Param("blocks"), m.Param("codes"), m.Param("scales")
	r := d.newRecord(m.Param("a"))
	other := d.newRecord(r.base) // the upper 16 integers, where they need a register of their own
	u := newUnpacker(m, f.bits, src)
	places := []vm.GP{src, scales}
	var stride, rewind vm.GP
	far, farScales := src, scales // what is fetched: the same places of the panels after these
	if panels > 1 {
		stride, rewind = m.Param("stride"), m.GP()
		far, farScales = m.GP(), m.GP()
		m.SetR(rewind, 0)
		for i := 0; i < panels; i++ {
			m.SubR(rewind, stride)
		}
		m.MovR(far, src)
		m.SubR(far, rewind)
		m.MovR(farScales, scales)
		m.SubR(farScales, rewind)
		places = append(places, far, farScales)
	}
	sums := make([]vm.V, panels)
	for p := range sums {
		sums[p] = m.Splat(0)
	}
	m.Label("block")
	for _, sum := range sums {
		for line := 0; line < f.bits; line++ {
			if panels > 1 {
				m.PrefetchFar(far, blockLine*line)
			} else {
				m.PrefetchFar(src, rowAhead+blockLine*line)
			}
		}
		if panels > 1 {
			m.PrefetchFar(farScales, 0)
		}
		rowBlock(m, d, f, u, r, other, scales, sum)
		if panels > 1 {
			for _, p := range places {
				m.AddR(p, stride)
			}
		}
	}
	if panels > 1 {
		for _, p := range places {
			m.AddR(p, rewind)
		}
	}
	m.AddI(r.base, recordBytes)
	m.AddI(src, blockSize(f.bits))
	if panels > 1 {
		m.AddI(far, blockSize(f.bits))
	}
	m.AddI(scales, 32*f.kind.values())
	if panels > 1 {
		m.AddI(farScales, 32*f.kind.values())
	}
	m.SubJump(n, 1, vm.NE, "block")
	bias := m.Param("bias")
	m.SubJump(bias, 0, vm.EQ, "write")
	b := m.V()
	for p, v := range sums {
		m.Load(bias, 64*p, b)
		m.Add(v, v, b)
	}
	m.Label("write")
	c := m.Param("c")
	for p, v := range sums {
		m.Store(v, c, 0)
		if p+1 < panels {
			m.AddR(c, m.Param("cstep"))
		}
	}
	m.Ret()
}

// rowBlock adds to sum the products of one block.
func rowBlock(m vm.Machine, d dots, f blockFormat, u *unpacker, r, other *record, scales vm.GP, sum vm.V) {
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
	m.LoadF16(scales, 0, w)
	m.Mul(acc, acc, w)
	if f.kind == kindMins {
		w = m.V()
		m.LoadF16(scales, 32, w)
		d.fma(acc, w, r, recordSum)
	}
	d.fma(sum, acc, r, recordScale)
}
