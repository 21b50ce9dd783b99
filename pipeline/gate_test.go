package pipeline

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGateLimitsAndReuses(t *testing.T) {
	var made, running, most atomic.Int32
	g := newGate(3, func() *int { made.Add(1); return new(int) })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			w, err := g.enter(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			n := running.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			*w++ // the race detector tells if two hold one workspace
			time.Sleep(time.Millisecond)
			running.Add(-1)
			g.leave(w)
		})
	}
	wg.Wait()
	require.LessOrEqual(t, most.Load(), int32(3))
	require.LessOrEqual(t, made.Load(), int32(3))
}

func TestGateOneCallerGrowsOneWorkspace(t *testing.T) {
	made := 0
	g := newGate(8, func() *int { made++; return new(int) })
	for range 20 {
		w, err := g.enter(t.Context())
		require.NoError(t, err)
		g.leave(w)
	}
	require.Equal(t, 1, made)
}

func TestGateContext(t *testing.T) {
	g := newGate(1, func() *int { return new(int) })
	w, err := g.enter(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	_, err = g.enter(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	g.leave(w)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = g.enter(done)
	require.ErrorIs(t, err, context.Canceled)
}

func TestGateCloseWaits(t *testing.T) {
	g := newGate(2, func() *int { return new(int) })
	w, err := g.enter(t.Context())
	require.NoError(t, err)
	closed := make(chan struct{})
	go func() { g.close(); close(closed) }()
	require.Eventually(t, func() bool {
		w, err := g.enter(t.Context())
		if err == nil {
			g.leave(w)
		}
		return err == ErrClosed
	}, time.Second, time.Millisecond)
	select {
	case <-closed:
		t.Fatal("close did not wait for the running call")
	case <-time.After(10 * time.Millisecond):
	}
	g.leave(w)
	<-closed
	g.close() // again: nothing
	_, err = g.enter(t.Context())
	require.ErrorIs(t, err, ErrClosed)
}
