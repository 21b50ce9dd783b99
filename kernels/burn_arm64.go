//go:build !purego

package kernels

import (
	"github.com/ladon-ml/ladon/internal/asm/neon"
	"github.com/ladon-ml/ladon/internal/cpu"
)

// Operations of one round: multiply-adds as the comments of the assembly count
// them, twice.

func burnF32(n int) int64 {
	if cpu.Active().Tier == cpu.NEON {
		neon.BurnFMA(n)
		return 2 * 128 * int64(n)
	}
	return burnF32Generic(n)
}

func burnInt8(n int) int64 {
	if cpu.Active().DotProd {
		neon.BurnInt8(n)
		return 2 * 512 * int64(n)
	}
	return burnInt8Generic(n)
}

func read(x []float32) (sink float32) {
	if cpu.Active().Tier == cpu.NEON {
		neon.Read(&x[0], len(x), &sink)
		return sink
	}
	return readGeneric(x)
}
