package mha

import (
	"errors"
	"math"

	"github.com/ladon-ml/ladon/kernels"
)

// RoPEConfig says how positions turn queries and keys (Su et al. 2021).
type RoPEConfig struct {
	Dim    int // how many elements of a head are turned, its first ones; even
	MaxSeq int // positions 0 … MaxSeq-1 have a table

	Base  float64   // 0: 10000; pair i turns by Base^(-2i/Dim) radians a position
	Freqs []float64 // [Dim/2] radians a position instead, for schemes that stretch them
	// Freqs32 are Freqs for models whose own code computes angles in float32, which rounds those of far positions.
	Freqs32 []float32 // [Dim/2]
	Scale   float64   // of cosines and sines, as YaRN has it; 0: 1

	// Interleaved pairs are elements 2i and 2i+1, as in GPT-J and in GGUF's Llama; else they are i and i+Dim/2, as in
	// GPT-NeoX and Hugging Face's Llama.
	Interleaved bool
}

// RoPE is a table of rotations, immutable and safe for concurrent use.
type RoPE struct {
	half        int
	interleaved bool
	cos, sin    []float32 // [MaxSeq, half]
}

var errRoPE = errors.New("mha: rotary sizes must be even, 2 to 256, with a frequency for every pair and a positive length")

// NewRoPE computes the table, in float64.
func NewRoPE(c RoPEConfig) (*RoPE, error) {
	if c.Dim < 2 || c.Dim > MaxDim || c.Dim%2 != 0 || c.MaxSeq < 1 || c.Freqs != nil && len(c.Freqs) != c.Dim/2 || c.Freqs32 != nil && len(c.Freqs32) != c.Dim/2 {
		return nil, errRoPE
	}
	if c.Base == 0 {
		c.Base = 10000
	}
	if c.Scale == 0 {
		c.Scale = 1
	}
	r := &RoPE{half: c.Dim / 2, interleaved: c.Interleaved}
	r.cos, r.sin = make([]float32, c.MaxSeq*r.half), make([]float32, c.MaxSeq*r.half)
	for i := range r.half {
		freq := math.Pow(c.Base, -2*float64(i)/float64(c.Dim))
		if c.Freqs != nil {
			freq = c.Freqs[i]
		}
		for at := range c.MaxSeq {
			angle := float64(at) * freq
			if c.Freqs32 != nil {
				angle = float64(float32(at) * c.Freqs32[i])
			}
			sin, cos := math.Sincos(angle)
			r.cos[at*r.half+i], r.sin[at*r.half+i] = float32(c.Scale*cos), float32(c.Scale*sin)
		}
	}
	return r, nil
}

// MaxSeq is how many positions the table has.
func (r *RoPE) MaxSeq() int { return len(r.cos) / r.half }

// turn rotates a head's vectors at n positions from at on, in place; they lie ld apart.
func (r *RoPE) turn(x []float32, ld, n, at int) {
	cos, sin := r.cos[at*r.half:][:n*r.half], r.sin[at*r.half:][:n*r.half]
	if !r.interleaved {
		kernels.Rotate(x, ld, n, r.half, cos, sin)
		return
	}
	for t := range n {
		x, cos, sin := x[t*ld:][:2*r.half], cos[t*r.half:][:r.half], sin[t*r.half:][:r.half]
		for i, c := range cos {
			a, b := x[2*i], x[2*i+1]
			x[2*i], x[2*i+1] = float32(a*c)-float32(b*sin[i]), float32(b*c)+float32(a*sin[i])
		}
	}
}
