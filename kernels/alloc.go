package kernels

import "unsafe"

// cacheLine is the alignment of what kernels read in bulk.
const cacheLine = 64

// aligned returns n zeroed elements of T that begin at a cache line.
func aligned[T int8 | int32 | float32 | int64](n int) []T {
	var t T
	size := int(unsafe.Sizeof(t))
	s := make([]T, n+cacheLine/size)
	skip := 0
	for uintptr(unsafe.Pointer(&s[skip]))%cacheLine != 0 {
		skip++
	}
	return s[skip : skip+n : skip+n]
}
