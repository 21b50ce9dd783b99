package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// codesForm is how a tile has its codes.
type codesForm int

const (
	codesPacked codesForm = iota
	codesKept             // packed, and written as bytes for the next tiles
	codesWide             // in bytes
)

var codesFormNames = [...]string{"Block", "BlockKeep", "BlockWide"}

// superTile512 multiplies codes group after group by all rows. The sums of two blocks, or of two halves, become one operand
// of VPDPWSSD.
func superTile512(x *vm.X86, f superFormat, form codesForm, mr int) {
	c := x.Ctx()
	superTileBegin(x, fmt.Sprintf("%s%s%d", codesFormNames[form], f.name, mr), mr)
	n, src, sum := x.Param("supers"), x.Param("scales"), x.Param("sums")
	superClear(x, sum, mr)
	a := newRows(x, x.Param("a"), x.Param("lda"), mr)
	var next vm.GP
	if superFetches(mr) {
		next = x.Param("next")
	}
	t, odd := c.GP32(), c.K()
	c.MOVL(operand.U32(0xaaaaaaaa), t)
	c.KMOVD(t, odd)
	bits, head, codes, bytes := f.bits, f.head(), src, vm.GP(nil)
	if form != codesPacked {
		bytes = x.Param("codes")
	}
	if form == codesWide {
		bits, head, codes = 8, 0, bytes
	}
	u := newUnpacker(x, bits, codes)
	scales := superScales{x, f, src}
	vectors := func() []vm.Vec {
		v := make([]vm.Vec, mr)
		for i := range v {
			v[i] = x.Vec()
		}
		return v
	}
	// begin sets where the sums of block or half b begin.
	begin := func(b int) []vm.Vec {
		v := vectors()
		for i, r := range v {
			if f.halves {
				c.VPBROADCASTD(a.at(i, superRecordSums+4*b), r)
			} else {
				x.Mov(vm.V{r}, f.begin(b))
			}
		}
		return v
	}
	// sums gives those of one block, its halves apart where they have scales of their own or where rows are too few to
	// cover the latency of one dot after the other.
	sums := func(b int) (first, second []vm.Vec) {
		u.at = head + b*blockSize(bits)
		apart := !f.halves && mr <= 2
		switch {
		case f.halves:
			first, second = begin(2*b), begin(2*b+1)
		default:
			first = begin(b)
			second = first
			if apart {
				second = vectors()
				for _, r := range second {
					x.Zero(r)
				}
			}
		}
		u.groups(func(g int, v vm.V) {
			if form == codesKept {
				x.Store(v, bytes, b*wideBlock+blockLine*g)
			}
			acc := first
			if g >= 4 {
				acc = second
			}
			for i, r := range acc {
				c.VPDPBUSD_BCST(a.at(i, 32*b+4*g), v[0], r)
			}
		})
		if apart {
			for i, r := range first {
				c.VPADDD(second[i], r, r)
			}
		}
		return first, second
	}
	x.Label("super")
	if next != nil {
		for line := 0; line < f.bytes(); line += 8 * 64 {
			c.PREFETCHT1(operand.Mem{Base: next, Disp: line / 8})
		}
	}
	isum := vectors()
	for _, r := range isum {
		x.Zero(r)
	}
	fold := func(p int, even, odds []vm.Vec) {
		scale := scales.pair(p)
		for i, r := range isum {
			addPair(c, f, scale[0], odd, even[i], odds[i], r)
		}
	}
	if f.halves {
		for b := 0; b < superLen; b++ {
			first, second := sums(b)
			fold(b, first, second)
		}
	} else {
		for p := 0; p < superLen/2; p++ {
			even, _ := sums(2 * p)
			odds, _ := sums(2*p + 1)
			fold(p, even, odds)
		}
	}
	d, dmin := scales.d()
	var mins [4]vm.V
	if !f.halves {
		for p := range mins {
			mins[p] = scales.pair(4 + p)
		}
	}
	for i, v := range isum {
		superFloat(x, f, func(off int) operand.Mem { return a.at(i, off) }, v, d, dmin, func(p int) vm.V { return mins[p] })
		acc := x.Vec()
		c.VMOVUPS(operand.Mem{Base: sum, Disp: 64 * i}, acc)
		c.VFMADD231PS_BCST(a.at(i, superRecordScale), v, acc)
		c.VMOVUPS(acc, operand.Mem{Base: sum, Disp: 64 * i})
	}
	a.advance(superRecordBytes)
	x.AddI(src, f.bytes())
	if form != codesPacked {
		x.AddI(bytes, superLen*wideBlock)
	}
	if next != nil {
		x.AddI(next, (f.bytes()/8+63)/64*64)
	}
	x.SubJump(n, 1, vm.NE, "super")
	if next != nil {
		x.SetParam("next", next)
	}
	superTileEnd(x, sum, mr)
}

// addPair emits isum += even·(lower halves of scale) + odds·(upper halves), the sums first shifted to 16 bits. odd masks the
// upper halves.
func addPair(c *build.Context, f superFormat, scale vm.Vec, odd reg.OpmaskVirtual, even, odds, isum vm.Vec) {
	c.VPSRAD(operand.Imm(uint64(f.shift())), even, even)
	c.VPSLLD(operand.Imm(uint64(16-f.shift())), odds, odds)
	c.VPBLENDMW(odds, even, odd, even)
	c.VPDPWSSD(scale, even, isum)
}

// superFloat makes isum, of the record whose parts are at at, a float: isum·d, less the sums of products with the minimums,
// which min gives in pairs, times dmin.
func superFloat(x *vm.X86, f superFormat, at func(off int) operand.Mem, isum vm.Vec, d, dmin vm.V, min func(p int) vm.V) {
	c := x.Ctx()
	c.VCVTDQ2PS(isum, isum)
	c.VMULPS(d[0], isum, isum)
	if f.halves {
		return
	}
	imin := x.Vec()
	x.Zero(imin)
	for p := 0; p < superLen/2; p++ {
		c.VPDPWSSD_BCST(at(superRecordSums+4*p), min(p)[0], imin)
	}
	c.VCVTDQ2PS(imin, imin)
	c.VFNMADD231PS(imin, dmin[0], isum)
}
