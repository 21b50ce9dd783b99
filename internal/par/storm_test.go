package par

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestStorm mixes everything that callers may do, from many goroutines, while
// GOMAXPROCS changes: items run at most once, exactly once if nothing went wrong,
// none runs after its Do has returned, and no helper is lost.
func TestStorm(t *testing.T) {
	procs(t, 4)
	duration := time.Second
	if testing.Short() {
		duration = 200 * time.Millisecond
	}
	stop := time.Now().Add(duration)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			var p Pass
			for time.Now().Before(stop) {
				storm(t, &p, rng)
			}
		})
	}
	all.Go(func() {
		for n := 0; time.Now().Before(stop); n++ {
			runtime.GOMAXPROCS(1 + n%5)
			time.Sleep(3 * time.Millisecond)
		}
	})
	all.Wait()
	requireSound(t)
	runtime.GOMAXPROCS(4)
	var p Pass
	p.Begin(context.Background(), 0)
	helped(t, &p, 16, func(int, int) { time.Sleep(50 * time.Microsecond) })
	require.NoError(t, p.End())
}

// storm is one pass that may be cancelled, or end in a panic.
func storm(t *testing.T, p *Pass, rng *rand.Rand) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p.Begin(ctx, rng.IntN(6))
	cancelAt, panicAt := -1, -1
	for range 1 + rng.IntN(8) {
		n := 1 + rng.IntN(1+rng.IntN(300))
		switch rng.IntN(20) {
		case 0:
			cancelAt = rng.IntN(n)
		case 1:
			panicAt = rng.IntN(n)
		}
		spin := rng.IntN(500)
		c := newCensus(n, p.Width())
		c.spin = spin
		var returned atomic.Bool
		panicked := true
		func() {
			defer func() {
				returned.Store(true)
				if r := recover(); r != nil && r != "storm" {
					t.Errorf("panic: %v", r)
				}
			}()
			p.Do(n, bodyFunc(func(worker, i int) {
				if returned.Load() {
					t.Error("an item ran after its Do")
				}
				c.Run(worker, i)
				switch i {
				case cancelAt:
					cancel()
				case panicAt:
					panic("storm")
				}
			}))
			panicked = false
		}()
		for i, r := range c.runs {
			if r > 1 || r == 0 && cancelAt < 0 && panicAt < 0 {
				t.Errorf("item %d of %d ran %d times", i, n, r)
			}
		}
		if c.dup.Load() {
			t.Error("two at once with one worker number")
		}
		if panicked {
			if p.open || panicAt < 0 {
				t.Error("a panic of nobody's, or one that left the pass open")
			}
			return
		}
		if panicAt >= 0 && panicAt < n && c.runs[panicAt] == 1 {
			t.Error("a panic was lost")
		}
	}
	cut := p.Cancelled()
	if err := p.End(); (err != nil) != cut {
		t.Errorf("cancelled: %v, End: %v", cut, err)
	}
}
