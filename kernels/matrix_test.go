package kernels

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/mem"
)

func TestPackLayout(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][2]int{{1, 1}, {16, 4}, {17, 5}, {40, 130}, {33, 3}} {
		n, k := s[0], s[1]
		w := make([]float32, n*k)
		fill(r, w, 1)
		m, err := Pack(w, n, k)
		require.NoError(t, err)
		require.Equal(t, []int{n, k}, []int{m.N(), m.K()})
		require.Equal(t, F32, m.DType())
		require.Equal(t, 4*((n+15)/16*16)*k, m.Bytes())
		row := make([]float32, k)
		for i := range n {
			m.Row(row, i)
			require.Equal(t, w[i*k:(i+1)*k], row)
		}
		for i := n; i < (n+15)/16*16; i++ {
			for kk := range k {
				require.Zero(t, m.f32[(i/16*k+kk)*16+i%16], "padding")
			}
		}

		q, err := PackInt8(w, n, k)
		require.NoError(t, err)
		packed, scales := q.Packed()
		k4 := (k + 3) / 4
		require.Len(t, packed, (n+15)/16*16*k4*4)
		require.Len(t, scales, n)
		for i := range n {
			want := make([]int8, k)
			s := QuantizeRow(want, w[i*k:(i+1)*k])
			require.Equal(t, s, scales[i])
			q.Row(row, i)
			sum := int32(0)
			for kk := range k4 * 4 {
				got := packed[((i/16*k4+kk/4)*16+i%16)*4+kk%4]
				if kk >= k {
					require.Zero(t, got, "padding")
					continue
				}
				require.Equal(t, want[kk], got)
				require.Equal(t, float32(got)*s, row[kk])
				sum += int32(got)
			}
			require.Equal(t, sum, q.sums[i])
		}

		again, err := Int8Matrix(packed, scales, n, k)
		require.NoError(t, err)
		require.Equal(t, q.sums, again.sums)
		require.Equal(t, q.scales, again.scales)
		require.Same(t, &packed[0], &again.i8[0], "used in place")
	}
}

func TestPackRows(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	n, k := 35, 21
	w := make([]float32, n*k)
	fill(r, w, 1)
	next := 0
	row := func(i int, dst []float32) error {
		require.Equal(t, next, i)
		next++
		copy(dst, w[i*k:])
		return nil
	}
	want, err := Pack(w, n, k)
	require.NoError(t, err)
	got, err := PackRows(n, k, row)
	require.NoError(t, err)
	require.Equal(t, want.f32, got.f32)
	want, err = PackInt8(w, n, k)
	require.NoError(t, err)
	next = 0
	got, err = PackInt8Rows(n, k, row)
	require.NoError(t, err)
	require.Equal(t, want.i8, got.i8)
	require.Equal(t, want.scales, got.scales)

	broken := errors.New("broken")
	_, err = PackRows(n, k, func(i int, _ []float32) error {
		if i == 3 {
			return broken
		}
		return nil
	})
	require.Equal(t, broken, err)
	_, err = PackInt8Rows(n, k, func(int, []float32) error { return broken })
	require.Equal(t, broken, err)
}

func TestOutputs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const n, k = 50, 512
	x := make([]float32, 2*k)
	fill(r, x, 1)
	for _, d := range append([]DType{F32, Int8, F16, BF16}, blockTypes...) {
		var m *Matrix
		if d == Int8 {
			w := make([]float32, n*k)
			fill(r, w, 0.1)
			var err error
			m, err = PackInt8(w, n, k)
			require.NoError(t, err)
		} else {
			m, _ = packRandom(t, r, d, n, k)
		}
		all := make([]float32, 2*n)
		var e Exec
		e.MatMul(Out{C: all, LD: n}, x, 2, k, m, Epilogue{})
		for _, s := range [][2]int{{0, n}, {0, 3}, {16, 17}, {16, 41}, {32, n}, {48, n}} {
			first, end := s[0], s[1]
			part := m.Outputs(first, end)
			require.Equal(t, end-first, part.N())
			got, want, row := make([]float32, 2*part.N()), make([]float32, k), make([]float32, k)
			e.MatMul(Out{C: got, LD: part.N()}, x, 2, k, &part, Epilogue{})
			require.Equal(t, append(append([]float32(nil), all[first:end]...), all[n+first:n+end]...), got, "%v", d)
			m.Row(want, end-1)
			part.Row(row, end-1-first)
			require.Equal(t, want, row, "%v", d)
		}
		for _, s := range [][2]int{{1, 2}, {-16, 2}, {16, 16}, {0, n + 1}} {
			require.Panics(t, func() { m.Outputs(s[0], s[1]) })
		}
	}
}

