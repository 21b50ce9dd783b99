package peak

// The portable loops. They stay in registers as far as the compiler allows, in
// as many chains as hide the latency of an operation.

// burnF32 does n rounds of 8 multiply-adds and gives the number of operations.
func burnF32(n int) int64 {
	var a, b, c, d, e, f, g, h float32 = 1, 2, 3, 4, 5, 6, 7, 8
	const m, s = float32(0.999), float32(0.001)
	for range n {
		a, b, c, d = a*m+s, b*m+s, c*m+s, d*m+s
		e, f, g, h = e*m+s, f*m+s, g*m+s, h*m+s
	}
	return 16*int64(n) + live(a+b+c+d+e+f+g+h == -1)
}

// burnInt8 does n rounds of 8 multiply-adds of bytes into 32 bits.
func burnInt8(n int) int64 {
	var a, b, c, d, e, f, g, h int32
	x, y := int8(3), int8(5)
	for i := range n {
		x += int8(i)
		p := int32(x) * int32(y)
		a, b, c, d = a+p, b-p, c^p, d+p
		e, f, g, h = e+p, f-p, g^p, h+p
	}
	return 16*int64(n) + live(a+b+c+d+e+f+g+h == -1 && n < 0)
}

// sum reads x, in four chains.
func sum(x []float32) float32 {
	var a, b, c, d float32
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d = a+x[0], b+x[1], c+x[2], d+x[3]
	}
	for _, v := range x {
		a += v
	}
	return a + b + c + d
}

// live makes a result matter, so that the compiler keeps the loop. It is 0.
func live(never bool) int64 {
	if never {
		return 1
	}
	return 0
}
