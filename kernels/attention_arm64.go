//go:build !purego

package kernels

import (
	"github.com/ladon-ml/ladon/internal/asm/neon"
	"github.com/ladon-ml/ladon/internal/cpu"
)

// attention is the configuration of the active set.
func attention() *attentionConfig {
	if cpu.Active().Tier == cpu.NEON {
		return &attentionNEON
	}
	return &attentionGeneric
}

var attentionNEON = attentionConfig{
	name:        "neon 16 queries",
	lanes:       panelWidth,
	valuePanels: 1,
	values1:     []valueTile{nil, neon.Values1x16, neon.Values2x16, neon.Values3x16, neon.Values4x16},
	softmax: func(keys, lanes int, s, rowMax, rowSum, alpha, final *float32) {
		neon.SoftmaxTile16(keys, s, rowMax, rowSum, alpha, final)
	},
	scoresRow: neon.ScoresRow,
	valuesRow: neon.ValuesRow,
	transpose: func(dst []float32, ldd int, src []float32, ld, dim int, scale float32) {
		if n := dim / panelWidth; n > 0 {
			neon.Transpose16(n, &src[0], 4*ld, &dst[0], 4*ldd, scale)
		}
		transposeTail(dst, ldd, src, ld, dim, scale)
	},
	keptConfig: keptConfig{weighLanes: neon.WeighLanes, groupLanes: neon.GroupLanes, topLanes: neon.TopLanes, massLanes: neon.MassLanes, spreadLanes: neon.SpreadLanes, nearLanes: neon.NearLanes},
}
