package weights

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/internal/atomicfile"
)

// A Source is a tensor to be written, whose bytes are made when their turn comes.
type Source struct {
	Name  string
	DType DType
	Shape []int
	// Write writes the elements to w, little-endian and row-major: exactly as
	// many bytes as dtype and shape need.
	Write func(w io.Writer) error
}

// Source returns t as a Source.
func (t Tensor) Source() Source {
	return Source{t.Name, t.DType, t.Shape, func(w io.Writer) error {
		_, err := w.Write(t.Data)
		return err
	}}
}

// Write makes path a safetensors file of tensors and metadata (which may be nil).
// Equal tensors make equal files, whatever their order. The file appears whole or
// not at all: it is written beside its place and then renamed, and what was
// there before stays until then. Devices and pipes are written directly.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	sources := make([]Source, len(tensors))
	for i, t := range tensors {
		sources[i] = t.Source()
	}
	return WriteSources(path, sources, metadata)
}

// WriteSources is Write for tensors that need not be in memory all at once. Each
// Write function is called once, in the order of the file.
func WriteSources(path string, sources []Source, metadata map[string]string) error {
	layout, err := newLayout(sources, metadata)
	if err != nil {
		return inFile(err, path)
	}
	return writeFile(path, layout.encode)
}

// writeFile makes a file of what encode writes, whole or not at all.
func writeFile(path string, encode func(io.Writer) error) error {
	err := atomicfile.Write(path, encode)
	if err == nil || errors.Is(err, ErrFormat) {
		return inFile(err, path)
	}
	return ioError(path, err)
}

// Encode writes a safetensors file to w, as WriteSources does to a path.
func Encode(w io.Writer, sources []Source, metadata map[string]string) error {
	layout, err := newLayout(sources, metadata)
	if err != nil {
		return err
	}
	return writeTo(w, layout.encode)
}

// writeTo has encode write to w, and says whose error it is where it is w's.
func writeTo(w io.Writer, encode func(io.Writer) error) error {
	err := encode(w)
	if err == nil || errors.Is(err, ErrFormat) {
		return err
	}
	return fmt.Errorf("weights: %w", err)
}

// A layout is a file to be written: its header and the tensors in their order.
type layout struct {
	header  []byte // with the length before it
	sources []Source
	sizes   []int64 // of each source, in bytes
}

// newLayout arranges sources by falling alignment and then by name, as the
// reference implementation does, and checks that the file will be valid.
func newLayout(sources []Source, metadata map[string]string) (*layout, error) {
	if len(sources) > maxTensors {
		return nil, fail(ErrLimit, "%d tensors, more than %d", len(sources), maxTensors)
	}
	l := &layout{sources: slices.SortedFunc(slices.Values(sources), func(a, b Source) int {
		return cmp.Or(cmp.Compare(b.DType, a.DType), cmp.Compare(a.Name, b.Name))
	})}
	names := make(map[string]bool, len(sources))
	for _, src := range l.sources {
		err := checkName(src.Name)
		if err == nil && names[src.Name] {
			err = fail(ErrDuplicate, "%s", quote(src.Name))
		}
		if err == nil && len(src.Shape) > maxRank {
			err = fail(ErrLimit, "%d dimensions, more than %d", len(src.Shape), maxRank)
		}
		var size int64
		switch {
		case err != nil:
		case src.DType.Quantized():
			err = fail(ErrDType, "safetensors has no %v", src.DType)
		default:
			size, err = src.DType.bytes(src.Shape)
		}
		if err != nil {
			return nil, inTensor(err, src.Name)
		}
		names[src.Name] = true
		l.sizes = append(l.sizes, size)
	}
	var err error
	l.header, err = l.encodeHeader(metadata)
	return l, err
}

func checkName(name string) error {
	if name == metadataKey {
		return fail(ErrDuplicate, "the name is reserved")
	}
	if !utf8.ValidString(name) {
		return fail(ErrUTF8, "name %s", quote(name))
	}
	return nil
}

func (l *layout) encodeHeader(metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, lengthBytes))
	b.WriteByte('{')
	if metadata != nil {
		writeJSON(&b, metadataKey)
		b.WriteString(":{")
		for i, key := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(key) || !utf8.ValidString(metadata[key]) {
				return nil, fail(ErrUTF8, "metadata %s", quote(key))
			}
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(&b, key)
			b.WriteByte(':')
			writeJSON(&b, metadata[key])
		}
		b.WriteByte('}')
	}
	var begin int64
	for i, src := range l.sources {
		if i > 0 || metadata != nil {
			b.WriteByte(',')
		}
		end := begin + l.sizes[i]
		if end < begin {
			return nil, inTensor(fail(ErrOverflow, "of all tensors together"), src.Name)
		}
		writeJSON(&b, src.Name)
		fmt.Fprintf(&b, `:{"dtype":"%v","shape":[`, src.DType)
		for j, dim := range src.Shape {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprint(&b, dim)
		}
		fmt.Fprintf(&b, `],"data_offsets":[%d,%d]}`, begin, end)
		begin = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	header := b.Bytes()
	n := len(header) - lengthBytes
	if n > maxHeader {
		return nil, fail(ErrHeaderLength, "%d bytes, at most %d are allowed", n, maxHeader)
	}
	binary.LittleEndian.PutUint64(header, uint64(n))
	return header, nil
}

// writeJSON writes a string as JSON.
func writeJSON(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	// A valid string can always be encoded; Encode adds a line feed.
	_ = e.Encode(s)
	b.Truncate(b.Len() - 1)
}

func (l *layout) encode(w io.Writer) error {
	buf := bufio.NewWriterSize(w, stagingBytes)
	if _, err := buf.Write(l.header); err != nil {
		return err
	}
	for i, src := range l.sources {
		if err := src.writeTo(buf, l.sizes[i]); err != nil {
			return err
		}
	}
	return buf.Flush()
}

// writeTo writes the tensor, which must be size bytes.
func (s *Source) writeTo(w io.Writer, size int64) error {
	limited := &limitedWriter{w: w, left: size}
	if err := s.Write(limited); err != nil {
		if errors.Is(err, ErrFormat) {
			return inTensor(err, s.Name)
		}
		return fmt.Errorf("tensor %s: %w", quote(s.Name), err)
	}
	if limited.left != 0 {
		return inTensor(fail(ErrSize, "%v of %v needs %d bytes, got %d", s.Shape, s.DType, size, size-limited.left), s.Name)
	}
	return nil
}

// A limitedWriter refuses to write more than left bytes.
type limitedWriter struct {
	w    io.Writer
	left int64
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, fail(ErrSize, "%d bytes more than the shape and dtype need", int64(len(p))-l.left)
	}
	n, err := l.w.Write(p)
	l.left -= int64(n)
	return n, err
}
