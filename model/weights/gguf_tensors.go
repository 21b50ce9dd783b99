package weights

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// ggufTypes are the numbers that GGUF files give the types of tensors.
var ggufTypes = [...]struct {
	name  string
	dtype DType // 0: known by name only
}{
	0: {"F32", F32}, 1: {"F16", F16},
	2: {"Q4_0", Q4_0}, 3: {"Q4_1", Q4_1}, 4: {"Q4_2", 0}, 5: {"Q4_3", 0},
	6: {"Q5_0", Q5_0}, 7: {"Q5_1", Q5_1}, 8: {"Q8_0", Q8_0}, 9: {"Q8_1", 0},
	10: {"Q2_K", 0}, 11: {"Q3_K", 0}, 12: {"Q4_K", Q4_K}, 13: {"Q5_K", Q5_K}, 14: {"Q6_K", Q6_K}, 15: {"Q8_K", 0},
	16: {"IQ2_XXS", 0}, 17: {"IQ2_XS", 0}, 18: {"IQ3_XXS", 0}, 19: {"IQ1_S", 0}, 20: {"IQ4_NL", 0},
	21: {"IQ3_S", 0}, 22: {"IQ2_S", 0}, 23: {"IQ4_XS", 0},
	24: {"I8", I8}, 25: {"I16", I16}, 26: {"I32", I32}, 27: {"I64", I64}, 28: {"F64", F64},
	29: {"IQ1_M", 0}, 30: {"BF16", BF16},
	31: {"Q4_0_4_4", 0}, 32: {"Q4_0_4_8", 0}, 33: {"Q4_0_8_8", 0}, 34: {"TQ1_0", 0}, 35: {"TQ2_0", 0},
	36: {"IQ4_NL_4_4", 0}, 37: {"IQ4_NL_4_8", 0}, 38: {"IQ4_NL_8_8", 0}, 39: {"MXFP4", 0},
}

// ggufDType returns the type of a tensor that a file numbers so.
func ggufDType(number uint32) (DType, error) {
	name := fmt.Sprintf("number %d", number)
	if int64(number) < int64(len(ggufTypes)) {
		t := ggufTypes[number]
		if t.dtype != 0 {
			return t.dtype, nil
		}
		name = t.name
	}
	return 0, fail(ErrDType, "%s; supported: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K", name)
}

// ggufNumber is the reverse of ggufDType.
func ggufNumber(d DType) (uint32, bool) {
	for i, t := range ggufTypes {
		if t.dtype == d && d != 0 {
			return uint32(i), true
		}
	}
	return 0, false
}

// tensors reads the descriptions of n tensors. Their offsets count from the
// beginning of the data.
func (s *ggufScanner) tensors(n uint64) ([]stored, error) {
	var list []stored // grows with what the file has, not with what it claims
	for i := range n {
		s.in = fmt.Sprintf("tensor %d", i)
		name, err := s.name()
		if err != nil {
			return nil, err
		}
		t, err := s.tensor()
		if err != nil {
			return nil, inTensor(err, name)
		}
		t.info.Name = name
		list = append(list, t)
	}
	return list, nil
}

func (s *ggufScanner) tensor() (t stored, err error) {
	n, err := s.uint32()
	if err != nil {
		return t, err
	}
	if n > maxDims {
		return t, fail(ErrLimit, "%d dimensions, more than %d", n, maxDims)
	}
	t.info.Shape = make([]int, n)
	for i := range t.info.Shape {
		dim, err := s.uint64()
		if err != nil {
			return t, err
		}
		if dim > math.MaxInt {
			return t, fail(ErrOverflow, "dimension %d", dim)
		}
		t.info.Shape[int(n)-1-i] = int(dim)
	}
	number, err := s.uint32()
	if err != nil {
		return t, err
	}
	off, err := s.uint64()
	if err != nil {
		return t, err
	}
	if off > math.MaxInt64 {
		return t, fail(ErrOverflow, "offset %d", off)
	}
	t.off = int64(off)
	if t.info.DType, err = ggufDType(number); err != nil {
		return t, err
	}
	t.info.Size, err = t.info.DType.bytes(t.info.Shape)
	return t, err
}

// placeTensors sorts tensors by offset and checks that each lies at a multiple of
// the alignment in the data of f, from begin on, and none in another.
func placeTensors(tensors []stored, f *file, begin, alignment int64) error {
	slices.SortFunc(tensors, func(a, b stored) int {
		return cmp.Or(cmp.Compare(a.off, b.off), cmp.Compare(a.info.Size, b.info.Size), cmp.Compare(a.info.Name, b.info.Name))
	})
	size := max(f.size-begin, 0) // padding before no data may be missing
	var end int64
	for i := range tensors {
		t := &tensors[i]
		var err error
		switch {
		case t.off%alignment != 0:
			err = fail(ErrAlignment, "offset %d is no multiple of %d", t.off, alignment)
		case t.off < end && t.info.Size > 0:
			err = fail(ErrOverlap, "begins at byte %d, inside the tensor that ends at %d", t.off, end)
		case t.info.Size > 0 && (t.off > size || t.info.Size > size-t.off):
			err = fail(ErrTruncated, "needs %d bytes from byte %d on, of %d", t.info.Size, t.off, size)
		}
		if err != nil {
			return inTensor(err, t.info.Name)
		}
		t.file = f
		t.info.File = f.name
		if t.info.Size == 0 {
			t.off = 0 // no bytes: anywhere in the file will do
			continue
		}
		end = t.off + t.info.Size
		t.off += begin
	}
	return nil
}