func TestPackRefuses(t *testing.T) {
	n, k := 20, 9
	w := make([]float32, n*k)
	w[3*k+4] = float32(math.NaN())
	for _, pack := range []func([]float32, int, int) (*Matrix, error){Pack, PackInt8} {
		_, err := pack(w, n, k)
		require.ErrorIs(t, err, ErrWeights)
		require.EqualError(t, err, "kernels: weight at row 3, column 4 is NaN")
	}
	w[3*k+4] = float32(math.Inf(-1))
	_, err := Pack(w, n, k)
	require.NoError(t, err)
	_, err = PackInt8(w, n, k)
	require.ErrorIs(t, err, ErrWeights)
	require.ErrorContains(t, err, "row 3")
	_, err = PackInt8(make([]float32, maxInt8K+1), 1, maxInt8K+1)
	require.ErrorIs(t, err, ErrWeights)

	require.PanicsWithValue(t, errLength, func() { _, _ = Pack(w[1:], n, k) })
	require.PanicsWithValue(t, errShape, func() { _, _ = Pack(nil, 0, k) })
	require.PanicsWithValue(t, errShape, func() { _, _ = PackRows(math.MaxInt/4, 1<<10, nil) })

	good, scales := make([]int8, 32*12), make([]float32, n)
	_, err = Int8Matrix(good, scales, n, k)
	require.NoError(t, err)
	for name, f := range map[string]func() (*Matrix, error){
		"short":     func() (*Matrix, error) { return Int8Matrix(good[1:], scales, n, k) },
		"scales":    func() (*Matrix, error) { return Int8Matrix(good, scales[1:], n, k) },
		"no rows":   func() (*Matrix, error) { return Int8Matrix(nil, nil, 0, k) },
		"huge":      func() (*Matrix, error) { return Int8Matrix(good, scales, math.MaxInt/4, 1<<10) },
		"k":         func() (*Matrix, error) { return Int8Matrix(good, scales, n, 1<<30) },
		"NaN scale": func() (*Matrix, error) { scales[7] = float32(math.NaN()); return Int8Matrix(good, scales, n, k) },
		"negative":  func() (*Matrix, error) { scales[7] = -1; return Int8Matrix(good, scales, n, k) },
	} {
		_, err := f()
		require.ErrorIs(t, err, ErrWeights, name)
	}
}

func TestMatrixFree(t *testing.T) {
	m, err := Pack(make([]float32, 6), 2, 3)
	require.NoError(t, err)
	require.PanicsWithValue(t, errRow, func() { m.Row(make([]float32, 3), 2) })
	require.PanicsWithValue(t, errLength, func() { m.Row(make([]float32, 2), 1) })
	m.Free()
	m.Free()
	require.PanicsWithValue(t, errRow, func() { m.Row(make([]float32, 3), 0) })
}

func TestPackIntoArena(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	n, k := 50, 70
	w := make([]float32, n*k)
	fill(r, w, 1)
	row := func(i int, dst []float32) error { copy(dst, w[i*k:]); return nil }
	var arena mem.Arena
	f32, err := PackRowsIn(&arena, n, k, row)
	require.NoError(t, err)
	i8, err := PackInt8RowsIn(&arena, n, k, row)
	require.NoError(t, err)
	dst := make([]float32, k)
	f32.Row(dst, n-1)
	require.Equal(t, w[(n-1)*k:], dst)
	i8.Row(dst, n-1)
	require.InDeltaSlice(t, w[(n-1)*k:], dst, 0.02)
	f32.Free()
	i8.Free()
	require.NoError(t, arena.Free())
	broken := errors.New("no memory")
	_, err = PackRowsIn(noMemory{broken}, n, k, row)
	require.Equal(t, broken, err)
	_, err = PackInt8RowsIn(noMemory{broken}, n, k, row)
	require.Equal(t, broken, err)
}

type noMemory struct{ err error }

func (m noMemory) Float32s(int) ([]float32, error) { return nil, m.err }
func (m noMemory) Int8s(int) ([]int8, error)       { return nil, m.err }
