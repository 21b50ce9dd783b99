package vm

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
)

// NEON is arm64 with Advanced SIMD. avo knows no arm64, but its virtual ZMM and general registers have the
// right shape (32 vector registers, 15 general ones), so code is built from them with raw instructions, avo
// does labels, control flow, liveness and allocation, and lowerNEON then renames Zn to Vn and general register
// n to Rn and encodes what Go's assembler lacks. General indices are 0 to 15: R16–R18 and R27–R30, which Go or
// the platform keep, are never touched.
type NEON struct {
	c      *build.Context
	labels int
}

// NewNEON returns the machine for one file.
func NewNEON() *NEON { return &NEON{c: build.NewContext()} }

// Package is the name of the Go package that the machine's code goes to.
func (n *NEON) Package() string { return "neon" }

// Ctx is the avo context that instructions go to.
func (n *NEON) Ctx() *build.Context { return n.c }

// Vec is a new vector register.
func (n *NEON) Vec() Vec { return n.c.ZMM() }

// Op emits name with Go's operand order, destination last; rmw when it is read as well.
func (n *NEON) Op(name string, rmw bool, ops ...operand.Op) {
	in := append([]operand.Op(nil), ops[:len(ops)-1]...)
	if rmw {
		in = append(in, ops[len(ops)-1])
	}
	instr(n.c, name, ops, in, ops[len(ops)-1])
}

// FMAElem emits acc += a[i]*b, i in 0…3.
func (n *NEON) FMAElem(a Vec, i int, b, acc Vec) {
	instr(n.c, "VFMLAe", []operand.Op{a, b, acc, operand.Imm(uint64(i))}, []operand.Op{a, b, acc}, acc)
}

// SDOTElem emits acc += dot4(s8 a[4i…4i+3], s8 b) per lane.
func (n *NEON) SDOTElem(a Vec, i int, b, acc Vec) {
	instr(n.c, "VSDOTe", []operand.Op{a, b, acc, operand.Imm(uint64(i))}, []operand.Op{a, b, acc}, acc)
}

// ZeroVec emits d = 0.
func (n *NEON) ZeroVec(d Vec) {
	n.c.Instruction(&ir.Instruction{
		Opcode: "VEOR", Operands: []operand.Op{d, d, d}, Inputs: []operand.Op{d, d},
		Outputs: []operand.Op{d}, CancellingInputs: true,
	})
}

// LoadVec emits d = the 16 bytes at base+off.
func (n *NEON) LoadVec(base GP, off int, d Vec) {
	instr(n.c, "FMOVQ", []operand.Op{mem(base, off), d}, []operand.Op{mem(base, off)}, d)
}

// StoreVec stores 16 bytes.
func (n *NEON) StoreVec(s Vec, base GP, off int) {
	instr(n.c, "FMOVQ", []operand.Op{s, mem(base, off)}, []operand.Op{s}, mem(base, off))
}

// LoadLane loads 4 bytes into a lane, the others stay.
func (n *NEON) LoadLane(base GP, off, lane int, d Vec) {
	b := base
	if off != 0 {
		b = n.GP()
		n.op3("ADD", operand.I32(off), base, b)
	}
	instr(n.c, "VLD1LANE", []operand.Op{mem(b, 0), d, operand.Imm(uint64(lane))}, []operand.Op{mem(b, 0), d}, d)
}

func (n *NEON) storeLane(s Vec, base GP, off, lane int) {
	b := base
	if off != 0 {
		b = n.GP()
		n.op3("ADD", operand.I32(off), base, b)
	}
	instr(n.c, "VST1LANE", []operand.Op{s, mem(b, 0), operand.Imm(uint64(lane))}, []operand.Op{s}, mem(b, 0))
}

func (n *NEON) op3(name string, imm operand.Op, s, d GP) {
	instr(n.c, name, []operand.Op{imm, s, d}, []operand.Op{s}, d)
}

func (n *NEON) Param(name string) GP {
	p, err := n.c.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	r := n.c.GP64()
	instr(n.c, "MOVD", []operand.Op{p.Addr, r}, []operand.Op{p.Addr}, r)
	return r
}

func (n *NEON) SetParam(name string, r GP) {
	p, err := n.c.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	instr(n.c, "MOVD", []operand.Op{r, p.Addr}, []operand.Op{r}, p.Addr)
}

func (n *NEON) BroadcastParam(name string) V {
	p, err := n.c.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	r := n.c.GP64()
	instr(n.c, "MOVWU", []operand.Op{p.Addr, r}, []operand.Op{p.Addr}, r)
	d := n.V()
	for _, v := range d {
		n.Op("VDUP", false, r, v)
	}
	return d
}

