package kernels

// Rotate turns pairs of elements of rows that lie ld apart (Su et al. 2021),
// each by the angles of its own, whose cosines and sines lie row after row:
//
//	for r := range rows {
//		for i := range half {
//			a, b, c, s := x[r*ld+i], x[r*ld+half+i], cos[r*half+i], sin[r*half+i]
//			x[r*ld+i], x[r*ld+half+i] = a*c-b*s, b*c+a*s
//		}
//	}
//
// Every product and sum is rounded, on all tiers.
func Rotate(x []float32, ld, rows, half int, cos, sin []float32) {
	if rows < 0 || half < 0 {
		panic(errShape)
	}
	if len(cos) != rows*half || len(sin) != rows*half {
		panic(errLength)
	}
	if rows == 0 || half == 0 {
		return
	}
	checkRows(x, rows, 2*half, ld)
	rotate(x, ld, rows, half, cos, sin)
}

func rotateGeneric(x []float32, ld, rows, half int, cos, sin []float32) {
	for r := range rows {
		low, high := x[r*ld:][:half], x[r*ld+half:][:half]
		cos, sin := cos[r*half:][:half], sin[r*half:][:half]
		for i, c := range cos {
			a, b, s := low[i], high[i], sin[i]
			low[i], high[i] = float32(a*c)-float32(b*s), float32(b*c)+float32(a*s)
		}
	}
}
