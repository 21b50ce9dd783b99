package kernels

// What the exported functions panic with. The strings are constant so that the
// checks cost a compare and a branch.
const (
	errLength     = "kernels: slices differ in length"
	errShort      = "kernels: slice too short for the shape"
	errShape      = "kernels: impossible shape"
	errStride     = "kernels: stride shorter than a row"
	errActivation = "kernels: unknown activation"
	errMatrix     = "kernels: matrix is nil or freed"
	errDType      = "kernels: no format of this name in files"
	errRow        = "kernels: row out of range"
)
