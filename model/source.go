package model

// A source is one tensor of a checkpoint, or some of its rows.
type source struct {
	names []string // the first that is there counts
	shape []int    // of the tensor
	int8  bool     // stored as int8, not in one of the float types

	rows, first int  // so many rows of the tensor, from that one on; 0, 0: all
	transposed  bool // a row of the parameter is a column of the tensor
	plusOne     bool // what is stored is one less

	// pairs: of each so many rows, the first half are stored as the even ones and
	// the second as the odd ones. 0: rows are stored in order.
	pairs int
	// heads: rows are stored as each head's queries, keys and values, of so many
	// heads. 0: as all queries, then all keys, then all values.
	heads int

	factors *source // by which its rows, or a vector's elements, are multiplied; nil: they are not
}

// scattered says whether rows that follow each other are stored apart.
func (s *source) scattered() bool { return s.pairs > 0 || s.heads > 0 }

// count is how many rows of the parameter, or elements of a vector, it has.
func (s *source) count() int {
	switch {
	case s.rows > 0:
		return s.rows
	case s.transposed:
		return s.shape[1]
	}
	return s.shape[0]
}

// columns is how wide a row of the tensor is.
func (s *source) columns() int {
	n := 1
	for i := 1; i < len(s.shape); i++ {
		n *= s.shape[i]
	}
	return n
}

// row is where row i of the parameter is stored.
func (s *source) row(i int) int {
	if s.heads > 0 {
		dim := s.count() / (3 * s.heads)
		which, head := i/(dim*s.heads), i/dim%s.heads
		return s.first + (head*3+which)*dim + i%dim
	}
	if s.pairs > 0 {
		j, half := i%s.pairs, s.pairs/2
		i += j%half*2 + j/half - j
	}
	return s.first + i
}

// index is the reverse of row: the row of the parameter that is stored as row j of
// its part of the tensor.
func (s *source) index(j int) int {
	if s.heads > 0 {
		dim := s.count() / (3 * s.heads)
		head, which := j/(3*dim), j/dim%3
		return (which*s.heads+head)*dim + j%dim
	}
	if s.pairs > 0 {
		k, half := j%s.pairs, s.pairs/2
		return j - k + k/2 + k%2*half
	}
	return j
}
