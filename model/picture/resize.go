package picture

import (
	"math"
	"slices"
)

// Filter is a way to resample, numbered as Pillow numbers them.
type Filter uint8

const (
	Nearest Filter = iota
	Lanczos
	Bilinear
	Bicubic
	Box
	Hamming
)

// kernel is a filter's weight at a distance, and how far it reaches.
type kernel struct {
	weight  func(x float64) float64
	support float64
}

var kernels = [...]kernel{
	Lanczos:  {lanczos, 3},
	Bilinear: {func(x float64) float64 { return max(1-math.Abs(x), 0) }, 1},
	Bicubic:  {bicubic, 2},
	Box:      {box, 0.5},
	Hamming:  {hamming, 1},
}

func box(x float64) float64 {
	if x > -0.5 && x <= 0.5 {
		return 1
	}
	return 0
}

// bicubic is Keys' with a = -1/2.
func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64((float64((a+2)*x)-(a+3))*x*x) + 1
	case x < 2:
		return (float64((float64((x-5)*x)+8)*x) - 4) * a
	}
	return 0
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

func lanczos(x float64) float64 {
	if x >= -3 && x < 3 {
		return sinc(x) * sinc(x/3)
	}
	return 0
}

func hamming(x float64) float64 {
	x = math.Abs(x)
	if x >= 1 {
		return 0
	}
	return sinc(x) * (0.54 + float64(0.46*math.Cos(math.Pi*x)))
}

// fraction is the bits after the point of weights: with 8 bits of a value and 2
// of overshoot it fills 32.
const fraction = 32 - 8 - 2

// half rounds to nearest what is cut off by a shift.
const half = 1 << (fraction - 1)

// taps is how one output is made up: of so many inputs from first on.
type taps struct {
	first   int
	weights []int32
}

// tapsFor spreads n inputs over size outputs. Where it shrinks, the filter is
// widened by the same factor, which is what keeps fine patterns from aliasing.
func tapsFor(f Filter, n, size int) []taps {
	all := make([]taps, size)
	scale := float64(n) / float64(size)
	if f == Nearest {
		at := scale / 2 // added up, not multiplied: its rounding decides at ties
		for i := range all {
			all[i] = taps{min(int(at), n-1), []int32{1 << fraction}}
			at += scale
		}
		return all
	}
	// Products are rounded before anything is added to them: fused, as arm64 would
	// do it, they may fall on another side of a filter's edge.
	k, widen := kernels[f], max(scale, 1)
	support := float64(k.support * widen)
	weights := make([]float64, 0, 2*int(math.Ceil(support))+1)
	for i := range all {
		centre := float64((float64(i) + 0.5) * scale)
		first, last := max(int(centre-support+0.5), 0), min(int(centre+support+0.5), n)
		weights = weights[:0]
		sum := 0.0
		for x := first; x < last; x++ {
			w := k.weight((float64(x) - centre + 0.5) / widen)
			weights = append(weights, w)
			sum += w
		}
		t := taps{first, make([]int32, len(weights))}
		for x, w := range weights {
			if sum != 0 {
				w /= sum
			}
			t.weights[x] = int32(math.Copysign(0.5, w) + w*(1<<fraction))
		}
		all[i] = t
	}
	return all
}

// resize resamples as Pillow does, in two passes with rounding to 8 bits between
// them: along rows first, or where the height shrinks by over twice as many pixels
// as the width, down columns. A direction whose size stays is left alone.
func resize(p *Picture, width, height int, f Filter) *Picture {
	passes := []func(*Picture) *Picture{
		func(p *Picture) *Picture { return alongRows(p, width, f) },
		func(p *Picture) *Picture { return downColumns(p, height, f) },
	}
	if shrinks := p.Height - height; f != Nearest && shrinks > 0 && shrinks > 2*(p.Width-width) {
		slices.Reverse(passes)
	}
	for _, pass := range passes {
		p = pass(p)
	}
	return p
}

func alongRows(p *Picture, width int, f Filter) *Picture {
	if width == p.Width {
		return p
	}
	out := rgb{make([]byte, 3*width*p.Height), 3 * width}
	all := tapsFor(f, p.Width, width)
	row := make([]byte, 3*p.Width)
	// Red and blue share a 64-bit sum: what borrows from the upper half is put
	// back when they are parted.
	rb, green := make([]int64, p.Width), make([]int64, p.Width)
	for y := range p.Height {
		p.row(y, row)
		for x := range rb {
			px := row[3*x:][:3]
			rb[x], green[x] = int64(px[0])|int64(px[2])<<32, int64(px[1])
		}
		dst := out.pix[y*out.stride:][:out.stride]
		for x := range all {
			t := &all[x]
			s, g := int64(half|half<<32), int64(half)
			rb, green := rb[t.first:][:len(t.weights)], green[t.first:][:len(t.weights)]
			for i, w := range t.weights {
				s += rb[i] * int64(w)
				g += green[i] * int64(w)
			}
			r := int32(s)
			b := int32((s - int64(r)) >> 32)
			d := dst[3*x:][:3]
			d[0], d[1], d[2] = clamp(r>>fraction), clamp(int32(g)>>fraction), clamp(b>>fraction)
		}
	}
	return &Picture{width, p.Height, out}
}

func downColumns(p *Picture, height int, f Filter) *Picture {
	if height == p.Height {
		return p
	}
	stride, src := 3*p.Width, p.RGB()
	out := rgb{make([]byte, height*stride), stride}
	sums := make([]int32, stride)
	for y, t := range tapsFor(f, p.Height, height) {
		for i := range sums {
			sums[i] = half
		}
		for i, w := range t.weights {
			for x, v := range src[(t.first+i)*stride:][:stride] {
				sums[x] += w * int32(v)
			}
		}
		dst := out.pix[y*stride:][:stride]
		for i, s := range sums {
			dst[i] = clamp(s >> fraction)
		}
	}
	return &Picture{p.Width, height, out}
}
