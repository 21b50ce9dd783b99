package model

import (
	"fmt"
	"runtime"
	"testing"
)

// flops counts the multiply-adds of the matrix products and of attention, as two each.
func (m *Model) flops(b Batch) float64 {
	s := &m.spec
	a := &s.Layers[0].Attention
	width := a.Heads * a.HeadDim
	perToken := 4*s.Hidden*width + 2*s.Hidden*s.Layers[0].FeedForward.Width
	sum := float64(len(b.IDs) * perToken)
	for i := range b.sequences() {
		n := int(b.CuSeqlens[i+1] - b.CuSeqlens[i])
		sum += float64(2 * n * n * width)
	}
	return 2 * sum * float64(len(s.Layers))
}

// BenchmarkForward runs MiniLM's shape.
func BenchmarkForward(b *testing.B) {
	spread := make([]int, 32)
	for i := range spread {
		spread[i] = 5 + 251*i/31
	}
	batches := []struct {
		name    string
		lengths []int
	}{
		{"1x16", []int{16}},
		{"1x128", []int{128}},
		{"8x128", []int{128, 128, 128, 128, 128, 128, 128, 128}},
		{"32x5-256", spread},
	}
	for _, dtype := range []DType{F32, Int8} {
		m := randomModel(b, 384, 12, 6, 1536, WithDType(dtype))
		for threads := 1; threads <= min(2, runtime.NumCPU()); threads++ {
			for _, c := range batches {
				b.Run(fmt.Sprintf("dtype=%v/threads=%d/lens=%s", dtype, threads, c.name), func(b *testing.B) {
					m.threads = threads
					batch := randomBatch(c.lengths...)
					r, err := m.NewResult(LastHiddenState)
					if err != nil {
						b.Fatal(err)
					}
					for b.Loop() {
						if err := m.Forward(b.Context(), batch, r); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(m.flops(batch)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
