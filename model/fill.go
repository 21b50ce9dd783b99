package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/ladon-ml/ladon/internal/mem"
	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/weights"
)

// fill reads every parameter into the form that the model keeps it in, on several
// processors. check has resolved the sources: what can fail is reading, and NaN.
func (c *checkpoint) fill(params []param, dtype DType, memory *mem.Arena, threads int) error {
	var x kernels.Exec
	x.Begin(context.Background(), threads)
	l := &loading{fillers: make([]filler, x.Width())}
	shared := &sharedMemory{arena: memory}
	for i := range l.fillers {
		l.fillers[i] = filler{checkpoint: c, dtype: dtype, mem: shared}
	}
	err := l.plan(params)
	if err == nil {
		l.errs = make([]error, len(l.jobs))
		x.Do(len(l.jobs), l)
	}
	// Nothing cancels the context.
	_ = x.End()
	if i := slices.IndexFunc(l.errs, func(err error) bool { return err != nil }); i >= 0 {
		err = l.errs[i] // the first in the order of the list, whichever came first
	}
	for _, p := range l.packers {
		*p.to = p.Matrix()
	}
	return err
}

// A loading fills parameters, several at a time and large ones in parts.
type loading struct {
	fillers []filler // of each worker
	jobs    []job
	errs    []error // of each job
	packers []packer
}

// A job fills a parameter, or packs its rows from first up to end.
type job struct {
	p          *param
	packer     *kernels.Packer
	first, end int
}

// A packer is a matrix that jobs pack, and where it belongs.
type packer struct {
	*kernels.Packer
	to **kernels.Matrix
}

// jobBytes is what a part of a matrix takes in the file, about.
const jobBytes = 2 << 20

// plan lists the jobs, and takes the memory of matrices that are packed in parts.
func (l *loading) plan(params []param) error {
	f := &l.fillers[0]
	for i := range params {
		p := &params[i]
		if p.from[0].int8 || p.kind == vector || p.kind == rows || p.narrow && f.dtype == Int8 {
			l.jobs = append(l.jobs, job{p: p})
			continue
		}
		format := f.format(p)
		made, err := kernels.NewPacker(f.mem, format, p.rows, p.cols)
		if err != nil {
			return f.keep(p, &p.from[0], nil, err)
		}
		if p.table != nil {
			p.table.cols = p.cols
		}
		l.packers = append(l.packers, packer{made, p.matrix})
		const unit = kernels.PackerRows
		part := max(jobBytes/max(rowBytes(format, p.cols), 1)/unit*unit, unit)
		if p.from[0].transposed {
			part = p.rows // it is read whole
		}
		for first := 0; first < p.rows; first += part {
			l.jobs = append(l.jobs, job{p: p, packer: made, first: first, end: min(first+part, p.rows)})
		}
	}
	return nil
}

func (l *loading) Run(worker, i int) {
	f, j := &l.fillers[worker], &l.jobs[i]
	if j.packer == nil {
		l.errs[i] = f.fill(j.p)
		return
	}
	l.errs[i] = f.pack(j)
}

// sharedMemory lets workers take memory at the same time.
type sharedMemory struct {
	mu    sync.Mutex
	arena *mem.Arena
}

func (m *sharedMemory) Float32s(n int) ([]float32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.arena.Float32s(n)
}

func (m *sharedMemory) Int8s(n int) ([]int8, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.arena.Int8s(n)
}

func (m *sharedMemory) Bytes(n int) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.arena.Bytes(n)
}

// A filler reads parameters one after the other.
type filler struct {
	*checkpoint
	dtype  DType
	mem    *sharedMemory // where matrices and tables go, off the Go heap
	floats []float32     // rows on their way
	bytes  []byte
}

// fill fills all but matrices in the form that they are stored in.
func (f *filler) fill(p *param) error {
	stored8 := p.from[0].int8
	switch {
	case stored8 && f.dtype == F32:
		return f.widen(p)
	case stored8:
		return f.int8(p)
	case p.kind == vector:
		*p.vector = make([]float32, p.cols)
		return f.read(*p.vector, p)
	case p.kind == rows && p.narrow && f.dtype == Int8:
		return f.quantizeRows(p)
	case p.kind == rows && p.narrow && f.format(p) != kernels.F32:
		return f.storedRows(p)
	case p.kind == rows:
		return f.wideRows(p)
	}
	r := f.floatRows(p, 0)
	w, err := kernels.PackInt8RowsIn(f.mem, p.rows, p.cols, r.row)
	return f.keep(p, r.source(), w, err)
}

