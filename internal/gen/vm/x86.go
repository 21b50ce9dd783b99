package vm

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// X86 is AVX2 (with FMA and F16C) or AVX-512 (F, BW, DQ, VL).
type X86 struct {
	c      *build.Context
	bits   int
	consts map[Const]operand.Mem
	masks  *operand.Mem // AVX2: sixteen times -1, sixteen times 0
}

// NewX86 returns the machine for one file; bits is 256 or 512.
func NewX86(bits int) *X86 {
	return &X86{c: build.NewContext(), bits: bits, consts: map[Const]operand.Mem{}}
}

// Package is the name of the Go package that the machine's code goes to.
func (x *X86) Package() string {
	if x.bits == 512 {
		return "avx512"
	}
	return "avx2"
}

// Ctx is the avo context that instructions go to.
func (x *X86) Ctx() *build.Context { return x.c }

// Vec is a new register of the machine's width.
func (x *X86) Vec() Vec {
	if x.bits == 512 {
		return x.c.ZMM()
	}
	return x.c.YMM()
}

// Bytes is the width of a register.
func (x *X86) Bytes() int { return x.bits / 8 }

func (x *X86) regs() int { return 512 / x.bits }

func (x *X86) Param(name string) GP { return x.c.Load(x.c.Param(name), x.c.GP64()).(GP) }

func (x *X86) SetParam(name string, r GP) { x.c.Store(r.(reg.Register), x.c.Param(name)) }

func (x *X86) BroadcastParam(name string) V {
	p, err := x.c.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	d := x.V()
	for _, r := range d {
		x.c.VBROADCASTSS(p.Addr, r)
	}
	return d
}

func (x *X86) GP() GP              { return x.c.GP64() }
func (x *X86) MovR(d, s GP)        { x.c.MOVQ(s, d) }
func (x *X86) SetR(d GP, imm int)  { x.c.MOVQ(operand.I32(imm), d) }
func (x *X86) AddR(d, s GP)        { x.c.ADDQ(s, d) }
func (x *X86) SubR(d, s GP)        { x.c.SUBQ(s, d) }
func (x *X86) AddI(d GP, imm int)  { x.c.ADDQ(operand.I32(imm), d) }
func (x *X86) ShlR(d GP, bits int) { x.c.SHLQ(operand.Imm(uint64(bits)), d) }
func (x *X86) Jump(label string)   { x.c.JMP(operand.LabelRef(label)) }
func (x *X86) Label(name string)   { x.c.Label(name) }
func (x *X86) Ret()                { x.c.VZEROUPPER(); x.c.RET() }

func (x *X86) SubJump(r GP, imm int, cond Cond, label string) {
	if imm == 0 {
		x.c.TESTQ(r, r)
	} else {
		x.c.SUBQ(operand.I32(imm), r)
	}
	l := operand.LabelRef(label)
	switch cond {
	case LT:
		x.c.JLT(l)
	case GE:
		x.c.JGE(l)
	case EQ:
		x.c.JEQ(l)
	case NE:
		x.c.JNE(l)
	}
}

func (x *X86) V() V {
	v := make(V, x.regs())
	for i := range v {
		v[i] = x.Vec()
	}
	return v
}

// Zero emits d = 0. avo is told that what d held does not matter, which it does not know of VPXORD.
func (x *X86) Zero(d Vec) {
	f := x86.VXORPS
	if x.bits == 512 {
		f = x86.VPXORD
	}
	i, err := f(d, d, d)
	if err != nil {
		panic(err)
	}
	i.CancellingInputs = true
	x.c.Instruction(i)
}

func (x *X86) Splat(c Const) V {
	d := x.V()
	for _, r := range d {
		if c == 0 {
			x.Zero(r)
		} else {
			x.c.VBROADCASTSS(x.constant(c), r)
		}
	}
	return d
}

func (x *X86) Fixed(c Const) V {
	d := make(V, x.regs())
	r := x.Vec()
	x.Mov(V{r}, c)
	for i := range d {
		d[i] = r
	}
	return d
}

// constant is read-only data: 4 bytes for AVX-512, which broadcasts as it reads, 32 for AVX2.
func (x *X86) constant(c Const) operand.Mem {
	m, ok := x.consts[c]
	if !ok {
		m = x.c.StaticGlobal(fmt.Sprintf("k%08x", uint32(c)))
		x.c.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := 0; i < x.constLanes(); i++ {
			x.c.AddDatum(4*i, operand.U32(c))
		}
		x.consts[c] = m
	}
	return m
}

// Memory is where the constant c lies, as often as a register of AVX2 has lanes; AVX-512 broadcasts it.
func (x *X86) Memory(c Const) operand.Mem { return x.constant(c) }

