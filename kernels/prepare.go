package kernels

import "unsafe"

// prepare is the work that precedes a product whose tiles cannot read A in
// place: rows are copied with a stride that suits the cache, or quantised.
type prepare struct {
	p    *product
	a    []float32
	lda  int
	step int // rows of an item
}

// start prepares the block's rows of A in the Exec's scratch.
func (j *prepare) start(p *product, a []float32, lda int) {
	const perItem = 32 << 10 // elements
	x := p.x
	*j = prepare{p: p, a: a, lda: lda, step: max(1, perItem/p.w.k)}
	var ns float64
	switch {
	case p.blocks != nil:
		x.q = grow(x.q, p.m*p.stride/8)
		p.a = unsafe.Pointer(&x.q[0])
		ns = 0.2
	case p.int8 != nil:
		x.q = grow(x.q, p.m*p.stride/8)
		x.rows = grow(x.rows, p.m)
		x.zeros = grow(x.zeros, p.m)
		p.a, p.rowScales, p.rowZeros = unsafe.Pointer(&x.q[0]), x.rows, x.zeros
		if p.int8.form != formInt8 {
			for i := range x.workers {
				x.workers[i].q = grow(x.workers[i].q, roundUp(p.w.k, 4))
			}
		}
		ns = 0.25
	default:
		x.a = grow(x.a, p.m*p.stride/4)
		p.a = unsafe.Pointer(&x.a[0])
		ns = 0.1
	}
	x.each((p.m+j.step-1)/j.step, ns*float64(p.m*p.w.k), j)
	*j = prepare{}
}

func (j *prepare) Run(worker, item int) {
	p := j.p
	k := p.w.k
	for i := item * j.step; i < min((item+1)*j.step, p.m); i++ {
		row := j.a[i*j.lda : i*j.lda+k]
		dst := unsafe.Add(p.a, i*p.stride)
		if form := p.w.dtype.form(); form != nil {
			form.quantize((*uint8)(dst), row)
			continue
		}
		if p.int8 == nil {
			copy(unsafe.Slice((*float32)(dst), k), row)
			continue
		}
		p.rowScales[i], p.rowZeros[i] = j.quantize(dst, row, &p.x.workers[worker])
	}
}

// quantize writes a row in the form that the tiles want, padded to groups of
// four: with what does not matter, since weights are 0 there. It returns the
// row's scale and, as the tiles read the bytes, its zero.
func (j *prepare) quantize(dst unsafe.Pointer, row []float32, ws *workspace) (scale float32, zero int32) {
	k, k4 := len(row), roundUp(len(row), 4)
	switch j.p.int8.form {
	case formInt8:
		q := unsafe.Slice((*int8)(dst), k4)
		clear(q[k:])
		scale, zero = quantizeRange(q[:k], row, 0)
		return scale, zero - 128
	case formUint8:
		q := unsafe.Slice((*int8)(dst), k4)
		clear(q[k:])
		return quantizeRange(q[:k], row, zeroPoint128)
	}
	q := ws.q[:k4]
	clear(q[k:])
	scale, zero = quantizeRange(q[:k], row, zeroPoint128)
	pairBytes(unsafe.Slice((*int16)(dst), k4), q)
	return scale, zero
}

// grow returns s with length n, new and aligned if its capacity is short. What
// grows a little at a time, as the keys of a text that is being written, finds
// room most times.
func grow[T int8 | int32 | float32 | int64](s []T, n int) []T {
	if cap(s) < n {
		return aligned[T](n + n/8)[:n]
	}
	return s[:n]
}
