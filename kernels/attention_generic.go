package kernels

import (
	"math"
	"unsafe"
)

var attentionGeneric = attentionConfig{
	name:        "generic 16 queries",
	lanes:       panelWidth,
	valuePanels: 1,
	values1:     []valueTile{nil, valuesGeneric},
	softmax:     softmaxTileGeneric,
	transpose:   transposeGeneric,
	scoresRow:   scoresRowGeneric,
	valuesRow:   valuesRowGeneric,
	keptConfig:  keptConfig{weighLanes: weighLanesGeneric, groupLanes: groupLanesGeneric, topLanes: topLanesGeneric, massLanes: massLanesGeneric, spreadLanes: spreadLanesGeneric, nearLanes: nearLanesGeneric},
}

// valuesGeneric is a valueTile of one query and one panel.
func valuesGeneric(n int, p *float32, ldp int, v *float32, ldv int, in *float32, ldi int, alpha, out *float32, ldo int, final *float32) {
	var acc [panelWidth]float32
	if alpha != nil {
		for j, x := range unsafe.Slice(in, panelWidth) {
			acc[j] = x * *alpha
		}
	}
	for key := range n {
		w := *(*float32)(unsafe.Add(unsafe.Pointer(p), key*ldp))
		row := (*[panelWidth]float32)(unsafe.Add(unsafe.Pointer(v), key*ldv))
		for j := range acc {
			acc[j] += w * row[j]
		}
	}
	if final != nil {
		for j := range acc {
			acc[j] *= *final
		}
	}
	copy(unsafe.Slice(out, panelWidth), acc[:])
}

// softmaxTileGeneric is, for every lane q,
//
//	m := max(rowMax[q], s[0][q], …, s[keys-1][q])
//	alpha[q] = 2^(rowMax[q]-m)
//	s[i][q] = 2^(s[i][q]-m)
//	rowSum[q] = rowSum[q]·alpha[q] + Σ s[i][q]
//	rowMax[q] = m
//	final[q] = rowSum[q] > 0 ? 1/rowSum[q] : 0
func softmaxTileGeneric(keys, lanes int, s, rowMax, rowSum, alpha, final *float32) {
	w := unsafe.Slice(s, keys*lanes)
	top, sum := unsafe.Slice(rowMax, lanes), unsafe.Slice(rowSum, lanes)
	scale, inverse := unsafe.Slice(alpha, lanes), unsafe.Slice(final, lanes)
	for q := range lanes {
		m := top[q]
		for i := q; i < len(w); i += lanes {
			if !(m >= w[i]) {
				m = w[i]
			}
		}
		scale[q] = exp2Generic(top[q] - m)
		l := sum[q] * scale[q]
		for i := q; i < len(w); i += lanes {
			w[i] = exp2Generic(w[i] - m)
			l += w[i]
		}
		top[q], sum[q], inverse[q] = m, l, 1/l
		if l < 1e-30 {
			inverse[q] = 0
		}
	}
}

// exp2Generic is 2^x for x ≤ 0, 0 below -126 and NaN for NaN.
func exp2Generic(x float32) float32 {
	if !(x >= -126) { // also NaN
		if x != x {
			return x
		}
		return 0
	}
	n := x + roundMagic - roundMagic
	r := float64(x-n) * math.Ln2
	p := float64(float64(expC6*r+expC5)*r+expC4)*r + expC3
	p = float64(float64(p*r+expC2)*r+1)*r + 1
	return math.Float32frombits(math.Float32bits(float32(p)) + uint32(int32(n))<<23)
}

func transposeGeneric(dst []float32, ldd int, src []float32, ld, dim int, scale float32) {
	for i := range panelWidth {
		for d, x := range src[i*ld:][:dim] {
			dst[d*ldd+i] = x * scale
		}
	}
}

// transposeTail does the columns past the last whole 16 of dim.
func transposeTail(dst []float32, ldd int, src []float32, ld, dim int, scale float32) {
	for i := range panelWidth {
		for d := dim / panelWidth * panelWidth; d < dim; d++ {
			dst[d*ldd+i] = src[i*ld+d] * scale
		}
	}
}
