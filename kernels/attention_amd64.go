//go:build !purego

package kernels

import (
	"github.com/ladon-ml/ladon/internal/asm/avx2"
	"github.com/ladon-ml/ladon/internal/asm/avx512"
	"github.com/ladon-ml/ladon/internal/cpu"
)

// attention is the configuration of the active set.
func attention() *attentionConfig {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		return &attentionAVX512
	case cpu.AVX2:
		return &attentionAVX2
	}
	return &attentionGeneric
}

var attentionAVX512 = attentionConfig{
	name:        "avx512 32 queries",
	lanes:       2 * panelWidth,
	valuePanels: 2,
	values1:     []valueTile{nil, avx512.Values1x16, avx512.Values2x16, avx512.Values3x16, avx512.Values4x16, avx512.Values5x16, avx512.Values6x16, avx512.Values7x16, avx512.Values8x16, avx512.Values9x16, avx512.Values10x16, avx512.Values11x16, avx512.Values12x16, avx512.Values13x16, avx512.Values14x16},
	values2:     []valueTile{nil, avx512.Values1x32, avx512.Values2x32, avx512.Values3x32, avx512.Values4x32, avx512.Values5x32, avx512.Values6x32, avx512.Values7x32, avx512.Values8x32, avx512.Values9x32, avx512.Values10x32, avx512.Values11x32, avx512.Values12x32, avx512.Values13x32, avx512.Values14x32},
	values4:     []valueTile{nil, avx512.Values1x64, avx512.Values2x64, avx512.Values3x64, avx512.Values4x64, avx512.Values5x64, avx512.Values6x64},
	softmax: func(keys, lanes int, s, rowMax, rowSum, alpha, final *float32) {
		if lanes == panelWidth {
			avx512.SoftmaxTile16(keys, s, rowMax, rowSum, alpha, final)
			return
		}
		avx512.SoftmaxTile32(keys, s, rowMax, rowSum, alpha, final)
	},
	scoresRow: avx512.ScoresRow,
	valuesRow: avx512.ValuesRow,
	transpose: func(dst []float32, ldd int, src []float32, ld, dim int, scale float32) {
		if n := dim / panelWidth; n > 0 {
			avx512.Transpose16(n, &src[0], 4*ld, &dst[0], 4*ldd, scale)
		}
		transposeTail(dst, ldd, src, ld, dim, scale)
	},
	keptConfig: keptConfig{weighLanes: avx512.WeighLanes, groupLanes: avx512.GroupLanes, topLanes: avx512.TopLanes, massLanes: avx512.MassLanes, spreadLanes: avx512.SpreadLanes, nearLanes: avx512.NearLanes},
}

var attentionAVX2 = attentionConfig{
	name:        "avx2 16 queries",
	lanes:       panelWidth,
	valuePanels: 1,
	values1:     []valueTile{nil, avx2.Values1x16, avx2.Values2x16, avx2.Values3x16, avx2.Values4x16, avx2.Values5x16, avx2.Values6x16},
	softmax: func(keys, lanes int, s, rowMax, rowSum, alpha, final *float32) {
		avx2.SoftmaxTile16(keys, s, rowMax, rowSum, alpha, final)
	},
	scoresRow: avx2.ScoresRow,
	valuesRow: avx2.ValuesRow,
	transpose: func(dst []float32, ldd int, src []float32, ld, dim int, scale float32) {
		if n := dim / panelWidth; n > 0 {
			avx2.Transpose16(n, &src[0], 4*ld, &dst[0], 4*ldd, scale)
		}
		transposeTail(dst, ldd, src, ld, dim, scale)
	},
	keptConfig: keptConfig{weighLanes: avx2.WeighLanes, groupLanes: avx2.GroupLanes, topLanes: avx2.TopLanes, massLanes: avx2.MassLanes, spreadLanes: avx2.SpreadLanes, nearLanes: avx2.NearLanes},
}