// formats are the forms that weights keep which are stored so; others become
// float32, which is kernels' zero.
var formats = map[weights.DType]kernels.DType{
	weights.F16: kernels.F16, weights.BF16: kernels.BF16,
	weights.Q8_0: kernels.Q8_0, weights.Q4_0: kernels.Q4_0, weights.Q4_1: kernels.Q4_1, weights.Q5_0: kernels.Q5_0,
	weights.Q5_1: kernels.Q5_1, weights.Q4_K: kernels.Q4_K, weights.Q5_K: kernels.Q5_K, weights.Q6_K: kernels.Q6_K,
}

// kept is the form in which weights are kept that are not to be quantised: the
// one that they are stored in, or float32.
func (c *checkpoint) kept(name string, dtype DType) kernels.DType {
	info, ok := c.set.Lookup(name)
	if !ok || dtype != Auto {
		return kernels.F32
	}
	return formats[info.DType] // float32 for what is not there
}

// format is the form in which a parameter is kept.
func (f *filler) format(p *param) kernels.DType {
	first := f.kept(p.from[0].names[0], f.dtype)
	for i := range p.from {
		if s := &p.from[i]; s.transposed || s.plusOne || s.factors != nil || f.kept(s.names[0], f.dtype) != first {
			return kernels.F32
		}
	}
	return first
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
	at := int64(s.first) * int64(s.columns())
	if err := f.set.ReadFloat32s(dst, s.names[0], at); err != nil {
		return err
	}
	if s.scattered() {
		stored := slices.Clone(dst)
		for i := range dst {
			dst[i] = stored[s.row(i)]
		}
	}
	for i, v := range dst {
		if v != v {
			return f.refuse(s, "holds NaN")
		}
		if s.plusOne {
			dst[i] = v + 1
		}
	}
	if s.factors != nil {
		by := make([]float32, len(dst))
		if err := f.readPart(by, s.factors); err != nil {
			return err
		}
		kernels.Mul(dst, dst, by)
	}
	return nil
}

// pack reads rows of a matrix and packs them, a few at a time: it is never in
// memory twice.
func (f *filler) pack(j *job) error {
	if format := j.packer.Matrix().DType(); format != kernels.F32 {
		r := f.byteRows(j.p, j.first, rowBytes(format, j.p.cols))
		return f.packed(r.source(), j.packer.Pack(j.first, j.end, r.row))
	}
	r := f.floatRows(j.p, j.first)
	err := j.packer.PackFloats(j.first, j.end, r.row)
	return f.packed(r.source(), err)
}

// packed says which tensor could not be packed.
func (f *filler) packed(s *source, err error) error {
	if errors.Is(err, kernels.ErrWeights) {
		return f.refuse(s, strings.TrimPrefix(err.Error(), "kernels: "))
	}
	return err
}

// keep stores a matrix in its place, or says which tensor could not be packed.
func (f *filler) keep(p *param, s *source, w *kernels.Matrix, err error) error {
	if err != nil {
		return f.packed(s, err)
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
	return &WeightsError{File: info.File, Problems: []string{fmt.Sprintf("tensor %q: %s", s.names[0], what)}}
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

// storedRows keeps a table as it is stored.
func (f *filler) storedRows(p *param) (err error) {
	t := p.table
	t.cols, t.format = p.cols, f.format(p)
	width := rowBytes(t.format, p.cols)
	if t.stored, err = f.mem.Bytes(p.rows * width); err != nil {
		return err
	}
	r := f.byteRows(p, 0, width)
	f.floats = grow(f.floats, p.cols)
	for i := range p.rows {
		if err := r.row(i, t.stored[i*width:(i+1)*width]); err != nil {
			return err
		}
		t.row(f.floats, i)
		for _, v := range f.floats {
			if v != v {
				return f.refuse(r.source(), "holds NaN")
			}
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
	r, row := f.floatRows(p, 0), make([]float32, p.cols)
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
