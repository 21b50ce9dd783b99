//go:build !purego

package cpu

import "github.com/klauspost/cpuid/v2"

// detect takes NEON for granted, as Go itself does on arm64. Dot products come
// from the auxiliary vector on linux and from sysctl on darwin; where neither
// exists they are taken as absent.
func detect() Set {
	return Set{Tier: NEON, DotProd: cpuid.CPU.Supports(cpuid.ASIMDDP)}
}
