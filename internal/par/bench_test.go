package par

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// busyWork takes about a nanosecond a step, without touching memory.
type busyWork struct {
	steps int
	sink  [64][16]uint64
}

func (b *busyWork) Run(worker, i int) {
	x := uint64(i) | 1
	for range b.steps {
		x = x*6364136223846793005 + 1442695040888963407
	}
	b.sink[worker%64][0] = x
}

// BenchmarkDo gives the time of a Do of 8 items beside that of the same items
// on one worker: overhead-ns is what it takes beyond its share.
func BenchmarkDo(b *testing.B) {
	width := runtime.GOMAXPROCS(0)
	for _, steps := range []int{0, 1000, 4000, 16000} {
		b.Run(fmt.Sprintf("workers=%d/steps=%d", width, steps), func(b *testing.B) {
			body := &busyWork{steps: steps}
			serial := time.Duration(1 << 62)
			for range 200 {
				start := time.Now()
				for i := range 8 {
					body.Run(0, i)
				}
				serial = min(serial, time.Since(start))
			}
			var p Pass
			p.Begin(context.Background(), 0)
			defer p.End()
			var all []time.Duration
			for b.Loop() {
				start := time.Now()
				p.Do(8, body)
				all = append(all, time.Since(start))
			}
			share := serial / time.Duration(min(width, 8))
			best, median := quantiles(all)
			b.ReportMetric(float64(best-share), "min-overhead-ns")
			b.ReportMetric(float64(median-share), "median-overhead-ns")
			b.ReportMetric(float64(serial)/float64(median), "speedup")
		})
	}
}

// BenchmarkPass is Begin, a Do and End, as a short text's run has it; after a
// pause, which finds the helpers parked, and without.
func BenchmarkPass(b *testing.B) {
	for _, pause := range []time.Duration{0, 100 * time.Microsecond, 5 * time.Millisecond} {
		b.Run(fmt.Sprintf("pause=%v", pause), func(b *testing.B) {
			body := &busyWork{steps: 4000}
			var p Pass
			var all []time.Duration
			for b.Loop() {
				time.Sleep(pause)
				start := time.Now()
				p.Begin(context.Background(), 0)
				p.Do(8, body)
				p.End()
				all = append(all, time.Since(start))
			}
			best, median := quantiles(all)
			b.ReportMetric(float64(best), "min-ns")
			b.ReportMetric(float64(median), "median-ns")
		})
	}
}

// BenchmarkClaim is the cost of an item.
func BenchmarkClaim(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var p Pass
			p.Begin(ctx, threads)
			defer p.End()
			body := &busyWork{}
			for b.Loop() {
				p.Do(1000, body)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/1000, "ns/item")
		})
	}
}

// BenchmarkCallers is GOMAXPROCS goroutines with passes of their own, as a busy
// server has them: threads=0 should cost them nothing beside threads=1.
func BenchmarkCallers(b *testing.B) {
	for _, threads := range []int{1, 0} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			b.SetParallelism(1)
			b.RunParallel(func(pb *testing.PB) {
				body := &busyWork{steps: 4000}
				var p Pass
				for pb.Next() {
					p.Begin(context.Background(), threads)
					for range 5 {
						p.Do(8, body)
					}
					p.End()
				}
			})
		})
	}
}
