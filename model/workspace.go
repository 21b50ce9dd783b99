package model

import (
	"runtime"
	"sync"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// A workspace is the memory of one forward pass at a time, kept for the next.
type workspace struct {
	kernels.Exec
	model  *Model
	stream stream

	x, y, o []float32 // [rows, hidden]; o is [rows, heads·headDim]
	rows    int       // tokens, or sequences where only their first tokens go on
	qkv     []float32 // [3·heads, tokens, headDim]
	h       []float32 // [tokens, ffn], rows ldh apart
	ldh     int

	mha  mha.Attention
	keys []float32 // keys and values without unseen ones, both [heads, keys, headDim]

	first []float32    // [sequences, hidden]
	dense [2][]float32 // between the layers of a head

	groups []group
	share  share        // groups side by side
	sub    []*workspace // a worker's own, for a group that it runs alone

	gather gather
	probe  probe
}

func newWorkspace(m *Model) *workspace {
	w := &workspace{model: m}
	w.gather.w, w.probe.w, w.share.w = w, w, w
	return w
}

// resize makes room for the stream.
func (w *workspace) resize() {
	s, tokens := &w.model.spec, w.stream.tokens
	width := s.Attention.Heads * s.Attention.HeadDim
	w.x = grow(w.x, tokens*s.Hidden)
	w.y = grow(w.y, tokens*s.Hidden)
	w.o = grow(w.o, tokens*width)
	w.qkv = grow(w.qkv, 3*tokens*width)
	w.ldh = kernels.Stride(s.FeedForward.Width)
	w.h = grow(w.h, tokens*w.ldh)
}

// A shelf keeps the workspaces of calls that are over. A sync.Pool would forget
// them at any garbage collection, and the next call would allocate.
type shelf struct {
	mu   sync.Mutex
	idle []*workspace
}

func (s *shelf) get(m *Model) *workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		w := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return w
	}
	return newWorkspace(m)
}

// put keeps w, unless a crowd of calls has left more than will be used at once again.
func (s *shelf) put(w *workspace) {
	w.stream.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) < 2*runtime.GOMAXPROCS(0) {
		s.idle = append(s.idle, w)
	}
}
