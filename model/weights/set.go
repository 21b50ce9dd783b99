package weights

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	format   Format
	metadata map[string]string
	keys     []string
	values   map[string]Value
	staging  sync.Pool // of *staging
	closed   atomic.Bool
}

// staging is what ReadFloat32s converts from.
type staging struct {
	bytes [stagingBytes]byte
	edge  [superBlock]float32 // a block of which only a part was asked for
}

// stagingBytes fits the second-level cache beside what it is converted into.
const stagingBytes = 128 << 10

// A Format is a kind of file.
type Format uint8

const (
	Safetensors Format = iota
	GGUF
)

func (f Format) String() string {
	if f == GGUF {
		return "GGUF"
	}
	return "safetensors"
}

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
		staging:  sync.Pool{New: func() any { return new(staging) }},
	}
}

// add reads the header of f and takes f over, with an error too.
func (s *Set) add(f *file) error {
	_, err := s.addPart(f)
	return err
}

// addPart is add, which gives the metadata of a GGUF file.
func (s *Set) addPart(f *file) (map[string]Value, error) {
	s.files = append(s.files, f)
	read := readSafetensors
	switch {
	case isGGUF(f):
		read = readGGUF
	case strings.HasSuffix(f.name, ggufSuffix):
		return nil, inFile(fail(ErrMagic, ""), f.name)
	}
	c, err := read(f)
	if err != nil {
		return nil, inFile(err, f.name)
	}
	switch {
	case len(s.files) == 1:
		s.format, s.keys, s.values = c.format, c.keys, c.values
	case c.format != s.format:
		return nil, inFile(fail(ErrIndex, "%v beside %v", c.format, s.format), f.name)
	}
	for _, t := range c.tensors {
		if first, dup := s.byName[t.info.Name]; dup {
			err := fail(ErrDuplicate, "also in %s", s.tensors[first].info.File)
			return nil, inFile(inTensor(err, t.info.Name), f.name)
		}
		s.byName[t.info.Name] = len(s.tensors)
		s.tensors = append(s.tensors, t)
	}
	for key, value := range c.metadata {
		if _, dup := s.metadata[key]; !dup {
			s.metadata[key] = value
		}
	}
	return c.values, nil
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

// Format is what kind of file the Set was read from.
func (s *Set) Format() Format { return s.format }

// Metadata returns the text that was stored beside the tensors of safetensors.
// Where shards differ, the first one that has a key counts.
func (s *Set) Metadata() map[string]string { return maps.Clone(s.metadata) }

// Keys returns the keys of the metadata of a GGUF file, of a split one's first
// part, in its order.
func (s *Set) Keys() []string { return slices.Clone(s.keys) }

// Value returns what a GGUF file, a split one's first part, has under a key.
func (s *Set) Value(key string) (Value, bool) {
	v, ok := s.values[key]
	return v, ok
}

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
	widen := widener(t.info.DType)
	if widen == nil {
		return t.error(fmt.Errorf("%v to float32: %w", t.info.DType, ErrConvert))
	}
	block, _ := t.info.DType.Block()
	if t.info.DType == F32 {
		return t.error(t.file.read(bytesOf(dst), t.off+4*off))
	}
	buf := s.staging.Get().(*staging)
	defer s.staging.Put(buf)
	// A first and a last block that are asked for in part are widened beside dst.
	if skip := int(off % int64(block)); skip > 0 {
		edge := buf.edge[:block]
		if err := t.widen(edge, off-int64(skip), widen, buf); err != nil {
			return err
		}
		n := copy(dst, edge[skip:])
		dst, off = dst[n:], off+int64(n)
	}
	whole := len(dst) / block * block
	if err := t.widen(dst[:whole], off, widen, buf); err != nil {
		return err
	}
	if rest := dst[whole:]; len(rest) > 0 {
		edge := buf.edge[:block]
		if err := t.widen(edge, off+int64(whole), widen, buf); err != nil {
			return err
		}
		copy(rest, edge)
	}
	return nil
}

// widen fills dst with elements from off on, both whole blocks.
func (t *stored) widen(dst []float32, off int64, widen func([]float32, []byte), buf *staging) error {
	block, size := t.info.DType.Block()
	begin := t.off + off/int64(block)*int64(size)
	if src := t.file.view(begin, int64(len(dst)/block*size)); src != nil {
		widen(dst, src)
		return nil
	}
	for len(dst) > 0 {
		blocks := min(len(dst)/block, len(buf.bytes)/size)
		src := buf.bytes[:blocks*size]
		if err := t.file.read(src, begin); err != nil {
			return t.error(err)
		}
		widen(dst[:blocks*block], src)
		dst = dst[blocks*block:]
		begin += int64(len(src))
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