func (n *NEON) GP() GP       { return n.c.GP64() }
func (n *NEON) MovR(d, s GP) { instr(n.c, "MOVD", []operand.Op{s, d}, []operand.Op{s}, d) }
func (n *NEON) SetR(d GP, imm int) {
	instr(n.c, "MOVD", []operand.Op{operand.I32(imm), d}, nil, d)
}
func (n *NEON) AddR(d, s GP) { instr(n.c, "ADD", []operand.Op{s, d, d}, []operand.Op{s, d}, d) }
func (n *NEON) SubR(d, s GP) { instr(n.c, "SUB", []operand.Op{s, d, d}, []operand.Op{s, d}, d) }
func (n *NEON) AddI(d GP, imm int) {
	n.op3("ADD", operand.I32(imm), d, d)
}
func (n *NEON) ShlR(d GP, bits int) { n.op3("LSL", operand.Imm(uint64(bits)), d, d) }
func (n *NEON) Label(name string)   { n.c.Label(name) }

func (n *NEON) branch(cond, label string) {
	n.c.Instruction(&ir.Instruction{
		Opcode: "B" + cond, Operands: []operand.Op{operand.LabelRef(label)}, IsBranch: true, IsConditional: true,
	})
}

func (n *NEON) Jump(label string) {
	n.c.Instruction(&ir.Instruction{
		Opcode: "JMP", Operands: []operand.Op{operand.LabelRef(label)}, IsBranch: true, IsTerminal: false,
	})
}

func (n *NEON) SubJump(r GP, imm int, cond Cond, label string) {
	n.op3("SUBS", operand.I32(imm), r, r)
	n.branch(string(cond), label)
}

func (n *NEON) Ret() { n.c.Instruction(&ir.Instruction{Opcode: "RET", IsTerminal: true}) }

func (n *NEON) V() V { return V{n.Vec(), n.Vec(), n.Vec(), n.Vec()} }

// constant makes a constant where it is used: with four registers to a value there are none to spare for keeping
// constants, and one serves four operations.
func (n *NEON) constant(c Const) Vec {
	d := n.Vec()
	if c == 0 {
		n.ZeroVec(d)
		return d
	}
	t := n.GP()
	instr(n.c, "MOVD", []operand.Op{operand.U32(c), t}, nil, t)
	n.Op("VDUP", false, t, d)
	return d
}

func (n *NEON) Splat(c Const) V {
	d := n.V()
	n.Mov(d, c)
	return d
}

func (n *NEON) Fixed(c Const) V {
	r := n.constant(c)
	return V{r, r, r, r}
}

func (n *NEON) Mov(d V, s Src) {
	switch s := s.(type) {
	case V:
		for i := range d {
			n.Op("VMOV", false, s[i], d[i])
		}
	case Const:
		t := n.constant(s)
		for i := range d {
			n.Op("VMOV", false, t, d[i])
		}
	}
}

func (n *NEON) Load(base GP, off int, d V) {
	for i, r := range d {
		n.LoadVec(base, off+16*i, r)
	}
}

func (n *NEON) Store(s V, base GP, off int) {
	for i, r := range s {
		n.StoreVec(r, base, off+16*i)
	}
}

func (n *NEON) Broadcast(base GP, off int, d V) {
	r := n.GP()
	instr(n.c, "MOVWU", []operand.Op{mem(base, off), r}, []operand.Op{mem(base, off)}, r)
	for _, v := range d {
		n.Op("VDUP", false, r, v)
	}
}

// MulAddInt emits d += a·b of 32-bit integers.
func (n *NEON) MulAddInt(d, a V, b Vec) {
	for i := range d {
		n.Op("VMLA", true, b, a[i], d[i])
	}
}

// BroadcastInt16 is Broadcast of two bytes with a sign, into one register.
func (n *NEON) BroadcastInt16(base GP, off int, d Vec) {
	r := n.GP()
	instr(n.c, "MOVH", []operand.Op{mem(base, off), r}, []operand.Op{mem(base, off)}, r)
	n.Op("VDUP", false, r, d)
}

func (n *NEON) StoreLane0(s V, base GP, off int) { n.storeLane(s[0], base, off, 0) }

// tail does lanes 0…rem-1, 0 < rem < 16, with a branch after each.
func (n *NEON) tail(rem GP, lane func(i int)) {
	n.labels++
	l := fmt.Sprintf("lanes%d", n.labels)
	lane(0)
	for i := 1; i < Lanes-1; i++ {
		instr(n.c, "CMP", []operand.Op{operand.Imm(uint64(i + 1)), rem}, []operand.Op{rem})
		n.branch("LT", l)
		lane(i)
	}
	n.c.Label(l)
}

