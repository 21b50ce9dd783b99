package model

// A rowReader reads the rows of a parameter in order, many at a time. It leaves
// NaN to whoever takes the rows.
type rowReader struct {
	*filler
	p     *param
	from  int       // index of the source
	next  int       // its first row that is not in rows yet
	rows  []float32 // rows that were read and not asked for yet
	whole []float32 // a source that is transposed
}

// pieceFloats is how much a rowReader reads at once: little enough for a cache.
const pieceFloats = 64 << 10

func (r *rowReader) source() *source { return &r.p.from[r.from] }

// row sets dst to the next row, whatever its number.
func (r *rowReader) row(_ int, dst []float32) error {
	if len(r.rows) == 0 {
		if err := r.read(); err != nil {
			return err
		}
	}
	copy(dst, r.rows)
	r.rows = r.rows[r.p.cols:]
	return nil
}

// read reads some rows.
func (r *rowReader) read() error {
	if r.next == r.source().count() {
		r.from, r.next, r.whole = r.from+1, 0, nil
	}
	s, cols := r.source(), r.p.cols
	n := min(max(pieceFloats/cols, 1), s.count()-r.next)
	r.scratch = grow(r.scratch, n*cols)
	r.rows = r.scratch
	if s.transposed {
		return r.readColumns(n)
	}
	at := s.first + r.next
	r.next += n
	return r.set.ReadFloat32s(r.rows, s.names[0], int64(at*cols))
}

// readColumns reads the next n columns of a tensor as rows. Columns lie apart in
// a file, so the tensor is read whole.
func (r *rowReader) readColumns(n int) error {
	s, cols := r.source(), r.p.cols
	if r.whole == nil {
		r.whole = make([]float32, s.shape[0]*s.shape[1])
		if err := r.set.ReadFloat32s(r.whole, s.names[0], 0); err != nil {
			return err
		}
	}
	at := s.first + r.next
	r.next += n
	const side = 16 // of the squares that are turned, so that both sides stay in a cache
	for i := 0; i < n; i += side {
		for k := range cols {
			for j, v := range r.whole[k*s.shape[1]+at+i:][:min(side, n-i)] {
				r.rows[(i+j)*cols+k] = v
			}
		}
	}
	return nil
}
