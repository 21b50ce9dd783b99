// Package guard gives tests slices that lie right against memory that nobody may
// touch, so that a vector load or store past either end crashes instead of
// reading a neighbour.
//
// On unix the neighbour is a page without permissions. Elsewhere it is a run of
// sentinels, which finds stores only, when the test ends.
package guard

import (
	"testing"
	"unsafe"
)

// Element is a type whose slices can be guarded.
type Element interface {
	float32 | float64 | byte | int8 | uint16 | int32 | int64
}

// Slice is n zeroes that end right before the guard. The test that t stands for
// owns them: they are gone when it ends.
func Slice[T Element](t testing.TB, n int) []T {
	t.Helper()
	b := alloc(t, size[T](n), true)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// SliceAfter is n zeroes that begin right after the guard.
func SliceAfter[T Element](t testing.TB, n int) []T {
	t.Helper()
	b := alloc(t, size[T](n), false)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

func size[T Element](n int) int {
	var zero T
	return n * int(unsafe.Sizeof(zero))
}

func Float32s(t testing.TB, n int) []float32 { t.Helper(); return Slice[float32](t, n) }
func Bytes(t testing.TB, n int) []byte       { t.Helper(); return Slice[byte](t, n) }
func Int8s(t testing.TB, n int) []int8       { t.Helper(); return Slice[int8](t, n) }
func Uint16s(t testing.TB, n int) []uint16   { t.Helper(); return Slice[uint16](t, n) }
func Int32s(t testing.TB, n int) []int32     { t.Helper(); return Slice[int32](t, n) }

func Float32sAfter(t testing.TB, n int) []float32 { t.Helper(); return SliceAfter[float32](t, n) }
func BytesAfter(t testing.TB, n int) []byte       { t.Helper(); return SliceAfter[byte](t, n) }
func Int8sAfter(t testing.TB, n int) []int8       { t.Helper(); return SliceAfter[int8](t, n) }
func Uint16sAfter(t testing.TB, n int) []uint16   { t.Helper(); return SliceAfter[uint16](t, n) }
func Int32sAfter(t testing.TB, n int) []int32     { t.Helper(); return SliceAfter[int32](t, n) }
