package model

import "github.com/ladon-ml/ladon/kernels"

// A table is a matrix of which rows are gathered, in one of several forms.
type table struct {
	cols int

	f32    []float32 // [rows, cols]
	f16    []uint16  // [rows, cols]
	bf16   []uint16  // [rows, cols]
	i8     []int8    // [rows, cols], to be multiplied by
	scales []float32 // [rows]

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
	case t.f16 != nil:
		kernels.F16ToF32(dst, t.f16[at:end])
	case t.bf16 != nil:
		kernels.BF16ToF32(dst, t.bf16[at:end])
	}
}

// addRow adds row i to dst. Only float32 tables are added.
func (t *table) addRow(dst []float32, i int) {
	kernels.Add(dst, dst, t.f32[i*t.cols:(i+1)*t.cols])
}

// bytes is the memory that the table holds, without a packed matrix's.
func (t *table) bytes() int {
	return 4*len(t.f32) + 2*len(t.f16) + 2*len(t.bf16) + len(t.i8) + 4*len(t.scales)
}
