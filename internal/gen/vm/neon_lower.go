package vm

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// arrangement is the suffix of registers in instructions that Go's assembler knows.
var arrangement = map[string]string{
	"VFMLA": ".S4", "VFMLS": ".S4", "VADD": ".S4", "VSUB": ".S4", "VSHL": ".S4", "VUSHR": ".S4", "VDUP": ".S4",
	"VMOV": ".B16", "VAND": ".B16", "VORR": ".B16", "VEOR": ".B16", "VBIT": ".B16", "VBIF": ".B16", "VEXT": ".B16",
}

type text string

func (t text) Asm() string { return string(t) }

func lowerOperand(op operand.Op, arr string) string {
	switch o := op.(type) {
	case reg.Physical:
		if o.Kind() == reg.KindGP {
			return fmt.Sprintf("R%d", o.PhysicalIndex())
		}
		return fmt.Sprintf("V%d%s", o.PhysicalIndex(), arr)
	case operand.Mem:
		if o.Symbol.Name != "" {
			return o.Asm()
		}
		r := fmt.Sprintf("(R%d)", o.Base.(reg.Physical).PhysicalIndex())
		if o.Disp != 0 {
			return fmt.Sprintf("%d%s", o.Disp, r)
		}
		return r
	default:
		return o.Asm()
	}
}

// lowerNEON turns the instructions above into what Go's assembler takes.
func lowerNEON(fn *ir.Function) error {
	for _, node := range fn.Nodes {
		i, ok := node.(*ir.Instruction)
		if !ok || i.IsBranch {
			continue
		}
		if w, ok := encodeNEON(i); ok {
			var names []string
			for _, o := range i.Operands {
				names = append(names, lowerOperand(o, ""))
			}
			i.Operands = []operand.Op{text(fmt.Sprintf("$0x%08X // %s %s", w, i.Opcode, strings.Join(names, ", ")))}
			i.Opcode = "WORD"
			continue
		}
		o := i.Operands
		switch i.Opcode {
		case "VLD1LANE":
			lane := fmt.Sprintf("[%d]", o[2].(operand.U8))
			i.Opcode, i.Operands = "VLD1", []operand.Op{text(lowerOperand(o[0], "")), text(lowerOperand(o[1], ".S") + lane)}
		case "VST1LANE":
			lane := fmt.Sprintf("[%d]", o[2].(operand.U8))
			i.Opcode, i.Operands = "VST1", []operand.Op{text(lowerOperand(o[0], ".S") + lane), text(lowerOperand(o[1], ""))}
		case "VZIP1S4", "VZIP2S4", "VZIP1D2", "VZIP2D2":
			arr := "." + i.Opcode[5:]
			i.Opcode = i.Opcode[:5]
			for k, p := range o {
				i.Operands[k] = text(lowerOperand(p, arr))
			}
		case "PRFM", "PRFM2":
			level := map[string]text{"PRFM": "PLDL1KEEP", "PRFM2": "PLDL2KEEP"}[i.Opcode]
			i.Opcode, i.Operands = "PRFM", []operand.Op{text(lowerOperand(o[0], "")), level}
		case "VDUP0":
			i.Opcode, i.Operands = "VDUP", []operand.Op{text(lowerOperand(o[0], ".S[0]")), text(lowerOperand(o[1], ".S4"))}
		default:
			arr := arrangement[i.Opcode]
			for k, p := range o {
				s := lowerOperand(p, arr)
				if (i.Opcode == "FMOVQ" || i.Opcode == "FMOVD") && s[0] == 'V' {
					s = "F" + s[1:]
				}
				if i.Opcode == "VDUP" && s[0] == 'R' {
					s = lowerOperand(p, "")
				}
				i.Operands[k] = text(s)
			}
		}
	}
	return nil
}
