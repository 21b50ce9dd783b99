package kernels

import (
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// panelWidth is how many outputs lie side by side in packed weights: one
// AVX-512 register of float32, two of AVX2, four of NEON.
const panelWidth = 16

// maxInt8K bounds the length of an int8 product: 255·128·k stays below 2³¹.
const maxInt8K = 1 << 16

// Matrix is a packed weight matrix W [n, k], immutable and safe for concurrent
// use. As an operand it stands for Wᵀ: [Exec.MatMul] computes C = A·Wᵀ.
//
// In float32 the layout is panels of 16 rows of W, k-major:
//
//	f32[(i/16·k + kk)·16 + i%16] = W[i][kk]
//
// and in int8, with k rounded up to groups of 4,
//
//	i8[((i/16·⌈k/4⌉ + kk/4)·16 + i%16)·4 + kk%4] = round(W[i][kk] / scales[i])
//
// Rows past n and columns past k are zeros. Floats of 16 bits lie in pairs
// of panels, 32 rows wide, and those of a last panel without another as float32
// do; blocks lie as docs/numerics.md says.
type Matrix struct {
	n, k   int
	odd    int // 1 if the first panel of 16-bit floats is the second of its pair
	dtype  DType
	f32    []float32
	i8     []int8    // all that is not F32, as bytes
	scales []float32 // [panels·16]
	sums   []int32   // [panels·16] the sum of a row of integers: what a zero point in A adds, times it
}

// N is the number of outputs, the rows of W.
func (m *Matrix) N() int { return m.n }

// K is the number of inputs, the columns of W.
func (m *Matrix) K() int { return m.k }

// DType is the form of the stored weights.
func (m *Matrix) DType() DType { return m.dtype }

// Bytes is the memory that the weights take.
func (m *Matrix) Bytes() int {
	return 4*len(m.f32) + len(m.i8) + 4*len(m.scales) + 4*len(m.sums)
}

// Packed gives the int8 weights in their layout and the scales of the n rows,
// as [Int8Matrix] takes them; nil for a float32 matrix. They must not be
// written.
func (m *Matrix) Packed() (packed []int8, scales []float32) {
	if m.dtype != Int8 {
		return nil, nil
	}
	return m.i8, m.scales[:m.n]
}

// halves are the weights of F16 and BF16.
func (m *Matrix) halves() []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(m.i8))), len(m.i8)/2)
}

// halfPanel is where a panel of 16-bit floats begins among them, and the distance
// of its elements.
func (m *Matrix) halfPanel(panel int) (at, step int) {
	panel += m.odd
	if panel|1 < m.halfPanels() {
		return panel&^1*panelWidth*m.k + panel&1*panelWidth, 2 * panelWidth
	}
	return panel * panelWidth * m.k, panelWidth
}

// halfPanels is how many panels of 16-bit floats there are, those included that
// lie beside others and are not the matrix's own.
func (m *Matrix) halfPanels() int { return len(m.i8) / (2 * panelWidth * m.k) }

// Free empties the matrix, which must not be in use: multiplying by it then
// panics. Memory that was given to a Pack function stays with its owner. Free may
// be called again.
func (m *Matrix) Free() { *m = Matrix{} }

// Outputs is a view of the rows [first, end) of W, of which there is one at
// least. first must be a multiple of [PackerRows]. It lives as long as m does.
func (m *Matrix) Outputs(first, end int) Matrix {
	if first < 0 || first%panelWidth != 0 || end <= first || end > m.n {
		panic(errShape)
	}
	part, from, to := *m, first/panelWidth, panelsOf(end)
	part.n = end - first
	part.f32 = panels(m.f32, panelsOf(m.n), from, to)
	if m.dtype.half() {
		held := m.halfPanels()
		part.odd = (from + m.odd) % 2
		part.i8 = panels(m.i8, held, (from+m.odd)&^1, min(roundUp(to+m.odd, 2), held))
	} else {
		part.i8 = panels(m.i8, panelsOf(m.n), from, to)
	}
	part.scales = panels(m.scales, panelsOf(m.n), from, to)
	part.sums = panels(m.sums, panelsOf(m.n), from, to)
	return part
}

