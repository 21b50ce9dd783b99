//go:build purego || !(amd64 || arm64)

package kernels

func gemmTiles() *gemmConfig[gemmTile] { return &gemmGenericConfig }

func int8Tiles() *gemmConfig[int8Tile] { return &int8GenericConfig }

func pairBytes(dst []int16, src []int8) { pairBytesGeneric(dst, src) }

func blockTiles() *blockConfig { return &blockGenericConfig }

func floatsOf() *[numDTypes]floatKernels { return &floatsGeneric }
