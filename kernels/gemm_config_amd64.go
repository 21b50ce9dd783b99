//go:build !purego

package kernels

import (
	"unsafe"

	"github.com/ladon-ml/ladon/internal/asm/avx2"
	"github.com/ladon-ml/ladon/internal/asm/avx512"
	"github.com/ladon-ml/ladon/internal/cpu"
)

// gemmTiles is the configuration of the active set for float32.
func gemmTiles() *gemmConfig[gemmTile] {
	switch cpu.Active().Tier {
	case cpu.AVX512:
		return &gemmAVX512
	case cpu.AVX2:
		return &gemmAVX2
	}
	return &gemmGenericConfig
}

// int8Tiles is the configuration of the active set for int8.
func int8Tiles() *gemmConfig[int8Tile] {
	set := cpu.Active()
	switch {
	case set.VNNI:
		return &int8AVX512
	case set.AVXVNNI:
		return &int8AVXVNNI
	case set.Tier == cpu.AVX512, set.Tier == cpu.AVX2:
		return &int8AVX2
	}
	return &int8GenericConfig
}

var gemmAVX512 = gemmConfig[gemmTile]{
	name: "avx512 14x32",
	shapes: []shape[gemmTile]{
		{4, []gemmTile{nil, avx512.Gemm1x64, avx512.Gemm2x64, avx512.Gemm3x64, avx512.Gemm4x64, avx512.Gemm5x64, avx512.Gemm6x64}},
		{2, []gemmTile{nil, avx512.Gemm1x32, avx512.Gemm2x32, avx512.Gemm3x32, avx512.Gemm4x32, avx512.Gemm5x32, avx512.Gemm6x32, avx512.Gemm7x32, avx512.Gemm8x32, avx512.Gemm9x32, avx512.Gemm10x32, avx512.Gemm11x32, avx512.Gemm12x32, avx512.Gemm13x32, avx512.Gemm14x32}},
		{1, []gemmTile{nil, avx512.Gemm1x16, avx512.Gemm2x16, avx512.Gemm3x16, avx512.Gemm4x16, avx512.Gemm5x16, avx512.Gemm6x16, avx512.Gemm7x16, avx512.Gemm8x16, avx512.Gemm9x16, avx512.Gemm10x16, avx512.Gemm11x16, avx512.Gemm12x16, avx512.Gemm13x16, avx512.Gemm14x16}},
	},
	main:  1,
	kc:    longK,
	chunk: 256 << 10,
	rate:  60,
}

var gemmAVX2 = gemmConfig[gemmTile]{
	name: "avx2 6x16",
	shapes: []shape[gemmTile]{
		{4, []gemmTile{nil, avx2.Gemm1x64}},
		{2, []gemmTile{nil, nil, avx2.Gemm2x32}},
		{1, []gemmTile{nil, avx2.Gemm1x16, avx2.Gemm2x16, avx2.Gemm3x16, avx2.Gemm4x16, avx2.Gemm5x16, avx2.Gemm6x16}},
	},
	main:  2,
	kc:    longK,
	chunk: 256 << 10,
	rate:  45,
}

var int8AVX512 = gemmConfig[int8Tile]{
	name: "avx512 vnni 14x32",
	shapes: []shape[int8Tile]{
		{4, []int8Tile{nil, avx512.GemmInt81x64, avx512.GemmInt82x64, avx512.GemmInt83x64, avx512.GemmInt84x64, avx512.GemmInt85x64, avx512.GemmInt86x64}},
		{2, []int8Tile{nil, avx512.GemmInt81x32, avx512.GemmInt82x32, avx512.GemmInt83x32, avx512.GemmInt84x32, avx512.GemmInt85x32, avx512.GemmInt86x32, avx512.GemmInt87x32, avx512.GemmInt88x32, avx512.GemmInt89x32, avx512.GemmInt810x32, avx512.GemmInt811x32, avx512.GemmInt812x32, avx512.GemmInt813x32, avx512.GemmInt814x32}},
		{1, []int8Tile{nil, avx512.GemmInt81x16, avx512.GemmInt82x16, avx512.GemmInt83x16, avx512.GemmInt84x16, avx512.GemmInt85x16, avx512.GemmInt86x16, avx512.GemmInt87x16, avx512.GemmInt88x16, avx512.GemmInt89x16, avx512.GemmInt810x16, avx512.GemmInt811x16, avx512.GemmInt812x16, avx512.GemmInt813x16, avx512.GemmInt814x16}},
	},
	main:  1,
	chunk: 256 << 10,
	rate:  200,
	form:  formUint8,
}

var int8AVXVNNI = gemmConfig[int8Tile]{
	name:   "avx2 vnni 6x16",
	shapes: []shape[int8Tile]{{1, []int8Tile{nil, avx2.GemmInt8VNNI1x16, avx2.GemmInt8VNNI2x16, avx2.GemmInt8VNNI3x16, avx2.GemmInt8VNNI4x16, avx2.GemmInt8VNNI5x16, avx2.GemmInt8VNNI6x16}}},
	chunk:  256 << 10,
	rate:   120,
	form:   formUint8,
}

var int8AVX2 = gemmConfig[int8Tile]{
	name:   "avx2 4x16",
	shapes: []shape[int8Tile]{{1, []int8Tile{nil, anyA(avx2.GemmInt81x16), anyA(avx2.GemmInt82x16), anyA(avx2.GemmInt83x16), anyA(avx2.GemmInt84x16)}}},
	chunk:  256 << 10,
	rate:   40,
	form:   formPairs,
}

// pairBytes widens bytes to 16 bits in the order 0, 2, 1, 3 of every four.
func pairBytes(dst []int16, src []int8) {
	n := 0
	if whole := len(src) &^ 31; whole > 0 && cpu.Active().Tier != cpu.Generic {
		n = whole
		avx2.PairBytes(&dst[0], (*uint8)(unsafe.Pointer(&src[0])), n)
	}
	pairBytesGeneric(dst[n:], src[n:])
}
