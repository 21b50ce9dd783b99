//go:build !purego

package kernels

import (
	"github.com/ladon-ml/ladon/internal/asm/avx2"
	"github.com/ladon-ml/ladon/internal/asm/avx512"
	"github.com/ladon-ml/ladon/internal/cpu"
)

// blockTiles is the configuration of the active set for weights in blocks.
func blockTiles() *blockConfig {
	set := cpu.Active()
	switch {
	case set.VNNI:
		return &blockAVX512
	case set.AVXVNNI:
		return &blockAVXVNNI
	case set.Tier == cpu.AVX512, set.Tier == cpu.AVX2:
		return &blockAVX2
	}
	return &blockGenericConfig
}

var blockAVX512 = blockConfig{
	name: "avx512 vnni 16x16",
	tiles: [numKinds][]blockTile{
		kindOffset: {nil, avx512.BlockOffset1, avx512.BlockOffset2, avx512.BlockOffset3, avx512.BlockOffset4, avx512.BlockOffset5, avx512.BlockOffset6, avx512.BlockOffset7, avx512.BlockOffset8, avx512.BlockOffset9, avx512.BlockOffset10, avx512.BlockOffset11, avx512.BlockOffset12, avx512.BlockOffset13, avx512.BlockOffset14, avx512.BlockOffset15, avx512.BlockOffset16},
		kindBytes:  {nil, avx512.BlockOffset1, avx512.BlockOffset2, avx512.BlockOffset3, avx512.BlockOffset4, avx512.BlockOffset5, avx512.BlockOffset6, avx512.BlockOffset7, avx512.BlockOffset8, avx512.BlockOffset9, avx512.BlockOffset10, avx512.BlockOffset11, avx512.BlockOffset12, avx512.BlockOffset13, avx512.BlockOffset14, avx512.BlockOffset15, avx512.BlockOffset16},
		kindMins:   {nil, avx512.BlockMins1, avx512.BlockMins2, avx512.BlockMins3, avx512.BlockMins4, avx512.BlockMins5, avx512.BlockMins6, avx512.BlockMins7, avx512.BlockMins8, avx512.BlockMins9, avx512.BlockMins10, avx512.BlockMins11, avx512.BlockMins12, avx512.BlockMins13, avx512.BlockMins14, avx512.BlockMins15, avx512.BlockMins16},
	},
	rows: [numDTypes]blockRow{
		Q8_0: avx512.BlockRowQ80,
		Q4_0: avx512.BlockRowQ40,
		Q4_1: avx512.BlockRowQ41,
		Q5_0: avx512.BlockRowQ50,
		Q5_1: avx512.BlockRowQ51,
		Q4_K: avx512.BlockRowQ4K,
		Q5_K: avx512.BlockRowQ5K,
		Q6_K: avx512.BlockRowQ6K,
	},
	expand: &expandAVX512,
	super: [numDTypes]superTiles{
		Q4_K: {packed: []superTile{nil, avx512.BlockQ4K1, avx512.BlockQ4K2, avx512.BlockQ4K3, avx512.BlockQ4K4, avx512.BlockQ4K5, avx512.BlockQ4K6, avx512.BlockQ4K7, avx512.BlockQ4K8}},
		Q5_K: {packed: []superTile{nil, avx512.BlockQ5K1, avx512.BlockQ5K2, avx512.BlockQ5K3, avx512.BlockQ5K4, avx512.BlockQ5K5, avx512.BlockQ5K6, avx512.BlockQ5K7, avx512.BlockQ5K8}},
		Q6_K: {
			packed: []superTile{nil, avx512.BlockQ6K1, avx512.BlockQ6K2, avx512.BlockQ6K3, avx512.BlockQ6K4, avx512.BlockQ6K5, avx512.BlockQ6K6, avx512.BlockQ6K7, avx512.BlockQ6K8},
			keep:   []superTile{nil, avx512.BlockKeepQ6K1, avx512.BlockKeepQ6K2, avx512.BlockKeepQ6K3, avx512.BlockKeepQ6K4, avx512.BlockKeepQ6K5, avx512.BlockKeepQ6K6, avx512.BlockKeepQ6K7, avx512.BlockKeepQ6K8},
			wide:   []superTile{nil, avx512.BlockWideQ6K1, avx512.BlockWideQ6K2, avx512.BlockWideQ6K3, avx512.BlockWideQ6K4, avx512.BlockWideQ6K5, avx512.BlockWideQ6K6, avx512.BlockWideQ6K7, avx512.BlockWideQ6K8},
		},
	},
	chunk: 512 << 10,
	rate:  150,
}

