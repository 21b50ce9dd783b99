package weights

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"unicode/utf8"
)

// An Entry is a key of a GGUF file's metadata and its value.
type Entry struct {
	Key   string
	Value Value
}

// A Scalar is a type that metadata are made of.
type Scalar interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | float32 | bool | string | uint64 | int64 | float64
}

// ValueOf returns x as a Value.
func ValueOf[T Scalar](x T) Value {
	v, _ := readValue(appendScalar(nil, x), kindOf[T]())
	return v
}

// ValuesOf returns list as an array.
func ValuesOf[T Scalar](list []T) Value {
	v := Value{kind: KindArray, elem: kindOf[T](), n: len(list)}
	for _, x := range list {
		v.data = appendScalar(v.data, x)
	}
	return v
}

func kindOf[T Scalar]() Kind {
	switch any(*new(T)).(type) {
	case uint8:
		return KindUint8
	case int8:
		return KindInt8
	case uint16:
		return KindUint16
	case int16:
		return KindInt16
	case uint32:
		return KindUint32
	case int32:
		return KindInt32
	case float32:
		return KindFloat32
	case bool:
		return KindBool
	case string:
		return KindString
	case uint64:
		return KindUint64
	case int64:
		return KindInt64
	}
	return KindFloat64
}

// appendScalar appends x as a file has it.
func appendScalar(dst []byte, x any) []byte {
	le := binary.LittleEndian
	switch x := x.(type) {
	case uint8:
		return append(dst, x)
	case int8:
		return append(dst, byte(x))
	case uint16:
		return le.AppendUint16(dst, x)
	case int16:
		return le.AppendUint16(dst, uint16(x))
	case uint32:
		return le.AppendUint32(dst, x)
	case int32:
		return le.AppendUint32(dst, uint32(x))
	case float32:
		return le.AppendUint32(dst, math.Float32bits(x))
	case bool:
		if x {
			return append(dst, 1)
		}
		return append(dst, 0)
	case string:
		return append(le.AppendUint64(dst, uint64(len(x))), x...)
	case uint64:
		return le.AppendUint64(dst, x)
	case int64:
		return le.AppendUint64(dst, uint64(x))
	case float64:
		return le.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}

// append appends the value as a file has it after its kind.
func (v Value) append(dst []byte) []byte {
	le := binary.LittleEndian
	switch v.kind {
	case KindString:
		return append(le.AppendUint64(dst, uint64(len(v.data))), v.data...)
	case KindArray:
		dst = le.AppendUint32(dst, uint32(v.elem))
		return append(le.AppendUint64(dst, uint64(v.n)), v.data...)
	}
	var bits [8]byte
	le.PutUint64(bits[:], v.bits)
	return append(dst, bits[:kinds[v.kind].size]...)
}

// WriteGGUF makes path a GGUF file, of version 3, of these tensors and metadata
// in their order. As with [WriteSources], the file appears whole or not at all,
// and the tensors need not be in memory all at once.
//
// The metadata's general.alignment, 32 where it has none, is what tensors begin
// at multiples of.
func WriteGGUF(path string, sources []Source, metadata []Entry) error {
	layout, err := newGGUFLayout(sources, metadata)
	if err != nil {
		return inFile(err, path)
	}
	return writeFile(path, layout.encode)
}

// EncodeGGUF writes a GGUF file to w, as WriteGGUF does to a path.
func EncodeGGUF(w io.Writer, sources []Source, metadata []Entry) error {
	layout, err := newGGUFLayout(sources, metadata)
	if err != nil {
		return err
	}
	return writeTo(w, layout.encode)
}

// A ggufLayout is a GGUF file to be written.
type ggufLayout struct {
	header    []byte // with the padding behind it
	sources   []Source
	sizes     []int64 // of each source, in bytes
	alignment int64
}

func newGGUFLayout(sources []Source, metadata []Entry) (*ggufLayout, error) {
	if len(sources) > maxTensors {
		return nil, fail(ErrLimit, "%d tensors, more than %d", len(sources), maxTensors)
	}
	if len(metadata) > maxKeys {
		return nil, fail(ErrLimit, "%d keys, more than %d", len(metadata), maxKeys)
	}
	values := contents{values: make(map[string]Value, len(metadata))}
	le := binary.LittleEndian
	b := append([]byte(ggufMagic), 3, 0, 0, 0)
	b = le.AppendUint64(b, uint64(len(sources)))
	b = le.AppendUint64(b, uint64(len(metadata)))
	for _, e := range metadata {
		if err := checkGGUFName(e.Key); err != nil {
			return nil, err
		}
		if _, dup := values.values[e.Key]; dup {
			return nil, fail(ErrDuplicate, "key %s", quote(e.Key))
		}
		values.values[e.Key] = e.Value
		b = appendScalar(b, e.Key)
		b = le.AppendUint32(b, uint32(e.Value.kind))
		b = e.Value.append(b)
	}
	l := &ggufLayout{sources: sources, sizes: make([]int64, len(sources))}
	var err error
	if l.alignment, err = values.alignment(); err != nil {
		return nil, err
	}
	if b, err = l.appendTensors(b); err != nil {
		return nil, err
	}
	if len(b) > maxHeader {
		return nil, fail(ErrHeaderLength, "%d bytes, at most %d are allowed", len(b), maxHeader)
	}
	l.header = append(b, make([]byte, l.padding(int64(len(b))))...)
	return l, nil
}

// appendTensors appends the descriptions of the tensors.
func (l *ggufLayout) appendTensors(b []byte) ([]byte, error) {
	le := binary.LittleEndian
	names := make(map[string]bool, len(l.sources))
	var off int64
	for i, src := range l.sources {
		err := checkGGUFName(src.Name)
		if err == nil && names[src.Name] {
			err = fail(ErrDuplicate, "%s", quote(src.Name))
		}
		if err == nil && len(src.Shape) > maxDims {
			err = fail(ErrLimit, "%d dimensions, more than %d", len(src.Shape), maxDims)
		}
		number, ok := ggufNumber(src.DType)
		if err == nil && !ok {
			err = fail(ErrDType, "GGUF has no %v", src.DType)
		}
		if err == nil {
			l.sizes[i], err = src.DType.bytes(src.Shape)
		}
		if err != nil {
			return nil, inTensor(err, src.Name)
		}
		names[src.Name] = true
		b = appendScalar(b, src.Name)
		b = le.AppendUint32(b, uint32(len(src.Shape)))
		for j := range src.Shape {
			b = le.AppendUint64(b, uint64(src.Shape[len(src.Shape)-1-j]))
		}
		b = le.AppendUint32(b, number)
		b = le.AppendUint64(b, uint64(off))
		if off += l.sizes[i]; off >= 0 {
			off += l.padding(off)
		}
		if off < 0 {
			return nil, inTensor(fail(ErrOverflow, "of all tensors together"), src.Name)
		}
	}
	return b, nil
}

func checkGGUFName(name string) error {
	switch {
	case len(name) > maxName:
		return fail(ErrLimit, "a name of %d bytes, more than %d", len(name), maxName)
	case !utf8.ValidString(name):
		return fail(ErrUTF8, "name %s", quote(name))
	}
	return nil
}

// padding is what is missing from n to the next multiple of the alignment.
func (l *ggufLayout) padding(n int64) int64 { return -n & (l.alignment - 1) }

func (l *ggufLayout) encode(w io.Writer) error {
	buf := bufio.NewWriterSize(w, stagingBytes)
	if _, err := buf.Write(l.header); err != nil {
		return err
	}
	for i, src := range l.sources {
		if err := src.writeTo(buf, l.sizes[i]); err != nil {
			return err
		}
		for range l.padding(l.sizes[i]) {
			if err := buf.WriteByte(0); err != nil {
				return err
			}
		}
	}
	return buf.Flush()
}
