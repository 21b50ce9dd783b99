package vm

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vpdpbusdVEX is VPDPBUSD in its VEX form (AVX-VNNI). Go's assembler knows only the EVEX form.
const vpdpbusdVEX = "VPDPBUSD_VEX"

// VPDPBUSDVEX emits d += dot4(u8 a, s8 b) per 32-bit lane of YMM registers, as AVX-VNNI encodes it.
func VPDPBUSDVEX(c *build.Context, b, a, d Vec) {
	c.Instruction(&ir.Instruction{
		Opcode:   vpdpbusdVEX,
		Operands: []operand.Op{b, a, d},
		Inputs:   []operand.Op{b, a, d},
		Outputs:  []operand.Op{d},
		ISA:      []string{"AVXVNNI"},
	})
}

// encodeVEX replaces vpdpbusdVEX by its bytes: VEX.256.66.0F38.W0 50 /r (Intel SDM, volume 2, VPDPBUSD).
func encodeVEX(fn *ir.Function) error {
	var out []ir.Node
	for _, n := range fn.Nodes {
		i, ok := n.(*ir.Instruction)
		if !ok || i.Opcode != vpdpbusdVEX {
			out = append(out, n)
			continue
		}
		var names []string
		for _, o := range i.Operands {
			names = append(names, o.Asm())
		}
		index := func(k int) byte { return byte(i.Operands[k].(reg.Physical).PhysicalIndex()) }
		rm, vvvv, r := index(0), index(1), index(2)
		if rm > 15 || vvvv > 15 || r > 15 {
			return fmt.Errorf("%s: VEX cannot name register 16 and above", fn.Name)
		}
		out = append(out, ir.NewComment("VPDPBUSD "+strings.Join(names, ", ")+" (VEX)"))
		for _, b := range []byte{
			0xC4,
			(^r>>3&1)<<7 | 1<<6 | (^rm>>3&1)<<5 | 2, // R̄ X̄ B̄, map 0F38
			(^vvvv&15)<<3 | 1<<2 | 1,                // W0, vvvv, 256 bits, prefix 66
			0x50,
			0xC0 | r&7<<3 | rm&7,
		} {
			out = append(out, &ir.Instruction{Opcode: "BYTE", Operands: []operand.Op{operand.U8(b)}})
		}
	}
	fn.Nodes = out
	return nil
}
