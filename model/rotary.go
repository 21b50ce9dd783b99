package model

import (
	"math"
	"sync"

	"github.com/ladon-ml/ladon/mha"
)

// Rotary is how positions turn queries and keys (Su et al. 2021): pair i of a
// head's elements by Freqs[i] radians a position. It is immutable, and layers
// that turn alike share one.
type Rotary struct {
	Dim         int       // how many elements of a head are turned, its first ones; even
	Interleaved bool      // pairs are elements 2i and 2i+1; else i and i+Dim/2
	Freqs       []float32 // [Dim/2], rounded as the models' own code rounds them
	Scale       float64   // of cosines and sines; 0: 1

	// Sequences of more than Trained tokens turn otherwise, all of them; 0: no
	// sequence does. Then LongFreqs count (Ding et al. 2024, LongRoPE), or where
	// it is nil, the frequencies of a base that grows with the length (Emozilla
	// 2023, dynamic NTK):
	//
	//	Base·(Growth·length/Trained - (Growth-1))^(Dim/(Dim-2))
	Trained      int
	LongFreqs    []float32 // [Dim/2]
	Base, Growth float64
}

// freqs are the frequencies for a sequence of that length.
func (r *Rotary) freqs(length int) []float32 {
	if r.Trained == 0 || length <= r.Trained {
		return r.Freqs
	}
	if r.LongFreqs != nil {
		return r.LongFreqs
	}
	dim := float64(r.Dim)
	grown := r.Growth*float64(length)/float64(r.Trained) - (r.Growth - 1)
	return rotaryFreqs(r.Base*math.Pow(grown, dim/(dim-2)), r.Dim)
}

// rotaryFreqs are base^(-2i/dim), the frequencies of the paper.
func rotaryFreqs(base float64, dim int) []float32 {
	freqs := rotaryWaves(base, dim)
	for i, wave := range freqs {
		freqs[i] = 1 / wave
	}
	return freqs
}

// rotaryWaves are base^(2i/dim): positions a radian.
func rotaryWaves(base float64, dim int) []float32 {
	waves := make([]float32, dim/2)
	for i := range waves {
		waves[i] = float32(math.Pow(base, float64(float32(2*i)/float32(dim))))
	}
	return waves
}

// A rotation keeps the tables of a Rotary. They grow with the positions that are
// asked for: the longest sequence of a model may be far longer than any it meets.
type rotation struct {
	*Rotary
	mu     sync.Mutex
	short  *mha.RoPE // for sequences of up to Trained tokens
	long   *mha.RoPE // for those of length
	length int
}

// newRotation fails where the Rotary cannot be; table then cannot.
func newRotation(r *Rotary) (*rotation, error) {
	t := &rotation{Rotary: r}
	var err error
	t.short, err = t.make(r.Freqs, 256)
	return t, err
}

func (t *rotation) make(freqs []float32, positions int) (*mha.RoPE, error) {
	return mha.NewRoPE(mha.RoPEConfig{Dim: t.Dim, MaxSeq: positions, Freqs32: freqs, Scale: t.Scale, Interleaved: t.Interleaved})
}

// table is that of a sequence of the given length, all of whose positions it has.
func (t *rotation) table(length int) *mha.RoPE {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Trained == 0 || length <= t.Trained {
		t.short = t.grow(t.short, t.Freqs, length)
		return t.short
	}
	if t.LongFreqs == nil && t.length != length {
		t.long, t.length = nil, length
	}
	t.long = t.grow(t.long, t.freqs(length), length)
	return t.long
}

// grow returns have if it reaches so far, or a table that reaches farther.
func (t *rotation) grow(have *mha.RoPE, freqs []float32, positions int) *mha.RoPE {
	if have != nil && have.MaxSeq() >= positions {
		return have
	}
	room := 256
	for room < positions {
		room *= 2
	}
	if made, err := t.make(freqs, room); err == nil {
		return made
	}
	return have // newRotation has seen that it can be made
}

// longest is one more than the largest position of each sequence of the stream,
// and of all together.
func (s *stream) longest(seq int) int {
	if s.totals != nil {
		return int(s.totals[seq])
	}
	n := int32(0)
	for _, p := range s.positions[s.cuSeqlens[seq]:s.cuSeqlens[seq+1]] {
		n = max(n, p+1)
	}
	return int(n)
}
