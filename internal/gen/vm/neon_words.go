package vm

import (
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// neonWord is an A64 instruction that Go's assembler lacks: base | Rm<<16 | Rn<<5 | Rd, with operands Rm, Rn, Rd
// in Go's order, or Rn, Rd where there are two. gas is its GNU syntax, for the test that asks GNU as.
type neonWord struct {
	base  uint32
	count int
	gas   string
}

var neonWords = map[string]neonWord{
	"VFADD":       {0x4E20D400, 3, "fadd v%d.4s,v%d.4s,v%d.4s"},
	"VFSUB":       {0x4EA0D400, 3, "fsub v%d.4s,v%d.4s,v%d.4s"},
	"VFMUL":       {0x6E20DC00, 3, "fmul v%d.4s,v%d.4s,v%d.4s"},
	"VFDIV":       {0x6E20FC00, 3, "fdiv v%d.4s,v%d.4s,v%d.4s"},
	"VFMAX":       {0x4E20F400, 3, "fmax v%d.4s,v%d.4s,v%d.4s"},
	"VFMIN":       {0x4EA0F400, 3, "fmin v%d.4s,v%d.4s,v%d.4s"},
	"VFCMGT":      {0x6EA0E400, 3, "fcmgt v%d.4s,v%d.4s,v%d.4s"},
	"VFCMEQ":      {0x4E20E400, 3, "fcmeq v%d.4s,v%d.4s,v%d.4s"},
	"VSMAX":       {0x4EA06400, 3, "smax v%d.4s,v%d.4s,v%d.4s"},
	"VMLA":        {0x4EA09400, 3, "mla v%d.4s,v%d.4s,v%d.4s"},
	"VSSHR1":      {0x4F3F0400, 2, "sshr v%d.4s,v%d.4s,#1"},
	"VSSHR2":      {0x4F3E0400, 2, "sshr v%d.4s,v%d.4s,#2"},
	"VSSHR24":     {0x4F280400, 2, "sshr v%d.4s,v%d.4s,#24"},
	"VMLS":        {0x6EA09400, 3, "mls v%d.4s,v%d.4s,v%d.4s"},
	"VBIC":        {0x4E601C00, 3, "bic v%d.16b,v%d.16b,v%d.16b"},
	"VFSQRT":      {0x6EA1F800, 2, "fsqrt v%d.4s,v%d.4s"},
	"VFRINTN":     {0x4E218800, 2, "frintn v%d.4s,v%d.4s"},
	"VFCVTNS":     {0x4E21A800, 2, "fcvtns v%d.4s,v%d.4s"},
	"VSCVTF":      {0x4E21D800, 2, "scvtf v%d.4s,v%d.4s"},
	"VFCVTL":      {0x0E217800, 2, "fcvtl v%d.4s,v%d.4h"},
	"VFCVTL2":     {0x4E217800, 2, "fcvtl2 v%d.4s,v%d.8h"},
	"VFCVTN":      {0x0E216800, 2, "fcvtn v%d.4h,v%d.4s"},
	"VFCVTN2":     {0x4E216800, 2, "fcvtn2 v%d.8h,v%d.4s"},
	"VUXTL8H":     {0x2F08A400, 2, "uxtl v%d.8h,v%d.8b"},
	"VUXTL2_8H":   {0x6F08A400, 2, "uxtl2 v%d.8h,v%d.16b"},
	"VUXTL4S":     {0x2F10A400, 2, "uxtl v%d.4s,v%d.4h"},
	"VUXTL2_4S":   {0x6F10A400, 2, "uxtl2 v%d.4s,v%d.8h"},
	"VXTN4H":      {0x0E612800, 2, "xtn v%d.4h,v%d.4s"},
	"VXTN2_8H":    {0x4E612800, 2, "xtn2 v%d.8h,v%d.4s"},
	"VSQXTN4H":    {0x0E614800, 2, "sqxtn v%d.4h,v%d.4s"},
	"VSQXTN2_8H":  {0x4E614800, 2, "sqxtn2 v%d.8h,v%d.4s"},
	"VSQXTN8B":    {0x0E214800, 2, "sqxtn v%d.8b,v%d.8h"},
	"VSQXTN2_16B": {0x4E214800, 2, "sqxtn2 v%d.16b,v%d.8h"},
}

// neonElements are by-element forms: base | (i&1)<<21 | (i>>1)<<11 | Rm<<16 | Rn<<5 | Rd, Rm the register of the
// element, operands Rm, Rn, Rd, i.
var neonElements = map[string]neonWord{
	"VFMLAe": {0x4F801000, 3, "fmla v%d.4s,v%d.4s,v%d.s[%d]"},
	"VSDOTe": {0x4F80E000, 3, "sdot v%d.4s,v%d.16b,v%d.4b[%d]"},
}

// encodeNEON gives the word of an instruction in the tables above.
func encodeNEON(i *ir.Instruction) (uint32, bool) {
	index := func(k int) uint32 { return uint32(i.Operands[k].(reg.Physical).PhysicalIndex()) }
	if w, ok := neonWords[i.Opcode]; ok {
		if w.count == 3 {
			return w.base | index(0)<<16 | index(1)<<5 | index(2), true
		}
		return w.base | index(0)<<5 | index(1), true
	}
	if w, ok := neonElements[i.Opcode]; ok {
		e := uint32(i.Operands[3].(operand.U8))
		return w.base | (e&1)<<21 | (e>>1)<<11 | index(0)<<16 | index(1)<<5 | index(2), true
	}
	return 0, false
}
