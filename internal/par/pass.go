package par

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"
	"time"
)

// Body is the work of one [Pass.Do]. A pointer kept in a workspace makes one
// without allocating.
type Body interface {
	// Run does item i. Calls run at the same time on several goroutines, never
	// two of them with the same worker: scratch indexed by worker is safe to use.
	Run(worker, i int)
}

// Pass is a workspace's door to the pool. Its zero value is ready. It belongs to
// one goroutine at a time, and must not be copied after its first use.
type Pass struct {
	// What helpers read before they own an item is atomic; what they read after
	// is written by the caller while no item is owned.

	// next is generation<<32 | items not yet claimed. The generation is that of
	// the Do: without it a helper that comes late could take an item of the next
	// Do with the worker number that it got for this one.
	next atomic.Uint64
	// seats is generation<<32 | worker numbers given out; the caller has 0.
	seats atomic.Uint64
	width atomic.Int32
	_     [64]byte

	// pending counts items that are not finished, claimed or not.
	pending atomic.Int64
	failure atomic.Pointer[failure]
	cut     atomic.Bool // cancellation was observed
	_       [64]byte

	body   Body
	n      int
	ctx    context.Context
	done   <-chan struct{}
	open   bool
	within bool // opened by BeginWithin: the pool does not count it
	slot   int  // index into pool.slots; -1 if helpers cannot find the pass
	own    int  // items that the caller has claimed and not finished
}

// failure is how a body ended on a helper, if not by returning.
type failure struct{ value any }

const goexit = "par: body called runtime.Goexit"

// Begin opens the pass. At most threads workers, the caller among them, take
// part in it; threads <= 0 means GOMAXPROCS, which is also the most. Cancelling
// ctx makes Do skip what it has not begun.
func (p *Pass) Begin(ctx context.Context, threads int) {
	p.start(ctx, ctx.Done())
	limit := runtime.GOMAXPROCS(0)
	if threads <= 0 || threads > limit {
		threads = limit
	}
	p.width.Store(int32(threads))
	p.slot = pool.enter(p, limit, threads)
}

// BeginWithin opens the pass for use in a body that parent runs, on one worker:
// its Do is serial and stops when parent's context is cancelled. The processors
// are parent's, so it does not count as a pass that needs one.
func (p *Pass) BeginWithin(parent *Pass) {
	p.start(parent.ctx, parent.done)
	p.within = true
	p.width.Store(1)
	p.slot = -1
}

func (p *Pass) start(ctx context.Context, done <-chan struct{}) {
	if p.open {
		panic("par: Begin of an open pass")
	}
	p.open = true
	p.ctx, p.done = ctx, done
	p.cut.Store(false)
}

// End closes the pass. It returns the context's error if cancellation was
// observed, so that something may have been skipped. Ending a pass that is not
// open does nothing.
func (p *Pass) End() error {
	if !p.open {
		return nil
	}
	if !p.within {
		pool.leave(p.slot, int(p.width.Load()))
	}
	p.open, p.within = false, false
	var err error
	if p.cut.Load() {
		err = p.ctx.Err()
	}
	p.ctx, p.done = nil, nil
	return err
}

// Width is the most workers that take part: they are numbered in [0, Width()).
// It is fixed from Begin to End, and 1 for a pass that is not open.
func (p *Pass) Width() int {
	if !p.open {
		return 1
	}
	return int(p.width.Load())
}

// Cancelled tells whether the context was cancelled; once it has been true, End
// returns the context's error. A body may call it in the middle of a long item.
func (p *Pass) Cancelled() bool {
	if p.done == nil {
		return false
	}
	select { // without a lock while the channel is open
	case <-p.done:
		p.cut.Store(true)
		return true
	default:
		return false
	}
}

