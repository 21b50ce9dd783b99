package jpeg

// The inverse transform is Loeffler, Ligtenberg and Moschytz's (1989), with twelve
// multiplications a line, in the integers of libjpeg's "islow": cosines have 13
// bits of fraction, and what goes from the columns to the rows 2.
const (
	cosineBits = 13
	passBits   = 2

	c0_298631336 = 2446 // cosines and their sums, times 2¹³
	c0_390180644 = 3196
	c0_541196100 = 4433
	c0_765366865 = 6270
	c0_899976223 = 7373
	c1_175875602 = 9633
	c1_501321110 = 12299
	c1_847759065 = 15137
	c1_961570560 = 16069
	c2_053119869 = 16819
	c2_562915447 = 20995
	c3_072711026 = 25172
)

// line is the transform of eight values, with 13 bits more than they have, as
// sums and differences: out i is even[i]+odd[i], out 7-i is even[i]-odd[i].
func line(x0, x1, x2, x3, x4, x5, x6, x7 int32) (e0, e1, e2, e3, o0, o1, o2, o3 int32) {
	z := (x2 + x6) * c0_541196100
	a, b := (x0+x4)<<cosineBits, (x0-x4)<<cosineBits
	c, d := z+x2*c0_765366865, z-x6*c1_847759065
	e0, e1, e2, e3 = a+c, b+d, b-d, a-c

	z = (x7 + x3 + x5 + x1) * c1_175875602
	p, q := z-(x7+x3)*c1_961570560, z-(x5+x1)*c0_390180644
	r, s := (x7+x1)*c0_899976223, (x5+x3)*c2_562915447
	o0 = x1*c1_501321110 - r + q
	o1 = x3*c3_072711026 - s + p
	o2 = x5*c2_053119869 - s + q
	o3 = x7*c0_298631336 - r + p
	return e0, e1, e2, e3, o0, o1, o2, o3
}

// inverse turns a block's coefficients, up to place last in zigzag order, into
// samples, eight rows of dst that lie stride apart. It uses up the coefficients.
func inverse(b *[blockSize]int32, last int, dst []byte, stride int) {
	if last == 0 {
		v := sample(b[0], 3)
		for y := range 8 {
			row := (*[8]byte)(dst[y*stride:])
			*row = [8]byte{v, v, v, v, v, v, v, v}
		}
		return
	}
	// The first places in zigzag order lie in the first columns.
	columns := 8
	if last < 10 {
		columns = 4
	}
	const half = 1 << (cosineBits - passBits - 1)
	for i := range columns {
		c := (*[57]int32)(b[i:])
		if c[8]|c[16]|c[24]|c[32]|c[40]|c[48]|c[56] == 0 {
			v := c[0] << passBits
			c[0], c[8], c[16], c[24], c[32], c[40], c[48], c[56] = v, v, v, v, v, v, v, v
			continue
		}
		e0, e1, e2, e3, o0, o1, o2, o3 := line(c[0], c[8], c[16], c[24], c[32], c[40], c[48], c[56])
		const shift = cosineBits - passBits
		c[0], c[56] = (e0+o0+half)>>shift, (e0-o0+half)>>shift
		c[8], c[48] = (e1+o1+half)>>shift, (e1-o1+half)>>shift
		c[16], c[40] = (e2+o2+half)>>shift, (e2-o2+half)>>shift
		c[24], c[32] = (e3+o3+half)>>shift, (e3-o3+half)>>shift
	}
	for y := range 8 {
		c, row := (*[8]int32)(b[8*y:]), (*[8]byte)(dst[y*stride:])
		e0, e1, e2, e3, o0, o1, o2, o3 := line(c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7])
		const shift = cosineBits + passBits + 3
		row[0], row[7] = sample(e0+o0, shift), sample(e0-o0, shift)
		row[1], row[6] = sample(e1+o1, shift), sample(e1-o1, shift)
		row[2], row[5] = sample(e2+o2, shift), sample(e2-o2, shift)
		row[3], row[4] = sample(e3+o3, shift), sample(e3-o3, shift)
	}
}

// sample rounds a value that is shift bits too long, and centres it.
func sample(v int32, shift uint) byte {
	v = (v+1<<(shift-1))>>shift + 128
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}
