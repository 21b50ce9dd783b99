// Package peak measures what a CPU can do at most, for results to be held
// against: multiply-adds that never leave registers, and bytes read by the size
// of what is read.
//
// The clock of a CPU drifts by several percent, and threads beside each other
// slow each other down. So a peak is measured just before and just after what it
// is compared with, with the same threads.
package peak

import (
	"context"
	"slices"
	"time"

	"github.com/ladon-ml/ladon/internal/mem"
	"github.com/ladon-ml/ladon/internal/par"
	"github.com/ladon-ml/ladon/kernels"
)

// F32 gives the float32 operations a second, two for a multiply-add, of the
// active instruction set on threads threads: the best seen in about d.
func F32(ctx context.Context, threads int, d time.Duration) (float64, error) {
	return burnRate(ctx, threads, d, kernels.BurnF32)
}

// Int8 is F32 for products of bytes.
func Int8(ctx context.Context, threads int, d time.Duration) (float64, error) {
	return burnRate(ctx, threads, d, kernels.BurnInt8)
}

// burner runs a loop that stays in registers on every worker.
type burner struct {
	pass par.Pass
	burn func(n int) int64
	n    int
}

func (b *burner) Run(_, _ int) { b.burn(b.n) }

// burnRate gives the operations per second of a register-only loop on threads
// threads, the best of the repetitions that fit the time.
func burnRate(ctx context.Context, threads int, d time.Duration, burn func(n int) int64) (float64, error) {
	b := &burner{burn: burn, n: 1}
	// One call is kept near 50 µs: assembly cannot be preempted, and the pool
	// shares work out call by call.
	for {
		start := time.Now()
		burn(b.n)
		if time.Since(start) >= 50*time.Microsecond || b.n >= 1<<28 {
			break
		}
		b.n *= 2
	}
	calls := 32 * threads
	ops := float64(burn(b.n)) * float64(calls)
	return bestRate(ctx, &b.pass, threads, d, ops, calls, b)
}

// reader sweeps a slice, blocks of it to each worker in turn.
type reader struct {
	pass   par.Pass
	data   []float32
	block  int // elements of one item
	repeat int // times an item is read
	sums   []float32
}

func (r *reader) Run(worker, i int) {
	block := r.data[i*r.block : min((i+1)*r.block, len(r.data))]
	for range r.repeat {
		r.sums[worker*16] += kernels.Read(block) // a cache line apart
	}
}

// Read gives, for each of the sizes in bytes, the bytes a second at which threads
// threads read so much memory over and over: the best seen in about d. The memory
// is as a model's: off the Go heap, in huge pages where the system has them. What
// fits a worker's own cache stays with one worker.
func Read(ctx context.Context, threads int, d time.Duration, sizes ...int) ([]float64, error) {
	block, err := mem.Alloc(slices.Max(sizes))
	if err != nil {
		return nil, err
	}
	defer block.Free()
	all := block.Float32s()
	for i := range all {
		all[i] = 1 // a page that was never written is one shared page of zeros
	}
	rates := make([]float64, len(sizes))
	for i, size := range sizes {
		if rates[i], err = readRate(ctx, threads, d, all[:size/4]); err != nil {
			return nil, err
		}
	}
	return rates, nil
}

func readRate(ctx context.Context, threads int, d time.Duration, data []float32) (float64, error) {
	const most = 1 << 20 / 4 // elements of an item: about 40 µs of reading
	r := &reader{data: data, block: (len(data) + threads - 1) / threads, repeat: 1, sums: make([]float32, threads*16)}
	if r.block > most {
		r.block = most
	} else {
		r.repeat = max(1, 2*most/r.block)
	}
	items := (len(data) + r.block - 1) / r.block
	return bestRate(ctx, &r.pass, threads, d, float64(len(data)*4)*float64(r.repeat), items, r)
}

// bestRate repeats a parallel loop of known work for d and gives the highest
// rate seen.
func bestRate(ctx context.Context, pass *par.Pass, threads int, d time.Duration, work float64, items int, body par.Body) (float64, error) {
	best := 0.0
	pass.Begin(ctx, threads)
	for begin, n := time.Now(), 0; n < 4 || time.Since(begin) < d; n++ {
		start := time.Now()
		pass.Do(items, body)
		if n > 0 { // the first wakes the workers
			best = max(best, work/max(time.Since(start).Seconds(), 1e-9))
		}
		if pass.Cancelled() {
			break
		}
	}
	return best, pass.End()
}
