package model

import (
	"errors"
	"sync"

	"github.com/ladon-ml/ladon/internal/mem"
	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// A Model is a loaded checkpoint. It is immutable and safe for concurrent use.
// Its weights do not lie on the Go heap: it must be closed to be freed.
type Model struct {
	spec    Spec
	threads int
	dtype   DType // of the matrices: F32, Int8 or Stored

	embed     embeddings
	layers    []*layer
	rotations []*rotation  // [layers]; nil where positions turn nothing
	rotary    bool         // one of them is there
	waves     waves        // of positions that are not learned
	biases    [][]mha.Bias // [layers]: of scores
	distances distanceKeys
	finalNorm norm
	narrow    linear // [OutWidth, hidden], of the last hidden states
	heads     []head
	params    []param   // of the other model too
	memory    mem.Arena // holds the matrices and tables, likewise

	bridge     linear    // [hidden, the other's hidden], where its states are projected
	matchScale []float32 // [1], where the two match: see Spec

	other *Model // the second model of the checkpoint; nil: there is none
	own   string // before the names of its parameters in files of our own form

	workspaces shelf
	blocks     mha.CachePool // of the sessions

	mu     sync.RWMutex // held for reading by calls, for writing by Close
	closed bool
}

// Spec describes the model. Its slices must not be modified.
func (m *Model) Spec() Spec { return m.spec }

// Other is the second model of the checkpoint, which lives as long as m; nil
// where there is none.
func (m *Model) Other() *Model { return m.other }

// DType is the precision of the matrices: F32, Int8 or Stored.
func (m *Model) DType() DType { return m.dtype }

// Formats counts the learned numbers by the form in which the model keeps them.
func (m *Model) Formats() map[kernels.DType]int {
	counts := map[kernels.DType]int{}
	for i := range m.params {
		p := &m.params[i]
		counts[p.format()] += p.rows * p.cols
	}
	return counts
}

// format is the form in which the model keeps p.
func (p *param) format() kernels.DType {
	switch {
	case p.kind == vector:
		return kernels.F32
	case p.kind != rows:
		return (*p.matrix).DType()
	case p.table.i8 != nil:
		return kernels.Int8
	}
	return p.table.format
}

// storedDType says whether some parameters are kept in a form of their file's.
func (m *Model) storedDType() DType {
	for i := range m.params {
		if m.params[i].format() > kernels.Int8 {
			return Stored
		}
	}
	return F32
}

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

// TokenBytes is how much of that memory computing one token reads: all but the
// tables of which it gathers a row and, of an encoder-decoder, what reads the
// source.
func (m *Model) TokenBytes() int {
	bytes := 0
	for i := range m.params {
		if p := &m.params[i]; p.kind != rows && !p.onSource {
			bytes += p.bytes()
		}
	}
	return bytes
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
	if m.other != nil {
		_ = m.other.Close() // it waits, and has nothing of its own to free
	}
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
