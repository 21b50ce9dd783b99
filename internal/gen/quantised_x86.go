package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

const gemmInt8Doc = `%s sets an %d×%d tile C[i][j] = float32(Σ A[i][k]·B[k][j] - rowZero[i]·colSum[j])·(rowScale[i]·colScale[j]) (+ bias[j] if
bias is not nil), the sum exact in 32 bits. k4 counts groups of four k. %s Rows are lda bytes apart.
B is np panels [k4][16][4] of int8, bstep bytes apart; rows of C are ldc bytes apart, its panels cstep. Of the memory at
next, 16·k4 bytes are prefetched.`

const gemmInt8Signature = "k4 int, a *%s, lda int, b *int8, bstep int, c *float32, ldc, cstep int, rowScale *float32, rowZero *int32, colScale *float32, colSum *int32, bias *float32, next *int8"

// gemmVNNI multiplies by VPDPBUSD, four products of u8 by s8 added to 32 bits without saturation: EVEX where x is
// AVX-512, VEX (AVX-VNNI) where it is AVX2.
func gemmVNNI(x *vm.X86, mr, np int) {
	c := x.Ctx()
	name := fmt.Sprintf("GemmInt8%dx%d", mr, 16*np)
	if x.Bytes() == 32 {
		name = fmt.Sprintf("GemmInt8VNNI%dx%d", mr, 16*np)
	}
	vm.Function(x, name, fmt.Sprintf(gemmInt8Signature, "uint8"),
		fmt.Sprintf(gemmInt8Doc, name, mr, 16*np, "A holds unsigned bytes."))
	t := newTile(x, mr, np)
	t.fetchOutput()
	t.zero()
	k := x.Param("k4")
	a := newRows(x, x.Param("a"), x.Param("lda"), mr)
	b := newPanels(x, x.Param("b"), x.Param("bstep"), np)
	next := x.Param("next")
	unrolled(x, k, 4, func(u int) {
		prefetch(x, u, np, b, next)
		for j, r := range t.b {
			p, off := t.column(j)
			c.VMOVUPS(b.at(p, 64*u+off), r)
		}
		for i := 0; i < mr; i++ {
			s := t.a[i%len(t.a)]
			c.VPBROADCASTD(a.at(i, 4*u), s)
			for j, r := range t.b {
				if x.Bytes() == 64 {
					c.VPDPBUSD(r, s, t.acc[i][j])
				} else {
					vm.VPDPBUSDVEX(c, r, s, t.acc[i][j])
				}
			}
		}
	}, func(steps int) {
		a.advance(4 * steps)
		x.AddI(b.base, 64*steps)
		x.AddI(next, 16*steps)
	})
	finishInt8(t)
}

// gemmWiden is the exact form for AVX2 alone. VPMADDUBSW would saturate at 16 bits, so both sides are 16 bits wide:
// B's bytes become pairs (k0,k2) and (k1,k3) by two shifts and one, shared by all rows, and A comes as 16-bit
// integers in that order, four k to 8 bytes. VPMADDWD then adds two exact products in 32 bits.
func gemmWiden(x *vm.X86, mr int) {
	c := x.Ctx()
	name := fmt.Sprintf("GemmInt8%dx16", mr)
	vm.Function(x, name, fmt.Sprintf(gemmInt8Signature, "int16"), fmt.Sprintf(gemmInt8Doc, name, mr, 16,
		"A holds 16-bit integers, 0 to 255, in the order k0,k2,k1,k3 of every four (PairBytes)."))
	t := newTile(x, mr, 1)
	t.fetchOutput()
	t.zero()
	k := x.Param("k4")
	a := newRows(x, x.Param("a"), x.Param("lda"), mr)
	b := x.Param("b")
	odd := []vm.Vec{x.Vec(), x.Vec()}
	prod := x.Vec()
	next := x.Param("next")
	unrolled(x, k, 2, func(u int) {
		c.PREFETCHT0(operand.Mem{Base: b, Disp: 64*u + prefetchAhead})
		if u == 0 {
			c.PREFETCHT1(operand.Mem{Base: next})
		}
		for j, even := range t.b {
			c.VMOVDQU(operand.Mem{Base: b, Disp: 64*u + 32*j}, even)
			c.VPSRAW(operand.Imm(8), even, odd[j])
			c.VPSLLW(operand.Imm(8), even, even)
			c.VPSRAW(operand.Imm(8), even, even)
		}
		for i := 0; i < mr; i++ {
			for half, bv := range [][]vm.Vec{t.b, odd} {
				s := t.a[half%len(t.a)]
				c.VPBROADCASTD(a.at(i, 8*u+4*half), s)
				for j, r := range bv {
					c.VPMADDWD(s, r, prod)
					c.VPADDD(prod, t.acc[i][j], t.acc[i][j])
				}
			}
		}
	}, func(steps int) {
		a.advance(8 * steps)
		x.AddI(b, 64*steps)
		x.AddI(next, 16*steps)
	})
	finishInt8(t)
}

