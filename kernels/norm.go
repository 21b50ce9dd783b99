package kernels

import "math"

// LayerNorm normalises one row (Ba, Kiros and Hinton 2016):
//
//	mean := sum(x) / n
//	variance := sum((x - mean)²) / n
//	for i := range x {
//		dst[i] = (x[i]-mean) / sqrt(variance+eps) * weight[i] + bias[i]
//	}
//
// All slices have one length; bias may be nil, for none. dst may be x. A NaN or
// an infinity in x gives NaN everywhere.
func LayerNorm(dst, x, weight, bias []float32, eps float32) {
	if len(dst) != len(x) || len(weight) != len(x) || bias != nil && len(bias) != len(x) {
		panic(errLength)
	}
	if len(x) > 0 {
		layerNorm(dst, x, weight, bias, eps)
	}
}

func layerNormGeneric(dst, x, weight, bias []float32, eps float32) {
	n := float32(len(x))
	mean := sumGeneric(x) / n
	var lanes lanes64
	for i, v := range x {
		d := v - mean
		*lanes.lane(i, len(x)) += float32(d * d)
	}
	inv := 1 / sqrt(lanes.sum()/n+eps)
	dst, weight = dst[:len(x)], weight[:len(x)]
	if bias == nil {
		for i, v := range x {
			dst[i] = (v - mean) * inv * weight[i]
		}
		return
	}
	bias = bias[:len(x)]
	for i, v := range x {
		dst[i] = float32((v-mean)*inv*weight[i]) + bias[i]
	}
}

// RMSNorm normalises one row by its root mean square (Zhang and Sennrich 2019):
//
//	meanSquare := sum(x²) / n
//	for i := range x {
//		dst[i] = x[i] / sqrt(meanSquare+eps) * weight[i]
//	}
//
// All slices have one length; dst may be x.
func RMSNorm(dst, x, weight []float32, eps float32) {
	if len(dst) != len(x) || len(weight) != len(x) {
		panic(errLength)
	}
	if len(x) > 0 {
		rmsNorm(dst, x, weight, eps)
	}
}

func rmsNormGeneric(dst, x, weight []float32, eps float32) {
	var lanes lanes64
	for i, v := range x {
		*lanes.lane(i, len(x)) += float32(v * v)
	}
	inv := 1 / sqrt(lanes.sum()/float32(len(x))+eps)
	dst, weight = dst[:len(x)], weight[:len(x)]
	for i, v := range x {
		dst[i] = v * inv * weight[i]
	}
}

func sumGeneric(x []float32) float32 {
	var lanes lanes64
	for i, v := range x {
		*lanes.lane(i, len(x)) += v
	}
	return lanes.sum()
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
