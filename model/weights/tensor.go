package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// A Tensor is a named array of numbers.
type Tensor struct {
	Name  string
	DType DType
	Shape []int  // outermost dimension first; empty for a scalar
	Data  []byte // little-endian, row-major, without gaps
}

// Elements returns the number of elements.
func (t Tensor) Elements() int { return int(elements(t.Shape)) }

func elements(shape []int) int64 {
	n := int64(1)
	for _, dim := range shape {
		n *= int64(dim)
	}
	return n
}

// A Number is a type that tensors are made of.
type Number interface {
	int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64 | float32 | float64
}

// Of returns a tensor of values, whose memory it shares.
func Of[T Number](name string, shape []int, values []T) Tensor {
	var dtype DType
	switch any(values).(type) {
	case []int8:
		dtype = I8
	case []uint8:
		dtype = U8
	case []int16:
		dtype = I16
	case []uint16:
		dtype = U16
	case []int32:
		dtype = I32
	case []uint32:
		dtype = U32
	case []int64:
		dtype = I64
	case []uint64:
		dtype = U64
	case []float32:
		dtype = F32
	case []float64:
		dtype = F64
	}
	return Tensor{Name: name, DType: dtype, Shape: shape, Data: bytesOf(values)}
}

// bytesOf returns the memory of values. It is little-endian, as files are, on
// every machine that this package builds for (see bigendian.go).
func bytesOf[T Number](values []T) []byte {
	size := int(unsafe.Sizeof(*new(T)))
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*size)
}

// Float32s appends the elements to dst as float32: F32 as they are, F16 and BF16
// exactly, F64 rounded to nearest even, block types as llama.cpp computes them,
// to the bit. Other types match ErrConvert.
func (t Tensor) Float32s(dst []float32) ([]float32, error) {
	widen := widener(t.DType)
	if widen == nil {
		return dst, t.convertError("float32")
	}
	block, size := t.DType.Block()
	blocks := len(t.Data) / size
	n := blocks * block
	dst = slices.Grow(dst, n)
	widen(dst[len(dst):len(dst)+n], t.Data[:blocks*size])
	return dst[:len(dst)+n], nil
}

// Int64s appends the elements to dst as int64. They must be integers or BOOL,
// which gives 0 and 1; others, and U64 above the range of int64, match
// ErrConvert.
func (t Tensor) Int64s(dst []int64) ([]int64, error) {
	le := binary.LittleEndian
	data := t.Data
	switch t.DType {
	case Bool:
		for _, b := range data {
			dst = append(dst, int64(min(b, 1)))
		}
	case U8:
		for _, b := range data {
			dst = append(dst, int64(b))
		}
	case I8:
		for _, b := range data {
			dst = append(dst, int64(int8(b)))
		}
	case I16:
		for ; len(data) >= 2; data = data[2:] {
			dst = append(dst, int64(int16(le.Uint16(data))))
		}
	case U16:
		for ; len(data) >= 2; data = data[2:] {
			dst = append(dst, int64(le.Uint16(data)))
		}
	case I32:
		for ; len(data) >= 4; data = data[4:] {
			dst = append(dst, int64(int32(le.Uint32(data))))
		}
	case U32:
		for ; len(data) >= 4; data = data[4:] {
			dst = append(dst, int64(le.Uint32(data)))
		}
	case I64:
		for ; len(data) >= 8; data = data[8:] {
			dst = append(dst, int64(le.Uint64(data)))
		}
	case U64:
		for ; len(data) >= 8; data = data[8:] {
			v := le.Uint64(data)
			if v > math.MaxInt64 {
				return dst, fmt.Errorf("weights: tensor %s: %d to int64: %w", quote(t.Name), v, ErrConvert)
			}
			dst = append(dst, int64(v))
		}
	default:
		return dst, t.convertError("int64")
	}
	return dst, nil
}

// Int8s returns the elements of an I8 tensor in place.
func (t Tensor) Int8s() ([]int8, error) {
	if t.DType != I8 {
		return nil, t.convertError("int8")
	}
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(t.Data))), len(t.Data)), nil
}

func (t Tensor) convertError(to string) error {
	return fmt.Errorf("weights: tensor %s: %v to %s: %w", quote(t.Name), t.DType, to, ErrConvert)
}
