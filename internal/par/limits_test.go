package par

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func quantiles(d []time.Duration) (best, median time.Duration) {
	slices.Sort(d)
	return d[0], d[len(d)/2]
}

// helped waits until a helper has run an item of p, which begins with work to
// share; it fails the test if none comes.
func helped(t *testing.T, p *Pass, n int, b func(worker, i int)) {
	t.Helper()
	var came atomic.Bool
	deadline := time.Now().Add(20 * time.Second)
	for !came.Load() && time.Now().Before(deadline) {
		p.Do(n, bodyFunc(func(worker, i int) {
			if worker > 0 {
				came.Store(true)
			}
			b(worker, i)
		}))
	}
	require.True(t, came.Load(), "no helper came")
}

func TestHelpersCome(t *testing.T) {
	procs(t, 2)
	var p Pass
	p.Begin(context.Background(), 0)
	defer p.End()
	helped(t, &p, 4, func(int, int) { time.Sleep(100 * time.Microsecond) })
}

func TestDoOutsideAPassIsSerial(t *testing.T) {
	procs(t, 4)
	var p Pass
	require.Equal(t, 1, p.Width())
	require.False(t, p.Cancelled())
	var order []int
	p.Do(50, bodyFunc(func(worker, i int) {
		require.Zero(t, worker)
		order = append(order, i)
	}))
	for i, v := range order {
		require.Equal(t, i, v)
	}
	require.Len(t, order, 50)
	require.NoError(t, p.End())
	p.Do(0, nil)
	p.Do(-1, nil)
}

func TestBeginTwicePanics(t *testing.T) {
	var p Pass
	p.Begin(context.Background(), 1)
	require.PanicsWithValue(t, "par: Begin of an open pass", func() { p.Begin(context.Background(), 1) })
	require.NoError(t, p.End())
	require.NoError(t, p.End())
}

func TestGOMAXPROCSChangesBetweenPasses(t *testing.T) {
	procs(t, 1)
	var p Pass
	for _, n := range []int{1, 4, 2, 8, 1, 3} {
		runtime.GOMAXPROCS(n)
		p.Begin(context.Background(), 0)
		require.Equal(t, n, p.Width())
		c := newCensus(100, n)
		c.spin = 200
		p.Do(100, c)
		for _, r := range c.runs {
			require.Equal(t, 1, r)
		}
		require.NoError(t, p.End())
	}
}

// TestNoHelpersForAFullHouse opens as many passes as there are processors: then
// helpers go, and all items run on callers.
func TestNoHelpersForAFullHouse(t *testing.T) {
	const width = 3
	procs(t, width)
	var begun, finished, all sync.WaitGroup
	var measured, helps atomic.Int32
	begun.Add(width)
	finished.Add(width)
	for range width {
		all.Go(func() {
			var p Pass
			p.Begin(context.Background(), 0)
			defer p.End()
			begun.Done()
			begun.Wait()
			p.Do(20, bodyFunc(func(int, int) { time.Sleep(20 * time.Microsecond) }))
			time.Sleep(20 * time.Millisecond)
			for range 20 {
				p.Do(20, bodyFunc(func(worker, i int) {
					measured.Add(1)
					if worker > 0 {
						helps.Add(1)
					}
					time.Sleep(20 * time.Microsecond)
				}))
			}
			finished.Done()
			finished.Wait()
		})
	}
	all.Wait()
	require.EqualValues(t, width*20*20, measured.Load())
	// A helper that was taken off its processor just after it had looked for a
	// crowd may claim one more item.
	require.LessOrEqual(t, helps.Load(), int32(width-1))
	requireSound(t)
}

func TestCancelStopsBetweenItems(t *testing.T) {
	procs(t, 4)
	for _, threads := range []int{1, 2, 4} {
		var p Pass
		best := time.Hour // of a few attempts: the machine may have other work
		for attempt := 0; attempt < 5 && best > 50*time.Millisecond; attempt++ {
			ctx, cancel := context.WithCancel(context.Background())
			p.Begin(ctx, threads)
			var ran atomic.Int32
			var cancelled time.Time
			p.Do(1_000_000, bodyFunc(func(worker, i int) {
				if ran.Add(1) == 20 {
					cancelled = time.Now()
					cancel()
				}
				time.Sleep(100 * time.Microsecond)
			}))
			best = min(best, time.Since(cancelled))
			require.True(t, p.Cancelled())
			p.Do(100, bodyFunc(func(int, int) { t.Error("an item began after cancellation") }))
			require.ErrorIs(t, p.End(), context.Canceled)
		}
		require.LessOrEqual(t, best, 50*time.Millisecond)

		p.Begin(context.Background(), threads)
		require.False(t, p.Cancelled())
		require.NoError(t, p.End())
	}
}

func TestCancelAfterTheLastItemIsNoError(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var p Pass
	p.Begin(ctx, 0)
	p.Do(10, bodyFunc(func(int, int) {}))
	cancel()
	require.NoError(t, p.End(), "all was done, and nobody looked")
}

func TestDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	var p Pass
	p.Begin(ctx, 0)
	start := time.Now()
	p.Do(1_000_000, bodyFunc(func(int, int) { time.Sleep(time.Millisecond) }))
	require.ErrorIs(t, p.End(), context.DeadlineExceeded)
	require.Less(t, time.Since(start), 5*time.Second)
}

