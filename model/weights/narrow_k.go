package weights

import (
	"errors"
	"math"
)

// The K types store scales as small integers of a block-wide scale. A group of
// elements first gets the scale (and minimum) of least weighted square error,
// found among those that rounding to slightly different ranges leads to; then
// the integers are chosen, and moved by one where that lessens the error of what
// will be read back; then each element takes the nearest level.
//
// The weight of an element's error is its magnitude plus the group's root mean
// square: large weights meet large activations no more often than small ones,
// but what they add is what sums are made of.
//
// Ranges are tried by a sweep, which gives the sums from which the best scale and
// minimum for each range's levels follow, and their error. For the best of them a
// pass over the elements rounds to the new levels, which lessens the error a
// little. Blocks are scaled by a power of two before, so that float32 holds
// squares.

// maxK is more than any K type holds.
const maxK = 1e9

// candidates is of how many ranges the levels are moved to the nearest ones: those
// whose levels have the least errors.
const candidates = 4

// magic rounds numbers below 2^22 to the nearest even integer, by adding and
// subtracting it.
const magic = 1.5 * (1 << 23)

// An affine is a group's x ≈ scale·q - min, min ≥ 0.
type affine struct{ scale, min float32 }

// levels puts each element at its nearest level, of 0…top.
func (a affine) levels(q []uint8, x []float32, top float32) {
	inv := inverse(a.scale)
	q = q[:len(x)]
	for i, v := range x {
		q[i] = uint8(nearestLevel(float32((v+a.min)*inv), top))
	}
}

// nearestLevel is the nearest of the levels 0…top.
func nearestLevel(v, top float32) float32 {
	return clamped(v, magic, magic+top) - magic
}

// clamped is magic+v, not less than low nor greater than high, which are positive.
// It compares bits: as integers they have the order of the numbers, and comparing
// those needs no branches.
func clamped(v, low, high float32) float32 {
	b := int32(math.Float32bits(float32(v) + magic))
	return math.Float32frombits(uint32(min(max(b, int32(math.Float32bits(low))), int32(math.Float32bits(high)))))
}

// loss is the error of the nearest levels, or some number that is not less than
// least.
func (a affine) loss(x, weight []float32, top, least float32) float32 {
	inv := inverse(a.scale)
	var even, odd float32
	for len(x) >= 8 && len(weight) >= 8 && even+odd < least {
		for i := 0; i < 8; i += 2 {
			v, u := x[i], x[i+1]
			e := float32(a.scale*nearestLevel(float32((v+a.min)*inv), top)) - a.min - v
			f := float32(a.scale*nearestLevel(float32((u+a.min)*inv), top)) - a.min - u
			even += float32(float32(weight[i]*e) * e)
			odd += float32(float32(weight[i+1]*f) * f)
		}
		x, weight = x[8:], weight[8:]
	}
	return even + odd
}

// A weighing has the sums over a group that no levels change.
type weighing struct{ w, x, xx float64 }

func weigh(x, weight []float32) (s weighing) {
	for i, v := range x {
		w, v := float64(weight[i]), float64(v)
		s.w, s.x, s.xx = s.w+w, s.x+float64(w*v), s.xx+float64(w*v*v)
	}
	return s
}

// fit is the affine of least error for levels, with min ≥ 0, and this error; where
// there is none, it is infinite.
func (s *weighing) fit(q *levelSums) (best affine, loss float32) {
	det := float64(s.w*q.ll) - float64(q.l*q.l)
	scale, low := float64(s.w*q.lx)-float64(s.x*q.l), float64(q.ll*s.x)-float64(q.l*q.lx)
	if !(det > 0) || !(scale > 0) {
		return best, float32(math.Inf(1))
	}
	if low > 0 {
		scale, low, det = q.lx, 0, q.ll
	}
	inv := 1 / det
	scale, low = scale*inv, low*inv
	return affine{float32(scale), float32(-low)}, float32(s.xx - float64(scale*q.lx) - float64(low*s.x))
}

// A shortlist has what has the least errors of all that was added, the best first.
type shortlist[T any] struct {
	list [candidates]T
	loss [candidates]float32
	n    int
}

func (s *shortlist[T]) add(x T, loss float32) {
	i := s.n
	if i < candidates {
		s.n++
	} else if i--; !(loss < s.loss[i]) {
		return
	}
	for ; i > 0 && loss < s.loss[i-1]; i-- {
		s.list[i], s.loss[i] = s.list[i-1], s.loss[i-1]
	}
	s.list[i], s.loss[i] = x, loss
}