// Do runs b for the items 0 to n-1, in any order, and returns when all are done.
// Once the context is cancelled, items that have not begun are skipped. If the
// pass is not open, everything runs on the caller. A body must not use the pass
// that runs it, except for Cancelled; it may use another.
//
// A panic in a body, on whichever goroutine, skips what has not begun, ends the
// pass and is raised on the caller with the same value.
func (p *Pass) Do(n int, b Body) {
	if n <= 0 || p.Cancelled() {
		return
	}
	if n == 1 || !p.open || p.slot < 0 || n > math.MaxInt32 {
		p.serial(n, b)
		return
	}
	p.body, p.n = b, n
	p.pending.Store(int64(n))
	gen := (p.next.Load()>>32 + 1) & math.MaxUint32
	p.seats.Store(gen << 32)
	p.next.Store(gen<<32 | uint64(n))
	pool.call()

	finished := false
	defer func() {
		if !finished {
			p.abandon(gen)
		}
	}()
	for c := p.claim(gen); c.n > 0; c = p.claim(gen) {
		p.own = c.n
		p.runChunk(0, c)
		p.own = 0
		p.pending.Add(-int64(c.n))
	}
	p.wait()
	finished = true
	p.body = nil
	if f := p.failure.Load(); f != nil {
		p.failure.Store(nil)
		p.End()
		panic(f.value)
	}
}

// serial is Do on the caller alone.
func (p *Pass) serial(n int, b Body) {
	finished := false
	defer func() {
		if !finished {
			p.End()
		}
	}()
	for i := 0; i < n && !p.Cancelled(); i++ {
		b.Run(0, i)
	}
	finished = true
}

// chunk is items that one worker has claimed.
type chunk struct{ first, n int }

// claim takes the next few items of a generation for one worker; none if it has
// no more. Many small items are claimed several at a time, at first.
func (p *Pass) claim(gen uint64) chunk {
	for {
		v := p.next.Load()
		left := int(uint32(v))
		if v>>32 != gen || left == 0 {
			return chunk{}
		}
		n := max(1, left/(16*int(p.width.Load())))
		if p.next.CompareAndSwap(v, v-uint64(n)) {
			return chunk{p.n - left, n} // p.n is stable: these items are pending
		}
	}
}

// claimRest takes all that is left of a generation.
func (p *Pass) claimRest(gen uint64) (left int) {
	for {
		v := p.next.Load()
		if v>>32 != gen {
			return 0
		}
		if p.next.CompareAndSwap(v, gen<<32) {
			return int(uint32(v))
		}
	}
}

func (p *Pass) runChunk(worker int, c chunk) {
	b := p.body
	for i := c.first; i < c.first+c.n; i++ {
		if p.Cancelled() {
			return
		}
		b.Run(worker, i)
	}
}

// wait returns when no item is pending. Its first stage is for helpers on the
// last of their items; the last one for helpers that the operating system has
// taken off their processor, which sleeping may give back to them.
func (p *Pass) wait() {
	if p.pending.Load() == 0 {
		return
	}
	var idle idler
	for p.pending.Load() != 0 {
		if idle.next() > waitYield {
			time.Sleep(waitSleep)
		}
	}
}

// abandon is the end of a Do whose body did not return on the caller: helpers
// may be running items still, which use what the caller is about to unwind.
func (p *Pass) abandon(gen uint64) {
	p.pending.Add(-int64(p.own + p.claimRest(gen)))
	p.own = 0
	p.wait()
	p.body = nil
	p.failure.Store(nil)
	p.End()
}

// assist is a helper's part in a Do. It is false if there was none for it.
func (p *Pass) assist() bool {
	v := p.next.Load()
	if uint32(v) == 0 {
		return false
	}
	worker := p.sit(v >> 32)
	if worker == 0 {
		return false
	}
	p.work(worker, v>>32)
	return true
}

// sit takes a worker number for a generation, 0 if there is none left.
func (p *Pass) sit(gen uint64) int {
	for {
		v := p.seats.Load()
		worker := uint32(v) + 1
		if v>>32 != gen || worker >= uint32(p.width.Load()) {
			return 0
		}
		if p.seats.CompareAndSwap(v, v+1) {
			return int(worker)
		}
	}
}

// work runs items of a generation on a helper, until there are no more or the
// processors are needed for passes.
func (p *Pass) work(worker int, gen uint64) {
	var c chunk
	defer func() {
		if c.n == 0 {
			return
		}
		value := recover()
		if value == nil {
			value = goexit
		}
		p.failure.CompareAndSwap(nil, &failure{value})
		p.pending.Add(-int64(c.n + p.claimRest(gen)))
	}()
	for !pool.crowded() {
		if c = p.claim(gen); c.n == 0 {
			return
		}
		p.runChunk(worker, c)
		n := c.n
		c.n = 0
		p.pending.Add(-int64(n)) // from here on the pass may be another's
	}
}
