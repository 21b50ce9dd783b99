//go:build !purego

package kernels

import (
	"github.com/ladon-ml/ladon/internal/asm/avx2"
	"github.com/ladon-ml/ladon/internal/asm/avx512"
	"github.com/ladon-ml/ladon/internal/cpu"
)

// Operations of one round: multiply-adds as the comments of the assembly count
// them, twice.

func burnF32(n int) int64 {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.BurnFMA(n)
		return 2 * 768 * int64(n)
	case cpu.AVX2:
		avx2.BurnFMA(n)
		return 2 * 192 * int64(n)
	}
	return burnF32Generic(n)
}

func burnInt8(n int) int64 {
	set := cpu.Active()
	switch {
	case set.VNNI:
		avx512.BurnInt8(n)
		return 2 * 3072 * int64(n)
	case set.AVXVNNI:
		avx2.BurnInt8VNNI(n)
		return 2 * 768 * int64(n)
	case set.Tier == cpu.AVX512, set.Tier == cpu.AVX2:
		avx2.BurnInt8(n)
		return 2 * 384 * int64(n)
	}
	return burnInt8Generic(n)
}

func read(x []float32) (sink float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Read(&x[0], len(x), &sink)
	case cpu.AVX2:
		avx2.Read(&x[0], len(x), &sink)
	default:
		sink = readGeneric(x)
	}
	return sink
}
