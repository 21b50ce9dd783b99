package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

const superRowDoc = `%s sets 16 outputs for each of so many panels, which follow each other as they are packed, to their
products with one row of records (kernels.superTile), plus bias if that is not nil. The outputs of panels are cstep bytes apart.`

// superRow512 is superTile512 of one row, for any number of panels: see blockRow.
func superRow512(x *vm.X86, f superFormat) {
	c := x.Ctx()
	name := "BlockRow" + f.name
	vm.Function(x, name, "supers int, a, packed *uint8, panels int, c *float32, cstep int, bias *float32", fmt.Sprintf(superRowDoc, name))
	src, out, bias, panels := x.Param("packed"), x.Param("c"), x.Param("bias"), x.Param("panels")
	n, a := x.GP(), x.GP()
	t, odd := c.GP32(), c.K()
	c.MOVL(operand.U32(0xaaaaaaaa), t)
	c.KMOVD(t, odd)
	u := newUnpacker(x, f.bits, src)
	scales := superScales{x, f, src}
	at := func(off int) operand.Mem { return operand.Mem{Base: a, Disp: off} }
	// sums gives those of the halves of block b.
	sums := func(b int) (v [2]vm.Vec) {
		u.at = f.head() + b*blockSize(f.bits)
		for h := range v {
			v[h] = x.Vec()
			switch {
			case f.halves:
				c.VPBROADCASTD(at(superRecordSums+4*(2*b+h)), v[h])
			case h == 0:
				x.Mov(vm.V{v[h]}, f.begin(b))
			default:
				x.Zero(v[h])
			}
		}
		u.groups(func(g int, w vm.V) { c.VPDPBUSD_BCST(at(32*b+4*g), w[0], v[g/4]) })
		return v
	}
	block := func(b int) vm.Vec {
		v := sums(b)
		c.VPADDD(v[1], v[0], v[0])
		return v[0]
	}
	acc := x.Vec()
	x.Label("panel")
	x.MovR(n, x.Param("supers"))
	x.MovR(a, x.Param("a"))
	x.Zero(acc)
	x.Label("super")
	isum := x.Vec()
	x.Zero(isum)
	fold := func(p int, even, odds vm.Vec) { addPair(c, f, scales.pair(p)[0], odd, even, odds, isum) }
	if f.halves {
		for b := 0; b < superLen; b++ {
			v := sums(b)
			fold(b, v[0], v[1])
		}
	} else {
		for p := 0; p < superLen/2; p++ {
			even := block(2 * p)
			fold(p, even, block(2*p+1))
		}
	}
	d, dmin := scales.d()
	superFloat(x, f, at, isum, d, dmin, func(p int) vm.V { return scales.pair(4 + p) })
	c.VFMADD231PS_BCST(at(superRecordScale), isum, acc)
	x.AddI(a, superRecordBytes)
	x.AddI(src, f.bytes())
	x.SubJump(n, 1, vm.NE, "super")
	x.SubJump(bias, 0, vm.EQ, "write")
	c.VADDPS(operand.Mem{Base: bias}, acc, acc)
	x.AddI(bias, 64)
	x.Label("write")
	c.VMOVUPS(acc, operand.Mem{Base: out})
	x.AddR(out, x.Param("cstep"))
	x.SubJump(panels, 1, vm.NE, "panel")
	x.Ret()
}
