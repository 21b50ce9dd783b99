// Package attnview shows attention weights to people: as one HTML page that
// needs nothing else, as a picture, and as JSON.
//
// It knows tokens and weights, and not where they come from. A [Report] holds
// one [Map] for each kind of attention that a model has: one for an encoder or a
// decoder alone, three for the two together.
package attnview

import (
	"context"
	"errors"
	"fmt"
)

// A Report is what is shown together: the attention of one model on one input.
type Report struct {
	Model string
	Text  string
	Maps  []Map
}

// A Map is the attention of a stack of layers, from queries to keys.
type Map struct {
	Name    string // for people: "self-attention"
	Queries []Token
	Keys    []Token // nil: the queries, as in self-attention
	Layers  []Layer
	Picture *Picture // that the keys are patches of; nil: they are no picture's
}

// A Picture is seen by some of a map's keys, each a patch of it.
type Picture struct {
	RGB                     []byte // [Height][Width][3]
	Width, Height           int
	First                   int // the key of the first patch; others follow, row after row
	Rows, Cols              int // patches
	PatchWidth, PatchHeight int // pixels; what is left over at the right and below is no patch's
}

// A Layer holds the weights of its heads, of which layers may have different
// numbers.
type Layer struct {
	Heads   int
	Weights []float32 // [Heads, queries, keys]; rows add up to 1, or to 0 where nothing is seen
}

// A Token names a row or a column.
type Token struct {
	ID      int32
	Token   string // as the vocabulary has it
	Label   string // as people read it: see Label
	Special bool
	Joined  bool // goes on with the word of the token before
}

// self says whether queries and keys are the same tokens, so that distances and
// a diagonal mean something.
func (m *Map) self() bool { return m.Keys == nil }

func (m *Map) keys() []Token {
	if m.self() {
		return m.Queries
	}
	return m.Keys
}

// check tells what in a report does not fit together.
func (r *Report) check() error {
	if len(r.Maps) == 0 {
		return errors.New("attnview: nothing to show")
	}
	for i := range r.Maps {
		m := &r.Maps[i]
		q, k := len(m.Queries), len(m.keys())
		if q == 0 || k == 0 || len(m.Layers) == 0 {
			return fmt.Errorf("attnview: %s: nothing to show", m.Name)
		}
		if p := m.Picture; p != nil && !p.fits(k) {
			return fmt.Errorf("attnview: %s: %d×%d patches from key %d on are not %d×%d pixels of %d keys", m.Name, p.Cols, p.Rows, p.First, p.Width, p.Height, k)
		}
		for l, layer := range m.Layers {
			if layer.Heads < 1 || len(layer.Weights) != layer.Heads*q*k {
				return fmt.Errorf("attnview: %s: layer %d: %d weights are not those of %d heads for %d×%d tokens", m.Name, l, len(layer.Weights), layer.Heads, q, k)
			}
			for _, w := range layer.Weights {
				// Rounding may give a little more than 1.
				if !(w >= 0 && w <= 1.001) {
					return fmt.Errorf("attnview: %s: layer %d: a weight of %v", m.Name, l, w)
				}
			}
		}
	}
	return nil
}

// fits tells whether a picture is whole and its patches are among so many keys.
func (p *Picture) fits(keys int) bool {
	return p.First >= 0 && p.Rows > 0 && p.Cols > 0 && p.First+p.Rows*p.Cols <= keys &&
		p.PatchWidth > 0 && p.PatchHeight > 0 && p.Cols*p.PatchWidth <= p.Width && p.Rows*p.PatchHeight <= p.Height &&
		len(p.RGB) == 3*p.Width*p.Height
}

// A plane is one square of weights to look at: a head's, or one made of heads.
type plane struct {
	name    string
	weights []float32 // [queries, keys]
}

// The planes that a layer has beside its heads.
const (
	MeanPlane    = "mean"    // of the layer's heads
	RolloutPlane = "rollout" // through all layers up to this one; self-attention only
)

// A field is a map with all its planes.
type field struct {
	*Map
	q, k   int
	planes [][]plane // by layer: the heads, mean, and rollout where there is one
}

func newField(ctx context.Context, m *Map) (*field, error) {
	f := &field{Map: m, q: len(m.Queries), k: len(m.keys())}
	size := f.q * f.k
	means := make([][]float32, len(m.Layers))
	for l, layer := range m.Layers {
		var list []plane
		for h := range layer.Heads {
			list = append(list, plane{fmt.Sprint(h), layer.Weights[h*size : (h+1)*size]})
		}
		means[l] = mean(layer.Weights, layer.Heads)
		f.planes = append(f.planes, append(list, plane{MeanPlane, means[l]}))
	}
	if m.self() {
		through, err := rollout(ctx, means, f.q)
		if err != nil {
			return nil, err
		}
		for l, r := range through {
			f.planes[l] = append(f.planes[l], plane{RolloutPlane, r})
		}
	}
	return f, nil
}

// count is the number of planes of all layers.
func (f *field) count() (n int) {
	for _, list := range f.planes {
		n += len(list)
	}
	return n
}

// mean is the mean of a layer's heads.
func mean(weights []float32, heads int) []float32 {
	m := make([]float32, len(weights)/heads)
	for i := range m {
		sum := 0.0
		for h := range heads {
			sum += float64(weights[h*len(m)+i])
		}
		m[i] = float32(sum / float64(heads))
	}
	return m
}
