package pipeline

import (
	"context"
	"sync"
)

// A gate lets a bounded number of calls run at once, lends each a workspace
// that outlives it, and can be closed. T is the workspace.
//
// The workspace given last is lent first, so that a program that makes one call
// at a time grows only one.
type gate[T any] struct {
	make    func() T
	slots   chan struct{} // holds one element for each running call
	closing chan struct{} // closed by close

	once   sync.Once
	mu     sync.Mutex
	idle   []T
	closed bool
}

func newGate[T any](limit int, make_ func() T) *gate[T] {
	return &gate[T]{
		make:    make_,
		slots:   make(chan struct{}, limit),
		closing: make(chan struct{}),
		idle:    make([]T, 0, limit),
	}
}

// enter waits for a free slot and gives a workspace. The caller must leave.
func (g *gate[T]) enter(ctx context.Context) (w T, err error) {
	if err := ctx.Err(); err != nil {
		return w, err
	}
	select {
	case <-g.closing: // first: select is fair, and a closed gate stays closed
		return w, ErrClosed
	default:
	}
	select {
	case g.slots <- struct{}{}:
	case <-g.closing:
		return w, ErrClosed
	case <-ctx.Done():
		return w, ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		<-g.slots
		return w, ErrClosed
	}
	if n := len(g.idle); n > 0 {
		w, g.idle = g.idle[n-1], g.idle[:n-1]
		return w, nil
	}
	return g.make(), nil
}

// leave gives the workspace back.
func (g *gate[T]) leave(w T) {
	g.mu.Lock()
	g.idle = append(g.idle, w)
	g.mu.Unlock()
	<-g.slots
}

// close turns new calls away and waits for those that run.
func (g *gate[T]) close() {
	g.once.Do(func() {
		g.mu.Lock()
		g.closed = true
		g.mu.Unlock()
		close(g.closing)
		for range cap(g.slots) {
			g.slots <- struct{}{}
		}
	})
}
