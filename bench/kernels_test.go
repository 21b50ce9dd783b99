package bench

import (
	"fmt"
	"testing"

	"github.com/ladon-ml/ladon/internal/peak"
	"github.com/ladon-ml/ladon/kernels"
)

// lengths are rows in the first cache, of a model's width and of its vocabulary.
var lengths = []int{384, 4096, 1 << 20}

// BenchmarkElementwise reads and writes slices; MB/s counts what is read.
func BenchmarkElementwise(b *testing.B) {
	for _, n := range lengths {
		dst, x, y := make([]float32, n), floats(n), floats(n)
		half, row := make([]uint16, n), make([]int8, n)
		for _, k := range []struct {
			op    string
			bytes int
			run   func()
		}{
			{"copy", 4, func() { copy(dst, x) }}, // the ceiling
			{"exp", 4, func() { kernels.Exp(dst, x) }},
			{"softmax", 4, func() { kernels.Softmax(dst, x) }},
			{"layernorm", 4, func() { kernels.LayerNorm(dst, x, y, y, 1e-12) }},
			{"rmsnorm", 4, func() { kernels.RMSNorm(dst, x, y, 1e-6) }},
			{"add", 8, func() { kernels.Add(dst, x, y) }},
			{"mul", 8, func() { kernels.Mul(dst, x, y) }},
			{"scale", 4, func() { kernels.Scale(dst, x, 0.5) }},
			{"dot", 8, func() { kernels.Dot(x, y) }},
			{"quantize", 4, func() { kernels.QuantizeRow(row, x) }},
			{"f32tof16", 4, func() { kernels.F32ToF16(half, x) }},
			{"f16tof32", 2, func() { kernels.F16ToF32(dst, half) }},
			{"f32tobf16", 4, func() { kernels.F32ToBF16(half, x) }},
			{"bf16tof32", 2, func() { kernels.BF16ToF32(dst, half) }},
		} {
			b.Run(fmt.Sprintf("op=%s/n=%d", k.op, n), func(b *testing.B) {
				b.SetBytes(int64(k.bytes * n))
				b.ReportAllocs()
				for range b.N {
					k.run()
				}
			})
		}
	}
}

// BenchmarkActivate works in place, on values that it has made before.
func BenchmarkActivate(b *testing.B) {
	const n = 4096
	for _, a := range []struct {
		name string
		act  kernels.Activation
	}{
		{"gelu", kernels.GELU}, {"gelutanh", kernels.GELUTanh}, {"relu", kernels.ReLU},
		{"silu", kernels.SiLU}, {"tanh", kernels.Tanh}, {"quickgelu", kernels.QuickGELU},
	} {
		b.Run(fmt.Sprintf("act=%s/n=%d", a.name, n), func(b *testing.B) {
			source, x := floats(n), make([]float32, n)
			b.SetBytes(4 * n)
			b.ReportAllocs()
			for range b.N {
				copy(x, source)
				kernels.Activate(a.act, x)
			}
		})
	}
}

// shapes are products of MiniLM at 128 tokens, of BERT-base at 512, a square
// one, and single rows, which read all weights for each.
var shapes = []struct{ m, n, k int }{
	{16, 1536, 384}, {128, 1152, 384}, {128, 384, 384}, {128, 1536, 384}, {128, 384, 1536},
	{512, 3072, 768}, {1024, 1024, 1024}, {1, 384, 384}, {1, 4096, 4096},
}

func BenchmarkMatMul(b *testing.B) {
	for _, s := range shapes {
		for _, dtype := range []struct {
			name string
			pack func([]float32, int, int) (*kernels.Matrix, error)
			peak peakOf
		}{{"f32", kernels.Pack, peak.F32}, {"int8", kernels.PackInt8, peak.Int8}} {
			w, err := dtype.pack(floats(s.n*s.k), s.n, s.k)
			if err != nil {
				b.Fatal(err)
			}
			a, c, bias := floats(s.m*s.k), make([]float32, s.m*s.n), floats(s.n)
			for _, epilogue := range []struct {
				name string
				e    kernels.Epilogue
			}{{"none", kernels.Epilogue{}}, {"bias-gelu", kernels.Epilogue{Bias: bias, Act: kernels.GELU}}} {
				b.Run(fmt.Sprintf("dtype=%s/m=%d/n=%d/k=%d/epilogue=%s", dtype.name, s.m, s.n, s.k, epilogue.name), func(b *testing.B) {
					var x kernels.Exec
					rate(b, dtype.peak, 1, 2*float64(s.m)*float64(s.n)*float64(s.k), func() {
						x.Begin(b.Context(), 1)
						x.MatMul(kernels.Out{C: c, LD: s.n}, a, s.m, s.k, w, epilogue.e)
						if err := x.End(); err != nil {
							b.Fatal(err)
						}
					})
				})
			}
		}
	}
}
