package model

import (
	"math"
)

// adjust gives a Spec what config.json has no words for: layers that differ,
// biases that the file has, a scale, and divisors of the rotations' frequencies.
func (g *ggufConfig) adjust(s *Spec, n *names) {
	a := &s.Layers[0].Attention
	for _, c := range []struct {
		key string
		to  func(*Layer) *int
		max int
	}{
		{"attention.head_count", func(l *Layer) *int { return &l.Attention.Heads }, maxHeads},
		{"attention.head_count_kv", func(l *Layer) *int { return &l.Attention.KVHeads }, maxHeads},
		{"feed_forward_length", func(l *Layer) *int { return &l.FeedForward.Width }, maxWidth},
	} {
		full := g.kind.name + "." + c.key
		list, ok := g.layers[full]
		if !ok {
			continue
		}
		delete(g.layers, full)
		if len(list) != len(s.Layers) {
			g.problem(full, "%d numbers for %d layers", len(list), len(s.Layers))
			return
		}
		for i, v := range list {
			if v < 1 || v > int64(c.max) {
				g.problem(full, "%d, of layer %d, is outside 1…%d", v, i, c.max)
				return
			}
			*c.to(&s.Layers[i]) = int(v)
		}
	}
	for full := range g.layers {
		g.problem(full, "differs from layer to layer, which is not supported")
	}
	for i := range s.Layers {
		a := &s.Layers[i].Attention
		if a.Heads%a.KVHeads != 0 {
			g.problem(g.kind.name+".attention.head_count_kv", "%d does not divide head_count %d in layer %d", a.KVHeads, a.Heads, i)
			return
		}
	}
	for _, key := range []string{"attention.value_length", "rope.dimension_count"} {
		if size, full, ok := g.whole(key); ok && size != int64(a.HeadDim) && (a.Rotary != nil || key != "rope.dimension_count") {
			g.problem(full, "%d is not supported where keys have %d elements", size, a.HeadDim)
		}
	}
	if v, full, ok := g.value("attention.scale"); ok {
		scale, ok := v.Float()
		if !ok || !(math.Abs(scale) <= 1e6) {
			g.problem(full, "%v is no scale of scores", v)
		}
		for i := range s.Layers {
			if scale != 0 {
				s.Layers[i].Attention.Scale = float32(scale)
			}
		}
	}
	g.biases(s, n)
	g.divideFreqs(s)
}

// biases: a file has those of its projections without a word in the metadata.
func (g *ggufConfig) biases(s *Spec, n *names) {
	has := func(name string) bool {
		_, ok := g.set.Lookup(n.layer(0) + name + ".bias")
		return ok
	}
	for i := range s.Layers {
		l := &s.Layers[i]
		l.Attention.QKVBias = l.Attention.QKVBias || has(n.Query)
		l.Attention.OutBias = l.Attention.OutBias || has(n.Out)
		l.FeedForward.Bias = l.FeedForward.Bias || has(n.Up)
	}
}

// divideFreqs divides the frequencies of rotations by those of the file.
func (g *ggufConfig) divideFreqs(s *Spec) {
	info, ok := g.set.Lookup(ggufFreqs)
	if !ok {
		return
	}
	done := map[*Rotary]bool{}
	for i := range s.Layers {
		r := s.Layers[i].Attention.Rotary
		if r == nil || done[r] {
			continue
		}
		done[r] = true
		if info.Elements() != int64(len(r.Freqs)) {
			g.problem(ggufFreqs, "%d divisors for %d frequencies", info.Elements(), len(r.Freqs))
			return
		}
		divisors := make([]float32, len(r.Freqs))
		if err := g.set.ReadFloat32s(divisors, ggufFreqs, 0); err != nil {
			g.problem(ggufFreqs, "%v", err)
			return
		}
		for j, d := range divisors {
			if !(d > 0 && d <= math.MaxFloat32) {
				g.problem(ggufFreqs, "%v is no divisor of a frequency", d)
				return
			}
			r.Freqs[j] /= d
		}
	}
}