func (n *NEON) LoadTail(base, rem GP, fill Src, d V) {
	n.Mov(d, fill)
	t := n.GP()
	n.MovR(t, base)
	n.tail(rem, func(i int) {
		n.LoadLane(t, 0, i%4, d[i/4])
		n.AddI(t, 4)
	})
}

func (n *NEON) StoreTail(s V, base, rem GP) {
	t := n.GP()
	n.MovR(t, base)
	n.tail(rem, func(i int) {
		n.storeLane(s[i/4], t, 0, i%4)
		n.AddI(t, 4)
	})
}

// op2 emits d = a op b for instructions whose Go operand order is b, a, d.
func (n *NEON) op2(name string, rmw bool, d, a V, b Src) {
	switch b := b.(type) {
	case V:
		for i := range d {
			n.Op(name, rmw, b[i], a[i], d[i])
		}
	case Const:
		t := n.constant(b)
		for i := range d {
			n.Op(name, rmw, t, a[i], d[i])
		}
	default:
		panic("source of no known kind")
	}
}

func (n *NEON) op1(name string, d, a V) {
	for i := range d {
		n.Op(name, false, a[i], d[i])
	}
}

func (n *NEON) Add(d, a V, b Src)  { n.op2("VFADD", false, d, a, b) }
func (n *NEON) Sub(d, a V, b Src)  { n.op2("VFSUB", false, d, a, b) }
func (n *NEON) Mul(d, a V, b Src)  { n.op2("VFMUL", false, d, a, b) }
func (n *NEON) Div(d, a V, b Src)  { n.op2("VFDIV", false, d, a, b) }
func (n *NEON) Max(d, a V, b Src)  { n.op2("VFMAX", false, d, a, b) }
func (n *NEON) Min(d, a V, b Src)  { n.op2("VFMIN", false, d, a, b) }
func (n *NEON) FMA(d, a V, b Src)  { n.op2("VFMLA", true, d, a, b) }
func (n *NEON) FNMA(d, a V, b Src) { n.op2("VFMLS", true, d, a, b) }
func (n *NEON) Sqrt(d, a V)        { n.op1("VFSQRT", d, a) }
func (n *NEON) Round(d, a V)       { n.op1("VFRINTN", d, a) }
func (n *NEON) ToInt(d, a V)       { n.op1("VFCVTNS", d, a) }
func (n *NEON) ToFloat(d, a V)     { n.op1("VSCVTF", d, a) }
func (n *NEON) And(d, a V, b Src)  { n.op2("VAND", false, d, a, b) }
func (n *NEON) Or(d, a V, b Src)   { n.op2("VORR", false, d, a, b) }
func (n *NEON) Xor(d, a V, b Src)  { n.op2("VEOR", false, d, a, b) }
func (n *NEON) OrAnd(d, a V, b Src) {
	t := n.V()
	n.And(t, a, b)
	n.Or(d, d, t)
}
func (n *NEON) AddInt(d, a V, b Src) { n.op2("VADD", false, d, a, b) }
func (n *NEON) MaxInt(d, a V, b Src) { n.op2("VSMAX", false, d, a, b) }

func (n *NEON) Horner(p, r V, c Src) V {
	q := n.V()
	n.Mov(q, c)
	n.FMA(q, p, r)
	return q
}

// less is a mask, all ones where a < b: FCMGT d = Rn > Rm with Rn = b, Rm = a.
func (n *NEON) less(a V, b Src) V {
	m := n.V()
	switch b := b.(type) {
	case V:
		for i := range m {
			n.Op("VFCMGT", false, a[i], b[i], m[i])
		}
	case Const:
		t := n.constant(b)
		for i := range m {
			n.Op("VFCMGT", false, a[i], t, m[i])
		}
	}
	return m
}

func (n *NEON) ZeroIfLess(d, a V, b Src) {
	m := n.less(a, b)
	for i := range d {
		n.Op("VBIC", false, m[i], d[i], d[i])
	}
}

func (n *NEON) SelectLess(d, a V, b, s Src) {
	m := n.less(a, b)
	switch s := s.(type) {
	case V:
		for i := range d {
			n.Op("VBIT", true, m[i], s[i], d[i])
		}
	case Const:
		t := n.constant(s)
		for i := range d {
			n.Op("VBIT", true, m[i], t, d[i])
		}
	}
}