// bestAffine searches from the group's extremes on.
func bestAffine(g *sweep, x, weight []float32, top float32) affine {
	low, high := extremes(x)
	low = min(low, 0)
	if high <= low {
		return affine{0, -low}
	}
	sums := weigh(x, weight)
	inv := 1 / (high - low)
	for i, v := range x {
		g.x[i], g.part[i], g.weight[i], g.top[i] = v, (v-low)*inv, weight[i], uint8(top)
	}
	// Ranges a level narrower to a level wider than the extremes'.
	g.begin(len(x), top-1, 2./(sweepSteps-1))
	var short shortlist[affine]
	for k := range sweepSteps {
		if a, loss := sums.fit(g.step(k)); loss < math.MaxFloat32 {
			short.add(a, loss)
		}
	}
	best, least := affine{(high - low) / top, -low}, float32(math.MaxFloat32)
	for _, a := range short.list[:short.n] {
		if loss := a.loss(x, weight, top, least); loss < least {
			best, least = a, loss
		}
	}
	return best
}

// importance sets the weights of a group's errors.
func importance(weight, x []float32) {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	rms := float32(math.Sqrt(sum / float64(len(x))))
	for i, v := range x {
		weight[i] = rms + abs(v)
	}
}

// normalize sets dst to src divided by a power of two, which it returns, so that
// the widest is about 1.
func normalize(dst *[superBlock]float32, src []float32) (unit float32, err error) {
	v := abs(widest(src))
	if v > maxK {
		return 0, errTooLarge
	}
	_, exp := math.Frexp(float64(v))
	unit = float32(math.Ldexp(1, max(exp, -126)))
	by := 1 / unit
	for i, v := range src[:superBlock] {
		dst[i] = v * by
	}
	return unit, nil
}

const groupsK = 8 // of 32, in a block of 256

// affineBlock is what Q4_K and Q5_K make of a block.
type affineBlock struct {
	scales, mins [groupsK]uint8 // of 6 bits
	q            [superBlock]uint8
}

// narrow sets the block-wide scales, in dst[:4], and the rest of b.
func (b *affineBlock) narrow(dst []byte, src []float32, top float32) error {
	const size = superBlock / groupsK
	var normal, weight [superBlock]float32
	by, err := normalize(&normal, src)
	if err != nil {
		return err
	}
	var fits [groupsK]affine
	var high affine
	var search sweep
	for g := range fits {
		x, w := normal[g*size:][:size], weight[g*size:][:size]
		importance(w, x)
		fits[g] = bestAffine(&search, x, w, top)
		high = affine{max(high.scale, fits[g].scale), max(high.min, fits[g].min)}
	}
	const most = 63
	if err := errors.Join(putHalf(dst, by*high.scale/most), putHalf(dst[2:], by*high.min/most)); err != nil {
		return err
	}
	unit := affine{half(dst) / by, half(dst[2:]) / by}
	near := func(v, unit float32) int {
		return int(min(math.RoundToEven(float64(v*inverse(unit))), most))
	}
	for g, f := range fits {
		x, w := normal[g*size:][:size], weight[g*size:][:size]
		scale, low := near(f.scale, unit.scale), near(f.min, unit.min)
		var best affine
		least := float32(math.Inf(1))
		try := func(s, m int) {
			a := affine{unit.scale * float32(s), unit.min * float32(m)}
			if loss := a.loss(x, w, top, least); loss < least {
				best, least, b.scales[g], b.mins[g] = a, loss, uint8(s), uint8(m)
			}
		}
		try(scale, low) // the likeliest, by which the others are given up early
		for s := max(scale-1, 0); s <= min(scale+1, most); s++ {
			for m := max(low-1, 0); m <= min(low+1, most); m++ {
				if s != scale || m != low {
					try(s, m)
				}
			}
		}
		best.levels(b.q[g*size:][:size], x, top)
	}
	return nil
}

// putScales is the reverse of scalesK.
func (b *affineBlock) putScales(dst []byte) {
	for i := range 4 {
		s, m := b.scales[i+4], b.mins[i+4]
		dst[i] = b.scales[i] | s>>4<<6
		dst[i+4] = b.mins[i] | m>>4<<6
		dst[i+8] = s&15 | m<<4
	}
}

