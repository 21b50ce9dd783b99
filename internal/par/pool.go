package par

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// How long an idle helper stays awake. Waking a parked one delays the work by
// 5 to 150 µs, so it pays to wait about as long.
const (
	spinFor   = 50 * time.Microsecond  // polling, then
	yieldFor  = 200 * time.Microsecond // yielding to other goroutines, until
	yieldOpen = 2 * time.Millisecond   // this, if some pass is open
)

// How long a caller waits for the helpers' last items before it sleeps, and for
// how long at a time.
const (
	waitYield = 500 * time.Microsecond
	waitSleep = 20 * time.Microsecond
)

// pool is the process-wide team of helpers. It has no helpers until the first
// pass that wants some.
var pool team

// maxPasses is how many passes helpers can find. Further ones run on their
// callers alone, which so many callers keep busy enough.
const maxPasses = 64

type team struct {
	// state is the number of open passes <<32 | the number of helpers awake.
	state atomic.Uint64
	limit atomic.Int32  // GOMAXPROCS at the latest Begin
	want  atomic.Int32  // helpers that open passes could use
	taken atomic.Uint64 // bit i: slots[i] is in use
	slots [maxPasses]atomic.Pointer[Pass]

	mu     sync.Mutex
	parked []*helper // the latest to park is the first to be woken
}

// helper is a goroutine that takes part in passes.
type helper struct {
	wake chan struct{}
	last int // the slot of the pass that it last found work in
}

// enter counts a pass that is being opened, wakes a helper for it, and returns
// its slot, -1 if it has none.
func (t *team) enter(p *Pass, limit, width int) (slot int) {
	t.limit.Store(int32(limit))
	t.state.Add(1 << 32)
	if width == 1 {
		return -1
	}
	t.want.Add(int32(width - 1))
	for {
		v := t.taken.Load()
		slot = bits.TrailingZeros64(^v)
		if slot == maxPasses {
			return -1
		}
		if t.taken.CompareAndSwap(v, v|1<<slot) {
			break
		}
	}
	t.slots[slot].Store(p)
	t.call()
	return slot
}

func (t *team) leave(slot, width int) {
	if slot >= 0 {
		t.slots[slot].Store(nil)
		t.taken.And(^(uint64(1) << slot))
	}
	t.want.Add(int32(1 - width))
	t.state.Add(^uint64(1<<32 - 1)) // one pass fewer
}

func unpack(state uint64) (open, awake int32) { return int32(state >> 32), int32(uint32(state)) }

// crowded tells whether helpers must go, to leave their processors to passes.
func (t *team) crowded() bool {
	open, awake := unpack(t.state.Load())
	return open+awake > t.limit.Load()
}

// call wakes a helper, or starts one, if there is work and room for one more.
func (t *team) call() {
	for {
		s := t.state.Load()
		open, awake := unpack(s)
		if awake >= t.want.Load() || open+awake >= t.limit.Load() {
			return
		}
		if t.state.CompareAndSwap(s, s+1) {
			break
		}
	}
	var h *helper
	t.mu.Lock()
	if n := len(t.parked); n > 0 {
		h = t.parked[n-1]
		t.parked = t.parked[:n-1]
	}
	t.mu.Unlock()
	if h == nil {
		h = &helper{wake: make(chan struct{}, 1)}
		go t.help(h)
		return
	}
	h.wake <- struct{}{}
}

// help is a helper's life. It begins awake, and ends only if a body calls
// runtime.Goexit.
func (t *team) help(h *helper) {
	defer t.state.Add(^uint64(0)) // one awake fewer
	for {
		// Those who wake wake others, so that a caller does not wake them all.
		t.call()
		t.call()
		t.serve(h)
		<-h.wake
	}
}

// serve works while there is work, and returns parked.
func (t *team) serve(h *helper) {
	var idle idler
	for {
		switch {
		case t.crowded():
			if t.park(h, true) {
				return
			}
		case t.assist(h):
			idle = idler{}
		default:
			waited := idle.next()
			if waited > yieldOpen || waited > yieldFor && t.taken.Load() == 0 {
				t.park(h, false)
				// A Do between the last look and parking saw this helper awake.
				if t.taken.Load() != 0 && t.work() {
					t.call()
				}
				return
			}
		}
	}
}

// park counts h as parked; if it is for the crowd, only as long as there is one.
func (t *team) park(h *helper, crowd bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		s := t.state.Load()
		if open, awake := unpack(s); crowd && open+awake <= t.limit.Load() {
			return false
		}
		if t.state.CompareAndSwap(s, s-1) {
			break
		}
	}
	t.parked = append(t.parked, h)
	return true
}

// assist finds a pass with work for h and takes part in it. The one that h last
// worked for comes first: its data is in this processor's cache.
func (t *team) assist(h *helper) bool {
	taken := t.taken.Load()
	if taken>>h.last&1 != 0 {
		if p := t.slots[h.last].Load(); p != nil && p.assist() {
			return true
		}
	}
	for ; taken != 0; taken &= taken - 1 {
		slot := bits.TrailingZeros64(taken)
		if p := t.slots[slot].Load(); p != nil && p.assist() {
			h.last = slot
			return true
		}
	}
	return false
}

// work tells whether some pass has items that nobody has claimed.
func (t *team) work() bool {
	for taken := t.taken.Load(); taken != 0; taken &= taken - 1 {
		if p := t.slots[bits.TrailingZeros64(taken)].Load(); p != nil && uint32(p.next.Load()) != 0 {
			return true
		}
	}
	return false
}

// idler paces a loop that polls.
type idler struct {
	polls  uint32
	since  time.Time
	waited time.Duration
}

// next comes between two polls. It returns how long the loop has waited.
func (w *idler) next() time.Duration {
	w.polls++
	if w.waited < spinFor {
		if w.polls%64 != 0 {
			return w.waited
		}
		if w.since.IsZero() {
			w.since = time.Now()
		}
		w.waited = time.Since(w.since)
	} else {
		w.waited = time.Since(w.since)
	}
	runtime.Gosched()
	return w.waited
}
