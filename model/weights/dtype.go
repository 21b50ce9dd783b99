package weights

import (
	"fmt"
	"math"
	"math/bits"
)

// A DType is the type of a tensor's elements. The zero value is no type.
type DType uint8

// The dtypes of safetensors. Their order is that of increasing alignment, by
// which a file's tensors are arranged; it is the reference implementation's, so
// that equal tensors make equal files.
const (
	_      DType = iota
	Bool         // one byte, nonzero is true
	F4           // two to a byte
	F6E2M3       // four to three bytes
	F6E3M2       // four to three bytes
	U8
	I8
	F8E5M2
	F8E4M3
	F8E8M0
	F8E4M3FNUZ
	F8E5M2FNUZ
	I16
	U16
	F16  // IEEE 754 binary16
	BF16 // the upper half of a float32
	I32
	U32
	F32
	C64 // two float32
	F64
	I64
	U64
)

// The block types of GGUF: rows are cut into blocks of 32 or 256 elements, each
// stored as small integers and what to scale them by. blocks.go defines them.
const (
	Q4_0 DType = U64 + 1 + iota
	Q4_1
	Q5_0
	Q5_1
	Q8_0
	Q4_K
	Q5_K
	Q6_K
)

// dtypes says how each DType is spelled in a file and stored: block elements in
// size bytes. Only whole blocks can be stored.
var dtypes = [...]struct {
	name        string
	block, size int
}{
	Bool:       {"BOOL", 1, 1},
	F4:         {"F4", 2, 1},
	F6E2M3:     {"F6_E2M3", 4, 3},
	F6E3M2:     {"F6_E3M2", 4, 3},
	U8:         {"U8", 1, 1},
	I8:         {"I8", 1, 1},
	F8E5M2:     {"F8_E5M2", 1, 1},
	F8E4M3:     {"F8_E4M3", 1, 1},
	F8E8M0:     {"F8_E8M0", 1, 1},
	F8E4M3FNUZ: {"F8_E4M3FNUZ", 1, 1},
	F8E5M2FNUZ: {"F8_E5M2FNUZ", 1, 1},
	I16:        {"I16", 1, 2},
	U16:        {"U16", 1, 2},
	F16:        {"F16", 1, 2},
	BF16:       {"BF16", 1, 2},
	I32:        {"I32", 1, 4},
	U32:        {"U32", 1, 4},
	F32:        {"F32", 1, 4},
	C64:        {"C64", 1, 8},
	F64:        {"F64", 1, 8},
	I64:        {"I64", 1, 8},
	U64:        {"U64", 1, 8},

	Q4_0: {"Q4_0", 32, 18},
	Q4_1: {"Q4_1", 32, 20},
	Q5_0: {"Q5_0", 32, 22},
	Q5_1: {"Q5_1", 32, 24},
	Q8_0: {"Q8_0", 32, 34},
	Q4_K: {"Q4_K", 256, 144},
	Q5_K: {"Q5_K", 256, 176},
	Q6_K: {"Q6_K", 256, 210},
}

// parseDType returns the DType that a safetensors file spells as name.
func parseDType(name string) (DType, bool) {
	for d := Bool; d <= U64; d++ {
		if dtypes[d].name == name {
			return d, true
		}
	}
	return 0, false
}

func (d DType) valid() bool { return d > 0 && int(d) < len(dtypes) }

// Quantized says whether d is one of GGUF's block types.
func (d DType) Quantized() bool { return d >= Q4_0 && d.valid() }

// Block returns how many elements are stored together and in how many bytes: 1
// and their size for most types, 32 and 18 for Q4_0. Both are 0 for no type.
func (d DType) Block() (elements, bytes int) {
	if !d.valid() {
		return 0, 0
	}
	return dtypes[d].block, dtypes[d].size
}

// String returns the name that files use, such as "F32", "F8_E4M3" or "Q4_K".
func (d DType) String() string {
	if !d.valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// bytes returns how many bytes hold a tensor of this shape. It refuses shapes
// whose size does not fit an int64 and those that end within a byte.
func (d DType) bytes(shape []int) (int64, error) {
	if !d.valid() {
		return 0, fail(ErrDType, "%v", d)
	}
	n := int64(1)
	for _, dim := range shape {
		if dim < 0 {
			return 0, fail(ErrNumber, "shape %v", shape)
		}
		var ok bool
		if n, ok = mul(n, int64(dim)); !ok {
			return 0, fail(ErrOverflow, "shape %v", shape)
		}
	}
	block, size := int64(dtypes[d].block), int64(dtypes[d].size)
	switch {
	case d.Quantized() && (len(shape) == 0 || int64(shape[len(shape)-1])%block != 0):
		return 0, fail(ErrSize, "rows of %v are no whole blocks of %v, of %d elements", shape, d, block)
	case n%block != 0:
		return 0, fail(ErrSize, "%d elements of %v do not fill whole bytes", n, d)
	}
	b, ok := mul(n/block, size)
	if !ok {
		return 0, fail(ErrOverflow, "shape %v of %v", shape, d)
	}
	return b, nil
}

// mul returns a*b for non-negative a and b, and whether an int64 can hold it.
func mul(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return int64(lo), hi == 0 && lo <= math.MaxInt64
}
