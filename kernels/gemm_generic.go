package kernels

import "unsafe"

// The portable tiles take one row by six or five columns at a time. Each product
// and sum of float32 is an instruction of its own, so at two of each a cycle,
// with nothing lost, one core of Zen 4 could do 15 GFLOP/s, an eighth of what AVX2
// does; these do 8. What limits them is registers: Go's compiler puts all
// the products before the sums, and with eight sums it spills (measured, billions
// of multiply-adds a second: 1x4 3.4, 1x5 4.1, 1x6 4.2, 1x8 2.4, 2x2 3.2, 2x3 3.7, 2x4 2.4,
// 3x2 3.6, 4x2 2.3). They read the panels that the assembly reads.

func gemmGeneric1(k int, a *float32, lda int, b *float32, bstep int, c *float32, ldc, cstep, accumulate int, bias, _ *float32) {
	gemmGeneric(1, k, a, lda, b, c, ldc, accumulate, bias)
}

func gemmGeneric2(k int, a *float32, lda int, b *float32, bstep int, c *float32, ldc, cstep, accumulate int, bias, _ *float32) {
	gemmGeneric(2, k, a, lda, b, c, ldc, accumulate, bias)
}

func gemmGeneric3(k int, a *float32, lda int, b *float32, bstep int, c *float32, ldc, cstep, accumulate int, bias, _ *float32) {
	gemmGeneric(3, k, a, lda, b, c, ldc, accumulate, bias)
}

func gemmGeneric4(k int, a *float32, lda int, b *float32, bstep int, c *float32, ldc, cstep, accumulate int, bias, _ *float32) {
	gemmGeneric(4, k, a, lda, b, c, ldc, accumulate, bias)
}

func gemmGeneric(mr, k int, a *float32, lda int, b *float32, c *float32, ldc, accumulate int, bias *float32) {
	for i := range mr {
		row := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(a), i*lda)), k)
		out := (*[panelWidth]float32)(unsafe.Add(unsafe.Pointer(c), i*ldc))
		if accumulate == 0 {
			clear(out[:])
		}
		columns6((*[6]float32)(out[:]), row, unsafe.Pointer(b))
		columns5((*[5]float32)(out[6:]), row, unsafe.Add(unsafe.Pointer(b), 4*6))
		columns5((*[5]float32)(out[11:]), row, unsafe.Add(unsafe.Pointer(b), 4*11))
		if bias != nil {
			for j, v := range (*[panelWidth]float32)(unsafe.Pointer(bias)) {
				out[j] += v
			}
		}
	}
}

// columns6 adds to c the products of a row with six columns of a panel, the
// first of which is at b. Slices instead of pointers cost a third.
func columns6(c *[6]float32, row []float32, b unsafe.Pointer) {
	c0, c1, c2, c3, c4, c5 := c[0], c[1], c[2], c[3], c[4], c[5]
	for kk, x := range row {
		w := (*[6]float32)(unsafe.Add(b, kk*4*panelWidth))
		c0 += float32(x * w[0])
		c1 += float32(x * w[1])
		c2 += float32(x * w[2])
		c3 += float32(x * w[3])
		c4 += float32(x * w[4])
		c5 += float32(x * w[5])
	}
	*c = [6]float32{c0, c1, c2, c3, c4, c5}
}

// columns5 is columns6 for five columns.
func columns5(c *[5]float32, row []float32, b unsafe.Pointer) {
	c0, c1, c2, c3, c4 := c[0], c[1], c[2], c[3], c[4]
	for kk, x := range row {
		w := (*[5]float32)(unsafe.Add(b, kk*4*panelWidth))
		c0 += float32(x * w[0])
		c1 += float32(x * w[1])
		c2 += float32(x * w[2])
		c3 += float32(x * w[3])
		c4 += float32(x * w[4])
	}
	*c = [5]float32{c0, c1, c2, c3, c4}
}