func (n *NEON) SelectNaN(d, a, s V) {
	for i := range d {
		ordered := n.Vec()
		n.Op("VFCMEQ", false, a[i], a[i], ordered)
		n.Op("VBIF", true, ordered, s[i], d[i])
	}
}

func (n *NEON) shift(name string, d, a V, bits int) {
	for i := range d {
		instr(n.c, name, []operand.Op{operand.Imm(uint64(bits)), a[i], d[i]}, []operand.Op{a[i]}, d[i])
	}
}

func (n *NEON) Shl(d, a V, bits int) { n.shift("VSHL", d, a, bits) }
func (n *NEON) Shr(d, a V, bits int) { n.shift("VUSHR", d, a, bits) }
func (n *NEON) Sar(d, a V, bits int) { n.op1(fmt.Sprintf("VSSHR%d", bits), d, a) }

func (n *NEON) Load8(base GP, off int, d V) {
	t := n.Vec()
	n.LoadVec(base, off, t)
	for i, name := range []string{"VUXTL8H", "VUXTL2_8H"} {
		h := n.Vec()
		n.Op(name, false, t, h)
		n.Op("VUXTL4S", false, h, d[2*i])
		n.Op("VUXTL2_4S", false, h, d[2*i+1])
	}
}

func (n *NEON) Load16(base GP, off int, d V) {
	for i := 0; i < 2; i++ {
		t := n.Vec()
		n.LoadVec(base, off+16*i, t)
		n.Op("VUXTL4S", false, t, d[2*i])
		n.Op("VUXTL2_4S", false, t, d[2*i+1])
	}
}

func (n *NEON) Store16(s V, base GP, off int) { n.narrow16("VXTN4H", "VXTN2_8H", s, base, off) }

func (n *NEON) narrow16(low, high string, s V, base GP, off int) {
	for i := 0; i < 2; i++ {
		t := n.Vec()
		n.Op(low, false, s[2*i], t)
		n.Op(high, true, s[2*i+1], t)
		n.StoreVec(t, base, off+16*i)
	}
}

func (n *NEON) LoadF16(base GP, off int, d V) {
	for i := 0; i < 2; i++ {
		t := n.Vec()
		n.LoadVec(base, off+16*i, t)
		n.Op("VFCVTL", false, t, d[2*i])
		n.Op("VFCVTL2", false, t, d[2*i+1])
	}
}

func (n *NEON) StoreF16(s V, base GP, off int) { n.narrow16("VFCVTN", "VFCVTN2", s, base, off) }

func (n *NEON) StoreInt8(s V, base GP, off int) {
	var half [2]Vec
	for i := range half {
		half[i] = n.Vec()
		n.Op("VSQXTN4H", false, s[2*i], half[i])
		n.Op("VSQXTN2_8H", true, s[2*i+1], half[i])
	}
	t := n.Vec()
	n.Op("VSQXTN8B", false, half[0], t)
	n.Op("VSQXTN2_16B", true, half[1], t)
	n.StoreVec(t, base, off)
}

// fold is the tree i+8, i+4, i+2, i+1 over the lanes of all four registers.
func (n *NEON) fold(v V, op string) {
	n.Op(op, false, v[2], v[0], v[0])
	n.Op(op, false, v[3], v[1], v[1])
	n.Op(op, false, v[1], v[0], v[0])
	t := n.Vec()
	for _, bytes := range []uint64{8, 4} {
		instr(n.c, "VEXT", []operand.Op{operand.Imm(bytes), v[0], v[0], t}, []operand.Op{v[0]}, t)
		n.Op(op, false, t, v[0], v[0])
	}
	// After the step by 4 bytes only lane 0 holds the pair in every case: spread it.
	n.Op("VDUP0", false, v[0], v[0])
	for _, r := range v[1:] {
		n.Op("VMOV", false, v[0], r)
	}
}

func (n *NEON) SumLanes(v V) { n.fold(v, "VFADD") }
func (n *NEON) MaxLanes(v V) { n.fold(v, "VFMAX") }

func (n *NEON) MinLanes(v V) { n.fold(v, "VFMIN") }

func (n *NEON) MaxIntLanes(v V) { n.fold(v, "VSMAX") }

func (n *NEON) Prefetch(base GP, off int)    { n.prefetch("PRFM", base, off) }
func (n *NEON) PrefetchFar(base GP, off int) { n.prefetch("PRFM2", base, off) }

func (n *NEON) prefetch(name string, base GP, off int) {
	b := n.GP()
	n.op3("ADD", operand.I32(off), base, b)
	instr(n.c, name, []operand.Op{mem(b, 0)}, []operand.Op{mem(b, 0)})
}
