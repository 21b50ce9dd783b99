package weights

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
)

// A Set holds the tensors of one checkpoint, whatever number of files they are
// in. It is safe for concurrent use.
type Set struct {
	name     string
	files    []*file
	tensors  []stored       // in the order of files, then of bytes
	byName   map[string]int // position in tensors
	metadata map[string]string
	staging  sync.Pool // of *[stagingBytes]byte, what ReadFloat32s converts from
	closed   atomic.Bool
}

// stagingBytes fits the second-level cache beside what it is converted into, and
// is a multiple of every element's size.
const stagingBytes = 128 << 10

// Info describes a tensor. Shape must not be modified.
type Info struct {
	Name  string
	DType DType
	Shape []int  // outermost dimension first; empty for a scalar
	Size  int64  // in bytes
	File  string // that holds it, for messages
}

// Elements returns the number of elements.
func (i Info) Elements() int64 { return elements(i.Shape) }

func newSet(name string) *Set {
	return &Set{
		name:     name,
		byName:   make(map[string]int),
		metadata: make(map[string]string),
		staging:  sync.Pool{New: func() any { return new([stagingBytes]byte) }},
	}
}

// add reads the header of f and takes f over, with an error too.
func (s *Set) add(f *file) error {
	s.files = append(s.files, f)
	c, err := readSafetensors(f)
	if err != nil {
		return inFile(err, f.name)
	}
	for _, t := range c.tensors {
		if first, dup := s.byName[t.info.Name]; dup {
			err := fail(ErrDuplicate, "also in %s", s.tensors[first].info.File)
			return inFile(inTensor(err, t.info.Name), f.name)
		}
		s.byName[t.info.Name] = len(s.tensors)
		s.tensors = append(s.tensors, t)
	}
	for key, value := range c.metadata {
		if _, dup := s.metadata[key]; !dup {
			s.metadata[key] = value
		}
	}
	return nil
}

// Close closes the files. Slices that a Set returned stay valid.
func (s *Set) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	var errs []error
	for _, f := range s.files {
		if err := f.Close(); err != nil {
			errs = append(errs, ioError(f.name, err))
		}
	}
	return errors.Join(errs...)
}

// String returns the path or name that the Set was opened as.
func (s *Set) String() string { return s.name }

// Len returns the number of tensors.
func (s *Set) Len() int { return len(s.tensors) }

// Names returns the names of all tensors, in the order in which their bytes lie:
// the fastest order to read them in.
func (s *Set) Names() []string {
	names := make([]string, len(s.tensors))
	for i, t := range s.tensors {
		names[i] = t.info.Name
	}
	return names
}

// Metadata returns the text that was stored beside the tensors. Where shards
// differ, the first one that has a key counts.
func (s *Set) Metadata() map[string]string { return maps.Clone(s.metadata) }

// Lookup describes the tensor called name, and says whether there is one.
func (s *Set) Lookup(name string) (Info, bool) {
	i, ok := s.byName[name]
	if !ok {
		return Info{}, false
	}
	return s.tensors[i].info, true
}

// Tensor returns the tensor called name with all its bytes: a view of them when
// they lie in memory, else a copy. Data must not be modified.
// The error matches ErrNotFound when there is no such tensor.
func (s *Set) Tensor(name string) (Tensor, error) {
	t, err := s.find(name)
	if err != nil {
		return Tensor{}, err
	}
	data, err := t.file.bytes(t.off, t.info.Size)
	if err != nil {
		return Tensor{}, t.error(err)
	}
	return t.tensor(data), nil
}

// View is Tensor for bytes that lie in memory, and false for all others. Data
// stays valid after Close, has no particular alignment and must not be modified.
func (s *Set) View(name string) (Tensor, bool) {
	t, err := s.find(name)
	if err != nil {
		return Tensor{}, false
	}
	data := t.file.view(t.off, t.info.Size)
	return t.tensor(data), data != nil
}

// ReadBytes fills dst with the bytes of the tensor called name, from byte off on.
func (s *Set) ReadBytes(dst []byte, name string, off int64) error {
	t, err := s.find(name)
	if err != nil {
		return err
	}
	if !within(off, len(dst), t.info.Size) {
		return t.error(fmt.Errorf("bytes %d to %d of %d: %w", off, off+int64(len(dst)), t.info.Size, ErrRange))
	}
	return t.error(t.file.read(dst, t.off+off))
}

// ReadFloat32s fills dst with elements of the tensor called name, from element
// off on, converted as [Tensor.Float32s] does. Beside dst it needs 128 KiB at
// most, so large tensors can be read in pieces, each into its place.
func (s *Set) ReadFloat32s(dst []float32, name string, off int64) error {
	t, err := s.find(name)
	if err != nil {
		return err
	}
	n := t.info.Elements()
	if !within(off, len(dst), n) {
		return t.error(fmt.Errorf("elements %d to %d of %d: %w", off, off+int64(len(dst)), n, ErrRange))
	}
	widen, size := widener(t.info.DType)
	if widen == nil {
		return t.error(fmt.Errorf("%v to float32: %w", t.info.DType, ErrConvert))
	}
	begin := t.off + off*int64(size)
	if t.info.DType == F32 {
		return t.error(t.file.read(bytesOf(dst), begin))
	}
	if src := t.file.view(begin, int64(len(dst)*size)); src != nil {
		widen(dst, src)
		return nil
	}
	buf := s.staging.Get().(*[stagingBytes]byte)
	defer s.staging.Put(buf)
	for len(dst) > 0 {
		n := min(len(dst), len(buf)/size)
		if err := t.file.read(buf[:n*size], begin); err != nil {
			return t.error(err)
		}
		widen(dst[:n], buf[:n*size])
		dst = dst[n:]
		begin += int64(n * size)
	}
	return nil
}

// find returns the tensor called name of an open Set.
func (s *Set) find(name string) (*stored, error) {
	if s.closed.Load() {
		return nil, fmt.Errorf("weights: %s: %w", s.name, ErrClosed)
	}
	i, ok := s.byName[name]
	if !ok {
		return nil, fmt.Errorf("weights: %s: tensor %s: %w", s.name, quote(name), ErrNotFound)
	}
	return &s.tensors[i], nil
}

// within reports whether n things from off on are among size.
func within(off int64, n int, size int64) bool {
	return off >= 0 && off <= size && int64(n) <= size-off
}

func (t *stored) tensor(data []byte) Tensor {
	return Tensor{Name: t.info.Name, DType: t.info.DType, Shape: t.info.Shape, Data: data}
}

// error names the file and the tensor in an error of reading it.
func (t *stored) error(err error) error {
	if err == nil {
		return nil
	}
	return ioError(t.info.File, fmt.Errorf("tensor %s: %w", quote(t.info.Name), err))
}
