package weights

import (
	"encoding/binary"
	"unicode/utf8"
)

// A GGUF file is, little-endian,
//
//	"GGUF"  uint32 version  uint64 tensors  uint64 keys
//	keys × (string key, uint32 kind, value)
//	tensors × (string name, uint32 n, n × uint64 dimension, uint32 type, uint64 offset)
//
// and, from the next multiple of the alignment on, the tensors' bytes at their
// offsets, each a multiple of the alignment. A string is a uint64 length and so
// many bytes, an array a uint32 kind, a uint64 length and so many values. The
// innermost dimension comes first. Version 2 is the same in little-endian files.
const (
	ggufMagic = "GGUF"

	alignmentKey     = "general.alignment"
	defaultAlignment = 32

	maxKeys     = 1 << 16
	maxName     = 1<<16 - 1 // bytes of a key or name, as the specification says
	maxElements = 1 << 24   // of an array of metadata; the largest vocabularies have under 2^18
	maxNesting  = 8         // arrays in arrays
	maxDims     = 4         // of a tensor, as ggml has it
)

// isGGUF says whether f begins as GGUF files do.
func isGGUF(f *file) bool {
	var magic [len(ggufMagic)]byte
	return f.size >= int64(len(magic)) && f.read(magic[:], 0) == nil && string(magic[:]) == ggufMagic
}

// readGGUF reads and validates the header of f.
func readGGUF(f *file) (contents, error) {
	s := &ggufScanner{file: f}
	tensors, keys, err := s.start()
	if err != nil {
		return contents{}, err
	}
	c := contents{format: GGUF, values: make(map[string]Value)}
	for range keys {
		key, v, err := s.entry()
		if err != nil {
			return contents{}, err
		}
		if _, dup := c.values[key]; dup {
			return contents{}, fail(ErrDuplicate, "key %s", quote(key))
		}
		c.keys = append(c.keys, key)
		c.values[key] = v
	}
	alignment, err := c.alignment()
	if err != nil {
		return contents{}, err
	}
	if c.tensors, err = s.tensors(tensors); err != nil {
		return contents{}, err
	}
	for key, v := range c.values {
		v.data = s.head[v.begin:v.end:v.end]
		c.values[key] = v
	}
	begin := (int64(s.pos) + alignment - 1) / alignment * alignment
	return c, placeTensors(c.tensors, f, begin, alignment)
}

// alignment is the multiple at which tensors begin.
func (c *contents) alignment() (int64, error) {
	v, ok := c.values[alignmentKey]
	if !ok {
		return defaultAlignment, nil
	}
	n := int64(v.bits)
	if v.kind != KindUint32 || n == 0 || n&(n-1) != 0 {
		return 0, fail(ErrAlignment, "%s is no power of two in a uint32", alignmentKey)
	}
	return n, nil
}

// A ggufScanner reads the header of a file front to back. What a length claims is
// believed only as far as the file goes on.
type ggufScanner struct {
	file *file
	head []byte // of the file, as far as it was read
	pos  int
	in   string // what is being read, for messages
}

// next returns the next n bytes. They are valid until the next call.
func (s *ggufScanner) next(n uint64) ([]byte, error) {
	if n > uint64(s.file.size-int64(s.pos)) {
		return nil, fail(ErrHeaderBounds, "%s: %d bytes from byte %d on, in a file of %d", s.in, n, s.pos, s.file.size)
	}
	if n > uint64(maxHeader-s.pos) {
		return nil, fail(ErrHeaderLength, "%s: %d bytes from byte %d on, at most %d are allowed in all", s.in, n, s.pos, maxHeader)
	}
	end := s.pos + int(n)
	if err := s.fetch(end); err != nil {
		return nil, err
	}
	b := s.head[s.pos:end]
	s.pos = end
	return b, nil
}

// fetch makes head at least end bytes long, which the file has.
func (s *ggufScanner) fetch(end int) error {
	have := len(s.head)
	if end <= have {
		return nil
	}
	limit := int(min(s.file.size, maxHeader))
	if s.file.data != nil {
		s.head = s.file.data[:limit]
		return nil
	}
	const least = 64 << 10
	head := make([]byte, min(limit, max(end, 2*have, least)))
	copy(head, s.head)
	if err := s.file.read(head[have:], int64(have)); err != nil {
		return ioError(s.file.name, err)
	}
	s.head = head
	return nil
}

