package vm

import (
	"fmt"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/reg"
)

// allocate is avo's register allocation restricted to the first vectors vector registers and without BP.
// avo's own hands registers 16 to 31 to functions meant for AVX2 once 16 do not suffice: the assembler then
// emits EVEX silently, an illegal instruction on the CPUs that the function is for.
func allocate(vectors reg.Index) func(*ir.Function) error {
	return func(fn *ir.Function) error {
		allocators := map[reg.Kind]*pass.Allocator{}
		for _, kind := range []reg.Kind{reg.KindGP, reg.KindVector, reg.KindOpmask} {
			var usable []reg.Physical
			for _, r := range reg.FamilyOfKind(kind).Registers() {
				if (kind == reg.KindVector && r.PhysicalIndex() >= vectors) || r.Info()&reg.BasePointer != 0 {
					continue
				}
				usable = append(usable, r)
			}
			a, err := pass.NewAllocator(usable)
			if err != nil {
				return err
			}
			allocators[kind] = a
		}
		for _, i := range fn.Instructions() {
			for _, r := range i.Registers() {
				if a := allocators[r.Kind()]; a != nil {
					a.Add(r.ID())
				}
			}
		}
		for _, i := range fn.Instructions() {
			for _, d := range i.OutputRegisters() {
				if a := allocators[d.Kind()]; a != nil {
					live := i.LiveOut.OfKind(d.Kind())
					live.DiscardRegister(d)
					a.AddInterferenceSet(d, live)
				}
			}
		}
		fn.Allocation = reg.NewEmptyAllocation()
		for kind, a := range allocators {
			al, err := a.Allocate()
			if err != nil {
				return fmt.Errorf("%s: registers of kind %d: %w", fn.Name, kind, err)
			}
			if err := fn.Allocation.Merge(al); err != nil {
				return err
			}
		}
		return nil
	}
}

// wide tells whether a function is for AVX-512: it uses a ZMM register or an opmask.
func wide(fn *ir.Function) bool {
	for _, i := range fn.Instructions() {
		for _, r := range i.Registers() {
			if r.Kind() == reg.KindOpmask || (r.Kind() == reg.KindVector && r.Size() == 64) {
				return true
			}
		}
	}
	return false
}

// CompileX86 is avo's pass.Compile with the allocator above and the encoding of what Go's assembler lacks.
var CompileX86 = pass.Concat(
	pass.Verify,
	pass.FunctionPass(pass.PruneJumpToFollowingLabel),
	pass.FunctionPass(pass.PruneDanglingLabels),
	pass.FunctionPass(pass.LabelTarget),
	pass.FunctionPass(pass.CFG),
	pass.InstructionPass(pass.ZeroExtend32BitOutputs),
	pass.FunctionPass(pass.Liveness),
	pass.FunctionPass(func(fn *ir.Function) error {
		if wide(fn) {
			return allocate(32)(fn)
		}
		return allocate(16)(fn)
	}),
	pass.FunctionPass(pass.BindRegisters),
	pass.FunctionPass(pass.VerifyAllocation),
	pass.Func(pass.IncludeTextFlagHeader),
	pass.FunctionPass(pass.PruneSelfMoves),
	pass.FunctionPass(pass.RequiredISAExtensions),
	pass.FunctionPass(encodeVEX),
)

// CompileNEON is the same for arm64, with the lowering of neon.go in place of the steps that are x86's.
var CompileNEON = pass.Concat(
	pass.Verify,
	pass.FunctionPass(pass.PruneJumpToFollowingLabel),
	pass.FunctionPass(pass.PruneDanglingLabels),
	pass.FunctionPass(pass.LabelTarget),
	pass.FunctionPass(pass.CFG),
	pass.FunctionPass(pass.Liveness),
	pass.FunctionPass(allocate(32)),
	pass.FunctionPass(pass.BindRegisters),
	pass.FunctionPass(pass.VerifyAllocation),
	pass.Func(pass.IncludeTextFlagHeader),
	pass.FunctionPass(lowerNEON),
)
