// Package vm is the abstract vector machine that kernels are described on.
//
// A value, V, has sixteen 32-bit lanes on every machine: one ZMM register of AVX-512, two YMM registers of
// AVX2, four vector registers of NEON. Since lanes, order of operations and reduction trees are the same
// everywhere, a kernel described once gives the same bits on every instruction set.
//
// Code is built as avo's intermediate form, with avo's register allocator, for x86 and for arm64 alike; see
// neon.go for how the latter is done.
package vm

import (
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type (
	// Vec is one virtual vector register.
	Vec = reg.VecVirtual
	// GP is one virtual 64-bit general register.
	GP = reg.GPVirtual
)

// Lanes is the number of 32-bit lanes of a V.
const Lanes = 16

// V is a value of sixteen lanes: one, two or four registers.
type V []Vec

// Const is a 32-bit constant, the same in every lane.
type Const uint32

// Src is a last source operand: a V or a Const.
type Src interface{}

// Cond is a condition of a jump on a general register compared with zero.
type Cond string

// The conditions of SubJump.
const (
	LT Cond = "LT"
	GE Cond = "GE"
	EQ Cond = "EQ"
	NE Cond = "NE"
)

// Machine emits the instructions of one instruction set. Destinations come first; a destination may be any
// of its sources. Floating-point operations are single precision, rounded to nearest even.
type Machine interface {
	Package() string // "avx2", "avx512", "neon"
	Ctx() *build.Context

	Param(name string) GP
	SetParam(name string, r GP)   // what Param gives from here on
	BroadcastParam(name string) V // a float32 or 4-byte parameter in all lanes
	GP() GP
	MovR(d, s GP)
	SetR(d GP, imm int)
	AddR(d, s GP)
	SubR(d, s GP)
	AddI(d GP, imm int)
	ShlR(d GP, bits int)
	SubJump(r GP, imm int, cond Cond, label string) // r -= imm, then jump if r cond 0
	JumpAnyLess(a, b V, label string)               // jump if a < b in any lane; NaN is not less
	Jump(label string)
	Label(name string)
	Ret()

	V() V
	Splat(c Const) V // a V of its own, to be changed
	Fixed(c Const) V // one register in every place: only to be read
	Mov(d V, s Src)
	Load(base GP, off int, d V)
	Store(s V, base GP, off int)
	Broadcast(base GP, off int, d V) // every lane = the 4 bytes at base+off
	StoreLane0(s V, base GP, off int)
	// LoadTail loads lanes 0…rem-1 and takes the others from fill; 0 < rem < Lanes. Memory past rem is not read.
	LoadTail(base, rem GP, fill Src, d V)
	StoreTail(s V, base, rem GP)

	Add(d, a V, b Src)
	Sub(d, a V, b Src) // a - b
	Mul(d, a V, b Src)
	Div(d, a V, b Src) // a / b
	Max(d, a V, b Src) // a > b ? a : b, so b where either is NaN on x86
	Min(d, a V, b Src)
	Sqrt(d, a V)
	FMA(d, a V, b Src)           // d += a*b, one rounding
	FNMA(d, a V, b Src)          // d -= a*b, one rounding
	Horner(p, r V, c Src) V      // p*r + c, one rounding; p is lost
	Round(d, a V)                // to integral, nearest even
	ZeroIfLess(d, a V, b Src)    // d = a < b ? 0 : d; NaN is not less
	SelectLess(d, a V, b, x Src) // d = a < b ? x : d
	SelectNaN(d, a, x V)         // d = a is NaN ? x : d

	And(d, a V, b Src)
	Or(d, a V, b Src)
	Xor(d, a V, b Src)
	OrAnd(d, a V, b Src) // d |= a & b
	AddInt(d, a V, b Src)
	MaxInt(d, a V, b Src)
	Shl(d, a V, bits int)
	Shr(d, a V, bits int) // logical
	Sar(d, a V, bits int) // arithmetic
	ToInt(d, a V)         // nearest even
	ToFloat(d, a V)

	Load8(base GP, off int, d V)    // zero-extend 16 × 8 bits
	Load16(base GP, off int, d V)   // zero-extend 16 × 16 bits
	Store16(s V, base GP, off int)  // keep the low 16 bits of each lane; they must be below 2^16
	LoadF16(base GP, off int, d V)  // 16 half floats
	StoreF16(s V, base GP, off int) // nearest even
	StoreInt8(s V, base GP, off int)
	SumLanes(v V) // every lane = the sum, by the tree i+8, i+4, i+2, i+1
	MaxLanes(v V)
	MinLanes(v V)
	MaxIntLanes(v V)
	Prefetch(base GP, off int)
	PrefetchFar(base GP, off int) // into the second cache
}

// Function begins a kernel. The doc is its contract; the signature is Go's, without "func".
func Function(m Machine, name, sig, doc string) {
	c := m.Ctx()
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(strings.Split(doc, "\n")...)
	c.SignatureExpr("func(" + sig + ")")
}

// Loop runs full for each whole V of n elements and tail for the remaining 1…15. It advances every pointer by
// its element size in bytes times sixteen after full. n and the pointers are consumed.
func Loop(m Machine, id string, n GP, ptrs []GP, sizes []int, full func(), tail func(rem GP)) {
	m.SubJump(n, Lanes, LT, id+"Tail")
	m.Label(id + "Loop")
	full()
	for i, p := range ptrs {
		m.AddI(p, Lanes*sizes[i])
	}
	m.SubJump(n, Lanes, GE, id+"Loop")
	m.Label(id + "Tail")
	if tail != nil {
		m.AddI(n, Lanes)
		m.SubJump(n, 0, EQ, id+"Done")
		tail(n)
		m.Label(id + "Done")
	}
}

func mem(b GP, off int) operand.Mem { return operand.Mem{Base: b, Disp: off} }

// instr appends an instruction that avo has no constructor for.
func instr(c *build.Context, name string, operands, in []operand.Op, out ...operand.Op) {
	c.Instruction(&ir.Instruction{Opcode: name, Operands: operands, Inputs: in, Outputs: out})
}
