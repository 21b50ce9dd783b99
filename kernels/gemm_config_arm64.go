//go:build !purego

package kernels

import (
	"github.com/ladon-ml/ladon/internal/asm/neon"
	"github.com/ladon-ml/ladon/internal/cpu"
)

// gemmTiles is the configuration of the active set for float32.
func gemmTiles() *gemmConfig[gemmTile] {
	if cpu.Active().Tier == cpu.NEON {
		return &gemmNEON
	}
	return &gemmGenericConfig
}

// int8Tiles is the configuration of the active set for int8.
func int8Tiles() *gemmConfig[int8Tile] {
	if cpu.Active().DotProd {
		return &int8NEON
	}
	return &int8GenericConfig
}

var gemmNEON = gemmConfig[gemmTile]{
	name:   "neon 4x16",
	shapes: []shape[gemmTile]{{1, []gemmTile{nil, neon.Gemm1x16, neon.Gemm2x16, neon.Gemm3x16, neon.Gemm4x16}}},
	kc:     longK,
	chunk:  256 << 10,
	rate:   20,
}

var int8NEON = gemmConfig[int8Tile]{
	name:   "neon dotprod 4x16",
	shapes: []shape[int8Tile]{{1, []int8Tile{nil, anyA(neon.GemmInt81x16), anyA(neon.GemmInt82x16), anyA(neon.GemmInt83x16), anyA(neon.GemmInt84x16)}}},
	chunk:  256 << 10,
	rate:   80,
}

func pairBytes(dst []int16, src []int8) { pairBytesGeneric(dst, src) }