type constructor func(...operand.Op) (*ir.Instruction, error)

func (x *X86) emit(f constructor, ops ...operand.Op) {
	i, err := f(ops...)
	if err != nil {
		panic(fmt.Sprintf("%v: %v", err, ops))
	}
	x.c.Instruction(i)
}

// op2 emits d = a op b, the source b last as Go's assembler writes it first.
func (x *X86) op2(plain, bcst constructor, d, a V, b Src) {
	for i := range d {
		switch b := b.(type) {
		case V:
			x.emit(plain, b[i], a[i], d[i])
		case Const:
			if x.bits == 512 {
				x.emit(bcst, x.constant(b), a[i], d[i])
			} else {
				x.emit(plain, x.constant(b), a[i], d[i])
			}
		default:
			panic("source of no known kind")
		}
	}
}

func (x *X86) Mov(d V, s Src) {
	switch s := s.(type) {
	case V:
		for i := range d {
			x.c.VMOVAPS(s[i], d[i])
		}
	case Const:
		for i := range d {
			if s == 0 {
				x.Zero(d[i])
			} else {
				x.c.VBROADCASTSS(x.constant(s), d[i])
			}
		}
	}
}

func (x *X86) Load(base GP, off int, d V) {
	for i, r := range d {
		x.c.VMOVUPS(mem(base, off+i*x.Bytes()), r)
	}
}

// LoadLow loads 16 bytes and clears the rest of d, which avo is told: it would take the upper part for live from
// the start of the function.
func (x *X86) LoadLow(m operand.Mem, d Vec) {
	i, err := x86.VMOVUPS(m, d.AsX())
	if err != nil {
		panic(err)
	}
	i.Outputs = []operand.Op{d}
	x.c.Instruction(i)
}

func (x *X86) Store(s V, base GP, off int) {
	for i, r := range s {
		x.c.VMOVUPS(r, mem(base, off+i*x.Bytes()))
	}
}

func (x *X86) Broadcast(base GP, off int, d V) {
	for _, r := range d {
		x.c.VBROADCASTSS(mem(base, off), r)
	}
}

func (x *X86) StoreLane0(s V, base GP, off int) { x.c.VMOVSS(s[0].AsX(), mem(base, off)) }

// Opmask is a mask of the first rem lanes (AVX-512).
func (x *X86) Opmask(rem GP) reg.OpmaskVirtual {
	t, k := x.c.GP32(), x.c.K()
	x.c.MOVL(operand.U32(0xffff), t)
	x.c.BZHIL(rem.As32(), t, t)
	x.c.KMOVW(t, k)
	return k
}

// halfMask is the vector mask of the first rem lanes of sixteen, for the half h (AVX2).
func (x *X86) halfMask(rem GP, h int) Vec {
	if x.masks == nil {
		m := x.c.StaticGlobal("tailMask")
		x.c.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := 0; i < 32; i++ {
			v := uint32(0xffffffff)
			if i >= 16 {
				v = 0
			}
			x.c.AddDatum(4*i, operand.U32(v))
		}
		x.masks = &m
	}
	t, o, v := x.c.GP64(), x.c.GP64(), x.c.YMM()
	x.c.LEAQ(*x.masks, t)
	x.c.MOVQ(rem, o)
	x.c.NEGQ(o)
	x.c.VMOVDQU(operand.Mem{Base: t, Index: o, Scale: 4, Disp: 64 + 32*h}, v)
	return v
}

func (x *X86) LoadTail(base, rem GP, fill Src, d V) {
	x.Mov(d, fill)
	if x.bits == 512 {
		x.c.VMOVUPS(mem(base, 0), x.Opmask(rem), d[0])
		return
	}
	for h, r := range d {
		m, t := x.halfMask(rem, h), x.c.YMM()
		x.c.VMASKMOVPS(mem(base, 32*h), m, t)
		x.c.VBLENDVPS(m, t, r, r)
	}
}

func (x *X86) StoreTail(s V, base, rem GP) {
	if x.bits == 512 {
		x.c.VMOVUPS(s[0], x.Opmask(rem), mem(base, 0))
		return
	}
	for h, r := range s {
		x.c.VMASKMOVPS(r, x.halfMask(rem, h), mem(base, 32*h))
	}
}

