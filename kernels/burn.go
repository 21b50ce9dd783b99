package kernels

import "unsafe"

// The loops below measure the ceiling that products are held against.

// BurnF32 does n rounds of fused multiply-adds in registers, on the active
// instruction set, and gives the number of operations, two for each.
func BurnF32(n int) int64 {
	if n < 1 {
		return 0
	}
	return burnF32(n)
}

// BurnInt8 does n rounds of the multiply-adds that int8 products are made of, in
// registers, and gives the number of operations, two for each.
func BurnInt8(n int) int64 {
	if n < 1 {
		return 0
	}
	return burnInt8(n)
}

// Read loads all of x and gives something of what it saw.
func Read(x []float32) float32 {
	var sink float32
	if n := len(x) &^ (readBlock - 1); n > 0 {
		sink = read(x[:n])
		x = x[n:]
	}
	for _, v := range x {
		sink += v
	}
	return sink
}

// readBlock is what the reading loops take at a time, a power of two.
const readBlock = 256

// burnF32Generic does 8 multiply-adds a round, in chains enough to hide their
// latency.
func burnF32Generic(n int) int64 {
	var a, b, c, d, e, f, g, h float32 = 1, 2, 3, 4, 5, 6, 7, 8
	const m, s = float32(0.999), float32(0.001)
	for range n {
		a, b, c, d = a*m+s, b*m+s, c*m+s, d*m+s
		e, f, g, h = e*m+s, f*m+s, g*m+s, h*m+s
	}
	return 16*int64(n) + live(a+b+c+d+e+f+g+h == -1)
}

func burnInt8Generic(n int) int64 {
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

func readGeneric(x []float32) float32 {
	var a, b, c, d float32
	for i := 0; i+4 <= len(x); i += 4 {
		v := (*[4]float32)(unsafe.Pointer(&x[i]))
		a, b, c, d = a+v[0], b+v[1], c+v[2], d+v[3]
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
