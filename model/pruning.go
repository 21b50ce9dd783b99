package model

import (
	"fmt"
	"slices"
)

// A Pruning names what is taken out of a model. Heads are query heads; where
// several share keys and values they go together or stay.
type Pruning struct {
	Heads   map[int][]int // by layer
	Neurons map[int][]int // of the feed-forward network, by layer

	// Other is taken out of Spec.Other: of an encoder-decoder, the encoder. Heads
	// that attend to a source stay. nil: nothing.
	Other *Pruning
}

// pruningError says that a pruning does not fit a model.
func pruningError(format string, args ...any) error {
	return inputError("pruning: "+format, args...)
}

// A cut is what remains of a layer, by rising indices; nil is all.
type cut struct {
	heads, kvHeads, neurons []int
}

// cuts checks a pruning against a stack and gives what remains of every layer.
func (p *Pruning) cuts(s *Stack) ([]cut, error) {
	if err := p.inside(s); err != nil {
		return nil, err
	}
	list := make([]cut, len(s.Layers))
	for l := range list {
		c, err := p.cut(s, l)
		if err != nil {
			return nil, err
		}
		list[l] = c
	}
	return list, nil
}

// inside checks that the layers are there, and have parameters of their own.
func (p *Pruning) inside(s *Stack) error {
	for _, byLayer := range []map[int][]int{p.Heads, p.Neurons} {
		for l := range byLayer {
			switch {
			case l < 0 || l >= len(s.Layers):
				return pruningError("no layer %d: there are %d, from 0", l, len(s.Layers))
			case s.params(l) != l:
				return pruningError("layer %d has the parameters of layer %d: name that one", l, s.params(l))
			}
		}
	}
	return nil
}

// cut gives what remains of layer l.
func (p *Pruning) cut(s *Stack, l int) (c cut, err error) {
	a, from := &s.Layers[l].Attention, s.params(l)
	if c.heads, err = remaining(p.Heads[from], a.Heads, "head"); err != nil {
		return cut{}, pruningError("layer %d: %v", l, err)
	}
	if c.kvHeads, err = wholeGroups(c.heads, a.Heads/a.KVHeads); err != nil {
		return cut{}, pruningError("layer %d: %v", l, err)
	}
	if c.neurons, err = remaining(p.Neurons[from], s.Layers[l].FeedForward.Width, "neuron"); err != nil {
		return cut{}, pruningError("layer %d: %v", l, err)
	}
	return c, nil
}

// apply gives layer l its new sizes.
func (c *cut) apply(s *Stack, l *Layer) {
	if a := &l.Attention; c.heads != nil {
		if a.ALiBi || s.Relative.Buckets > 0 {
			a.Kept = a.Kept.cut(a.Heads, c.heads)
		}
		a.Heads, a.KVHeads = len(c.heads), len(c.kvHeads)
	}
	if c.neurons != nil {
		l.FeedForward.Width = len(c.neurons)
	}
}

// cut is what is left of heads when of them, by their numbers now, some remain.
func (k *Kept) cut(heads int, left []int) *Kept {
	if k == nil {
		return &Kept{Of: heads, Heads: left}
	}
	list := make([]int, len(left))
	for i, h := range left {
		list[i] = k.Heads[h]
	}
	return &Kept{Of: k.Of, Heads: list}
}

// applyCuts gives layers their new sizes.
func (s *Stack) applyCuts(cuts []cut) []Layer {
	layers := slices.Clone(s.Layers)
	for l := range cuts {
		cuts[l].apply(s, &layers[l])
	}
	return layers
}

// remaining lists what is left of n things, nil for all of them.
func remaining(gone []int, n int, what string) ([]int, error) {
	if len(gone) == 0 {
		return nil, nil
	}
	out := make([]bool, n)
	for _, i := range gone {
		switch {
		case i < 0 || i >= n:
			return nil, fmt.Errorf("no %s %d: there are %d, from 0", what, i, n)
		case out[i]:
			return nil, fmt.Errorf("%s %d is named twice", what, i)
		}
		out[i] = true
	}
	if len(gone) == n {
		return nil, fmt.Errorf("no %s would be left", what)
	}
	left := make([]int, 0, n-len(gone))
	for i := range n {
		if !out[i] {
			left = append(left, i)
		}
	}
	return left, nil
}

