package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ladon-ml/ladon/internal/mem"
)

// packBench is a matrix in d of n rows that are like the first few.
func packBench(b *testing.B, d DType, n, k int) *Matrix {
	rows := randomRows(rand.New(rand.NewPCG(1, 2)), d, 16, k, 0.1)
	arena := &mem.Arena{}
	b.Cleanup(func() { _ = arena.Free() })
	m, err := PackBlocksIn(arena, d, n, k, func(i int, dst []byte) error { copy(dst, rows[i%16]); return nil })
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkBlocks multiplies a prompt, as a share of the peak of integers or
// floats, and single rows by weights that come from memory, in bytes of weights a
// second.
func BenchmarkBlocks(b *testing.B) {
	forEachBench(b, func(b *testing.B) {
		b.Run("read", func(b *testing.B) { // the ceiling of what comes from memory
			var arena mem.Arena
			defer arena.Free()
			x, err := arena.Float32s(32 << 20)
			if err != nil {
				b.Fatal(err)
			}
			ns := math.Inf(1)
			for b.Loop() {
				start := time.Now()
				read(x)
				ns = min(ns, float64(time.Since(start)))
			}
			b.ReportMetric(float64(4*len(x))/ns, "GB/s")
		})
		for _, d := range append([]DType{F32, F16, BF16}, blockTypes...) {
			for _, k := range []int{576, 1536, 2048} {
				if elements, _ := d.Block(); k%elements != 0 {
					k = 512
				}
				for _, where := range []string{"cache", "memory", "prompt"} {
					m, n := 1, k
					switch where {
					case "prompt":
						m = 128
					case "memory":
						elements, bytes := d.Block()
						n = 128 << 20 / (k / elements * bytes)
					}
					b.Run(fmt.Sprintf("dtype=%v/m=%d/n=%d/k=%d/from=%s", d, m, n, k, where), func(b *testing.B) {
						w := packBench(b, d, n, k)
						a, c := at[float32](m*k, 0), at[float32](m*n, 0)
						for i := range a {
							a[i] = float32(i%11) - 5
						}
						var x Exec
						ns := math.Inf(1) // the best, since others use this machine too
						for b.Loop() {
							start := time.Now()
							x.MatMul(Out{C: c, LD: n}, a, m, k, w, Epilogue{})
							ns = min(ns, float64(time.Since(start)))
						}
						if m == 1 {
							b.ReportMetric(float64(w.Bytes())/ns, "GB/s")
							return
						}
						b.ReportMetric(2*float64(m)*float64(n)*float64(k)/ns, "GOP/s")
					})
				}
			}
		}
	})
}

// BenchmarkPackBlocks packs rows of a file, in its bytes a second.
func BenchmarkPackBlocks(b *testing.B) {
	const n, k = 512, 2048
	for _, d := range append([]DType{F16}, blockTypes...) {
		b.Run("dtype="+d.String(), func(b *testing.B) {
			rows := randomRows(rand.New(rand.NewPCG(1, 2)), d, n, k, 0.1)
			b.SetBytes(int64(n * len(rows[0])))
			for b.Loop() {
				if _, err := PackBlocks(d, n, k, func(i int, dst []byte) error { copy(dst, rows[i]); return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
