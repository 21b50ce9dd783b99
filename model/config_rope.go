package model

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// rope reads how positions turn the first dim elements of heads, from
// rope_scaling or rope_parameters and rope_theta, as old and new files have it.
// positions is the longest sequence by the config, and longest what it is with
// the scaling.
func (c *config) rope(dim int, theta float64, positions int) (r *Rotary, longest int) {
	o := c.object("rope_scaling")
	if len(o.values) == 0 {
		o = c.object("rope_parameters")
	}
	return c.ropeOf(o, dim, c.float("rope_theta", theta, minTheta, maxTheta), positions)
}

// turned is how many elements of a head turn: all, where def is 0, or else the
// part that partial_rotary_factor says, by default def.
func (c *config) turned(headDim int, def float64) int {
	if def == 0 {
		return headDim
	}
	const key = "partial_rotary_factor"
	part := c.float(key, def, 0, 1)
	part = c.object("rope_scaling").float(key, part, 0, 1)
	part = c.object("rope_parameters").float(key, part, 0, 1)
	return int(float64(headDim) * part)
}

const minTheta, maxTheta = 1, 1e15

// ropeKinds are the values of rope_type.
var ropeKinds = []string{"default", "linear", "dynamic", "yarn", "llama3", "longrope"}

// ropeOf reads a rope_scaling; theta counts where it has none.
func (c *config) ropeOf(o *config, dim int, theta float64, positions int) (r *Rotary, longest int) {
	kind := o.string("rope_type", o.string("type", "default"))
	if kind == "su" { // Phi-3's first files
		kind = "longrope"
	}
	if !slices.Contains(ropeKinds, kind) {
		o.problem("rope_type", "%q is not supported; supported: %s", kind, strings.Join(ropeKinds, ", "))
	}
	if dim < 2 || dim%2 != 0 {
		o.problem("rope_type", "%d elements of a head cannot be turned in pairs", dim)
		dim = 2
	}
	theta = o.float("rope_theta", theta, minTheta, maxTheta)
	r = &Rotary{Dim: dim, Freqs: rotaryFreqs(theta, dim)}
	if kind == "default" || *c.problems != nil {
		return r, positions
	}

	trained := c.int("original_max_position_embeddings", o.int("original_max_position_embeddings", positions, 1, maxPositions), 1, maxPositions)
	factor := o.float("factor", float64(positions)/float64(trained), 1e-3, 1e6)
	reach := func(n int) int { return max(positions, int(min(factor*float64(n), maxPositions))) }
	switch kind {
	case "linear": // Chen et al. 2023
		for i := range r.Freqs {
			r.Freqs[i] /= float32(factor)
		}
		return r, reach(positions)
	case "dynamic":
		if dim < 4 {
			o.problem("rope_type", "%q needs more than %d elements of a head", kind, dim)
		}
		r.Trained, r.Base, r.Growth = positions, theta, factor
		return r, maxPositions // it grows with any length
	case "llama3":
		o.llama3(r, float32(factor), float32(trained))
		return r, positions
	case "yarn":
		o.yarn(r, theta, factor, trained)
		return r, reach(trained)
	}
	r.Trained = trained
	short, long := o.floats("short_factor", dim/2), o.floats("long_factor", dim/2)
	r.LongFreqs = rotaryWaves(theta, dim)
	for i, wave := range r.LongFreqs {
		r.Freqs[i], r.LongFreqs[i] = 1/(float32(short[i])*wave), 1/(float32(long[i])*wave)
	}
	if factor > 1 {
		r.Scale = math.Sqrt(1 + math.Log(factor)/math.Log(max(2, float64(trained))))
	}
	r.Scale = o.float("attention_factor", r.Scale, 0, 1e6)
	return r, positions
}

// llama3 turns slow pairs factor times slower and leaves fast ones, with a slope
// between them: Llama 3.1.
func (c *config) llama3(r *Rotary, factor, trained float32) {
	low, high := float32(c.float("low_freq_factor", 1, 1e-6, 1e6)), float32(c.float("high_freq_factor", 4, 1e-6, 1e6))
	for i, f := range r.Freqs {
		wave := 1 / f * float32(2*math.Pi) // rounded as PyTorch divides a number by a tensor
		switch {
		case wave < trained/high:
		case wave > trained/low:
			r.Freqs[i] = f / factor
		default:
			smooth := (float32(1/wave*trained) - low) / (high - low)
			r.Freqs[i] = float32((1-smooth)*f/factor) + float32(smooth*f)
		}
	}
}

// yarn: Peng et al. 2023, "YaRN: Efficient Context Window Extension of Large
// Language Models".
func (c *config) yarn(r *Rotary, theta, factor float64, trained int) {
	dim := float64(r.Dim)
	// The pair that turns so often over the trained length.
	pair := func(turns float64) float64 {
		return dim * math.Log(float64(trained)/(turns*2*math.Pi)) / (2 * math.Log(theta))
	}
	low, high := pair(c.float("beta_fast", 32, 1e-6, 1e6)), pair(c.float("beta_slow", 1, 1e-6, 1e6))
	if c.bool("truncate", true) {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, dim-1)
	if low == high {
		high += 0.001
	}
	for i, wave := range rotaryWaves(theta, r.Dim) {
		ramp := min(max((float32(i)-float32(low))/float32(high-low), 0), 1)
		slow := 1 / (float32(factor) * wave)
		r.Freqs[i] = float32(slow*ramp) + float32(r.Freqs[i]*(1-ramp))
	}
	magnitude := func(m float64) float64 {
		if factor <= 1 {
			return 1
		}
		return 0.1*m*math.Log(factor) + 1
	}
	m, all := c.float("mscale", 0, 0, 1e6), c.float("mscale_all_dim", 0, 0, 1e6)
	r.Scale = magnitude(1)
	if m != 0 && all != 0 {
		r.Scale = magnitude(m) / magnitude(all)
	}
	r.Scale = c.float("attention_factor", r.Scale, 0, 1e6)
}

// floats reads a list of n positive numbers.
func (c *config) floats(key string, n int) []float64 {
	var list []float64
	if v, ok := c.values[key]; ok {
		if err := json.Unmarshal(v, &list); err != nil {
			c.problem(key, "%s is not a list of numbers", shown(v))
		}
	}
	bad := func(x float64) bool { return !(x > 0) }
	if len(list) != n || slices.ContainsFunc(list, bad) {
		c.problem(key, "must be %d positive numbers", n)
		list = slices.Repeat([]float64{1}, n)
	}
	return list
}
