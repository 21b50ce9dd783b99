//go:build purego || !(amd64 || arm64)

package kernels

func burnF32(n int) int64 { return burnF32Generic(n) }

func burnInt8(n int) int64 { return burnInt8Generic(n) }

func read(x []float32) float32 { return readGeneric(x) }
