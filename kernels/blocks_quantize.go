package kernels

import (
	"math"
	"unsafe"
)

// A row of activations for weights in blocks is a sequence of records, one for
// every 32 elements:
//
//	q      [32]int8
//	scale  float32       // element i is about scale·q[i]
//	offset int32         // factor·Σq, what the sum of products begins at
//	sum    float32       // Σq
//	_      [4]byte
//
// For K-quants it is one of superRecord for every 256.
const (
	recordBytes  = 48
	recordScale  = 32
	recordOffset = 36
	recordSum    = 40
)

// quantiseBlocksGeneric fills n records:
//
//	m := max(|src[32·b : 32·b+32]|)
//	scale = m · (1/127)
//	q[i] = round(src[32·b+i] · (127/m)) // half to even
//
// Blocks whose largest magnitude is below 1e-35 give zeros. With a NaN or an
// infinity the scale is NaN, and the rest means nothing.
func quantiseBlocksGeneric(dst *uint8, src []float32, n int, factor float32) {
	for b := range n {
		record := unsafe.Slice((*int8)(unsafe.Add(unsafe.Pointer(dst), b*recordBytes)), recordBytes)
		x := src[b*blockLen:][:blockLen]
		m := absMaxGeneric(x)
		scale, inv := float32(0), float32(0)
		if !(m < quantizeMin) {
			scale, inv = float32(m*(1.0/127))+float32(m*0), 127/m
		}
		q := record[:blockLen]
		quantiseGeneric(q, x, inv, 0, 0)
		sum := int32(0)
		for _, v := range q {
			sum += int32(v)
		}
		put := func(o int, v uint32) {
			*(*[4]int8)(record[o:]) = [4]int8{int8(v), int8(v >> 8), int8(v >> 16), int8(v >> 24)}
		}
		put(recordScale, math.Float32bits(scale))
		put(recordOffset, uint32(int32(factor)*sum))
		put(recordSum, math.Float32bits(float32(sum)))
	}
}

// rowBytes is the size of the records of k elements.
func (f *blockForm) rowBytes(k int) int {
	if f.super {
		return k / superWeights * superRecordBytes
	}
	return k / blockLen * recordBytes
}

// quantize fills the records of a row.
func (f *blockForm) quantize(dst *uint8, row []float32) {
	switch {
	case !f.super:
		quantiseBlocks(dst, row, len(row)/blockLen, -float32(f.offset))
	case f.kind == kindHalves:
		quantiseSuperHalves(dst, row, len(row)/superWeights)
	default:
		quantiseSuper(dst, row, len(row)/superWeights)
	}
}