func (s *ggufScanner) uint32() (uint32, error) {
	b, err := s.next(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (s *ggufScanner) uint64() (uint64, error) {
	b, err := s.next(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// name reads a key or a tensor's name.
func (s *ggufScanner) name() (string, error) {
	n, err := s.uint64()
	if err != nil {
		return "", err
	}
	if n > maxName {
		return "", fail(ErrLimit, "%s: a name of %d bytes, more than %d", s.in, n, maxName)
	}
	b, err := s.next(n)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", fail(ErrUTF8, "%s: name %s", s.in, quote(string(b)))
	}
	return string(b), nil
}

// start reads what stands before the keys.
func (s *ggufScanner) start() (tensors, keys uint64, err error) {
	s.in = "start"
	if _, err = s.next(uint64(len(ggufMagic))); err != nil {
		return 0, 0, err
	}
	version, err := s.uint32()
	if err != nil {
		return 0, 0, err
	}
	switch {
	case version == 2 || version == 3:
	case version&0xffff == 0 && version != 0:
		return 0, 0, fail(ErrVersion, "the file is big-endian; only little-endian ones are read")
	default:
		return 0, 0, fail(ErrVersion, "%d; 2 and 3 are read", version)
	}
	if tensors, err = s.uint64(); err != nil {
		return 0, 0, err
	}
	if keys, err = s.uint64(); err != nil {
		return 0, 0, err
	}
	if tensors > maxTensors {
		return 0, 0, fail(ErrLimit, "%d tensors, more than %d", tensors, maxTensors)
	}
	if keys > maxKeys {
		return 0, 0, fail(ErrLimit, "%d keys, more than %d", keys, maxKeys)
	}
	return tensors, keys, nil
}

// entry reads a key and its value, whose data is set when all of the header is here.
func (s *ggufScanner) entry() (string, Value, error) {
	s.in = "key"
	key, err := s.name()
	if err != nil {
		return "", Value{}, err
	}
	s.in = "key " + quote(key)
	kind, err := s.kind()
	if err != nil {
		return "", Value{}, err
	}
	v, err := s.value(kind)
	return key, v, err
}

func (s *ggufScanner) kind() (Kind, error) {
	k, err := s.uint32()
	if err != nil {
		return 0, err
	}
	if k >= uint32(len(kinds)) {
		return 0, fail(ErrKind, "%s: %d", s.in, k)
	}
	return Kind(k), nil
}

func (s *ggufScanner) value(kind Kind) (v Value, err error) {
	v.kind = kind
	switch kind {
	case KindString:
		n, err := s.uint64()
		if err != nil {
			return v, err
		}
		v.begin = s.pos
		if _, err := s.next(n); err != nil {
			return v, err
		}
	case KindArray:
		if v.elem, v.n, err = s.arrayStart(); err != nil {
			return v, err
		}
		v.begin = s.pos
		if err := s.skipElements(v.elem, v.n, 1); err != nil {
			return v, err
		}
	default:
		v.begin = s.pos
		b, err := s.next(uint64(kinds[kind].size))
		if err != nil {
			return v, err
		}
		if v.bits = readBits(b); kind == KindBool && v.bits > 1 {
			return v, fail(ErrKind, "%s: a bool of %d", s.in, v.bits)
		}
	}
	v.end = s.pos
	return v, nil
}

func (s *ggufScanner) arrayStart() (elem Kind, n int, err error) {
	if elem, err = s.kind(); err != nil {
		return 0, 0, err
	}
	count, err := s.uint64()
	if err == nil && count > maxElements {
		err = fail(ErrLimit, "%s: an array of %d, more than %d", s.in, count, maxElements)
	}
	return elem, int(count), err
}

// skipElements reads the elements of an array and checks that they are there.
func (s *ggufScanner) skipElements(elem Kind, n, depth int) error {
	if size := kinds[elem].size; size > 0 {
		b, err := s.next(uint64(n) * uint64(size))
		if err != nil || elem != KindBool {
			return err
		}
		for _, v := range b {
			if v > 1 {
				return fail(ErrKind, "%s: a bool of %d", s.in, v)
			}
		}
		return nil
	}
	if depth == maxNesting && elem == KindArray {
		return fail(ErrLimit, "%s: arrays in arrays, more than %d deep", s.in, maxNesting)
	}
	for range n {
		if elem == KindString {
			size, err := s.uint64()
			if err != nil {
				return err
			}
			if _, err := s.next(size); err != nil {
				return err
			}
			continue
		}
		inner, m, err := s.arrayStart()
		if err != nil {
			return err
		}
		if err := s.skipElements(inner, m, depth+1); err != nil {
			return err
		}
	}
	return nil
}