func narrowQ4_K(dst []byte, src []float32) error {
	var b affineBlock
	if err := b.narrow(dst, src, 15); err != nil {
		return err
	}
	b.putScales(dst[4:16])
	for i := range superBlock / 2 {
		at := i/32*64 + i%32
		dst[16+i] = b.q[at] | b.q[at+32]<<4
	}
	return nil
}

func narrowQ5_K(dst []byte, src []float32) error {
	var b affineBlock
	if err := b.narrow(dst, src, 31); err != nil {
		return err
	}
	b.putScales(dst[4:16])
	for i, q := range b.q {
		dst[16+i%32] |= q >> 4 << (i / 32)
	}
	for i := range superBlock / 2 {
		at := i/32*64 + i%32
		dst[48+i] = b.q[at]&15 | b.q[at+32]<<4
	}
	return nil
}

// bestScale is the scale s of least error for x ≈ s·q, q in -32…31. It is
// negative where the widest number is positive, which then is -32·s.
func bestScale(g *sweep, x, weight []float32) float32 {
	v := widest(x)
	if v == 0 {
		return 0
	}
	xx := weigh(x, weight).xx
	// Magnitudes are swept: a number and its level have the signs of v and -32, or
	// both the others.
	inv := 1 / v
	for i, e := range x {
		g.top[i] = 32
		if e*inv < 0 {
			g.top[i] = 31
		}
		g.x[i], g.part[i], g.weight[i] = abs(e), abs(e*inv), weight[i]
	}
	g.begin(len(x), 32-1.125, 2.25/(sweepSteps-1))
	var short shortlist[float32]
	short.add(v/-32, math.MaxFloat32)
	for k := range sweepSteps {
		q := g.step(k)
		s := q.lx / q.ll
		short.add(float32(math.Copysign(s, float64(-v))), float32(xx-float64(s*q.lx)))
	}
	best, least := float32(0), float32(math.MaxFloat32)
	for _, s := range short.list[:short.n] {
		if loss := lossOfScale(s, x, weight, least); loss < least {
			best, least = s, loss
		}
	}
	return best
}

// nearest32 is the nearest of the levels -32…31.
func nearest32(v float32) float32 { return clamped(v, magic-32, magic+31) - magic }

// lossOfScale is the error of the nearest levels, or some number that is not less
// than least.
func lossOfScale(s float32, x, weight []float32, least float32) float32 {
	inv := inverse(s)
	var even, odd float32
	for len(x) >= 8 && len(weight) >= 8 && even+odd < least {
		for i := 0; i < 8; i += 2 {
			v, u := x[i], x[i+1]
			e := float32(s*nearest32(v*inv)) - v
			f := float32(s*nearest32(u*inv)) - u
			even += float32(float32(weight[i]*e) * e)
			odd += float32(float32(weight[i+1]*f) * f)
		}
		x, weight = x[8:], weight[8:]
	}
	return even + odd
}

func narrowQ6_K(dst []byte, src []float32) error {
	const size, groups = 16, superBlock / 16
	var normal, weight [superBlock]float32
	by, err := normalize(&normal, src)
	if err != nil {
		return err
	}
	var scales [groups]float32
	var search sweep
	for g := range scales {
		x, w := normal[g*size:][:size], weight[g*size:][:size]
		importance(w, x)
		scales[g] = bestScale(&search, x, w)
	}
	if err := putHalf(dst[208:], by*widest(scales[:])/-128); err != nil {
		return err
	}
	d := half(dst[208:]) / by
	inv := inverse(d)
	var q [superBlock]byte
	for g, s := range scales {
		x, w := normal[g*size:][:size], weight[g*size:][:size]
		near := int(math.RoundToEven(float64(s * inv)))
		best, least := 0, float32(math.Inf(1))
		for n := max(near-1, -128); n <= min(near+1, 127); n++ {
			if loss := lossOfScale(d*float32(n), x, w, least); loss < least {
				best, least = n, loss
			}
		}
		dst[192+g] = byte(int8(best))
		s := inverse(d * float32(best))
		for i, v := range x {
			q[g*size+i] = byte(int(nearest32(v*s)) + 32)
		}
	}
	for h := range 2 {
		from, low, high := q[h*128:][:128], dst[h*64:][:64], dst[128+h*32:][:32]
		for i := range 32 {
			a, b, c, e := from[i], from[i+32], from[i+64], from[i+96]
			low[i], low[i+32] = a&15|c<<4, b&15|e<<4
			high[i] = a>>4 | b>>4<<2 | c>>4<<4 | e>>4<<6
		}
	}
	return nil
}