// finishInt8 turns the sums into float32, the same operations in the same order for every form, and stores them.
func finishInt8(t *tile) {
	x := t.x
	c := x.Ctx()
	colSum, rowZero := x.Param("colSum"), x.Param("rowZero")
	for j := range t.b {
		c.VMOVUPS(operand.Mem{Base: colSum, Disp: j * x.Bytes()}, t.b[j])
	}
	for i := 0; i < t.mr; i++ {
		for j := range t.b {
			c.VPBROADCASTD(operand.Mem{Base: rowZero, Disp: 4 * i}, t.a[0])
			c.VPMULLD(t.b[j], t.a[0], t.a[0])
			c.VPSUBD(t.a[0], t.acc[i][j], t.acc[i][j])
		}
	}
	rowScale, colScale := x.Param("rowScale"), x.Param("colScale")
	for j := range t.b {
		c.VMOVUPS(operand.Mem{Base: colScale, Disp: j * x.Bytes()}, t.b[j])
	}
	s := t.a[0]
	for i := 0; i < t.mr; i++ {
		for j := range t.b {
			c.VBROADCASTSS(operand.Mem{Base: rowScale, Disp: 4 * i}, s)
			c.VMULPS(t.b[j], s, s)
			c.VCVTDQ2PS(t.acc[i][j], t.acc[i][j])
			c.VMULPS(s, t.acc[i][j], t.acc[i][j])
		}
	}
	t.addBias()
	t.store()
	x.Ret()
}

// pairBytes prepares A for gemmWiden.
func pairBytes(x *vm.X86) {
	c := x.Ctx()
	vm.Function(x, "PairBytes", "dst *int16, src *uint8, n int",
		"PairBytes widens bytes to 16 bits in the order k0,k2,k1,k3 of every four. n is a multiple of 32, at least 32.")
	dst, src, n := x.Param("dst"), x.Param("src"), x.Param("n")
	low := x.Vec()
	c.VPCMPEQD(low, low, low)
	c.VPSRLW(operand.Imm(8), low, low)
	even, odd, first, second := x.Vec(), x.Vec(), x.Vec(), x.Vec()
	x.Label("loop")
	c.VMOVDQU(operand.Mem{Base: src}, odd)
	c.VPAND(low, odd, even)
	c.VPSRLW(operand.Imm(8), odd, odd)
	c.VPUNPCKLDQ(odd, even, first)
	c.VPUNPCKHDQ(odd, even, second)
	c.VPERM2I128(operand.Imm(0x20), second, first, even)
	c.VPERM2I128(operand.Imm(0x31), second, first, odd)
	c.VMOVDQU(even, operand.Mem{Base: dst})
	c.VMOVDQU(odd, operand.Mem{Base: dst, Disp: 32})
	x.AddI(src, 32)
	x.AddI(dst, 64)
	x.SubJump(n, 32, vm.NE, "loop")
	x.Ret()
}
