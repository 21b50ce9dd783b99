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

// maxK is more than any K type holds, and little enough for squares of errors.
const maxK = 1e9

// An affine is a group's x ≈ scale·q - min, min ≥ 0.
type affine struct{ scale, min float32 }

// levels puts each element at its nearest level, of 0…top, and gives the error.
func (a affine) levels(q []uint8, x, weight []float32, top float32) (loss float64) {
	inv := inverse(a.scale)
	for i, v := range x {
		l := min(max(float32(math.RoundToEven(float64((v+a.min)*inv))), 0), top)
		q[i] = uint8(l)
		e := float32(a.scale*l) - a.min - v
		loss += float64(weight[i]) * float64(e) * float64(e)
	}
	return loss
}

// fit is the best affine for levels q: least squares, with min ≥ 0.
func (a *affine) fit(q []uint8, x, weight []float32) bool {
	var w, l, ll, v, lv float64
	for i := range x {
		wi, qi, xi := float64(weight[i]), float64(q[i]), float64(x[i])
		w, l, ll, v, lv = w+wi, l+wi*qi, ll+wi*qi*qi, v+wi*xi, lv+wi*qi*xi
	}
	det := w*ll - l*l
	if !(det > 0) {
		return false
	}
	scale, low := (w*lv-v*l)/det, (ll*v-l*lv)/det
	if low > 0 {
		low = 0
		scale = lv / ll
	}
	if !(scale > 0) {
		return false
	}
	a.scale, a.min = float32(scale), float32(-low)
	return true
}

// bestAffine searches from the group's extremes on.
func bestAffine(q []uint8, x, weight []float32, top float32) affine {
	low, high := extremes(x)
	low = min(low, 0)
	if high <= low {
		return affine{0, -low}
	}
	best := affine{(high - low) / top, -low}
	least := best.levels(q, x, weight, top)
	const steps = 20
	for s := range steps + 1 {
		// Ranges a level narrower to a level wider than the extremes'.
		a := affine{(high - low) / (top + 2*float32(s)/steps - 1), -low}
		a.levels(q, x, weight, top)
		if !a.fit(q, x, weight) {
			continue
		}
		if loss := a.levels(q, x, weight, top); loss < least {
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

const groupsK = 8 // of 32, in a block of 256

// affineBlock is what Q4_K and Q5_K make of a block.
type affineBlock struct {
	scales, mins [groupsK]uint8 // of 6 bits
	q            [superBlock]uint8
}

// narrow sets the block-wide scales, in dst[:4], and the rest of b.
func (b *affineBlock) narrow(dst []byte, src []float32, top float32) error {
	if abs(widest(src)) > maxK {
		return errTooLarge
	}
	const size = superBlock / groupsK
	var weight [superBlock]float32
	var fits [groupsK]affine
	var high affine
	for g := range fits {
		x, w, q := src[g*size:][:size], weight[g*size:][:size], b.q[g*size:][:size]
		importance(w, x)
		fits[g] = bestAffine(q, x, w, top)
		high = affine{max(high.scale, fits[g].scale), max(high.min, fits[g].min)}
	}
	const most = 63
	if err := errors.Join(putHalf(dst, high.scale/most), putHalf(dst[2:], high.min/most)); err != nil {
		return err
	}
	unit := affine{half(dst), half(dst[2:])}
	near := func(v, unit float32) int {
		return int(min(math.RoundToEven(float64(v*inverse(unit))), most))
	}
	for g, f := range fits {
		x, w, q := src[g*size:][:size], weight[g*size:][:size], b.q[g*size:][:size]
		scale, low := near(f.scale, unit.scale), near(f.min, unit.min)
		least := math.Inf(1)
		for s := max(scale-1, 0); s <= min(scale+1, most); s++ {
			for m := max(low-1, 0); m <= min(low+1, most); m++ {
				a := affine{unit.scale * float32(s), unit.min * float32(m)}
				if loss := a.levels(q, x, w, top); loss < least {
					least, b.scales[g], b.mins[g] = loss, uint8(s), uint8(m)
				}
			}
		}
		affine{unit.scale * float32(b.scales[g]), unit.min * float32(b.mins[g])}.levels(q, x, w, top)
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
func bestScale(x, weight []float32) float32 {
	v := widest(x)
	best, least := float32(0), math.Inf(1)
	for step := -9; step <= 9; step++ {
		s := v / (-32 + float32(step)/8)
		var xq, qq float64
		inv := inverse(s)
		for i, v := range x {
			q := float64(nearest32(v * inv))
			w := float64(weight[i])
			xq, qq = xq+w*q*float64(v), qq+w*q*q
		}
		for _, s := range [2]float32{s, float32(xq / max(qq, math.SmallestNonzeroFloat32))} {
			if loss := lossOfScale(s, x, weight); loss < least {
				best, least = s, loss
			}
		}
	}
	return best
}

// nearest32 is the nearest of the levels -32…31.
func nearest32(v float32) float32 {
	return min(max(float32(math.RoundToEven(float64(v))), -32), 31)
}

func lossOfScale(s float32, x, weight []float32) (loss float64) {
	inv := inverse(s)
	for i, v := range x {
		e := float32(s*nearest32(v*inv)) - v
		loss += float64(weight[i]) * float64(e) * float64(e)
	}
	return loss
}

func narrowQ6_K(dst []byte, src []float32) error {
	if abs(widest(src)) > maxK {
		return errTooLarge
	}
	const size, groups = 16, superBlock / 16
	var weight [superBlock]float32
	var scales [groups]float32
	for g := range scales {
		x, w := src[g*size:][:size], weight[g*size:][:size]
		importance(w, x)
		scales[g] = bestScale(x, w)
	}
	if err := putHalf(dst[208:], widest(scales[:])/-128); err != nil {
		return err
	}
	d := half(dst[208:])
	inv := inverse(d)
	var q [superBlock]byte
	for g, s := range scales {
		x, w := src[g*size:][:size], weight[g*size:][:size]
		near := int(math.RoundToEven(float64(s * inv)))
		best, least := 0, math.Inf(1)
		for n := max(near-1, -128); n <= min(near+1, 127); n++ {
			if loss := lossOfScale(d*float32(n), x, w); loss < least {
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