// wholeGroups lists the key heads of the query heads that are left.
func wholeGroups(heads []int, group int) ([]int, error) {
	var kv []int
	for i := 0; i < len(heads); i += group {
		first := heads[i] / group * group
		for j := range group {
			if i+j >= len(heads) || heads[i+j] != first+j {
				return nil, fmt.Errorf("heads %d to %d share keys and values: take out all of them or none", first, first+group-1)
			}
		}
		kv = append(kv, first/group)
	}
	return kv, nil
}

// A kept is what remains of a tensor, of its first dimension and of all others as
// one; nil is all of it.
type kept [2][]int

// shape is what remains of a tensor's. Of three dimensions the last stays.
func (k *kept) shape(whole []int) []int {
	left := slices.Clone(whole)
	if k[0] != nil {
		left[0] = len(k[0])
	}
	if k[1] != nil {
		left[1] = len(k[1])
		for _, n := range whole[2:] {
			left[1] /= n
		}
	}
	return left
}

// keepTensors adds to tensors what remains of the checkpoint's, by name. params
// are those of the whole model, whose sources check has resolved.
func (m *Model) keepTensors(tensors map[string]*kept, params []param, cuts []cut) {
	for l, c := range cuts {
		if m.spec.params(l) != l {
			continue
		}
		a := &m.spec.Layers[l].Attention
		byLinear := map[*linear]kept{}
		if c.heads != nil {
			heads, kv := spans(c.heads, a.HeadDim), spans(c.kvHeads, a.HeadDim)
			// Queries, keys and values follow each other: see layer.
			byLinear[&m.layers[l].qkv[0]] = kept{slices.Concat(heads, shifted(kv, a.Heads*a.HeadDim), shifted(kv, (a.Heads+a.KVHeads)*a.HeadDim)), nil}
			byLinear[&m.layers[l].out] = kept{nil, heads}
			byLinear[&m.layers[l].toDistances.keys] = kept{heads, nil}
			m.layers[l].toDistances.keep(tensors, params, c.heads, heads)
		}
		if c.neurons != nil {
			byLinear[&m.layers[l].gate] = kept{c.neurons, nil}
			byLinear[&m.layers[l].up] = kept{c.neurons, nil}
			byLinear[&m.layers[l].down] = kept{nil, c.neurons}
		}
		for i := range params {
			p := &params[i]
			for lin, k := range byLinear {
				if p.matrix == &lin.w || p.vector == &lin.bias && k[0] != nil {
					p.keep(tensors, k)
				}
			}
		}
	}
	for _, k := range tensors {
		slices.Sort(k[0])
		slices.Sort(k[1])
	}
}

// keep adds to tensors what remains of those that p is made of, by p's own rows
// and columns.
func (p *param) keep(tensors map[string]*kept, own kept) {
	at := 0 // rows of p before the source's
	for _, s := range p.from {
		name, n := s.names[0], s.count()
		if tensors[name] == nil {
			tensors[name] = new(kept)
		}
		t := tensors[name]
		out, in := 0, 1
		if s.transposed {
			out, in = 1, 0
		}
		for _, r := range own[0] {
			if r >= at && r < at+n {
				t[out] = append(t[out], s.row(r-at))
			}
		}
		if own[1] != nil {
			t[in] = own[1]
		}
		at += n
	}
}

// spans lists the elements of blocks of a size.
func spans(blocks []int, size int) []int {
	list := make([]int, 0, len(blocks)*size)
	for _, b := range blocks {
		for i := range size {
			list = append(list, b*size+i)
		}
	}
	return list
}

func shifted(list []int, by int) []int {
	moved := make([]int, len(list))
	for i, x := range list {
		moved[i] = x + by
	}
	return moved
}
