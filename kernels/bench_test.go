package kernels

import (
	"fmt"
	"testing"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// forEachBench is forEachSet for benchmarks.
func forEachBench(b *testing.B, f func(b *testing.B)) {
	for _, set := range cpu.Available() {
		b.Run("isa="+set.String(), func(b *testing.B) {
			defer cpu.Use(set)()
			f(b)
		})
	}
}

func benchMatMul(b *testing.B, m, n, k int, pack func([]float32, int, int) (*Matrix, error), e Epilogue) {
	w := make([]float32, n*k)
	for i := range w {
		w[i] = float32(i%13) - 6
	}
	packed, err := pack(w, n, k)
	if err != nil {
		b.Fatal(err)
	}
	a, c := at[float32](m*k, 0), at[float32](m*n, 0)
	for i := range a {
		a[i] = float32(i%11) - 5
	}
	e.Bias = make([]float32, n)
	var x Exec
	for b.Loop() {
		x.MatMul(Out{C: c, LD: n}, a, m, k, packed, e)
	}
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
}

var benchShapes = [][3]int{
	{1, 384, 384}, {1, 1536, 384}, {1, 4096, 4096}, {16, 384, 384}, {16, 1536, 384}, {16, 384, 1536},
	{128, 384, 384}, {128, 1152, 384}, {128, 1536, 384}, {128, 384, 1536}, {512, 768, 768}, {512, 3072, 768}, {1024, 1024, 1024},
}

func BenchmarkMatMul(b *testing.B) {
	forEachBench(b, func(b *testing.B) {
		for _, s := range benchShapes {
			for _, act := range []Activation{None, GELU} {
				b.Run(fmt.Sprintf("dtype=f32/m=%d/n=%d/k=%d/act=%v", s[0], s[1], s[2], act), func(b *testing.B) {
					benchMatMul(b, s[0], s[1], s[2], Pack, Epilogue{Act: act})
				})
			}
			b.Run(fmt.Sprintf("dtype=int8/m=%d/n=%d/k=%d/act=none", s[0], s[1], s[2]), func(b *testing.B) {
				benchMatMul(b, s[0], s[1], s[2], PackInt8, Epilogue{})
			})
		}
	})
}

func BenchmarkOp(b *testing.B) {
	forEachBench(b, func(b *testing.B) {
		for k := range operations {
			o := &operations[k]
			for _, n := range []int{384, 4096, 1 << 20} {
				b.Run(fmt.Sprintf("op=%s/inputs=%d/n=%d", o.name, o.inputs, n), func(b *testing.B) {
					in := make([][]float32, o.inputs)
					for i := range in {
						in[i] = at[float32](n, 0)
						for j := range in[i] {
							in[i][j] = float32(j%17)/4 - 2
						}
					}
					dst := at[float32](n, 0)
					b.SetBytes(int64(4 * n * (o.inputs + 1)))
					for b.Loop() {
						o.run(dst, in)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
				})
			}
		}
		// The ceiling of all that is bound by memory.
		for _, n := range []int{384, 4096, 1 << 20} {
			b.Run(fmt.Sprintf("op=copy/inputs=1/n=%d", n), func(b *testing.B) {
				dst, src := at[float32](n, 0), at[float32](n, 0)
				b.SetBytes(int64(8 * n))
				for b.Loop() {
					copy(dst, src)
				}
			})
		}
	})
}

func BenchmarkConvert(b *testing.B) {
	const n = 4096
	x, h, q := at[float32](n, 0), at[uint16](n, 0), at[int8](n, 0)
	for i := range x {
		x[i] = float32(i%17) - 8
	}
	forEachBench(b, func(b *testing.B) {
		for name, f := range map[string]func(){
			"f16-f32": func() { F16ToF32(x, h) }, "f32-f16": func() { F32ToF16(h, x) },
			"bf16-f32": func() { BF16ToF32(x, h) }, "f32-bf16": func() { F32ToBF16(h, x) },
			"f32-int8": func() { QuantizeRow(q, x) },
		} {
			b.Run("from-to="+name, func(b *testing.B) {
				b.SetBytes(4 * n)
				for b.Loop() {
					f()
				}
			})
		}
	})
}

func BenchmarkPack(b *testing.B) {
	n, k := 1024, 1024
	w := make([]float32, n*k)
	for i := range w {
		w[i] = float32(i%255) - 127
	}
	for name, pack := range map[string]func([]float32, int, int) (*Matrix, error){"f32": Pack, "int8": PackInt8} {
		b.Run("dtype="+name, func(b *testing.B) {
			b.SetBytes(int64(4 * n * k))
			for b.Loop() {
				m, err := pack(w, n, k)
				if err != nil {
					b.Fatal(err)
				}
				m.Free()
			}
		})
	}
}