func (x *X86) Add(d, a V, b Src) { x.op2(x86.VADDPS, x86.VADDPS_BCST, d, a, b) }
func (x *X86) Sub(d, a V, b Src) { x.op2(x86.VSUBPS, x86.VSUBPS_BCST, d, a, b) }
func (x *X86) Mul(d, a V, b Src) { x.op2(x86.VMULPS, x86.VMULPS_BCST, d, a, b) }
func (x *X86) Div(d, a V, b Src) { x.op2(x86.VDIVPS, x86.VDIVPS_BCST, d, a, b) }
func (x *X86) Max(d, a V, b Src) { x.op2(x86.VMAXPS, x86.VMAXPS_BCST, d, a, b) }
func (x *X86) Min(d, a V, b Src) { x.op2(x86.VMINPS, x86.VMINPS_BCST, d, a, b) }
func (x *X86) FMA(d, a V, b Src) { x.op2(x86.VFMADD231PS, x86.VFMADD231PS_BCST, d, a, b) }
func (x *X86) FNMA(d, a V, b Src) {
	x.op2(x86.VFNMADD231PS, x86.VFNMADD231PS_BCST, d, a, b)
}
func (x *X86) Horner(p, r V, c Src) V {
	x.op2(x86.VFMADD213PS, x86.VFMADD213PS_BCST, p, r, c)
	return p
}

func (x *X86) Sqrt(d, a V) {
	for i := range d {
		x.c.VSQRTPS(a[i], d[i])
	}
}

func (x *X86) Round(d, a V) {
	for i := range d {
		if x.bits == 512 {
			x.c.VRNDSCALEPS(operand.Imm(8), a[i], d[i])
		} else {
			x.c.VROUNDPS(operand.Imm(8), a[i], d[i])
		}
	}
}

// Predicates of VCMPPS (Intel SDM, table 3-1): quiet, ordered less-than and its negation, true on NaN.
const (
	cmpLess    = 17
	cmpNotLess = 21
	cmpNaN     = 3
)

func (x *X86) compare512(predicate uint64, a Vec, b Src) reg.OpmaskVirtual {
	k := x.c.K()
	switch b := b.(type) {
	case V:
		x.c.VCMPPS(operand.Imm(predicate), b[0], a, k)
	case Const:
		x.c.VCMPPS_BCST(operand.Imm(predicate), x.constant(b), a, k)
	}
	return k
}

func (x *X86) compare256(predicate uint64, i int, a Vec, b Src) Vec {
	m := x.c.YMM()
	switch b := b.(type) {
	case V:
		x.c.VCMPPS(operand.Imm(predicate), b[i], a, m)
	case Const:
		x.c.VCMPPS(operand.Imm(predicate), x.constant(b), a, m)
	}
	return m
}

func (x *X86) ZeroIfLess(d, a V, b Src) {
	for i := range d {
		if x.bits == 512 {
			x.c.VMOVAPS_Z(d[i], x.compare512(cmpNotLess, a[i], b), d[i])
		} else {
			x.c.VANDPS(x.compare256(cmpNotLess, i, a[i], b), d[i], d[i])
		}
	}
}

func (x *X86) SelectLess(d, a V, b, s Src) {
	for i := range d {
		if x.bits == 512 {
			k := x.compare512(cmpLess, a[i], b)
			switch s := s.(type) {
			case V:
				x.c.VMOVAPS(s[i], k, d[i])
			case Const:
				x.c.VBROADCASTSS(x.constant(s), k, d[i])
			}
			continue
		}
		m := x.compare256(cmpLess, i, a[i], b)
		switch s := s.(type) {
		case V:
			x.c.VBLENDVPS(m, s[i], d[i], d[i])
		case Const:
			x.c.VBLENDVPS(m, x.constant(s), d[i], d[i])
		}
	}
}

func (x *X86) SelectNaN(d, a, s V) {
	for i := range d {
		if x.bits == 512 {
			x.c.VMOVAPS(s[i], x.compare512(cmpNaN, a[i], a), d[i])
		} else {
			x.c.VBLENDVPS(x.compare256(cmpNaN, i, a[i], a), s[i], d[i], d[i])
		}
	}
}

func (x *X86) And(d, a V, b Src) { x.op2(x86.VANDPS, x86.VANDPS_BCST, d, a, b) }
func (x *X86) Or(d, a V, b Src)  { x.op2(x86.VORPS, x86.VORPS_BCST, d, a, b) }
func (x *X86) Xor(d, a V, b Src) { x.op2(x86.VXORPS, x86.VXORPS_BCST, d, a, b) }
func (x *X86) OrAnd(d, a V, b Src) {
	if x.bits == 512 {
		switch b := b.(type) {
		case V:
			x.c.VPTERNLOGD(operand.Imm(0xf8), b[0], a[0], d[0])
		case Const:
			x.c.VPTERNLOGD_BCST(operand.Imm(0xf8), x.constant(b), a[0], d[0])
		}
		return
	}
	t := x.V()
	x.And(t, a, b)
	x.Or(d, d, t)
}
func (x *X86) AddInt(d, a V, b Src) { x.op2(x86.VPADDD, x86.VPADDD_BCST, d, a, b) }
func (x *X86) MaxInt(d, a V, b Src) { x.op2(x86.VPMAXSD, x86.VPMAXSD_BCST, d, a, b) }
func (x *X86) Shl(d, a V, bits int) {
	for i := range d {
		x.c.VPSLLD(operand.Imm(uint64(bits)), a[i], d[i])
	}
}
func (x *X86) Shr(d, a V, bits int) {
	for i := range d {
		x.c.VPSRLD(operand.Imm(uint64(bits)), a[i], d[i])
	}
}
func (x *X86) Sar(d, a V, bits int) {
	for i := range d {
		x.c.VPSRAD(operand.Imm(uint64(bits)), a[i], d[i])
	}
}
func (x *X86) ToInt(d, a V) {
	for i := range d {
		x.c.VCVTPS2DQ(a[i], d[i])
	}
}
func (x *X86) ToFloat(d, a V) {
	for i := range d {
		x.c.VCVTDQ2PS(a[i], d[i])
	}
}

