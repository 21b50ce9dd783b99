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
		var acc [rowsSideBySide]vm.Vec
		for i := from; i < to; i++ {
			acc[i-from] = x.Vec()
			if kind == kindMins {
				x.Zero(acc[i-from])
			} else {
				c.VPBROADCASTD(a.at(i, recordOffset), acc[i-from])
			}
		}
		for g := range v {
			for i := from; i < to; i++ {
				c.VPDPBUSD_BCST(a.at(i, 4*g), v[g], acc[i-from])
			}
		}
		for i := from; i < to; i++ {
			f := acc[i-from]
			c.VCVTDQ2PS(f, f)
			c.VMULPS(w[0], f, f)
			if kind == kindMins {
				c.VFMADD231PS_BCST(a.at(i, recordSum), w[1], f)
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
	acc := make([]vm.V, mr)
	for i, r := range rows {
		acc[i] = m.V()
		d.begin(acc[i], r, kind, recordOffset)
	}
	for half := 0; half < 2; half++ {
		for _, r := range rows {
			d.load(r, half)
		}
		for g := 4 * half; g < 4*half+4; g++ {
			v := m.V()
			m.Load(src, blockLine*g, v)
			c := d.ready(v, kind)
			for i, r := range rows {
				d.add(acc[i], c, r, g)
			}
		}
	}
	w := m.V()
	m.Load(scales, 0, w)
	for _, v := range acc {
		m.ToFloat(v, v)
		m.Mul(v, v, w)
	}
	if kind == kindMins {
		w := m.V()
		m.Load(scales, 64, w)
		for i, r := range rows {
			d.fma(acc[i], w, r, recordSum)
		}
	}
	for i, r := range rows {
		d.fma(sums[i], acc[i], r, recordScale)
		m.AddI(r.base, recordBytes)
	}
	m.AddI(src, wideBlock)
	m.AddI(scales, 64*kind.values())
	m.AddI(next, 64)
	m.SubJump(n, 1, vm.NE, "block")
	finishBlockTile(m, sums)
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
