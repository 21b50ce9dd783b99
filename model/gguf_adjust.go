package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"

	"github.com/ladon-ml/ladon/mha"
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
	for _, key := range []string{"attention.key_length", "attention.value_length"} {
		if size, full, ok := g.whole(key); ok && size != int64(a.HeadDim) {
			g.problem(full, "%d is not supported where heads have %d elements", size, a.HeadDim)
		}
	}
	if size, full, ok := g.whole("rope.dimension_count"); ok && a.Rotary != nil && size != int64(a.Rotary.Dim) {
		g.problem(full, "%d is not supported where %d elements turn", size, a.Rotary.Dim)
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

// json is the config.json of the file, in which stands what adjust finds in the
// file itself, as far as there are words for it.
func (g *ggufConfig) json() ([]byte, error) {
	has := func(name string) bool {
		_, ok := g.set.Lookup("blk.0." + name)
		return ok
	}
	config := maps.Clone(g.config)
	if has("attn_output.bias") && has("attn_q.bias") {
		config["attention_bias"] = true
	}
	if g.kind.modelType == llama.modelType && has("ffn_up.bias") {
		config["mlp_bias"] = true
	}
	if v, _, ok := g.value("attention.scale"); ok && config["query_pre_attn_scalar"] != nil {
		if scale, _ := v.Float(); scale != 0 {
			square := 1 / (scale * scale)
			if near := math.Round(square); math.Abs(square-near) < 1e-5*near {
				square = near // the scale is of 24 bits
			}
			config["query_pre_attn_scalar"] = square
		}
	}
	if info, ok := g.set.Lookup(ggufFreqs); ok && config["rope_scaling"] == nil && info.Elements() <= mha.MaxDim {
		divisors := make([]float32, info.Elements())
		if err := g.set.ReadFloat32s(divisors, ggufFreqs, 0); err != nil {
			return nil, err
		}
		theta := 10000.0
		if v, _, ok := g.value("rope.freq_base"); ok {
			theta, _ = v.Float()
		}
		config["rope_scaling"] = llama3Of(divisors, theta)
	}
	data, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("model: %s: %w", g.set, err)
	}
	return data, nil
}
