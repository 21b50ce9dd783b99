package model

import (
	"slices"

	"github.com/ladon-ml/ladon/kernels"
)

// A rowReader reads the rows of a parameter in order, many at a time: as float32,
// or as the bytes that they are stored in. It leaves NaN to whoever takes the
// rows.
type rowReader[T byte | float32] struct {
	p     *param
	read  func(dst []T, name string, off int64) error
	width int // of a row, in T

	from int // index of the source
	next int // its first row that is not in rows yet
	room *[]T
	rows []T // rows that were read and not asked for yet

	whole []T // a source that is transposed
}

// pieceBytes is how much a rowReader reads at once: little enough for a cache.
const pieceBytes = 256 << 10

// floatRows reads the rows from first on.
func (f *filler) floatRows(p *param, first int) *rowReader[float32] {
	r := &rowReader[float32]{p: p, read: f.readScaled(p), width: p.cols, room: &f.floats}
	r.seek(first)
	return r
}

// readScaled reads whole rows of a parameter's tensors, multiplied by the factors
// that they have.
func (f *filler) readScaled(p *param) func(dst []float32, name string, off int64) error {
	factors := map[string][]float32{}
	return func(dst []float32, name string, off int64) error {
		if err := f.set.ReadFloat32s(dst, name, off); err != nil {
			return err
		}
		i := slices.IndexFunc(p.from, func(s source) bool { return s.factors != nil && s.names[0] == name })
		if i < 0 {
			return nil
		}
		by := factors[name]
		if by == nil {
			by = make([]float32, p.from[i].shape[0])
			if err := f.readPart(by, p.from[i].factors); err != nil {
				return err
			}
			factors[name] = by
		}
		for at := 0; at < len(dst); at += p.cols {
			row := dst[at : at+p.cols]
			kernels.Scale(row, row, by[(off+int64(at))/int64(p.cols)])
		}
		return nil
	}
}

// byteRows reads the rows from first on, each of width bytes.
func (f *filler) byteRows(p *param, first, width int) *rowReader[byte] {
	r := &rowReader[byte]{p: p, read: f.set.ReadBytes, width: width, room: &f.bytes}
	r.seek(first)
	return r
}

func (r *rowReader[T]) seek(row int) {
	for r.next = row; r.from < len(r.p.from)-1 && r.next >= r.source().count(); r.from++ {
		r.next -= r.source().count()
	}
}

func (r *rowReader[T]) source() *source { return &r.p.from[r.from] }

// row sets dst to the next row, whatever its number.
func (r *rowReader[T]) row(_ int, dst []T) error {
	if len(r.rows) == 0 {
		if err := r.fetch(); err != nil {
			return err
		}
	}
	copy(dst, r.rows[:r.width])
	r.rows = r.rows[r.width:]
	return nil
}

// fetch reads some rows.
func (r *rowReader[T]) fetch() error {
	if r.next == r.source().count() {
		r.from, r.next, r.whole = r.from+1, 0, nil
	}
	s := r.source()
	n := min(max(pieceBytes/(4*r.width), 1), s.count()-r.next)
	if s.scattered() {
		n = 1 // its neighbour lies elsewhere
	}
	*r.room = grow(*r.room, n*r.width)
	r.rows = *r.room
	if s.transposed {
		return r.fetchColumns(n)
	}
	at := s.row(r.next)
	r.next += n
	return r.read(r.rows, s.names[0], int64(at)*int64(r.width))
}

// fetchColumns reads the next n columns of a tensor as rows. Columns lie apart in
// a file, so the tensor is read whole.
func (r *rowReader[T]) fetchColumns(n int) error {
	s, cols := r.source(), r.width
	if r.whole == nil {
		r.whole = make([]T, s.shape[0]*s.columns())
		if err := r.read(r.whole, s.names[0], 0); err != nil {
			return err
		}
	}
	at := s.first + r.next
	r.next += n
	const side = 16 // of the squares that are turned, so that both sides stay in a cache
	for i := 0; i < n; i += side {
		for k := range cols {
			for j, v := range r.whole[k*s.columns()+at+i:][:min(side, n-i)] {
				r.rows[(i+j)*cols+k] = v
			}
		}
	}
	return nil
}
