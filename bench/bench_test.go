// Package bench measures kernels and forward passes as go benchmarks:
//
//	go test -run '^$' -bench . -count 10 ./bench | tee new.txt
//	benchstat old.txt new.txt
//
// Names are key=value. GFLOP/s counts two operations for a multiply-add, and
// peak% is the share of the register-only peak of the same type, measured in the
// same process before and after. Folder peers holds the comparison with others.
package bench

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

// floats gives n numbers spread evenly over -1…1, the same for the same n.
func floats(n int) []float32 {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = 2*rng.Float32() - 1
	}
	return x
}

// peakOf measures a peak for a share: one thread or as many as the benchmark runs.
type peakOf func(ctx context.Context, threads int, d time.Duration) (float64, error)

// rate runs work b.N times and reports GFLOP/s and the share of the peak.
func rate(b *testing.B, peakOf peakOf, threads int, flops float64, work func()) {
	const each = 20 * time.Millisecond
	work() // workspaces
	before, err := peakOf(b.Context(), threads, each)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		work()
	}
	b.StopTimer()
	after, err := peakOf(b.Context(), threads, each)
	if err != nil {
		b.Fatal(err)
	}
	got := flops * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(got/1e9, "GFLOP/s")
	b.ReportMetric(100*got/max(before, after), "peak%")
}
