package vm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vexGolden is what GNU as 2.40 makes of "{vex} vpdpbusd %ymmB, %ymmA, %ymmD".
var vexGolden = []struct {
	b, a, d int
	bytes   string
}{
	{0, 0, 0, "c4 e2 7d 50 c0"},
	{1, 2, 3, "c4 e2 6d 50 d9"},
	{8, 0, 0, "c4 c2 7d 50 c0"},
	{0, 8, 0, "c4 e2 3d 50 c0"},
	{0, 0, 8, "c4 62 7d 50 c0"},
	{15, 14, 13, "c4 42 0d 50 ef"},
	{7, 9, 15, "c4 62 35 50 ff"},
}

func TestVEX(t *testing.T) {
	vector := func(i int) operand.Op { return reg.FamilyOfKind(reg.KindVector).Lookup(reg.Index(i), reg.S256) }
	for _, g := range vexGolden {
		fn := ir.NewFunction("f")
		fn.AddNode(&ir.Instruction{Opcode: vpdpbusdVEX, Operands: []operand.Op{vector(g.b), vector(g.a), vector(g.d)}})
		if err := encodeVEX(fn); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range fn.Instructions() {
			got = append(got, fmt.Sprintf("%02x", uint8(i.Operands[0].(operand.U8))))
		}
		if s := strings.Join(got, " "); s != g.bytes {
			t.Errorf("b=%d a=%d d=%d: %s, GNU as says %s", g.b, g.a, g.d, s, g.bytes)
		}
	}
}
