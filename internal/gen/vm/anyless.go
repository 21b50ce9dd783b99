package vm

import "github.com/mmcloughlin/avo/operand"

// JumpAnyLess jumps to label where a < b in any lane; NaN is not less.
func (x *X86) JumpAnyLess(a, b V, label string) {
	if x.bits == 512 {
		k := x.compare512(cmpLess, a[0], b)
		x.c.KORTESTW(k, k)
	} else {
		m, t := x.compare256(cmpLess, 0, a[0], b), x.c.GP32()
		x.c.VORPS(x.compare256(cmpLess, 1, a[1], b), m, m)
		x.c.VMOVMSKPS(m, t)
		x.c.TESTL(t, t)
	}
	x.c.JNE(operand.LabelRef(label))
}

// JumpAnyLess jumps to label where a < b in any lane; NaN is not less.
func (n *NEON) JumpAnyLess(a, b V, label string) {
	m := n.less(a, b)
	for i := 1; i < len(m); i++ {
		n.Op("VORR", false, m[i], m[0], m[0])
	}
	t, r := n.Vec(), n.GP()
	instr(n.c, "VEXT", []operand.Op{operand.Imm(8), m[0], m[0], t}, []operand.Op{m[0]}, t)
	n.Op("VORR", false, t, m[0], m[0])
	instr(n.c, "FMOVD", []operand.Op{m[0], r}, []operand.Op{m[0]}, r)
	instr(n.c, "CMP", []operand.Op{operand.Imm(0), r}, []operand.Op{r})
	n.branch("NE", label)
}
