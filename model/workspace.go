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

	e       []float32 // [tokens, embedWidth], where that is not hidden
	x, y, o []float32 // [rows, hidden]; o is [rows, heads·headDim]
	owes    bool      // x is to be added y, by who reads it next
	rows    int       // tokens, or sequences where one row of each goes on
	only    Rows      // which, where there is no result that says so
	qkv     []float32 // [heads+2·kvHeads, tokens, headDim]
	h       []float32 // [tokens, ffn], rows a Stride apart

	mha      mha.Attention
	probe    mha.Probe // this workspace's part of a Result's
	sample   mha.Probe // what a HeadPolicy is told
	mask     []float32 // and what it chooses [sequences, heads]
	given    []float32 // of the batch's head mask [sequences, heads]
	average  []float32 // [2, headDim]
	params   mha.Params
	headNorm mha.Norm
	distant  distant
	permuted permuted
	spanning spanning
	attender attender       // nil: the stream attends to itself
	active   *activity      // nil: nobody asks what the neurons give
	some     kernels.Matrix // some of the outputs of one
	places   []int32        // of queries that are fewer than the tokens
	keys     []float32      // keys and values without unseen ones, both [kvHeads, keys, headDim]
	hides    []uint8        // keys that no token sees [sequences, keys]
	masked   [1]mha.Mask
	one      [4]int32 // the offsets of one sequence

	bridged []float32 // the source's states [tokens, hidden]
	crossKV []float32 // of the source [2·kvHeads, tokens, headDim]
	singles []int32   // the offsets of sequences of one row each

	appending appending // tokens for sessions

	picked []int32      // [sequences]: the row that is read of each
	first  []float32    // [sequences, hidden]: those rows
	mean   []float32    // one of the heads that another is the mean of
	normed []float32    // what a head reads, after its norm
	dense  [2][]float32 // between the layers of a head
	scaled scaled

	groups []group
	share  share        // groups side by side
	sub    []*workspace // a worker's own, for a group that it runs alone

	gather  gather
	patches patches
}

func newWorkspace(m *Model) *workspace {
	w := &workspace{model: m}
	w.gather.w, w.share.w, w.patches.w = w, w, w
	return w
}

// resize makes room for the stream.
func (w *workspace) resize() {
	s, tokens := &w.model.spec, w.stream.tokens
	out, qkv, ffn := 0, 0, 0
	for i := range s.Layers {
		a, f := &s.Layers[i].Attention, &s.Layers[i].FeedForward
		out, qkv = max(out, a.Heads*a.HeadDim), max(qkv, a.qkv()*a.HeadDim)
		if c := s.Layers[i].Cross; c != nil {
			out, qkv = max(out, c.Heads*c.HeadDim), max(qkv, c.Heads*c.HeadDim)
		}
		ffn = max(ffn, kernels.Stride(f.Width))
	}
	w.x = grow(w.x, tokens*max(s.Hidden, s.OutWidth))
	w.y = grow(w.y, tokens*max(s.Hidden, s.OutWidth))
	w.o = grow(w.o, tokens*out)
	w.qkv = grow(w.qkv, tokens*qkv)
	w.h = grow(w.h, tokens*ffn)
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