var blockAVXVNNI = blockConfig{
	name: "avx2 vnni 3x16",
	tiles: [numKinds][]blockTile{
		kindOffset: {nil, avx2.BlockVNNIOffset1, avx2.BlockVNNIOffset2, avx2.BlockVNNIOffset3},
		kindBytes:  {nil, avx2.BlockVNNIBytes1, avx2.BlockVNNIBytes2, avx2.BlockVNNIBytes3},
		kindMins:   {nil, avx2.BlockVNNIMins1, avx2.BlockVNNIMins2, avx2.BlockVNNIMins3},
	},
	rows: [numDTypes]blockRow{
		Q8_0: avx2.BlockRowVNNIQ80,
		Q4_0: avx2.BlockRowVNNIQ40,
		Q4_1: avx2.BlockRowVNNIQ41,
		Q5_0: avx2.BlockRowVNNIQ50,
		Q5_1: avx2.BlockRowVNNIQ51,
	},
	expand: &expandAVX2,
	super: [numDTypes]superTiles{
		Q4_K: {packed: []superTile{nil, avx2.BlockVNNIQ4K1}, wide: []superTile{nil, avx2.BlockVNNIWideQ4K1, avx2.BlockVNNIWideQ4K2}},
		Q5_K: {packed: []superTile{nil, avx2.BlockVNNIQ5K1}, wide: []superTile{nil, avx2.BlockVNNIWideQ5K1, avx2.BlockVNNIWideQ5K2}},
		Q6_K: {packed: []superTile{nil, avx2.BlockVNNIQ6K1}, wide: []superTile{nil, avx2.BlockVNNIWideQ6K1, avx2.BlockVNNIWideQ6K2}},
	},
	chunk: 512 << 10,
	rate:  80,
}

var blockAVX2 = blockConfig{
	name: "avx2 3x16",
	tiles: [numKinds][]blockTile{
		kindOffset: {nil, avx2.BlockOffset1, avx2.BlockOffset2, avx2.BlockOffset3},
		kindBytes:  {nil, avx2.BlockBytes1, avx2.BlockBytes2},
		kindMins:   {nil, avx2.BlockMins1, avx2.BlockMins2, avx2.BlockMins3},
	},
	rows: [numDTypes]blockRow{
		Q8_0: avx2.BlockRowQ80,
		Q4_0: avx2.BlockRowQ40,
		Q4_1: avx2.BlockRowQ41,
		Q5_0: avx2.BlockRowQ50,
		Q5_1: avx2.BlockRowQ51,
	},
	expand: &expandAVX2,
	super: [numDTypes]superTiles{
		Q4_K: {packed: []superTile{nil, avx2.BlockQ4K1}, wide: []superTile{nil, avx2.BlockWideQ4K1, avx2.BlockWideQ4K2}},
		Q5_K: {packed: []superTile{nil, avx2.BlockQ5K1}, wide: []superTile{nil, avx2.BlockWideQ5K1, avx2.BlockWideQ5K2}},
		Q6_K: {packed: []superTile{nil, avx2.BlockQ6K1}, wide: []superTile{nil, avx2.BlockWideQ6K1, avx2.BlockWideQ6K2}},
	},
	chunk: 512 << 10,
	rate:  40,
}

var (
	expandAVX512 = [numDTypes]expandPanel{Q8_0: avx512.ExpandQ80, Q4_0: avx512.ExpandQ40, Q4_1: avx512.ExpandQ41, Q5_0: avx512.ExpandQ50, Q5_1: avx512.ExpandQ51}
	expandAVX2   = [numDTypes]expandPanel{Q8_0: avx2.ExpandQ80, Q4_0: avx2.ExpandQ40, Q4_1: avx2.ExpandQ41, Q5_0: avx2.ExpandQ50, Q5_1: avx2.ExpandQ51}
)

// floatsOf are the active set's.
func floatsOf() *[numDTypes]floatKernels {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		return &floatsAVX512
	case cpu.AVX2:
		return &floatsAVX2
	}
	return &floatsGeneric
}

var (
	floatsAVX512 = [numDTypes]floatKernels{
		F32:  {row: avx512.F32Row},
		F16:  {avx512.F16Row, avx512.F16One, avx512.WidenF16},
		BF16: {avx512.BF16Row, avx512.BF16One, avx512.WidenBF16},
	}
	floatsAVX2 = [numDTypes]floatKernels{
		F32:  {row: avx2.F32Row},
		F16:  {avx2.F16Row, avx2.F16One, avx2.WidenF16},
		BF16: {avx2.BF16Row, avx2.BF16One, avx2.WidenBF16},
	}
)
