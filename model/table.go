package model

import "github.com/ladon-ml/ladon/kernels"

// A table is a matrix of which rows are gathered, in one of several forms.
type table struct {
	cols int

	f32    []float32 // [rows, cols]
	i8     []int8    // [rows, cols], to be multiplied by
	scales []float32 // [rows]

	stored []byte        // rows as a file has them
	format kernels.DType // in this form

	packed *kernels.Matrix // [rows, cols]: shared with a head that multiplies by it
}

// row writes row i, widened, to dst.
func (t *table) row(dst []float32, i int) {
	at, end := i*t.cols, (i+1)*t.cols
	switch {
	case t.f32 != nil:
		copy(dst, t.f32[at:end])
	case t.packed != nil:
		t.packed.Row(dst, i)
	case t.i8 != nil:
		scale := t.scales[i]
		for j, q := range t.i8[at:end] {
			dst[j] = float32(q) * scale
		}
	case t.stored != nil:
		width := rowBytes(t.format, t.cols)
		kernels.Dequantize(t.format, dst, t.stored[i*width:(i+1)*width])
	}
}

// addRow adds row i to dst. Only float32 tables are added.
func (t *table) addRow(dst []float32, i int) {
	kernels.Add(dst, dst, t.f32[i*t.cols:(i+1)*t.cols])
}

// rowBytes is what a row takes as a file has it.
func rowBytes(d kernels.DType, cols int) int {
	elements, bytes := d.Block()
	return cols / elements * bytes
}

// bytes is the memory that the table holds, without a packed matrix's.
func (t *table) bytes() int {
	return 4*len(t.f32) + len(t.i8) + 4*len(t.scales) + len(t.stored)
}
