package kernels

import "unsafe"

func int8Generic1(k4 int, a *uint8, lda int, b *int8, bstep int, c *float32, ldc, cstep int, rowScale *float32, rowZero *int32, colScale *float32, colSum *int32, bias *float32, _ *int8) {
	int8Generic(1, k4, a, lda, b, c, ldc, rowScale, rowZero, colScale, colSum, bias)
}

func int8Generic2(k4 int, a *uint8, lda int, b *int8, bstep int, c *float32, ldc, cstep int, rowScale *float32, rowZero *int32, colScale *float32, colSum *int32, bias *float32, _ *int8) {
	int8Generic(2, k4, a, lda, b, c, ldc, rowScale, rowZero, colScale, colSum, bias)
}

func int8Generic3(k4 int, a *uint8, lda int, b *int8, bstep int, c *float32, ldc, cstep int, rowScale *float32, rowZero *int32, colScale *float32, colSum *int32, bias *float32, _ *int8) {
	int8Generic(3, k4, a, lda, b, c, ldc, rowScale, rowZero, colScale, colSum, bias)
}

func int8Generic4(k4 int, a *uint8, lda int, b *int8, bstep int, c *float32, ldc, cstep int, rowScale *float32, rowZero *int32, colScale *float32, colSum *int32, bias *float32, _ *int8) {
	int8Generic(4, k4, a, lda, b, c, ldc, rowScale, rowZero, colScale, colSum, bias)
}

func int8Generic5(k4 int, a *uint8, lda int, b *int8, bstep int, c *float32, ldc, cstep int, rowScale *float32, rowZero *int32, colScale *float32, colSum *int32, bias *float32, _ *int8) {
	int8Generic(5, k4, a, lda, b, c, ldc, rowScale, rowZero, colScale, colSum, bias)
}

func int8Generic6(k4 int, a *uint8, lda int, b *int8, bstep int, c *float32, ldc, cstep int, rowScale *float32, rowZero *int32, colScale *float32, colSum *int32, bias *float32, _ *int8) {
	int8Generic(6, k4, a, lda, b, c, ldc, rowScale, rowZero, colScale, colSum, bias)
}

// The portable tiles multiply three rows at once: their activations lie 21 bits
// apart in one 64-bit integer, and a product with a weight holds the three
// products. Sums of up to laneBlock of them keep within 21 bits, and since
// integer addition wraps, negative ones only borrow from the lane above, which
// taking the lanes apart from below undoes.
const (
	laneBits  = 21
	laneBlock = 60 // a multiple of 4, and 60·128·128 < 2²⁰
)

// int8Rows is the most rows of a portable tile: two triples.
const int8Rows = 6

func int8Generic(mr, k4 int, a *uint8, lda int, b *int8, c *float32, ldc int, rowScale *float32, rowZero *int32, colScale *float32, colSum *int32, bias *float32) {
	var rows [int8Rows][]int8
	for i := range mr {
		rows[i] = unsafe.Slice((*int8)(unsafe.Add(unsafe.Pointer(a), i*lda)), 4*k4)
	}
	var sums [int8Rows][panelWidth]int32
	for k := 0; k < 4*k4; k += laneBlock {
		n := min(laneBlock, 4*k4-k)
		var packed [2][laneBlock]int64
		for i := range mr {
			lanes := &packed[i/3]
			shift := i % 3 * laneBits
			for j, v := range rows[i][k : k+n] {
				lanes[j] += int64(v) << shift
			}
		}
		for j := range panelWidth {
			w := unsafe.Add(unsafe.Pointer(b), k*panelWidth+4*j)
			s := int8Lanes(&packed[0], w, n)
			for i := range min(mr, 3) {
				v := s << (64 - laneBits) >> (64 - laneBits)
				s = (s - v) >> laneBits
				sums[i][j] += int32(v)
			}
			if mr <= 3 {
				continue
			}
			s = int8Lanes(&packed[1], w, n)
			for i := 3; i < mr; i++ {
				v := s << (64 - laneBits) >> (64 - laneBits)
				s = (s - v) >> laneBits
				sums[i][j] += int32(v)
			}
		}
	}
	colSums := (*[panelWidth]int32)(unsafe.Pointer(colSum))
	col := (*[panelWidth]float32)(unsafe.Pointer(colScale))
	scales, zeros := unsafe.Slice(rowScale, mr), unsafe.Slice(rowZero, mr)
	for i, rs := range scales {
		out := (*[panelWidth]float32)(unsafe.Add(unsafe.Pointer(c), i*ldc))
		for j := range out {
			out[j] = float32(sums[i][j]-zeros[i]*colSums[j]) * (rs * col[j])
		}
		if bias != nil {
			for j, v := range (*[panelWidth]float32)(unsafe.Pointer(bias)) {
				out[j] += v
			}
		}
	}
}

// pairBytesGeneric widens the bytes of src, unsigned, to 16 bits in the order 0,
// 2, 1, 3 of every four.
func pairBytesGeneric(dst []int16, src []int8) {
	for i := 0; i < len(src); i += 4 {
		d, s := (*[4]int16)(dst[i:]), (*[4]int8)(src[i:])
		d[0], d[1], d[2], d[3] = int16(uint8(s[0])), int16(uint8(s[2])), int16(uint8(s[1])), int16(uint8(s[3]))
	}
}

// int8Lanes sums n products of three rows with one column, whose groups of four
// weights are 64 bytes apart from w on. n is a multiple of 4.
func int8Lanes(x *[laneBlock]int64, w unsafe.Pointer, n int) (s int64) {
	for k := 0; k < n; k += 4 {
		b := (*[4]int8)(unsafe.Add(w, k*panelWidth))
		a := (*[4]int64)(unsafe.Add(unsafe.Pointer(x), k*8))
		s += (a[0]*int64(b[0]) + a[1]*int64(b[1])) + (a[2]*int64(b[2]) + a[3]*int64(b[3]))
	}
	return s
}
