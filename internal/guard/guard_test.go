package guard

import (
	"runtime"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

var sink byte

// faults tells whether reading one byte at p does.
func faults(p unsafe.Pointer) (yes bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { yes = recover() != nil }()
	sink = *(*byte)(p)
	return false
}

func check[T Element](t *testing.T) {
	hasPages := runtime.GOOS != "windows" && runtime.GOOS != "js" && runtime.GOOS != "wasip1" && runtime.GOOS != "plan9"
	var zero T
	for _, n := range []int{0, 1, 3, 17, 1000, 4096, 5001} {
		for _, s := range [][]T{Slice[T](t, n), SliceAfter[T](t, n)} {
			require.Len(t, s, n)
			require.Equal(t, n, cap(s))
			for i := range s {
				require.Zero(t, s[i])
				s[i] = 1
			}
		}
		if !hasPages {
			continue
		}
		end := unsafe.Pointer(unsafe.SliceData(Slice[T](t, n)))
		require.True(t, faults(unsafe.Add(end, n*int(unsafe.Sizeof(zero)))), "the byte after %d", n)
		start := unsafe.Pointer(unsafe.SliceData(SliceAfter[T](t, n)))
		require.True(t, faults(unsafe.Add(start, -1)), "the byte before %d", n)
		if n > 0 {
			require.False(t, faults(end))
			require.False(t, faults(start))
		}
	}
}

func TestGuards(t *testing.T) {
	t.Run("float32", check[float32])
	t.Run("float64", check[float64])
	t.Run("byte", check[byte])
	t.Run("int8", check[int8])
	t.Run("uint16", check[uint16])
	t.Run("int32", check[int32])
	t.Run("int64", check[int64])
}

func TestNamed(t *testing.T) {
	for _, n := range []int{0, 5} {
		require.Len(t, Float32s(t, n), n)
		require.Len(t, Bytes(t, n), n)
		require.Len(t, Int8s(t, n), n)
		require.Len(t, Uint16s(t, n), n)
		require.Len(t, Int32s(t, n), n)
		require.Len(t, Float32sAfter(t, n), n)
		require.Len(t, BytesAfter(t, n), n)
		require.Len(t, Int8sAfter(t, n), n)
		require.Len(t, Uint16sAfter(t, n), n)
		require.Len(t, Int32sAfter(t, n), n)
	}
}
