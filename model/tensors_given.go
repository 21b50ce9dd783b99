package model

import (
	"slices"

	"github.com/ladon-ml/ladon/model/weights"
)

// readGiven reads which token of every row a head reads; the last of all where
// nobody says.
func (p *padded) readGiven(t *weights.Tensor) ([]int32, error) {
	if t == nil {
		return slices.Repeat([]int32{int32(p.length) - 1}, p.rows), nil
	}
	want := []int{p.rows}
	if p.choices > 0 {
		want = []int{p.rows / p.choices, p.choices}
	}
	if !slices.Equal(t.Shape, want) {
		return nil, inputError("input tensor %q has shape %v, want %v", t.Name, t.Shape, want)
	}
	wide, err := wholeNumbers(t)
	if err != nil {
		return nil, err
	}
	given := make([]int32, len(wide))
	for i, v := range wide {
		if v < 0 || v >= int64(p.length) {
			return nil, inputError("input tensor %q: %d at %d is outside 0…%d", t.Name, v, i, p.length-1)
		}
		given[i] = int32(v)
	}
	return given, nil
}
