//go:build !purego

package kernels

import (
	"unsafe"

	"github.com/ladon-ml/ladon/internal/asm/avx2"
	"github.com/ladon-ml/ladon/internal/asm/avx512"
	"github.com/ladon-ml/ladon/internal/cpu"
)

// Each operation runs the assembly of the active tier, or its portable twin
// where there is none. The calls are direct: through a table of functions a
// caller's buffer on the stack would move to the heap. Slices are not empty.
// Operations on narrow types leave what is over a multiple of 16 to the twin,
// which gives the same bits.

func exp(dst, src []float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Exp(&dst[0], &src[0], len(src))
	case cpu.AVX2:
		avx2.Exp(&dst[0], &src[0], len(src))
	default:
		expGeneric(dst, src)
	}
}

func softmax(dst, src []float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Softmax(&dst[0], &src[0], len(src))
	case cpu.AVX2:
		avx2.Softmax(&dst[0], &src[0], len(src))
	default:
		softmaxGeneric(dst, src)
	}
}

func layerNorm(dst, x, weight, bias []float32, eps float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.LayerNorm(&dst[0], &x[0], &weight[0], unsafe.SliceData(bias), len(x), float32(len(x)), eps)
	case cpu.AVX2:
		avx2.LayerNorm(&dst[0], &x[0], &weight[0], unsafe.SliceData(bias), len(x), float32(len(x)), eps)
	default:
		layerNormGeneric(dst, x, weight, bias, eps)
	}
}

func rmsNorm(dst, x, weight []float32, eps float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.RMSNorm(&dst[0], &x[0], &weight[0], len(x), float32(len(x)), eps)
	case cpu.AVX2:
		avx2.RMSNorm(&dst[0], &x[0], &weight[0], len(x), float32(len(x)), eps)
	default:
		rmsNormGeneric(dst, x, weight, eps)
	}
}

func add(dst, x, y []float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Add(&dst[0], &x[0], &y[0], len(dst))
	case cpu.AVX2:
		avx2.Add(&dst[0], &x[0], &y[0], len(dst))
	default:
		addGeneric(dst, x, y)
	}
}

func mul(dst, x, y []float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Mul(&dst[0], &x[0], &y[0], len(dst))
	case cpu.AVX2:
		avx2.Mul(&dst[0], &x[0], &y[0], len(dst))
	default:
		mulGeneric(dst, x, y)
	}
}

func scale(dst, x []float32, s float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Scale(&dst[0], &x[0], len(dst), s)
	case cpu.AVX2:
		avx2.Scale(&dst[0], &x[0], len(dst), s)
	default:
		scaleGeneric(dst, x, s)
	}
}

func dot(x, y []float32) (r float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Dot(&x[0], &y[0], len(x), &r)
	case cpu.AVX2:
		avx2.Dot(&x[0], &y[0], len(x), &r)
	default:
		r = dotGeneric(x, y)
	}
	return r
}

func absMax(x []float32) (r float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.AbsMax(&x[0], len(x), &r)
	case cpu.AVX2:
		avx2.AbsMax(&x[0], len(x), &r)
	default:
		r = absMaxGeneric(x)
	}
	return r
}

func gelu(x []float32, rows, n, ld int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.GELU(&x[0], 4*ld, rows, n)
	case cpu.AVX2:
		avx2.GELU(&x[0], 4*ld, rows, n)
	default:
		geluGeneric(x, rows, n, ld)
	}
}

func geluTanh(x []float32, rows, n, ld int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.GELUTanh(&x[0], 4*ld, rows, n)
	case cpu.AVX2:
		avx2.GELUTanh(&x[0], 4*ld, rows, n)
	default:
		geluTanhGeneric(x, rows, n, ld)
	}
}

func relu(x []float32, rows, n, ld int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.ReLU(&x[0], 4*ld, rows, n)
	case cpu.AVX2:
		avx2.ReLU(&x[0], 4*ld, rows, n)
	default:
		reluGeneric(x, rows, n, ld)
	}
}

func silu(x []float32, rows, n, ld int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.SiLU(&x[0], 4*ld, rows, n)
	case cpu.AVX2:
		avx2.SiLU(&x[0], 4*ld, rows, n)
	default:
		siluGeneric(x, rows, n, ld)
	}
}

func tanh(x []float32, rows, n, ld int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Tanh(&x[0], 4*ld, rows, n)
	case cpu.AVX2:
		avx2.Tanh(&x[0], 4*ld, rows, n)
	default:
		tanhGeneric(x, rows, n, ld)
	}
}

func quickGELU(x []float32, rows, n, ld int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.QuickGELU(&x[0], 4*ld, rows, n)
	case cpu.AVX2:
		avx2.QuickGELU(&x[0], 4*ld, rows, n)
	default:
		quickGELUGeneric(x, rows, n, ld)
	}
}

func f16ToF32(dst []float32, src []uint16) {
	n := 0
	if whole := len(src) &^ 15; whole > 0 {
		switch cpu.Active().Tier {
		case cpu.AVX512:
			n = whole
			avx512.F16ToF32(&dst[0], &src[0], n)
		case cpu.AVX2:
			n = whole
			avx2.F16ToF32(&dst[0], &src[0], n)
		}
	}
	f16ToF32Generic(dst[n:], src[n:])
}

