package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// f16 is the value of an IEEE 754 binary16, by the definition.
func f16(h uint16) float32 {
	sign := 1 - 2*float64(h>>15)
	exponent, mantissa := int(h>>10&31), float64(h&1023)
	switch {
	case exponent == 31 && mantissa != 0:
		return float32(math.NaN())
	case exponent == 31:
		return float32(math.Inf(int(sign)))
	case exponent == 0:
		return float32(math.Copysign(math.Ldexp(mantissa, -24), sign))
	}
	return float32(sign * math.Ldexp(1024+mantissa, exponent-25))
}

// All 65536 values of the 16-bit types.
func TestWiden16(t *testing.T) {
	data := make([]byte, 0, 2<<16)
	for h := range 1 << 16 {
		data = binary.LittleEndian.AppendUint16(data, uint16(h))
	}
	half, err := Tensor{DType: F16, Data: data}.Float32s(nil)
	require.NoError(t, err)
	brain, err := Tensor{DType: BF16, Data: data}.Float32s(nil)
	require.NoError(t, err)
	require.Len(t, half, 1<<16)
	require.Len(t, brain, 1<<16)
	for h := range 1 << 16 {
		want, got := f16(uint16(h)), half[h]
		if want != want {
			require.True(t, got != got, "%04x", h)
			require.Equal(t, h>>15 == 1, math.Signbit(float64(got)))
		} else {
			require.Equal(t, math.Float32bits(want), math.Float32bits(got), "%04x", h)
		}
		require.Equal(t, uint32(h)<<16, math.Float32bits(brain[h]))
	}
}

func TestFloat32sAppends(t *testing.T) {
	got, err := Of("x", []int{2}, []float64{1.5, 1 + 0x1p-24 + 0x1p-40}).Float32s([]float32{9})
	require.NoError(t, err)
	require.Equal(t, []float32{9, 1.5, 1 + 0x1p-23}, got)
	got, err = Of("x", []int{2}, []float32{1.5, -2}).Float32s(got)
	require.NoError(t, err)
	require.Equal(t, []float32{9, 1.5, 1 + 0x1p-23, 1.5, -2}, got)
	_, err = Of("x", []int{1}, []int32{1}).Float32s(nil)
	require.ErrorIs(t, err, ErrConvert)
	require.EqualError(t, err, `weights: tensor "x": I32 to float32: cannot convert`)
	_, err = Tensor{}.Float32s(nil)
	require.ErrorIs(t, err, ErrConvert)
}

func TestInt64s(t *testing.T) {
	for _, c := range []struct {
		tensor Tensor
		want   []int64
	}{
		{Tensor{DType: Bool, Data: []byte{0, 1, 2, 255}}, []int64{0, 1, 1, 1}},
		{Of("x", nil, []uint8{0, 255}), []int64{0, 255}},
		{Of("x", nil, []int8{-128, 127}), []int64{-128, 127}},
		{Of("x", nil, []int16{-32768, 32767}), []int64{-32768, 32767}},
		{Of("x", nil, []uint16{0, 65535}), []int64{0, 65535}},
		{Of("x", nil, []int32{math.MinInt32, math.MaxInt32}), []int64{math.MinInt32, math.MaxInt32}},
		{Of("x", nil, []uint32{0, math.MaxUint32}), []int64{0, math.MaxUint32}},
		{Of("x", nil, []int64{math.MinInt64, math.MaxInt64}), []int64{math.MinInt64, math.MaxInt64}},
		{Of("x", nil, []uint64{0, math.MaxInt64}), []int64{0, math.MaxInt64}},
	} {
		got, err := c.tensor.Int64s([]int64{7})
		require.NoError(t, err, c.tensor.DType)
		require.Equal(t, append([]int64{7}, c.want...), got, c.tensor.DType)
	}
	for _, bad := range []Tensor{
		Of("x", nil, []uint64{1, math.MaxInt64 + 1}),
		Of("x", nil, []float32{1}),
		{},
	} {
		_, err := bad.Int64s(nil)
		require.ErrorIs(t, err, ErrConvert)
	}
}

func TestInt8s(t *testing.T) {
	values := []int8{-1, 2}
	got, err := Of("x", nil, values).Int8s()
	require.NoError(t, err)
	require.Equal(t, values, got)
	require.Same(t, &values[0], &got[0])
	got, err = Of("x", nil, []int8(nil)).Int8s()
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = Of("x", nil, []uint8{1}).Int8s()
	require.ErrorIs(t, err, ErrConvert)
}

// Long tensors pass through the staging buffer in several pieces.
func TestReadFloat32sInPieces(t *testing.T) {
	const n = 3*stagingBytes/2 + 7
	for _, d := range []DType{F16, BF16, F32, F64} {
		_, size := d.Block()
		tensor := Tensor{Name: "x", DType: d, Shape: []int{n}, Data: make([]byte, n*size)}
		for i := range n {
			// Bytes that differ from element to element and are no NaN.
			binary.LittleEndian.PutUint16(tensor.Data[(i+1)*size-2:], uint16(i%31000))
		}
		want, err := tensor.Float32s(nil)
		require.NoError(t, err)
		path := t.TempDir() + "/x"
		require.NoError(t, Write(path, []Tensor{tensor}, nil))
		set, err := Open(path)
		require.NoError(t, err)
		got := make([]float32, n)
		require.NoError(t, set.ReadFloat32s(got, "x", 0))
		require.Equal(t, want, got)
		require.NoError(t, set.ReadFloat32s(got[:n-5], "x", 5))
		require.Equal(t, want[5:], got[:n-5])
		require.NoError(t, set.Close())
	}
}

// Reading what model loading reads must not allocate in proportion to it.
func TestReadFloat32sAllocates(t *testing.T) {
	const n = 1 << 20
	for _, d := range []DType{F16, F32} {
		_, size := d.Block()
		path := t.TempDir() + "/x"
		require.NoError(t, Write(path, []Tensor{{Name: "x", DType: d, Shape: []int{n}, Data: make([]byte, n*size)}}, nil))
		set, err := Open(path)
		require.NoError(t, err)
		dst := make([]float32, n)
		bytes := allocated(func() { require.NoError(t, set.ReadFloat32s(dst, "x", 0)) })
		require.Less(t, bytes, uint64(2*stagingBytes), d)
		require.NoError(t, set.Close())
	}
}

func BenchmarkReadFloat32s(b *testing.B) {
	const n = 1 << 20
	for _, d := range []DType{F16, BF16, F32} {
		_, size := d.Block()
		tensor := Tensor{Name: "x", DType: d, Shape: []int{n}, Data: make([]byte, n*size)}
		path := b.TempDir() + "/x"
		require.NoError(b, Write(path, []Tensor{tensor}, nil))
		file, err := Open(path)
		require.NoError(b, err)
		b.Run(fmt.Sprintf("dtype=%v", d), func(b *testing.B) {
			dst := make([]float32, n)
			b.SetBytes(int64(n * size))
			b.ReportAllocs()
			for b.Loop() {
				if err := file.ReadFloat32s(dst, "x", 0); err != nil {
					b.Fatal(err)
				}
			}
		})
		require.NoError(b, file.Close())
	}
}
