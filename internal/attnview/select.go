package attnview

import (
	"fmt"
	"slices"
	"strings"
)

// A Selection says which planes are drawn or written, or shown first.
type Selection struct {
	Layer int    // negative: every layer
	Plane string // a head's number, MeanPlane or RolloutPlane; "": all of them
}

// one says that a single plane is selected.
func (s Selection) one() bool { return s.Layer >= 0 && s.Plane != "" }

// A picked plane knows its layer.
type picked struct {
	plane
	layer int
}

// pick gives the selected planes, layer after layer.
func (f *field) pick(s Selection) ([][]picked, error) {
	if s.Layer >= len(f.planes) {
		return nil, fmt.Errorf("attnview: %s: no layer %d: there are %d, from 0", f.Name, s.Layer, len(f.planes))
	}
	var list [][]picked
	for l, layer := range f.planes {
		if s.Layer >= 0 && l != s.Layer {
			continue
		}
		var row []picked
		for _, p := range layer {
			if s.Plane == "" || p.name == s.Plane {
				row = append(row, picked{p, l})
			}
		}
		list = append(list, row)
	}
	// Layers may have different numbers of heads: one of them must have it.
	if slices.ContainsFunc(list, func(row []picked) bool { return len(row) > 0 }) {
		return list, nil
	}
	from := f.planes[max(s.Layer, 0)]
	names := make([]string, len(from))
	for i, p := range from {
		names[i] = p.name
	}
	return nil, fmt.Errorf("attnview: %s: no head %q; one of %s", f.Name, s.Plane, strings.Join(names, ", "))
}
