package mem

import (
	"errors"
	"fmt"
	"math"
)

// Arena hands out pieces of a few large blocks, so that many matrices of less
// than a huge page share one. Its zero value is ready; it is not safe for
// concurrent use.
type Arena struct {
	blocks []*Block
	rest   []byte
}

// Bytes returns n zero bytes at a multiple of Align.
func (a *Arena) Bytes(n int) ([]byte, error) {
	if n < 0 || n > math.MaxInt-Align {
		return nil, fmt.Errorf("mem: a piece of %d bytes", n)
	}
	room := (n + Align - 1) / Align * Align
	if room > len(a.rest) {
		b, err := Alloc(max(room, arenaBlock))
		if err != nil {
			return nil, err
		}
		a.blocks = append(a.blocks, b)
		a.rest = b.Bytes()
	}
	piece := a.rest[:n:n]
	a.rest = a.rest[room:]
	return piece, nil
}

// Int8s returns n zeroes.
func (a *Arena) Int8s(n int) ([]int8, error) {
	b, err := a.Bytes(n)
	return view[int8](b), err
}

// Uint16s returns n zeroes.
func (a *Arena) Uint16s(n int) ([]uint16, error) {
	if n < 0 || n > math.MaxInt/2 {
		return nil, fmt.Errorf("mem: a piece of %d 16-bit numbers", n)
	}
	b, err := a.Bytes(2 * n)
	return view[uint16](b), err
}

// Float32s returns n zeroes.
func (a *Arena) Float32s(n int) ([]float32, error) {
	if n < 0 || n > math.MaxInt/4 {
		return nil, fmt.Errorf("mem: a piece of %d floats", n)
	}
	b, err := a.Bytes(4 * n)
	return view[float32](b), err
}

// Free gives everything back; no piece may be used any more.
func (a *Arena) Free() error {
	var errs []error
	for _, b := range a.blocks {
		errs = append(errs, b.Free())
	}
	*a = Arena{}
	return errors.Join(errs...)
}
