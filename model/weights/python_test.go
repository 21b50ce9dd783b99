package weights

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// python.safetensors was written by Python's safetensors: see testdata/make.py.
func TestPythonFile(t *testing.T) {
	set, err := Open("testdata/python.safetensors")
	require.NoError(t, err)
	defer set.Close()
	require.Equal(t, map[string]string{"format": "pt"}, set.Metadata())

	for _, name := range strings.Fields("bool uint8 int8 int16 uint16 int32 uint32 int64 uint64") {
		tensor, err := set.Tensor(name)
		require.NoError(t, err)
		require.Equal(t, []int{2, 2}, tensor.Shape)
		got, err := tensor.Int64s(nil)
		require.NoError(t, err)
		want := []int64{0, 1, 2, 3}
		if name == "bool" {
			want = []int64{0, 1, 1, 1}
		}
		require.Equal(t, want, got, name)
	}
	for _, name := range strings.Fields("float16 bfloat16 float32 float64") {
		got := make([]float32, 4)
		require.NoError(t, set.ReadFloat32s(got, name, 0))
		require.Equal(t, []float32{0, 1, 2, 3}, got, name)
	}
	for name, dtype := range map[string]DType{
		"float8_e4m3fn": F8E4M3, "float8_e4m3fnuz": F8E4M3FNUZ, "float8_e5m2": F8E5M2,
		"float8_e5m2fnuz": F8E5M2FNUZ, "float8_e8m0fnu": F8E8M0, "float4_e2m1fn_x2": F4,
	} {
		tensor, err := set.Tensor(name)
		require.NoError(t, err)
		require.Equal(t, dtype, tensor.DType)
		require.Equal(t, []byte{0, 1, 2, 3}, tensor.Data)
	}
	complex64s, err := set.Tensor("complex64")
	require.NoError(t, err)
	require.Equal(t, C64, complex64s.DType)
	require.Len(t, complex64s.Data, 32)

	minusZero := float32(math.Copysign(0, -1))
	inf := float32(math.Inf(1))
	for name, want := range map[string]struct {
		shape  []int
		values []float32
	}{
		"scalar":             {[]int{}, []float32{-1.5}},
		"größe \"<&>\" \\ 頭": {[]int{1}, []float32{2}},
		"floats":             {[]int{5}, []float32{0.1, minusZero, inf, -inf, 1e-45}},
		"halves":             {[]int{5}, []float32{0x1.998p-4, minusZero, inf, -inf, 0x1p-24}},
	} {
		tensor, err := set.Tensor(name)
		require.NoError(t, err)
		require.Equal(t, want.shape, tensor.Shape)
		got, err := tensor.Float32s(nil)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%b", want.values), fmt.Sprintf("%b", got), name)
	}
	empty, err := set.Tensor("empty")
	require.NoError(t, err)
	require.Equal(t, []int{3, 0}, empty.Shape)
	require.Empty(t, empty.Data)
}

// The same tensors make the same file here as there, byte for byte.
func TestWritesWhatPythonWrites(t *testing.T) {
	want, err := os.ReadFile("testdata/python.safetensors")
	require.NoError(t, err)
	set, err := OpenBytes("python.safetensors", want)
	require.NoError(t, err)
	var got bytes.Buffer
	require.NoError(t, Encode(&got, setSources(t, set), set.Metadata()))
	require.Equal(t, want, got.Bytes())
}

func setSources(t testing.TB, set *Set) []Source {
	var s []Source
	for _, name := range set.Names() {
		tensor, err := set.Tensor(name)
		require.NoError(t, err)
		s = append(s, tensor.Source())
	}
	return s
}
