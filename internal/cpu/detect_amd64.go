//go:build !purego

package cpu

import "github.com/klauspost/cpuid/v2"

// detect asks cpuid, which reports AVX and AVX-512 only where the operating
// system saves the wide registers (XGETBV; on darwin, which enables AVX-512
// state on first use, a system call).
func detect() Set {
	c := &cpuid.CPU
	if !c.Supports(cpuid.AVX, cpuid.AVX2, cpuid.FMA3, cpuid.F16C) {
		return Set{}
	}
	s := Set{Tier: AVX2, AVXVNNI: c.Supports(cpuid.AVXVNNI)}
	if c.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL) {
		s.Tier = AVX512
		s.VNNI = c.Supports(cpuid.AVX512VNNI)
	}
	return s
}
