package kernels

import "unsafe"

// The portable tiles take two rows by four columns at a time: eight
// accumulators, four weights and two activations are what 16 registers hold.
// They read the panels that the assembly reads.

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
	panel := unsafe.Slice(b, k*panelWidth)
	var none [panelWidth]float32
	row := func(i int) (x []float32, out, start *[panelWidth]float32) {
		out = (*[panelWidth]float32)(unsafe.Add(unsafe.Pointer(c), i*ldc))
		start = &none
		if accumulate != 0 {
			start = out
		}
		return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(a), i*lda)), k), out, start
	}
	i := 0
	for ; i+2 <= mr; i += 2 {
		x, out, start := row(i)
		y, out1, start1 := row(i + 1)
		gemm2x16(out, out1, start, start1, x, y, panel)
	}
	if i < mr {
		x, out, start := row(i)
		gemm1x16(out, start, x, panel)
	}
	if bias == nil {
		return
	}
	shift := (*[panelWidth]float32)(unsafe.Pointer(bias))
	for i := range mr {
		_, out, _ := row(i)
		for j, v := range shift {
			out[j] += v
		}
	}
}

func gemm2x16(c0, c1, s0, s1 *[panelWidth]float32, a0, a1, panel []float32) {
	for j := 0; j < panelWidth; j += 4 {
		p, q := (*[4]float32)(s0[j:]), (*[4]float32)(s1[j:])
		p0, p1, p2, p3 := p[0], p[1], p[2], p[3]
		q0, q1, q2, q3 := q[0], q[1], q[2], q[3]
		y := a1[:len(a0)]
		rest := panel
		for kk, x := range a0 {
			if len(rest) < panelWidth {
				break
			}
			w := (*[4]float32)(rest[j:])
			rest = rest[panelWidth:]
			z := y[kk]
			b0, b1, b2, b3 := w[0], w[1], w[2], w[3]
			p0 += float32(x * b0)
			q0 += float32(z * b0)
			p1 += float32(x * b1)
			q1 += float32(z * b1)
			p2 += float32(x * b2)
			q2 += float32(z * b2)
			p3 += float32(x * b3)
			q3 += float32(z * b3)
		}
		*(*[4]float32)(c0[j:]) = [4]float32{p0, p1, p2, p3}
		*(*[4]float32)(c1[j:]) = [4]float32{q0, q1, q2, q3}
	}
}

func gemm1x16(c0, s0 *[panelWidth]float32, a0, panel []float32) {
	for j := 0; j < panelWidth; j += 8 {
		p := (*[8]float32)(s0[j:])
		p0, p1, p2, p3, p4, p5, p6, p7 := p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
		rest := panel
		for _, x := range a0 {
			if len(rest) < panelWidth {
				break
			}
			w := (*[8]float32)(rest[j:])
			rest = rest[panelWidth:]
			p0 += float32(x * w[0])
			p1 += float32(x * w[1])
			p2 += float32(x * w[2])
			p3 += float32(x * w[3])
			p4 += float32(x * w[4])
			p5 += float32(x * w[5])
			p6 += float32(x * w[6])
			p7 += float32(x * w[7])
		}
		*(*[8]float32)(c0[j:]) = [8]float32{p0, p1, p2, p3, p4, p5, p6, p7}
	}
}
