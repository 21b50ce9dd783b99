package main

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

const transposeSignature = "blocks int, src *float32, lds int, dst *float32, ldd int, scale float32"

const transposeDoc = `Transpose16 sets dst[j][i] = src[i][j]·scale for 16 rows i and 16·blocks columns j; rows of src
are lds bytes apart, rows of dst ldd. blocks is at least 1.`

// transposeX86 works on blocks of 16 rows by 4 columns (AVX-512) or 8 by 4 (AVX2): rows i, i+4, i+8 and i+12 share a
// register, a quarter each, so two rounds of unpacking leave whole columns.
func transposeX86(x *vm.X86) {
	c := x.Ctx()
	vm.Function(x, "Transpose16", transposeSignature, transposeDoc)
	blocks, src, lds := x.Param("blocks"), x.Param("src"), x.Param("lds")
	dst, ldd := x.Param("dst"), x.Param("ldd")
	scale := x.BroadcastParam("scale")[0]
	quarters := x.Bytes() / 16
	r := newRows(x, src, lds, 15)
	last := x.GP() // the sixteenth row
	c.LEAQ(operand.Mem{Base: r.bases[2], Index: lds, Scale: 4}, last)
	x.AddR(last, lds)
	row := func(i, off int) operand.Mem {
		if i == 15 {
			return operand.Mem{Base: last, Disp: off}
		}
		return r.at(i, off)
	}
	x.Label("loop")
	for col := 0; col < 16; col += 4 {
		for half := 0; half < 4/quarters; half++ {
			var v [4]vm.Vec
			for i := range v {
				v[i] = x.Vec()
				for q := 0; q < quarters; q++ {
					m := row(i+4*q+8*half, 4*col)
					switch {
					case q == 0:
						x.LoadLow(m, v[i])
					case x.Bytes() == 64:
						c.VINSERTF32X4(operand.Imm(uint64(q)), m, v[i], v[i])
					default:
						c.VINSERTF128(operand.Imm(uint64(q)), m, v[i], v[i])
					}
				}
			}
			lo01, hi01, lo23, hi23 := x.Vec(), x.Vec(), x.Vec(), x.Vec()
			c.VUNPCKLPS(v[1], v[0], lo01)
			c.VUNPCKHPS(v[1], v[0], hi01)
			c.VUNPCKLPS(v[3], v[2], lo23)
			c.VUNPCKHPS(v[3], v[2], hi23)
			out := [4]vm.Vec{x.Vec(), x.Vec(), x.Vec(), x.Vec()}
			c.VUNPCKLPD(lo23, lo01, out[0])
			c.VUNPCKHPD(lo23, lo01, out[1])
			c.VUNPCKLPD(hi23, hi01, out[2])
			c.VUNPCKHPD(hi23, hi01, out[3])
			to := x.GP()
			x.MovR(to, dst)
			for _, o := range out {
				c.VMULPS(scale, o, o)
				c.VMOVUPS(o, operand.Mem{Base: to, Disp: 32 * half})
				x.AddR(to, ldd)
			}
			if half == 4/quarters-1 {
				x.MovR(dst, to)
			}
		}
	}
	r.advance(64)
	x.AddI(last, 64)
	x.SubJump(blocks, 1, vm.NE, "loop")
	x.Ret()
}
