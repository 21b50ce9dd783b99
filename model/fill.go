package model

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/ladon-ml/ladon/internal/mem"
	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/weights"
)

// fill reads every parameter into the form that the model keeps it in. check
// has resolved the sources: what can fail is reading, and NaN.
func (c *checkpoint) fill(params []param, dtype DType, memory *mem.Arena) error {
	f := filler{checkpoint: c, dtype: dtype, mem: memory}
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
	mem     *mem.Arena // where matrices and tables go, off the Go heap
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
		return f.wideRows(p)
	}
	return f.pack(p, narrow)
}

// read fills dst, the whole parameter, and refuses NaN.
func (f *filler) read(dst []float32, p *param) error {
	for i := range p.from {
		s := &p.from[i]
		n := s.count()
		if p.kind != vector {
			n *= p.cols
		}
		if err := f.readPart(dst[:n], s); err != nil {
			return err
		}
		dst = dst[n:]
	}
	return nil
}

// readPart reads the beginning of what a source gives, which is not transposed,
// and refuses NaN.
func (f *filler) readPart(dst []float32, s *source) error {
	at := int64(s.first)
	for _, n := range s.shape[1:] {
		at *= int64(n)
	}
	if err := f.set.ReadFloat32s(dst, s.names[0], at); err != nil {
		return err
	}
	for i, v := range dst {
		if v != v {
			return f.refuse(s, "holds NaN")
		}
		if s.plusOne {
			dst[i] = v + 1
		}
	}
	return nil
}

// pack reads a matrix and packs it, a few rows at a time: it is never in memory
// twice.
func (f *filler) pack(p *param, narrow bool) error {
	r := rowReader{filler: f, p: p}
	pack := kernels.PackRowsIn
	if narrow {
		pack = kernels.PackInt8RowsIn
	}
	w, err := pack(f.mem, p.rows, p.cols, r.row)
	return f.keep(p, r.source(), w, err)
}

// keep stores a matrix in its place, or says which tensor could not be packed.
func (f *filler) keep(p *param, s *source, w *kernels.Matrix, err error) error {
	if errors.Is(err, kernels.ErrWeights) {
		return f.refuse(s, strings.TrimPrefix(err.Error(), "kernels: "))
	}
	if err != nil {
		return err
	}
	*p.matrix = w
	if p.table != nil {
		p.table.cols = p.cols
	}
	return nil
}

// refuse says what is wrong with a tensor's values.
func (f *filler) refuse(s *source, what string) error {
	info, _ := f.set.Lookup(s.names[0])
	return &WeightsError{info.File, []string{fmt.Sprintf("tensor %q: %s", s.names[0], what)}}
}

// wideRows reads a table as float32.
func (f *filler) wideRows(p *param) (err error) {
	t := p.table
	t.cols = p.cols
	if t.f32, err = f.mem.Float32s(p.rows * p.cols); err != nil {
		return err
	}
	return f.read(t.f32, p)
}

// storedRows keeps a table in the 16-bit type that it is stored in, or as float32.
func (f *filler) storedRows(p *param) error {
	t, s := p.table, &p.from[0]
	info, _ := f.set.Lookup(s.names[0])
	if info.DType != weights.F16 && info.DType != weights.BF16 {
		return f.wideRows(p)
	}
	data, err := f.mem.Bytes(2 * p.rows * p.cols)
	if err != nil {
		return err
	}
	if err := f.set.ReadBytes(data, s.names[0], 0); err != nil {
		return err
	}
	half := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(data))), p.rows*p.cols)
	t.cols = p.cols
	if info.DType == weights.BF16 {
		t.bf16 = half
	} else {
		t.f16 = half
	}
	// Exponents of all ones with a fraction are NaN: above infinity, without the sign.
	infinity := uint16(0x7c00)
	if info.DType == weights.BF16 {
		infinity = 0x7f80
	}
	for _, v := range half {
		if v&0x7fff > infinity {
			return f.refuse(s, "holds NaN")
		}
	}
	return nil
}

// quantizeRows reads a table into rows of int8.
func (f *filler) quantizeRows(p *param) (err error) {
	t := p.table
	t.cols, t.scales = p.cols, make([]float32, p.rows)
	if t.i8, err = f.mem.Int8s(p.rows * p.cols); err != nil {
		return err
	}
	r, row := rowReader{filler: f, p: p}, make([]float32, p.cols)
	for i := range p.rows {
		if err := r.row(i, row); err != nil {
			return err
		}
		scale := kernels.QuantizeRow(t.i8[i*p.cols:(i+1)*p.cols], row)
		if scale != scale {
			return f.refuse(r.source(), "holds NaN")
		}
		if scale > math.MaxFloat32 {
			return f.refuse(r.source(), fmt.Sprintf("row %d holds an infinity, which int8 cannot", i))
		}
		t.scales[i] = scale
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
	if err := f.readPart(scales, &p.from[1]); err != nil {
		return err
	}
	if p.kind == rows {
		p.table.cols, p.table.i8, p.table.scales = p.cols, data, scales
		return nil
	}
	w, err := kernels.Int8Matrix(data, scales, p.rows, p.cols)
	return f.keep(p, &p.from[1], w, err)
}

func (f *filler) int8s(s *source) ([]int8, error) {
	name := s.names[0]
	if t, ok := f.set.View(name); ok {
		return t.Int8s()
	}
	info, _ := f.set.Lookup(name)
	data, err := f.mem.Bytes(int(info.Size))
	if err != nil {
		return nil, err
	}
	if err := f.set.ReadBytes(data, name, 0); err != nil {
		return nil, err
	}
	return weights.Tensor{DType: weights.I8, Data: data}.Int8s()
}

// widen turns what is stored as int8 into float32.
func (f *filler) widen(p *param) error {
	if err := f.int8(p); err != nil {
		return err
	}
	if p.kind == rows {
		t := p.table
		wide, err := f.mem.Float32s(p.rows * p.cols)
		if err != nil {
			return err
		}
		for i := range p.rows {
			t.row(wide[i*p.cols:(i+1)*p.cols], i)
		}
		*t = table{cols: p.cols, f32: wide}
		return nil
	}
	stored := *p.matrix
	w, err := kernels.PackRowsIn(f.mem, p.rows, p.cols, func(i int, dst []float32) error {
		stored.Row(dst, i)
		return nil
	})
	return f.keep(p, &p.from[0], w, err)
}
