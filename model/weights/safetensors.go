package weights

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"
)

// A safetensors file is an 8-byte little-endian header length, the header, and
// the tensors' bytes without gaps. The header is a JSON object of
//
//	"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
//
// with offsets counted from the header's end, and at most one "__metadata__"
// that maps strings to strings. Spaces may follow the object.
const (
	lengthBytes = 8
	metadataKey = "__metadata__"

	maxHeader  = 100_000_000 // bytes; the reference implementation's limit
	maxTensors = 1 << 18     // in one file; the largest checkpoints have under 2^17 in all shards
	maxRank    = 64          // as in NumPy and torch
)

// A stored tensor is one whose bytes are in a file.
type stored struct {
	info Info
	file *file
	off  int64 // of its bytes in the file
}

// contents is what the header of a file says, validated.
type contents struct {
	format   Format
	tensors  []stored          // in the order of their bytes
	metadata map[string]string // of safetensors
	keys     []string          // of GGUF, in the file's order
	values   map[string]Value  // of these keys
}

// readSafetensors reads and validates the header of f.
func readSafetensors(f *file) (contents, error) {
	if f.size < lengthBytes {
		return contents{}, fail(ErrShort, "%d bytes", f.size)
	}
	var prefix [lengthBytes]byte
	if err := f.read(prefix[:], 0); err != nil {
		return contents{}, ioError(f.name, err)
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > maxHeader {
		if string(prefix[:]) == "version " {
			return contents{}, fail(ErrHeaderLength, "the file looks like a Git LFS pointer, not what it points to")
		}
		return contents{}, fail(ErrHeaderLength, "%d bytes, at most %d are allowed", n, maxHeader)
	}
	begin := lengthBytes + int64(n)
	if begin > f.size {
		return contents{}, fail(ErrHeaderBounds, "%d bytes of header in a file of %d", n, f.size)
	}
	header, err := f.bytes(lengthBytes, int64(n))
	if err != nil {
		return contents{}, ioError(f.name, err)
	}
	c, err := parseHeader(header, f.size-begin)
	for i := range c.tensors {
		t := &c.tensors[i]
		t.file = f
		t.off += begin
		t.info.File = f.name
	}
	return c, err
}

// parseHeader parses and validates a header in front of size bytes of data.
// The offsets that it returns count from the beginning of the data.
func parseHeader(header []byte, size int64) (contents, error) {
	var c contents
	if !utf8.Valid(header) {
		return c, fail(ErrUTF8, "header")
	}
	if !bytes.HasPrefix(header, []byte{'{'}) {
		return c, fail(ErrHeaderStart, "header of %d bytes", len(header))
	}
	s := &scanner{text: header}
	names := make(map[string]bool)
	err := s.object(func(name string) (err error) {
		if names[name] {
			return inTensor(fail(ErrDuplicate, "again before byte %d of the header", s.pos), name)
		}
		names[name] = true
		if name == metadataKey {
			c.metadata, err = parseMetadata(s)
			return err
		}
		if len(c.tensors) == maxTensors {
			return fail(ErrLimit, "more than %d tensors", maxTensors)
		}
		t, err := parseTensor(s)
		if err != nil {
			return inTensor(err, name)
		}
		t.info.Name = name
		c.tensors = append(c.tensors, t)
		return nil
	})
	if err != nil {
		return contents{}, err
	}
	if err := s.end(); err != nil {
		return contents{}, err
	}
	slices.SortFunc(c.tensors, func(a, b stored) int {
		return cmp.Or(cmp.Compare(a.off, b.off), cmp.Compare(a.info.Size, b.info.Size), cmp.Compare(a.info.Name, b.info.Name))
	})
	return c, checkCover(c.tensors, size)
}

// parseTensor parses what follows a tensor's name. Of its fields each must be
// there once, and no other.
func parseTensor(s *scanner) (t stored, err error) {
	const fields = 3
	var end int64
	seen := make(map[string]bool, fields)
	err = s.object(func(field string) (err error) {
		if seen[field] {
			return fail(ErrDuplicate, "field %s", quote(field))
		}
		seen[field] = true
		switch field {
		case "dtype":
			t.info.DType, err = scanDType(s)
		case "shape":
			t.info.Shape, err = scanShape(s)
		case "data_offsets":
			t.off, end, err = scanOffsets(s)
		default:
			err = fail(ErrField, "unknown field %s", quote(field))
		}
		return err
	})
	if err != nil {
		return t, err
	}
	for _, field := range [fields]string{"dtype", "shape", "data_offsets"} {
		if !seen[field] {
			return t, fail(ErrField, "no field %q", field)
		}
	}
	if end < t.off {
		return t, fail(ErrOffsets, "data_offsets [%d, %d]", t.off, end)
	}
	t.info.Size, err = t.info.DType.bytes(t.info.Shape)
	if err != nil {
		return t, err
	}
	if t.info.Size != end-t.off {
		return t, fail(ErrSize, "%v of %v needs %d bytes, has %d", t.info.Shape, t.info.DType, t.info.Size, end-t.off)
	}
	return t, nil
}

func scanDType(s *scanner) (DType, error) {
	name, err := s.string()
	if err != nil {
		return 0, err
	}
	d, ok := parseDType(name)
	if !ok {
		return 0, fail(ErrDType, "%s", quote(name))
	}
	return d, nil
}

func scanShape(s *scanner) ([]int, error) {
	shape := make([]int, 0, 4)
	err := s.array(func() error {
		dim, err := s.integer()
		if err != nil {
			return err
		}
		if dim > math.MaxInt {
			return fail(ErrOverflow, "dimension %d", dim)
		}
		if len(shape) == maxRank {
			return fail(ErrLimit, "more than %d dimensions", maxRank)
		}
		shape = append(shape, int(dim))
		return nil
	})
	return shape, err
}

func scanOffsets(s *scanner) (begin, end int64, err error) {
	var offsets [2]int64
	n := 0
	err = s.array(func() error {
		v, err := s.integer()
		if err != nil {
			return err
		}
		if n == len(offsets) {
			return fail(ErrField, "more than 2 data_offsets")
		}
		offsets[n] = v
		n++
		return nil
	})
	if err == nil && n < len(offsets) {
		err = fail(ErrField, "%d data_offsets, not 2", n)
	}
	return offsets[0], offsets[1], err
}

func parseMetadata(s *scanner) (map[string]string, error) {
	if s.peek() != '{' {
		return nil, fail(ErrMetadata, "%s", metadataKey)
	}
	m := make(map[string]string)
	err := s.object(func(key string) error {
		if _, dup := m[key]; dup {
			return fail(ErrDuplicate, "%s in %s", quote(key), metadataKey)
		}
		if s.peek() != '"' {
			return fail(ErrMetadata, "the value of %s", quote(key))
		}
		value, err := s.string()
		m[key] = value
		return err
	})
	return m, err
}

// checkCover checks that the tensors, sorted by offset, lie one behind the other
// from 0 to size.
func checkCover(tensors []stored, size int64) error {
	var end int64
	for _, t := range tensors {
		var err error
		switch {
		case t.off < end:
			err = fail(ErrOverlap, "begins at byte %d, inside the tensor that ends at %d", t.off, end)
		case t.off > size || t.info.Size > size-t.off:
			err = fail(ErrTruncated, "needs bytes %d to %d of %d", t.off, t.off+t.info.Size, size)
		case t.off > end:
			err = fail(ErrHole, "begins at byte %d, the tensor before ends at %d", t.off, end)
		}
		if err != nil {
			return inTensor(err, t.info.Name)
		}
		end = t.off + t.info.Size
	}
	if end != size {
		return fail(ErrTrailing, "%d of %d bytes", size-end, size)
	}
	return nil
}
