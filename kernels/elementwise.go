package kernels

// Add sets dst to the sum:
//
//	for i := range dst {
//		dst[i] = x[i] + y[i]
//	}
//
// dst may be x or y.
func Add(dst, x, y []float32) {
	if len(dst) != len(x) || len(dst) != len(y) {
		panic(errLength)
	}
	if len(dst) > 0 {
		add(dst, x, y)
	}
}

func addGeneric(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] + y[i]
	}
}

// Mul sets dst to the element-wise product:
//
//	for i := range dst {
//		dst[i] = x[i] * y[i]
//	}
//
// dst may be x or y.
func Mul(dst, x, y []float32) {
	if len(dst) != len(x) || len(dst) != len(y) {
		panic(errLength)
	}
	if len(dst) > 0 {
		mul(dst, x, y)
	}
}

func mulGeneric(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] * y[i]
	}
}

// Scale sets dst to x times s:
//
//	for i := range dst {
//		dst[i] = x[i] * s
//	}
//
// dst may be x.
func Scale(dst, x []float32, s float32) {
	if len(dst) != len(x) {
		panic(errLength)
	}
	if len(dst) > 0 {
		scale(dst, x, s)
	}
}

func scaleGeneric(dst, x []float32, s float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = x[i] * s
	}
}

// Dot is the inner product:
//
//	for i := range x {
//		sum += x[i] * y[i]
//	}
//
// in partial sums whose order does not depend on the tier.
func Dot(x, y []float32) float32 {
	if len(x) != len(y) {
		panic(errLength)
	}
	if len(x) == 0 {
		return 0
	}
	return dot(x, y)
}

func dotGeneric(x, y []float32) float32 {
	var lanes lanes64
	y = y[:len(x)]
	for i, v := range x {
		*lanes.lane(i, len(x)) += float32(v * y[i])
	}
	return lanes.sum()
}

// addStripGeneric adds y to x, rows of n elements each, ldx and ldy apart: what
// a product does with a residual while its strip of C is in cache.
func addStripGeneric(x []float32, ldx int, y []float32, ldy, rows, n int) {
	for i := range rows {
		row := x[i*ldx:][:n]
		addGeneric(row, row, y[i*ldy:][:n])
	}
}

// mulStripGeneric is addStripGeneric with a gate.
func mulStripGeneric(x []float32, ldx int, y []float32, ldy, rows, n int) {
	for i := range rows {
		row := x[i*ldx:][:n]
		mulGeneric(row, row, y[i*ldy:][:n])
	}
}
