package kernels

// DType is how a [Matrix] holds its weights.
type DType uint8

const (
	F32  DType = iota
	Int8       // one scale for each row of W
	F16        // IEEE half precision
	BF16       // the upper half of float32
	Q8_0       // and below: blocks as GGUF defines them
	Q4_0
	Q4_1
	Q5_0
	Q5_1
	Q4_K
	Q5_K
	Q6_K
	numDTypes
)

var dtypeNames = [numDTypes]string{"f32", "int8", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k", "q5_k", "q6_k"}

func (d DType) String() string {
	if d < numDTypes {
		return dtypeNames[d]
	}
	return "unknown"
}

// Block is how many elements are stored together in a file, and in how many
// bytes. Int8 has no such form: 0 and 0.
func (d DType) Block() (elements, bytes int) {
	switch d {
	case F32:
		return 1, 4
	case F16, BF16:
		return 1, 2
	}
	if f := d.form(); f != nil {
		return f.elements, f.bytes
	}
	return 0, 0
}

// half tells whether elements are floats of 16 bits.
func (d DType) half() bool { return d == F16 || d == BF16 }

// form is how blocks of d are made, nil if there are none.
func (d DType) form() *blockForm {
	if d < Q8_0 || d >= numDTypes {
		return nil
	}
	return &blockForms[d-Q8_0]
}
