package kernels

import (
	"fmt"
	"math"
)

// Memory is where packed weights go. An arena of internal/mem is one: off the Go
// heap, in huge pages, freed by its owner once no matrix in it is used.
type Memory interface {
	Float32s(n int) ([]float32, error)
	Int8s(n int) ([]int8, error)
}

// heap is the Go heap, aligned.
type heap struct{}

func (heap) Float32s(n int) ([]float32, error) { return aligned[float32](n), nil }
func (heap) Int8s(n int) ([]int8, error)       { return aligned[int8](n), nil }

// Pack packs the row-major w [n, k] as float32, on the Go heap. It refuses NaN;
// infinities are allowed.
func Pack(w []float32, n, k int) (*Matrix, error) {
	checkWeights(w, n, k)
	return packRows(heap{}, n, k, rowsOf(w, k))
}

// PackRows is [Pack] for weights that are not float32 in memory: row(i, dst)
// sets dst, of length k, to row i of W. It is called once for each row, in
// order, so no second copy of W is needed. Its error ends the packing and is
// returned as it is.
func PackRows(n, k int, row func(i int, dst []float32) error) (*Matrix, error) {
	return PackRowsIn(heap{}, n, k, row)
}

// PackRowsIn is [PackRows] into memory of the caller's choice, whose error it
// returns.
func PackRowsIn(in Memory, n, k int, row func(i int, dst []float32) error) (*Matrix, error) {
	checkShape(n, k)
	buf := make([]float32, packBlock*k)
	return packRows(in, n, k, func(i int) ([]float32, error) {
		dst := buf[i%packBlock*k:][:k:k]
		return dst, row(i, dst)
	})
}

// PackInt8 quantises the row-major w [n, k] to int8, each row by [QuantizeRow],
// and packs it on the Go heap. It refuses NaN, infinities, and k above 65536.
func PackInt8(w []float32, n, k int) (*Matrix, error) {
	checkWeights(w, n, k)
	return packInt8(heap{}, n, k, rowsOf(w, k))
}

// PackInt8Rows is to [PackInt8] what [PackRows] is to [Pack].
func PackInt8Rows(n, k int, row func(i int, dst []float32) error) (*Matrix, error) {
	return PackInt8RowsIn(heap{}, n, k, row)
}

// PackInt8RowsIn is to [PackInt8Rows] what [PackRowsIn] is to [PackRows].
func PackInt8RowsIn(in Memory, n, k int, row func(i int, dst []float32) error) (*Matrix, error) {
	checkShape(n, k)
	buf := make([]float32, k)
	return packInt8(in, n, k, func(i int) ([]float32, error) { return buf, row(i, buf) })
}

func checkShape(n, k int) {
	if n < 1 || k < 1 || panelsOf(n) > math.MaxInt/(4*panelWidth)/k {
		panic(errShape)
	}
}

func checkWeights(w []float32, n, k int) {
	checkShape(n, k)
	if len(w) != n*k {
		panic(errLength)
	}
}

func rowsOf(w []float32, k int) func(i int) ([]float32, error) {
	return func(i int) ([]float32, error) { return w[i*k : (i+1)*k], nil }
}

func packRows(in Memory, n, k int, row func(i int) ([]float32, error)) (*Matrix, error) {
	packed, err := in.Float32s(panelsOf(n) * panelWidth * k)
	if err != nil {
		return nil, err
	}
	if err := packPanels(packed, 0, n, k, row); err != nil {
		return nil, err
	}
	return &Matrix{n: n, k: k, dtype: F32, f32: packed}, nil
}

// packPanels packs the rows from first, which begins a panel, up to end.
func packPanels(packed []float32, first, end, k int, row func(i int) ([]float32, error)) error {
	var block [packBlock][]float32
	none := make([]float32, k)
	for i := first; i < end; i++ {
		src, err := row(i)
		if err != nil {
			return err
		}
		if largest := absMax(src); largest != largest {
			return nanError(src, i)
		}
		block[i%packBlock] = src
		if i%packBlock < packBlock-1 && i < end-1 {
			continue
		}
		for r := i%packBlock + 1; r < packBlock; r++ {
			block[r] = none
		}
		at := i / packBlock * packBlock
		interleave(packed[at/panelWidth*panelWidth*k+at%panelWidth:], &block)
	}
	return nil
}

// packBlock is how many rows are packed together: one at a time, every line of
// the panel would be written 16 times.
const packBlock = 8

// interleave sets eight columns of a panel, from dst on, to eight rows.
func interleave(dst []float32, rows *[packBlock][]float32) {
	r0 := rows[0]
	n := len(r0)
	r1, r2, r3 := rows[1][:n], rows[2][:n], rows[3][:n]
	r4, r5, r6, r7 := rows[4][:n], rows[5][:n], rows[6][:n], rows[7][:n]
	for j, v := range r0 {
		// One by one: an array literal is built on the stack and loaded back whole,
		// which stalls on its own stores.
		d := (*[packBlock]float32)(dst[j*panelWidth:])
		d[0], d[1], d[2], d[3] = v, r1[j], r2[j], r3[j]
		d[4], d[5], d[6], d[7] = r4[j], r5[j], r6[j], r7[j]
	}
}

func packInt8(in Memory, n, k int, row func(i int) ([]float32, error)) (*Matrix, error) {
	if k > maxInt8K {
		return nil, weightsError(fmt.Sprintf("kernels: rows of %d weights are too long for int8: at most %d", k, maxInt8K))
	}
	panels, k4 := panelsOf(n), roundUp(k, 4)
	packed, err := in.Int8s(panels * panelWidth * k4)
	if err != nil {
		return nil, err
	}
	m := &Matrix{n: n, k: k, dtype: Int8, i8: packed, scales: make([]float32, panels*panelWidth)}
	q := make([]int8, k4)
	for i := range n {
		src, err := row(i)
		if err != nil {
			return nil, err
		}
		switch largest := absMaxGeneric(src); {
		case largest != largest:
			return nil, nanError(src, i)
		case largest > math.MaxFloat32:
			return nil, weightsError(fmt.Sprintf("kernels: row %d of the weights holds an infinity, which int8 cannot", i))
		}
		m.scales[i] = QuantizeRow(q[:k], src)
		dst := m.i8[i/panelWidth*panelWidth*k4+i%panelWidth*4:]
		for j := 0; j < k4; j += 4 {
			*(*[4]int8)(dst[j*panelWidth:]) = [4]int8(q[j:])
		}
	}
	m.sumRows()
	return m, nil
}

func nanError(row []float32, i int) error {
	for j, v := range row {
		if v != v {
			return weightsError(fmt.Sprintf("kernels: weight at row %d, column %d is NaN", i, j))
		}
	}
	return weightsError(fmt.Sprintf("kernels: row %d of the weights holds NaN", i))
}
