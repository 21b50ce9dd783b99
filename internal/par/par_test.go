package par

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// procs sets GOMAXPROCS for a test.
func procs(t testing.TB, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

// bodyFunc makes a Body of a function.
type bodyFunc func(worker, i int)

func (f bodyFunc) Run(worker, i int) { f(worker, i) }

// census counts, without atomics, how often each item ran: the race detector
// sees whether Do orders the items before what follows it. inside finds two
// calls at once with one worker number.
type census struct {
	runs   []int
	inside []atomic.Int32
	dup    atomic.Bool
	spin   int
}

func newCensus(n, width int) *census {
	return &census{runs: make([]int, n), inside: make([]atomic.Int32, width)}
}

func (c *census) Run(worker, i int) {
	if c.inside[worker].Add(1) != 1 {
		c.dup.Store(true)
	}
	for range c.spin {
		if c.dup.Load() {
			break
		}
	}
	c.runs[i]++
	c.inside[worker].Add(-1)
}

func TestDoRunsEachItemOnce(t *testing.T) {
	for _, p := range []int{1, 2, 4, 7} {
		procs(t, p)
		for _, threads := range []int{0, 1, 2, 3, 100} {
			var pass Pass
			pass.Begin(context.Background(), threads)
			want := p
			if threads > 0 {
				want = min(p, threads)
			}
			require.Equal(t, want, pass.Width())
			for n := range 200 {
				c := newCensus(n, pass.Width())
				pass.Do(n, c)
				for i, r := range c.runs {
					require.Equal(t, 1, r, "item %d of %d", i, n)
				}
				require.False(t, c.dup.Load(), "two at once with one worker number")
			}
			require.NoError(t, pass.End())
		}
	}
}

func TestManyPasses(t *testing.T) {
	procs(t, 4)
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	var wg sync.WaitGroup
	for g := range 10 {
		wg.Go(func() {
			var pass Pass
			for round := range rounds {
				pass.Begin(context.Background(), g%5)
				for k := range 5 {
					n := 1 + (round*7+k*13+g)%60
					c := newCensus(n, pass.Width())
					c.spin = 50 * (g % 3)
					pass.Do(n, c)
					for i, r := range c.runs {
						if r != 1 {
							t.Errorf("item %d of %d ran %d times", i, n, r)
						}
					}
					if c.dup.Load() {
						t.Error("two at once with one worker number")
					}
				}
				if err := pass.End(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