// panels is what [from, to) of n panels have of s.
func panels[T any](s []T, n, from, to int) []T {
	size := len(s) / n
	return s[from*size : to*size : to*size]
}

// Row sets dst, of length k, to row i of W, widened to float32.
func (m *Matrix) Row(dst []float32, i int) {
	if i < 0 || i >= m.n {
		panic(errRow)
	}
	if len(dst) != m.k {
		panic(errLength)
	}
	if m.dtype.form() != nil {
		c := m.column(i)
		c.row(dst)
		return
	}
	if m.dtype.half() {
		at, step := m.halfPanel(i / panelWidth)
		row := m.halves()[at+i%panelWidth:]
		for j := range dst {
			dst[j] = widenHalf(m.dtype, row[j*step])
		}
		return
	}
	if m.dtype == Int8 {
		row := m.i8[i/panelWidth*panelWidth*roundUp(m.k, 4)+i%panelWidth*4:]
		s := m.scales[i]
		for j := range dst {
			dst[j] = float32(row[j/4*4*panelWidth+j%4]) * s
		}
		return
	}
	row := m.f32[i/panelWidth*panelWidth*m.k+i%panelWidth:]
	for j := range dst {
		dst[j] = row[j*panelWidth]
	}
}

// ErrWeights is what every error about the values or sizes of weights wraps.
var ErrWeights = errors.New("kernels: unusable weights")

type weightsError string

func (e weightsError) Error() string { return string(e) }
func (e weightsError) Unwrap() error { return ErrWeights }

// Int8Matrix makes a matrix of weights that are packed already, in the layout
// of [Matrix], with a scale for each of the n rows. packed is used in place and
// must stay as it is while the matrix lives.
func Int8Matrix(packed []int8, scales []float32, n, k int) (*Matrix, error) {
	if n < 1 || k < 1 || k > maxInt8K {
		return nil, weightsError(fmt.Sprintf("kernels: an int8 matrix of %d×%d: sizes must be positive, the second at most %d", n, k, maxInt8K))
	}
	k4, panels := roundUp(k, 4), panelsOf(n)
	if panels > math.MaxInt/(panelWidth*k4) || len(packed) != panels*panelWidth*k4 || len(scales) != n {
		return nil, weightsError(fmt.Sprintf("kernels: packed int8 matrix of %d×%d has %d weights and %d scales", n, k, len(packed), len(scales)))
	}
	m := &Matrix{n: n, k: k, dtype: Int8, i8: packed, scales: make([]float32, panels*panelWidth)}
	for i, s := range scales {
		if !(s >= 0 && s <= math.MaxFloat32) {
			return nil, weightsError(fmt.Sprintf("kernels: scale of row %d is %v", i, s))
		}
	}
	copy(m.scales, scales)
	m.sumRows()
	return m, nil
}

// sumRows computes sums.
func (m *Matrix) sumRows() {
	m.sums = make([]int32, len(m.scales))
	panel := panelWidth * roundUp(m.k, 4)
	for p := range len(m.sums) / panelWidth {
		sums := (*[panelWidth]int32)(m.sums[p*panelWidth:])
		for b := m.i8[p*panel : (p+1)*panel]; len(b) > 0; b = b[4*panelWidth:] {
			q := (*[4 * panelWidth]int8)(b)
			for i := range sums {
				sums[i] += int32(q[4*i]) + int32(q[4*i+1]) + int32(q[4*i+2]) + int32(q[4*i+3])
			}
		}
	}
}

// panelsOf is the number of panels that n outputs take.
func panelsOf(n int) int { return (n-1)/panelWidth + 1 }

// roundUp is x rounded up to a multiple of m.
func roundUp(x, m int) int { return (x + m - 1) / m * m }
