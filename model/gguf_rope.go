package model

import (
	"math"

	"github.com/ladon-ml/ladon/mha"
)

// The tensors that say how rotations are slowed: for texts up to the trained
// length, and for longer ones.
const (
	ggufShort = "rope_factors_short.weight"
	ggufLong  = "rope_factors_long.weight"
)

// turnedPart says which part of a head turns.
func (g *ggufConfig) turnedPart(to string) {
	n, _, ok := g.whole("rope.dimension_count")
	hidden, _ := g.config["hidden_size"].(int64)
	heads, _ := g.config["num_attention_heads"].(int64)
	size, known := g.config["head_dim"].(int64)
	if !known && heads > 0 {
		size = hidden / heads
	}
	if !ok || size < 1 {
		g.config[to] = realNumber(1, 64)
		return
	}
	part := float64(n) / float64(size)
	if int64(float64(size)*part) < n { // as it will be read
		part = math.Nextafter(part, 2)
	}
	g.config[to] = realNumber(part, 64)
}

// longRope translates the tensors of Phi-3's rotations.
func (g *ggufConfig) longRope() {
	lists := map[string][]any{}
	for _, name := range []string{ggufShort, ggufLong} {
		info, ok := g.set.Lookup(name)
		if !ok {
			return
		}
		if info.Elements() > mha.MaxDim {
			g.problem(name, "%d factors are more than any head has", info.Elements())
			return
		}
		factors := make([]float32, info.Elements())
		if err := g.set.ReadFloat32s(factors, name, 0); err != nil {
			g.problem(name, "%v", err)
			return
		}
		for _, x := range factors {
			if !(x > 0 && x <= math.MaxFloat32) {
				g.problem(name, "%v is no factor", x)
				return
			}
			lists[name] = append(lists[name], realNumber(float64(x), 32))
		}
	}
	scaling := map[string]any{"rope_type": "longrope", "short_factor": lists[ggufShort], "long_factor": lists[ggufLong]}
	g.config["rope_scaling"] = scaling
	if n, _, ok := g.whole("rope.scaling.original_context_length"); ok {
		g.config["original_max_position_embeddings"] = n
	}
	if v, full, ok := g.value("rope.scaling.attn_factor"); ok {
		x, ok := number(v)
		if !ok {
			g.problem(full, "%v is no number", v)
		}
		scaling["attention_factor"] = x
	}
}

// ropeScaling translates how positions beyond those of the training are reached.
func (g *ggufConfig) ropeScaling() {
	v, full, ok := g.value("rope.scaling.type")
	kind, isText := v.Text()
	if !ok || isText && kind == "none" {
		return
	}
	if isText && kind == "longrope" && g.config["rope_scaling"] != nil {
		return
	}
	if !isText || kind != "linear" && kind != "yarn" {
		g.problem(full, "%v is not supported; supported: none, linear, yarn", v)
		return
	}
	scaling := map[string]any{"rope_type": kind}
	for _, key := range [][2]string{
		{"factor", "factor"}, {"original_context_length", "original_max_position_embeddings"},
		{"attn_factor", "attention_factor"}, {"yarn_beta_fast", "beta_fast"}, {"yarn_beta_slow", "beta_slow"},
	} {
		v, full, ok := g.value("rope.scaling." + key[0])
		if !ok {
			continue
		}
		n, ok := number(v)
		if !ok {
			g.problem(full, "%v is no number", v)
			continue
		}
		scaling[key[1]] = n
	}
	g.config["rope_scaling"] = scaling
}

// llama3Of finds the settings of Llama 3's rule that give these divisors (see
// config.llama3): what it cannot have made is found out by who reads them back.
// The share s of the undivided frequency is linear in the turns per position,
// from low_freq_factor to high_freq_factor turns over the trained length; only two
// of these three numbers show, so low is 1.
func llama3Of(divisors []float32, theta float64) map[string]any {
	factor := 1.0
	for _, d := range divisors {
		factor = max(factor, float64(d))
	}
	low, high, trained := 1.0, 4.0, 8192.0
	type point struct{ turns, share float64 }
	var slope []point
	for i, f := range rotaryFreqs(theta, 2*len(divisors)) {
		if d := float64(divisors[i]); d > 1 && d < factor {
			slope = append(slope, point{float64(f) / (2 * math.Pi), (1/d - 1/factor) / (1 - 1/factor)})
		}
	}
	if n := len(slope); n > 1 {
		p, q := slope[0], slope[n-1]
		rise := (p.share - q.share) / (p.turns - q.turns)
		if at0 := rise*p.turns - p.share; at0 > 0 {
			high, trained = 1+1/at0, math.Round(rise/at0)
		}
	} else if n == 1 {
		trained = math.Round((slope[0].share*(high-low) + low) / slope[0].turns)
	}
	if near := math.Round(high*100) / 100; math.Abs(high-near) < 1e-3 {
		high = near // the divisors have 24 bits
	}
	return map[string]any{
		"rope_type": "llama3", "factor": realNumber(factor, 32), "low_freq_factor": realNumber(low, 64), "high_freq_factor": realNumber(high, 64),
		"original_max_position_embeddings": int64(min(max(trained, 1), maxPositions)),
	}
}