func (x *X86) Load8(base GP, off int, d V) {
	for i, r := range d {
		x.c.VPMOVZXBD(mem(base, off+i*x.Bytes()/4), r)
	}
}

func (x *X86) Load16(base GP, off int, d V) {
	for i, r := range d {
		x.c.VPMOVZXWD(mem(base, off+i*x.Bytes()/2), r)
	}
}

func (x *X86) Store16(s V, base GP, off int) {
	if x.bits == 512 {
		x.c.VPMOVDW(s[0], mem(base, off))
		return
	}
	t := x.c.YMM()
	x.c.VPACKUSDW(s[1], s[0], t)
	x.c.VPERMQ(operand.Imm(0xd8), t, t)
	x.c.VMOVDQU(t, mem(base, off))
}

func (x *X86) LoadF16(base GP, off int, d V) {
	for i, r := range d {
		x.c.VCVTPH2PS(mem(base, off+i*x.Bytes()/2), r)
	}
}

func (x *X86) StoreF16(s V, base GP, off int) {
	for i, r := range s {
		x.c.VCVTPS2PH(operand.Imm(0), r, mem(base, off+i*x.Bytes()/2))
	}
}

func (x *X86) StoreInt8(s V, base GP, off int) {
	if x.bits == 512 {
		x.c.VPMOVDB(s[0], mem(base, off))
		return
	}
	t := x.c.YMM()
	x.c.VPACKSSDW(s[1], s[0], t) // 0-3, 8-11 | 4-7, 12-15
	x.c.VPERMQ(operand.Imm(0xd8), t, t)
	h := x.c.XMM()
	x.c.VEXTRACTI128(operand.Imm(1), t, h)
	x.c.VPACKSSWB(h, t.AsX(), h)
	x.c.VMOVDQU(h, mem(base, off))
}

// fold reduces to lane 0…3 of an XMM in the order i+8, i+4, i+2, i+1 and spreads the result.
func (x *X86) fold(v V, op func(a, b, d operand.Op)) {
	c, t := x.c, x.Vec()
	if x.bits == 512 { // EVEX forms only: v may be register 16 and above
		c.VSHUFF64X2(operand.Imm(0x4e), v[0], v[0], t)
		op(t, v[0], v[0])
		c.VSHUFF64X2(operand.Imm(0xb1), v[0], v[0], t)
	} else {
		op(v[1], v[0], v[0])
		c.VPERM2F128(operand.Imm(1), v[0], v[0], t)
	}
	op(t, v[0], v[0])
	c.VPERMILPS(operand.Imm(0x4e), v[0], t)
	op(t, v[0], v[0])
	c.VPERMILPS(operand.Imm(0xb1), v[0], t)
	op(t, v[0], v[0])
	for _, r := range v[1:] {
		c.VMOVAPS(v[0], r)
	}
}

func (x *X86) SumLanes(v V) { x.fold(v, func(a, b, d operand.Op) { x.c.VADDPS(a, b, d) }) }
func (x *X86) MaxLanes(v V) { x.fold(v, func(a, b, d operand.Op) { x.c.VMAXPS(a, b, d) }) }

func (x *X86) MinLanes(v V) { x.fold(v, func(a, b, d operand.Op) { x.c.VMINPS(a, b, d) }) }

func (x *X86) MaxIntLanes(v V) { x.fold(v, func(a, b, d operand.Op) { x.c.VPMAXSD(a, b, d) }) }

func (x *X86) Prefetch(base GP, off int) { x.c.PREFETCHT0(mem(base, off)) }

func (x *X86) PrefetchFar(base GP, off int) { x.c.PREFETCHT1(mem(base, off)) }

func (x *X86) constLanes() int {
	if x.bits == 512 {
		return 1
	}
	return 8
}