func int8ToF32(dst []float32, src []int8, scale float32) {
	n := 0
	if whole := len(src) &^ 15; whole > 0 {
		switch cpu.Active().Tier {
		case cpu.AVX512:
			n = whole
			avx512.Int8ToF32(&dst[0], &src[0], n, scale)
		case cpu.AVX2:
			n = whole
			avx2.Int8ToF32(&dst[0], &src[0], n, scale)
		}
	}
	int8ToF32Generic(dst[n:], src[n:], scale)
}

func f32ToF16(dst []uint16, src []float32) {
	n := 0
	if whole := len(src) &^ 15; whole > 0 {
		switch cpu.Active().Tier {
		case cpu.AVX512:
			n = whole
			avx512.F32ToF16(&dst[0], &src[0], n)
		case cpu.AVX2:
			n = whole
			avx2.F32ToF16(&dst[0], &src[0], n)
		}
	}
	f32ToF16Generic(dst[n:], src[n:])
}

func bf16ToF32(dst []float32, src []uint16) {
	n := 0
	if whole := len(src) &^ 15; whole > 0 {
		switch cpu.Active().Tier {
		case cpu.AVX512:
			n = whole
			avx512.BF16ToF32(&dst[0], &src[0], n)
		case cpu.AVX2:
			n = whole
			avx2.BF16ToF32(&dst[0], &src[0], n)
		}
	}
	bf16ToF32Generic(dst[n:], src[n:])
}

func f32ToBF16(dst []uint16, src []float32) {
	n := 0
	if whole := len(src) &^ 15; whole > 0 {
		switch cpu.Active().Tier {
		case cpu.AVX512:
			n = whole
			avx512.F32ToBF16(&dst[0], &src[0], n)
		case cpu.AVX2:
			n = whole
			avx2.F32ToBF16(&dst[0], &src[0], n)
		}
	}
	f32ToBF16Generic(dst[n:], src[n:])
}

func quantise(dst []int8, src []float32, inv, zero float32, flip uint32) {
	n := 0
	if whole := len(src) &^ 15; whole > 0 {
		switch cpu.Active().Tier {
		case cpu.AVX512:
			n = whole
			avx512.Quantise(&dst[0], &src[0], n, inv, zero, flip)
		case cpu.AVX2:
			n = whole
			avx2.Quantise(&dst[0], &src[0], n, inv, zero, flip)
		}
	}
	quantiseGeneric(dst[n:], src[n:], inv, zero, flip)
}

func valueRange(x []float32) (low, high float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.ValueRange(&x[0], len(x), &low, &high)
	case cpu.AVX2:
		avx2.ValueRange(&x[0], len(x), &low, &high)
	default:
		return rangeGeneric(x)
	}
	return low, high
}

func addStrip(x []float32, ldx int, y []float32, ldy, rows, n int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.AddStrip(&x[0], 4*ldx, &y[0], 4*ldy, rows, n)
	case cpu.AVX2:
		avx2.AddStrip(&x[0], 4*ldx, &y[0], 4*ldy, rows, n)
	default:
		addStripGeneric(x, ldx, y, ldy, rows, n)
	}
}

func mulStrip(x []float32, ldx int, y []float32, ldy, rows, n int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.MulStrip(&x[0], 4*ldx, &y[0], 4*ldy, rows, n)
	case cpu.AVX2:
		avx2.MulStrip(&x[0], 4*ldx, &y[0], 4*ldy, rows, n)
	default:
		mulStripGeneric(x, ldx, y, ldy, rows, n)
	}
}

func rotate(x []float32, ld, rows, half int, cos, sin []float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Rotate(&x[0], 4*ld, rows, half, &cos[0], &sin[0])
	case cpu.AVX2:
		avx2.Rotate(&x[0], 4*ld, rows, half, &cos[0], &sin[0])
	default:
		rotateGeneric(x, ld, rows, half, cos, sin)
	}
}

func expand4(dst, src *uint8, n int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Expand4(dst, src, n)
	case cpu.AVX2:
		avx2.Expand4(dst, src, n)
	default:
		expand4Generic(dst, src, n)
	}
}

func expand5(dst, src *uint8, n int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Expand5(dst, src, n)
	case cpu.AVX2:
		avx2.Expand5(dst, src, n)
	default:
		expand5Generic(dst, src, n)
	}
}

func expand6(dst, src *uint8, n int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.Expand6(dst, src, n)
	case cpu.AVX2:
		avx2.Expand6(dst, src, n)
	default:
		expand6Generic(dst, src, n)
	}
}

func quantiseBlocks(dst *uint8, src []float32, n int, factor float32) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.QuantiseBlocks(dst, &src[0], n, factor)
	case cpu.AVX2:
		avx2.QuantiseBlocks(dst, &src[0], n, factor)
	default:
		quantiseBlocksGeneric(dst, src, n, factor)
	}
}

func quantiseSuper(dst *uint8, src []float32, n int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.QuantiseSuper(dst, &src[0], n)
	case cpu.AVX2:
		avx2.QuantiseSuper(dst, &src[0], n)
	default:
		quantiseSuperGeneric(dst, src, n)
	}
}

func quantiseSuperHalves(dst *uint8, src []float32, n int) {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		avx512.QuantiseSuperHalves(dst, &src[0], n)
	case cpu.AVX2:
		avx2.QuantiseSuperHalves(dst, &src[0], n)
	default:
		quantiseSuperHalvesGeneric(dst, src, n)
	}
}
