package model

import (
	"math"
	"sync"
)

// Waves are positions that are not learned (Vaswani et al. 2017): elements 2i and
// 2i+1 of position p are the sine and the cosine of p/10000^(2i/width).
type Waves uint8

const (
	NoWaves     Waves = iota
	WavesPaired       // each cosine behind its sine
	WavesApart        // all sines, then all cosines
)

// maxWaves bounds positions that nothing else bounds.
const maxWaves = 1 << 16

// waves keeps the table of positions. It grows with those that are asked for.
type waves struct {
	kind  Waves
	width int
	mu    sync.Mutex
	rows  []float32 // [positions, width]
}

// table is one of at least so many positions.
func (t *waves) table(positions int) []float32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) >= positions*t.width {
		return t.rows
	}
	room := 256
	for room < positions {
		room *= 2
	}
	made := append(make([]float32, 0, room*t.width), t.rows...)
	for len(made) < room*t.width {
		made = t.appendRow(made, float64(len(made)/t.width))
	}
	t.rows = made
	return made
}

func (t *waves) appendRow(rows []float32, position float64) []float32 {
	at := len(rows)
	rows = rows[:at+t.width]
	for j := range t.width {
		angle := position / math.Pow(10000, float64(j/2*2)/float64(t.width))
		to, value := at+j, math.Sin(angle)
		if t.kind == WavesApart {
			to = at + j/2
		}
		if j%2 == 1 {
			value = math.Cos(angle)
			if t.kind == WavesApart {
				to += (t.width + 1) / 2
			}
		}
		rows[to] = float32(value)
	}
	return rows
}
