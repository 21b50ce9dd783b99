package model

import (
	"errors"
	"sync"

	"github.com/ladon-ml/ladon/internal/mem"
	"github.com/ladon-ml/ladon/mha"
)

// A Model is a loaded checkpoint. It is immutable and safe for concurrent use.
// Its weights do not lie on the Go heap: it must be closed to be freed.
type Model struct {
	spec    Spec
	threads int
	dtype   DType // of the matrices: F32 or Int8

	embed     embeddings
	layers    []*layer
	rotations []*rotation // [layers]; nil where positions turn nothing
	rotary    bool        // one of them is there
	finalNorm norm
	heads     []head
	params    []param
	memory    mem.Arena // holds the matrices and tables

	workspaces shelf
	blocks     mha.CachePool // of the sessions

	mu     sync.RWMutex // held for reading by calls, for writing by Close
	closed bool
}

// Spec describes the model. Its slices must not be modified.
func (m *Model) Spec() Spec { return m.spec }

// DType is the precision of the matrices: F32 or Int8.
func (m *Model) DType() DType { return m.dtype }

// Parameters is the number of learned numbers, and Bytes the memory that they
// take. A matrix that is used twice counts once.
func (m *Model) Parameters() (count, bytes int) {
	for i := range m.params {
		p := &m.params[i]
		count += p.rows * p.cols
		bytes += p.bytes()
	}
	return count, bytes
}

func (p *param) bytes() int {
	switch p.kind {
	case vector:
		return 4 * len(*p.vector)
	case rows:
		return p.table.bytes()
	default:
		return (*p.matrix).Bytes()
	}
}

// Close waits for the calls that are running and frees the model's memory.
// Calls that come later get ErrClosed.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	m.workspaces = shelf{}
	return m.free()
}

// free gives the weights' memory back.
func (m *Model) free() error {
	for i := range m.params {
		m.params[i].free()
	}
	return errors.Join(m.memory.Free(), m.blocks.Close())
}

func (p *param) free() {
	if p.matrix != nil && *p.matrix != nil {
		(*p.matrix).Free()
	}
	if p.table != nil {
		*p.table = table{}
	}
	if p.vector != nil {
		*p.vector = nil
	}
}
