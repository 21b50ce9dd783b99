package model

import (
	"fmt"
	"unsafe"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/weights"
)

// fill reads every parameter into the form that the model keeps it in. check
// has resolved the sources: what can fail is reading, and NaN.
func (c *checkpoint) fill(params []param, dtype DType) error {
	f := filler{checkpoint: c, dtype: dtype}
	for i := range params {
		if err := f.fill(&params[i]); err != nil {
			return err
		}
	}
	return nil
}

// A filler reads parameters one after the other.
type filler struct {
	*checkpoint
	dtype   DType
	scratch []float32
}

func (f *filler) fill(p *param) error {
	stored8 := p.from[0].int8
	narrow := p.narrow && f.dtype == Int8
	switch {
	case stored8 && f.dtype == F32:
		return f.widen(p)
	case stored8:
		return f.int8(p)
	case p.kind == vector:
		*p.vector = make([]float32, p.cols)
		return f.read(*p.vector, p)
	case p.kind == rows && narrow:
		return f.quantizeRows(p)
	case p.kind == rows && p.narrow:
		return f.storedRows(p)
	case p.kind == rows:
		p.table.cols = p.cols
		p.table.f32 = make([]float32, p.rows*p.cols)
		return f.read(p.table.f32, p)
	}
	return f.pack(p, narrow)
}

// read fills dst, the whole parameter, and refuses NaN.
func (f *filler) read(dst []float32, p *param) error {
	for i := range p.from {
		s := &p.from[i]
		n := len(dst) / (len(p.from) - i)
		if err := f.readPart(dst[:n], s, 0); err != nil {
			return err
		}
		dst = dst[n:]
	}
	return nil
}

// readPart reads elements of one tensor from off on, and refuses NaN.
func (f *filler) readPart(dst []float32, s *source, off int) error {
	if err := f.set.ReadFloat32s(dst, s.names[0], int64(off)); err != nil {
		return err
	}
	for _, v := range dst {
		if v != v {
			return &WeightsError{f.file(s), []string{fmt.Sprintf("tensor %q holds NaN", s.names[0])}}
		}
	}
	return nil
}

// file is the one that holds the tensor.
func (f *filler) file(s *source) string {
	info, _ := f.set.Lookup(s.names[0])
	return info.File
}

// pack reads a matrix and packs it.
func (f *filler) pack(p *param, narrow bool) error {
	f.scratch = grow(f.scratch, p.rows*p.cols)
	if err := f.read(f.scratch, p); err != nil {
		return err
	}
	pack := kernels.Pack
	if narrow {
		pack = kernels.PackInt8
	}
	return f.keep(p)(pack(f.scratch, p.rows, p.cols))
}

// keep stores a matrix in its place, or says which parameter could not be packed.
func (f *filler) keep(p *param) func(*kernels.Matrix, error) error {
	return func(w *kernels.Matrix, err error) error {
		if err != nil {
			return &WeightsError{f.file(&p.from[0]), []string{fmt.Sprintf("tensor %q: %v", p.from[0].names[0], err)}}
		}
		*p.matrix = w
		if p.table != nil {
			p.table.cols = p.cols
		}
		return nil
	}
}

// storedRows keeps a table in the 16-bit type that it is stored in, or as float32.
func (f *filler) storedRows(p *param) error {
	t, s := p.table, &p.from[0]
	t.cols = p.cols
	info, _ := f.set.Lookup(s.names[0])
	var half *[]uint16
	switch info.DType {
	case weights.F16:
		half = &t.f16
	case weights.BF16:
		half = &t.bf16
	default:
		t.f32 = make([]float32, p.rows*p.cols)
		return f.read(t.f32, p)
	}
	*half = make([]uint16, p.rows*p.cols)
	if err := f.set.ReadBytes(bytesOf(*half), s.names[0], 0); err != nil {
		return err
	}
	// Exponents of all ones with a fraction are NaN: above infinity, without the sign.
	infinity := uint16(0x7c00)
	if info.DType == weights.BF16 {
		infinity = 0x7f80
	}
	for _, v := range *half {
		if v&0x7fff > infinity {
			return &WeightsError{info.File, []string{fmt.Sprintf("tensor %q holds NaN", info.Name)}}
		}
	}
	return nil
}

// quantizeRows reads a table into rows of int8.
func (f *filler) quantizeRows(p *param) error {
	t := p.table
	t.cols, t.i8, t.scales = p.cols, make([]int8, p.rows*p.cols), make([]float32, p.rows)
	f.scratch = grow(f.scratch, p.cols)
	for i := range p.rows {
		if err := f.readPart(f.scratch, &p.from[0], i*p.cols); err != nil {
			return err
		}
		t.scales[i] = kernels.QuantizeRow(t.i8[i*p.cols:(i+1)*p.cols], f.scratch)
	}
	return nil
}

// int8 takes a matrix or table as it is stored: in place where the file lies in
// memory, otherwise copied.
func (f *filler) int8(p *param) error {
	data, err := f.int8s(&p.from[0])
	if err != nil {
		return err
	}
	scales := make([]float32, p.rows)
	if err := f.readPart(scales, &p.from[1], 0); err != nil {
		return err
	}
	if p.kind == rows {
		p.table.cols, p.table.i8, p.table.scales = p.cols, data, scales
		return nil
	}
	return f.keep(p)(kernels.Int8Matrix(data, scales, p.rows, p.cols))
}

func (f *filler) int8s(s *source) ([]int8, error) {
	name := s.names[0]
	if t, ok := f.set.View(name); ok {
		return t.Int8s()
	}
	info, _ := f.set.Lookup(name)
	data := make([]int8, info.Size)
	return data, f.set.ReadBytes(bytesOf(data), name, 0)
}

// widen turns what is stored as int8 into float32.
func (f *filler) widen(p *param) error {
	if err := f.int8(p); err != nil {
		return err
	}
	if p.kind == rows {
		t := p.table
		wide := make([]float32, p.rows*p.cols)
		for i := range p.rows {
			t.row(wide[i*p.cols:(i+1)*p.cols], i)
		}
		*t = table{cols: p.cols, f32: wide}
		return nil
	}
	f.scratch = grow(f.scratch, p.rows*p.cols)
	for i := range p.rows {
		(*p.matrix).Row(f.scratch[i*p.cols:(i+1)*p.cols], i)
	}
	return f.keep(p)(kernels.Pack(f.scratch, p.rows, p.cols))
}

// bytesOf is the memory of values, which is little-endian as files are.
func bytesOf[T int8 | uint16](values []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(*new(T))))
}
