package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

const blockTileDoc = `%s sets a %d×16 tile of C to the product of rows of records, lda bytes apart, with a panel of so many blocks
whose codes and scales are expanded (kernels.blockTile), plus bias if that is not nil. Rows of C are ldc bytes apart. Of
the memory at next, 64·blocks bytes are prefetched.`

const blockTileSignature = "blocks int, a *uint8, lda int, codes *uint8, scales, c *float32, ldc int, bias *float32, next *uint8"

func blockTileBegin(m vm.Machine, d dots, kind blockKind, mr int) {
	name := fmt.Sprintf("Block%s%d", kindNames[kind], mr)
	if d.vnni {
		name = fmt.Sprintf("BlockVNNI%s%d", kindNames[kind], mr)
	}
	vm.Function(m, name, blockTileSignature, fmt.Sprintf(blockTileDoc, name, mr))
}

// rowsSideBySide is how many rows' dots alternate, since each dot waits for the one before it on its sum. The processor
// looks far enough ahead to find others: 1, 2, 3 and 4 do 358, 361, 360 and 354 GOP/s in Q8_0 on Zen 4.
const rowsSideBySide = 2

// blockTile512 holds all the codes of a block in registers, and multiplies some rows after others by them.
func blockTile512(x *vm.X86, kind blockKind, mr int) {
	c := x.Ctx()
	blockTileBegin(x, dots{m: x}, kind, mr)
	n, src, scales, next := x.Param("blocks"), x.Param("codes"), x.Param("scales"), x.Param("next")
	a := newRows(x, x.Param("a"), x.Param("lda"), mr)
	sums := make([]vm.Vec, mr)
	for i := range sums {
		sums[i] = x.Vec()
		x.Zero(sums[i])
	}
	x.Label("block")
	c.PREFETCHT1(operand.Mem{Base: next})
	var v [8]vm.Vec
	for g := range v {
		v[g] = x.Vec()
		c.VMOVDQU64(operand.Mem{Base: src, Disp: blockLine * g}, v[g])
	}
	w := make([]vm.Vec, kind.values())
	for i := range w {
		w[i] = x.Vec()
		c.VMOVUPS(operand.Mem{Base: scales, Disp: 64 * i}, w[i])
	}
	for from := 0; from < mr; from += rowsSideBySide {
		to := min(from+rowsSideBySide, mr)
		var first, second [rowsSideBySide]vm.Vec
		for i := from; i < to; i++ {
			r := i - from
			first[r] = x.Vec()
			second[r] = first[r]
			if kind == kindMins {
				x.Zero(first[r])
			} else {
				c.VPBROADCASTD(a.at(i, recordOffset), first[r])
			}
			if kind == kindHalves {
				second[r] = x.Vec()
				c.VPBROADCASTD(a.at(i, recordSum), second[r])
			}
		}
		for _, g := range []int{0, 4, 1, 5, 2, 6, 3, 7} {
			for i := from; i < to; i++ {
				acc := first[i-from]
				if g >= 4 {
					acc = second[i-from]
				}
				c.VPDPBUSD_BCST(a.at(i, 4*g), v[g], acc)
			}
		}
		for i := from; i < to; i++ {
			f := first[i-from]
			c.VCVTDQ2PS(f, f)
			c.VMULPS(w[0], f, f)
			switch kind {
			case kindMins:
				c.VFMADD231PS_BCST(a.at(i, recordSum), w[1], f)
			case kindHalves:
				s := second[i-from]
				c.VCVTDQ2PS(s, s)
				c.VFMADD231PS(s, w[1], f)
			}
			c.VFMADD231PS_BCST(a.at(i, recordScale), f, sums[i])
		}
	}
	a.advance(recordBytes)
	x.AddI(src, wideBlock)
	x.AddI(scales, 64*kind.values())
	x.AddI(next, 64)
	x.SubJump(n, 1, vm.NE, "block")
	rows := make([]vm.V, mr)
	for i, r := range sums {
		rows[i] = vm.V{r}
	}
	finishBlockTile(x, rows)
}

// blockTile is for machines without registers for a whole block of codes: group after group, each for all rows.
func blockTile(m vm.Machine, d dots, kind blockKind, mr int) {
	blockTileBegin(m, d, kind, mr)
	n, src, scales, next := m.Param("blocks"), m.Param("codes"), m.Param("scales"), m.Param("next")
	a, lda := m.Param("a"), m.Param("lda")
	rows, sums := make([]*record, mr), make([]vm.V, mr)
	for i := range rows {
		base := a
		if i > 0 {
			base = m.GP()
			m.MovR(base, rows[i-1].base)
			m.AddR(base, lda)
		}
		rows[i] = d.newRecord(base)
		sums[i] = m.Splat(0)
	}
	m.Label("block")
	m.Prefetch(next, 0)
	first, second := make([]vm.V, mr), make([]vm.V, mr)
	for i, r := range rows {
		first[i] = m.V()
		d.begin(first[i], r, kind, recordOffset)
		second[i] = first[i]
	}
	for half := 0; half < 2; half++ {
		for i, r := range rows {
			d.load(r, half)
			if half == 1 && kind == kindHalves {
				second[i] = m.V()
				d.begin(second[i], r, kind, recordSum)
			}
		}
		for g := 4 * half; g < 4*half+4; g++ {
			v := m.V()
			m.Load(src, blockLine*g, v)
			c := d.ready(v, kind)
			for i, r := range rows {
				if half == 0 {
					d.add(first[i], c, r, g)
				} else {
					d.add(second[i], c, r, g)
				}
			}
		}
		if half == 0 && kind == kindHalves {
			scaleSums(m, first, scales, 0)
		}
	}
	if kind != kindHalves {
		scaleSums(m, first, scales, 0)
	}
	if kind.values() > 1 {
		w := m.V()
		m.Load(scales, 64, w)
		for i, r := range rows {
			if kind == kindMins {
				d.fma(first[i], w, r, recordSum)
				continue
			}
			m.ToFloat(second[i], second[i])
			m.FMA(first[i], second[i], w)
		}
	}
	for i, r := range rows {
		d.fma(sums[i], first[i], r, recordScale)
		m.AddI(r.base, recordBytes)
	}
	m.AddI(src, wideBlock)
	m.AddI(scales, 64*kind.values())
	m.AddI(next, 64)
	m.SubJump(n, 1, vm.NE, "block")
	finishBlockTile(m, sums)
}

// scaleSums makes sums of integers to floats times the scales at off.
func scaleSums(m vm.Machine, sums []vm.V, scales vm.GP, off int) {
	w := m.V()
	m.Load(scales, off, w)
	for _, v := range sums {
		m.ToFloat(v, v)
		m.Mul(v, v, w)
	}
}

// finishBlockTile adds the bias if there is one and stores the rows.
func finishBlockTile(m vm.Machine, rows []vm.V) {
	bias := m.Param("bias")
	m.SubJump(bias, 0, vm.EQ, "write")
	b := m.V()
	m.Load(bias, 0, b)
	for _, v := range rows {
		m.Add(v, v, b)
	}
	m.Label("write")
	c, ldc := m.Param("c"), m.Param("ldc")
	for i, v := range rows {
		m.Store(v, c, 0)
		if i+1 < len(rows) {
			m.AddR(c, ldc)
		}
	}
	m.Ret()
}
