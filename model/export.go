package model

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/weights"
)

// An export writes the tensors of a checkpoint anew: under other names, in other
// types, their rows in another order.
type export struct {
	ctx     context.Context
	exec    kernels.Exec
	set     *weights.Set // read from
	tensors []*exported
	told    func(done, all int64) // of the bytes read; may be nil
	done    int64
	all     int64
}

// An exported tensor is one to be written.
type exported struct {
	name  string
	shape []int
	dtype weights.DType
	size  int64 // in bytes, of what it is made of
	// rows makes what reads row i, of the shape's last dimension; nil: the bytes of
	// stored are copied.
	rows   func() func(dst []float32, i int) error
	stored weights.Info
}

// elements is how many numbers a tensor has.
func (t *exported) elements() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// add adds a tensor of the checkpoint, in a type.
func (x *export) add(info weights.Info, dtype weights.DType) {
	t := &exported{name: info.Name, shape: info.Shape, dtype: dtype, size: info.Size, stored: info}
	if dtype != info.DType {
		cols := 1
		if len(info.Shape) > 0 {
			cols = info.Shape[len(info.Shape)-1]
		}
		t.rows = func() func([]float32, int) error {
			return func(dst []float32, i int) error { return x.set.ReadFloat32s(dst, info.Name, int64(i)*int64(cols)) }
		}
	}
	x.tensors = append(x.tensors, t)
}

// A part of a tensor to be written is some rows of a parameter: those of its own
// list of sources that come before it are base.
type exportPart struct {
	from *param
	base int
	to   source
}

// addParams adds the tensors that to is stored as, made of those of from: the same
// parameters by other names. dtype chooses a type by name, shape, and the type of
// what it is made of.
func (x *export) addParams(c *checkpoint, from, to []param, dtype func(name string, shape []int, stored weights.DType) weights.DType) {
	parts := map[string][]exportPart{}
	var order []string
	for i := range to {
		base := 0
		for _, s := range to[i].from {
			name := s.names[0]
			if parts[name] == nil {
				order = append(order, name)
			}
			parts[name] = append(parts[name], exportPart{&from[i], base, s})
			base += s.count()
		}
	}
	f := &filler{checkpoint: c}
	for _, name := range order {
		made := parts[name]
		stored, _ := x.set.Lookup(made[0].from.from[0].names[0])
		t := &exported{name: name, shape: made[0].to.shape, stored: stored}
		t.dtype = dtype(name, t.shape, stored.DType)
		block, size := stored.DType.Block()
		t.size = int64(t.elements()) / int64(block) * int64(size)
		switch {
		case made[0].from.kind == vector:
			t.rows = func() func([]float32, int) error { return vectorOf(f, made) }
		case made[0].to.transposed:
			t.rows = func() func([]float32, int) error { return columnsOf(f, made, t.shape) }
		default:
			t.rows = func() func([]float32, int) error { return rowsOf(f, made) }
		}
		x.tensors = append(x.tensors, t)
	}
}

// vectorOf reads a tensor of one dimension.
func vectorOf(f *filler, parts []exportPart) func(dst []float32, i int) error {
	return func(dst []float32, _ int) error {
		for _, p := range parts {
			v := make([]float32, p.from.cols)
			if err := f.read(v, p.from); err != nil {
				return err
			}
			for i := range p.to.count() {
				stored := v[p.base+i]
				if p.to.plusOne {
					stored--
				}
				dst[p.to.row(i)] = stored
			}
		}
		return nil
	}
}

// rowsOf reads a matrix row by row.
func rowsOf(f *filler, parts []exportPart) func(dst []float32, i int) error {
	var r *rowReader[float32]
	var of *param
	next := 0 // the row that r gives
	return func(dst []float32, i int) error {
		k := slices.IndexFunc(parts, func(p exportPart) bool { return i >= p.to.first && i < p.to.first+p.to.count() })
		p := &parts[k]
		row := p.base + p.to.index(i-p.to.first)
		if r == nil || of != p.from || next != row {
			r, of, next = f.floatRows(p.from, row), p.from, row
		}
		next++
		return r.row(row, dst)
	}
}

// columnsOf reads a matrix that is to be stored as its transpose, which takes the
// whole of it.
func columnsOf(f *filler, parts []exportPart, shape []int) func(dst []float32, i int) error {
	var whole []float32
	return func(dst []float32, i int) error {
		if whole == nil {
			whole = make([]float32, shape[0]*shape[1])
			row := make([]float32, shape[0])
			for _, p := range parts {
				r := f.floatRows(p.from, p.base)
				for k := range p.to.count() {
					if err := r.row(k, row); err != nil {
						return err
					}
					at := p.to.row(k)
					for j, v := range row {
						whole[j*shape[1]+at] = v
					}
				}
			}
		}
		copy(dst, whole[i*shape[1]:])
		return nil
	}
}

// sources are the tensors as they are to be written.
func (x *export) sources() []weights.Source {
	list := make([]weights.Source, len(x.tensors))
	for i, t := range x.tensors {
		list[i] = weights.Source{Name: t.name, DType: t.dtype, Shape: t.shape, Write: func(to io.Writer) error { return x.write(to, t) }}
		x.all += t.size
	}
	if x.told != nil {
		x.told(0, x.all)
	}
	return list
}

// write writes a tensor.
func (x *export) write(to io.Writer, t *exported) error {
	if t.rows == nil {
		return x.copyBytes(to, t)
	}
	cols := 1
	if len(t.shape) > 0 {
		cols = t.shape[len(t.shape)-1]
	}
	rows := t.elements() / max(cols, 1)
	e := &encoding{dtype: t.dtype, cols: cols}
	most := max(encodeFloats/max(cols, 1), 1)
	read := t.rows()
	for first := 0; first < rows; first += most {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		n := min(most, rows-first)
		e.resize(n)
		for i := range n {
			if err := read(e.floats[i*cols:(i+1)*cols], first+i); err != nil {
				return err
			}
		}
		x.exec.Do(n, e)
		if err := cmp.Or(x.ctx.Err(), errors.Join(e.errs...)); err != nil {
			return err
		}
		for _, row := range e.rows {
			if _, err := to.Write(row); err != nil {
				return err
			}
		}
		x.progress(t.size * int64(n) / int64(rows))
	}
	return nil
}

func (x *export) copyBytes(to io.Writer, t *exported) error {
	buf := make([]byte, min(encodeFloats, t.stored.Size))
	for off := int64(0); off < t.stored.Size; off += int64(len(buf)) {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		buf = buf[:min(int64(len(buf)), t.stored.Size-off)]
		if err := x.set.ReadBytes(buf, t.stored.Name, off); err != nil {
			return err
		}
		if _, err := to.Write(buf); err != nil {
			return err
		}
		x.progress(int64(len(buf)))
	}
	return nil
}

func (x *export) progress(n int64) {
	if x.done += n; x.told != nil {
		x.told(x.done, x.all)
	}
}

// encodeFloats is how many numbers are converted at a time.
const encodeFloats = 1 << 20

// An encoding turns rows of floats into those of a type, each worker some.
type encoding struct {
	dtype  weights.DType
	cols   int
	floats []float32
	rows   [][]byte
	errs   []error
}

func (e *encoding) resize(n int) {
	e.floats = grow(e.floats, n*e.cols)
	e.rows, e.errs = grow(e.rows, n), grow(e.errs, n)
}

func (e *encoding) Run(_, i int) {
	e.rows[i], e.errs[i] = weights.AppendQuantized(e.rows[i][:0], e.dtype, e.floats[i*e.cols:(i+1)*e.cols])
}
