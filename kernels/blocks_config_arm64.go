//go:build !purego

package kernels

import (
	"github.com/ladon-ml/ladon/internal/asm/neon"
	"github.com/ladon-ml/ladon/internal/cpu"
)

// blockTiles is the configuration of the active set for weights in blocks.
func blockTiles() *blockConfig {
	if cpu.Active().DotProd {
		return &blockNEON
	}
	return &blockGenericConfig
}

var blockNEON = blockConfig{
	name: "neon dotprod 3x16",
	tiles: [numKinds][]blockTile{
		kindOffset: {nil, neon.BlockOffset1, neon.BlockOffset2, neon.BlockOffset3},
		kindBytes:  {nil, neon.BlockBytes1, neon.BlockBytes2, neon.BlockBytes3},
		kindMins:   {nil, neon.BlockMins1, neon.BlockMins2, neon.BlockMins3},
	},
	rows: [numDTypes]blockRow{
		Q8_0: neon.BlockRowQ80,
		Q4_0: neon.BlockRowQ40,
		Q4_1: neon.BlockRowQ41,
		Q5_0: neon.BlockRowQ50,
		Q5_1: neon.BlockRowQ51,
	},
	expand: &expandNEON,
	super: [numDTypes]superTiles{
		Q4_K: {packed: []superTile{nil, neon.BlockQ4K1}, wide: []superTile{nil, neon.BlockWideQ4K1, neon.BlockWideQ4K2}},
		Q5_K: {packed: []superTile{nil, neon.BlockQ5K1}, wide: []superTile{nil, neon.BlockWideQ5K1, neon.BlockWideQ5K2}},
		Q6_K: {packed: []superTile{nil, neon.BlockQ6K1}, wide: []superTile{nil, neon.BlockWideQ6K1, neon.BlockWideQ6K2}},
	},
	chunk: 512 << 10,
	rate:  60,
}

var expandNEON = [numDTypes]expandPanel{Q8_0: neon.ExpandQ80, Q4_0: neon.ExpandQ40, Q4_1: neon.ExpandQ41, Q5_0: neon.ExpandQ50, Q5_1: neon.ExpandQ51}

// floatsOf are the active set's.
func floatsOf() *[numDTypes]floatKernels {
	switch cpu.Active().Tier {
	case cpu.NEON:
		return &floatsNEON
	}
	return &floatsGeneric
}

var floatsNEON = [numDTypes]floatKernels{
	F32:  {row: neon.F32Row},
	F16:  {neon.F16Row, neon.F16One, neon.WidenF16},
	BF16: {neon.BF16Row, neon.BF16One, neon.WidenBF16},
}