func TestPanicOnTheCaller(t *testing.T) {
	procs(t, 4)
	boom := errors.New("boom")
	for _, threads := range []int{1, 4} {
		var p Pass
		var running atomic.Int32
		for range 50 {
			p.Begin(context.Background(), threads)
			var entered atomic.Bool
			require.PanicsWithValue(t, boom, func() {
				p.Do(100, bodyFunc(func(worker, i int) {
					running.Add(1)
					defer running.Add(-1)
					if worker == 0 {
						entered.Store(true)
						panic(boom)
					}
					for !entered.Load() {
						time.Sleep(10 * time.Microsecond)
					}
					time.Sleep(100 * time.Microsecond)
				}))
			})
			require.Zero(t, running.Load(), "a helper was still running")
			require.False(t, p.open, "a panic ends the pass")
		}
	}
	requireSound(t)
}

func TestPanicOnAHelper(t *testing.T) {
	procs(t, 2)
	var p Pass
	for range 20 {
		p.Begin(context.Background(), 0)
		var after atomic.Int32
		require.PanicsWithValue(t, "boom", func() {
			helped(t, &p, 1000, func(worker, i int) {
				if worker > 0 {
					panic("boom")
				}
				after.Add(1)
				time.Sleep(50 * time.Microsecond)
			})
		})
		require.False(t, p.open)
	}
	requireSound(t)
}

func TestGoexitOnAHelper(t *testing.T) {
	procs(t, 2)
	var p Pass
	p.Begin(context.Background(), 0)
	require.PanicsWithValue(t, goexit, func() {
		helped(t, &p, 1000, func(worker, i int) {
			if worker > 0 {
				runtime.Goexit()
			}
			time.Sleep(50 * time.Microsecond)
		})
	})
	requireSound(t)
	p.Begin(context.Background(), 0)
	helped(t, &p, 4, func(int, int) { time.Sleep(50 * time.Microsecond) })
	require.NoError(t, p.End())
}

func TestGoexitOnTheCaller(t *testing.T) {
	procs(t, 2)
	done := make(chan *Pass)
	go func() {
		var p Pass
		defer func() { done <- &p }()
		p.Begin(context.Background(), 0)
		p.Do(100, bodyFunc(func(worker, i int) {
			if worker == 0 {
				runtime.Goexit()
			}
		}))
	}()
	require.False(t, (<-done).open)
	requireSound(t)
}

// requireSound checks the pool's counts once every pass is closed: nobody
// missing, and all helpers parked in the end.
func requireSound(t *testing.T) {
	t.Helper()
	require.Zero(t, pool.want.Load())
	require.Zero(t, pool.taken.Load())
	open, _ := unpack(pool.state.Load())
	require.Zero(t, open)
	require.Eventually(t, func() bool {
		_, awake := unpack(pool.state.Load())
		return awake == 0
	}, 5*time.Second, time.Millisecond)
}

// TestNested has bodies open passes of their own.
func TestNested(t *testing.T) {
	procs(t, 4)
	var p Pass
	p.Begin(context.Background(), 0)
	var total atomic.Int32
	inner := make([]Pass, p.Width())
	p.Do(40, bodyFunc(func(worker, i int) {
		q := &inner[worker]
		q.Begin(context.Background(), 0)
		defer q.End()
		q.Do(25, bodyFunc(func(int, int) { total.Add(1) }))
	}))
	require.NoError(t, p.End())
	require.EqualValues(t, 1000, total.Load())
	requireSound(t)
}

// TestWithin has bodies run serial parts of their own, which stop with the pass
// that they are in.
func TestWithin(t *testing.T) {
	procs(t, 4)
	ctx, cancel := context.WithCancel(context.Background())
	var p Pass
	p.Begin(ctx, 0)
	inner := make([]Pass, p.Width())
	var total, cut atomic.Int32
	body := bodyFunc(func(worker, i int) {
		q := &inner[worker]
		q.BeginWithin(&p)
		if q.Width() != 1 {
			t.Error("not serial")
		}
		q.Do(25, bodyFunc(func(int, int) {
			if total.Add(1) == 1010 {
				cancel()
			}
		}))
		if q.End() != nil {
			cut.Add(1)
		}
	})
	p.Do(40, body)
	require.EqualValues(t, 1000, total.Load())
	require.Zero(t, cut.Load())
	open, _ := unpack(pool.state.Load())
	require.EqualValues(t, 1, open)
	p.Do(40, body)
	require.Less(t, total.Load(), int32(2000))
	require.Positive(t, cut.Load())
	require.ErrorIs(t, p.End(), context.Canceled)
	requireSound(t)
}

func TestMorePassesThanSlots(t *testing.T) {
	procs(t, 2)
	passes := make([]Pass, maxPasses+10)
	for i := range passes {
		passes[i].Begin(context.Background(), 0)
	}
	for i := range passes {
		c := newCensus(10, passes[i].Width())
		passes[i].Do(10, c)
		for _, r := range c.runs {
			require.Equal(t, 1, r)
		}
	}
	for i := range passes {
		require.NoError(t, passes[i].End())
	}
	requireSound(t)
}

func TestDoAllocatesNothing(t *testing.T) {
	procs(t, 2)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var p Pass
	work := &busyWork{steps: 100}
	run := func() {
		p.Begin(ctx, 0)
		for range 20 {
			p.Do(16, work)
		}
		p.End()
	}
	for range 100 {
		run()
	}
	require.Zero(t, testing.AllocsPerRun(200, run))
}
