package kernels

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/internal/guard"
)

// places give slices that touch forbidden memory at their end or at their
// beginning.
func places[T guard.Element]() map[string]func(t testing.TB, n int) []T {
	return map[string]func(t testing.TB, n int) []T{"end": guard.Slice[T], "start": guard.SliceAfter[T]}
}

// guardLengths reach every tail of every loop.
var guardLengths = []int{1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 31, 32, 33, 47, 48, 49, 63, 64, 65, 66, 79, 80, 81, 95, 127, 128, 129, 200}

func TestNothingBeyondTheEnds(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, slice := range places[float32]() {
			for k := range operations {
				o := &operations[k]
				for _, n := range guardLengths {
					in := make([][]float32, o.inputs)
					for i := range in {
						in[i] = slice(t, n)
						fill(r, in[i], 2)
					}
					dst := slice(t, n)
					o.run(dst, in)
					o.check(t, dst, in)
				}
			}
			for _, n := range guardLengths {
				Dot(slice(t, n), slice(t, n))
			}
		}
	})
}

func TestConversionsStayInside(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		for _, where := range []string{"end", "start"} {
			wide, narrow, bytes := places[float32]()[where], places[uint16]()[where], places[int8]()[where]
			for _, n := range guardLengths {
				x, h := wide(t, n), narrow(t, n)
				F16ToF32(x, h)
				F32ToF16(h, x)
				BF16ToF32(x, h)
				F32ToBF16(h, x)
				x[n-1] = 1
				QuantizeRow(bytes(t, n), x)
			}
		}
	})
}

func TestMatMulStaysInside(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(3, 4))
		var x Exec
		for where, slice := range places[float32]() {
			for _, s := range [][3]int{{1, 5, 3}, {1, 64, 7}, {1, 100, 64}, {2, 40, 9}, {5, 33, 13}, {6, 70, 4}, {13, 48, 5}, {14, 47, 6}, {15, 32, 1}, {29, 96, 17}, {7, 160, 512}} {
				m, n, k := s[0], s[1], s[2]
				w := make([]float32, n*k)
				integers(r, w)
				for _, pack := range []func([]float32, int, int) (*Matrix, error){Pack, PackInt8} {
					packed, err := pack(w, n, k)
					require.NoError(t, err)
					guarded := *packed
					if packed.dtype == F32 {
						guarded.f32 = slice(t, len(packed.f32))
						copy(guarded.f32, packed.f32)
					} else {
						guarded.i8 = places[int8]()[where](t, len(packed.i8))
						copy(guarded.i8, packed.i8)
						guarded.scales = slice(t, len(packed.scales))
						copy(guarded.scales, packed.scales)
						guarded.sums = places[int32]()[where](t, len(packed.sums))
						copy(guarded.sums, packed.sums)
					}
					lda, ldc := k+2, n+3
					a, bias := slice(t, (m-1)*lda+k), slice(t, n)
					integers(r, a)
					integers(r, bias)
					residual := slice(t, (m-1)*ldc+n)
					for _, out := range []Out{
						{C: slice(t, (m-1)*ldc+n), LD: ldc},
						{C: slice(t, blockedSize(m, n)), LD: 16, BlockCols: 16, BlockStride: 16 * m},
					} {
						x.MatMul(out, a, m, lda, &guarded, Epilogue{Bias: bias, Act: GELU, Scale: 0.5, Residual: residual, LDR: ldc})
					}
				}
			}
		}
	})
}

// Weights are read only as far as the matrix goes, and rows of A and C too: the
// driver's scratch is not what is tested here but the caller's memory.
func TestRowsStayInside(t *testing.T) {
	for where, slice := range places[float32]() {
		for _, k := range []int{1, 3, 15, 16, 17, 40} {
			w := slice(t, 3*k)
			m, err := Pack(w, 3, k)
			require.NoError(t, err, where)
			q, err := PackInt8(w, 3, k)
			require.NoError(t, err, where)
			row := slice(t, k)
			m.Row(row, 2)
			q.Row(row, 2)
		}
	}
}

// blockedSize is the length of C for blocks of 16 columns, one after the other.
func blockedSize(m, n int) int {
	blocks := (n - 1) / 16
	size := blocks*16*m + (m-1)*16 + n - blocks*16
	if blocks > 0 {
		size = max(size, blocks*16*m)
	}
	return size
}
