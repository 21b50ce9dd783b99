package weights

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// The files that these tests read were made with Python's gguf: see
// testdata/make_gguf.py.

func TestGGUFTypes(t *testing.T) {
	set, err := Open("testdata/types.gguf")
	require.NoError(t, err)
	defer set.Close()
	require.Equal(t, GGUF, set.Format())
	require.Empty(t, set.Metadata())
	want, err := Open("testdata/types.safetensors")
	require.NoError(t, err)
	defer want.Close()
	require.ElementsMatch(t, want.Names(), set.Names())
	for _, name := range want.Names() {
		t.Run(name, func(t *testing.T) {
			info, ok := set.Lookup(name)
			require.True(t, ok)
			if name != "cube" {
				require.Equal(t, name, info.DType.String())
			}
			expect, err := want.Tensor(name)
			require.NoError(t, err)
			require.Equal(t, expect.Shape, info.Shape)
			floats, err := expect.Float32s(nil)
			require.NoError(t, err)
			tensor, err := set.Tensor(name)
			require.NoError(t, err)
			got, err := tensor.Float32s(nil)
			require.NoError(t, err)
			sameBits(t, floats, got)

			// In parts, which begin and end inside blocks.
			for _, r := range [][2]int{{0, len(floats)}, {0, 1}, {1, 2}, {5, 5}, {5, len(floats)}, {31, 33}, {100, 301}, {len(floats) - 1, len(floats)}} {
				begin, end := min(r[0], len(floats)), min(r[1], len(floats))
				part := make([]float32, end-begin)
				require.NoError(t, set.ReadFloat32s(part, name, int64(begin)))
				sameBits(t, floats[begin:end], part)
			}
			require.ErrorIs(t, set.ReadFloat32s(make([]float32, 2), name, int64(len(floats)-1)), ErrRange)
		})
	}
}

func sameBits(t testing.TB, want, got []float32) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			t.Fatalf("element %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestGGUFMetadata(t *testing.T) {
	set, err := Open("testdata/types.gguf")
	require.NoError(t, err)
	defer set.Close()
	require.Equal(t, "general.architecture", set.Keys()[0])
	require.Contains(t, set.Keys(), "array.bools")
	for key, want := range map[string]any{
		"kind.uint8": int64(200), "kind.int8": int64(-100), "kind.uint16": int64(60000), "kind.int16": int64(-30000),
		"kind.uint32": int64(4000000000), "kind.int32": int64(-2000000000), "kind.int64": int64(-1 << 62),
		"kind.float32": float64(float32(0.1)), "kind.float64": 0.1, "kind.uint64": 0x1p63,
		"kind.bool": true, "kind.string": "größe \"頭\"", "general.architecture": "llama",
		"array.strings": []string{"", "a", "größe"}, "array.ints": []int64{1, -2, 3},
		"array.floats": []float64{0.5, -1.5}, "array.bools": []bool{true, false, true},
	} {
		v, ok := set.Value(key)
		require.True(t, ok, key)
		require.Equal(t, want, valueAs(v, want), key)
	}
	_, ok := set.Value("none")
	require.False(t, ok)

	v, _ := set.Value("kind.uint64")
	_, ok = v.Int()
	require.False(t, ok, "too large for an int64")
	require.Equal(t, "9223372036854775808", v.String())
	v, _ = set.Value("array.strings")
	require.Equal(t, `["", "a", "größe"]`, v.String())
	elem, ok := v.Elem()
	require.Equal(t, KindString, elem)
	require.True(t, ok)
	_, ok = v.Ints()
	require.False(t, ok)
	list, ok := v.Values()
	require.True(t, ok)
	require.Len(t, list, 3)
	text, ok := list[2].Text()
	require.True(t, ok)
	require.Equal(t, "größe", text)
}

// valueAs asks for what want is.
func valueAs(v Value, want any) (got any) {
	var ok bool
	switch want.(type) {
	case int64:
		got, ok = v.Int()
	case float64:
		got, ok = v.Float()
	case bool:
		got, ok = v.Bool()
	case string:
		got, ok = v.Text()
	case []string:
		got, ok = v.Strings()
	case []int64:
		got, ok = v.Ints()
	case []float64:
		got, ok = v.Floats()
	case []bool:
		got, ok = v.Bools()
	}
	if !ok {
		return fmt.Sprintf("%v is %v", v, v.Kind())
	}
	return got
}

func TestGGUFSplit(t *testing.T) {
	const first = "testdata/split-00001-of-00003.gguf"
	for _, part := range []int{0, 2} {
		path := "testdata/" + splitName("split", part, 3)
		set, err := Open(path)
		require.NoError(t, err)
		require.Equal(t, path, set.String())
		require.Equal(t, []string{"t0", "t1", "t2", "t3"}, set.Names())
		for i, name := range set.Names() {
			got := make([]float32, 5)
			require.NoError(t, set.ReadFloat32s(got, name, 0))
			require.Equal(t, float32(i), got[4])
		}
		arch, ok := set.Value("general.architecture")
		require.True(t, ok)
		require.Equal(t, "llama", arch.String())
		require.NoError(t, set.Close())
	}
	part := func(i int) []byte {
		data, err := os.ReadFile("testdata/" + splitName("split", i, 3))
		require.NoError(t, err)
		return data
	}
	fsys := fstest.MapFS{}
	for i := range 3 {
		fsys["m/"+splitName("x", i, 3)] = &fstest.MapFile{Data: part(i)}
	}
	set, err := OpenFS(fsys, "m")
	require.NoError(t, err)
	require.Equal(t, 4, set.Len())

	delete(fsys, "m/"+splitName("x", 1, 3))
	_, err = OpenFS(fsys, "m")
	require.ErrorIs(t, err, ErrShardMissing)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "x-00002-of-00003.gguf")

	fsys["m/"+splitName("x", 1, 3)] = &fstest.MapFile{Data: part(2)}
	_, err = OpenFS(fsys, "m")
	require.ErrorIs(t, err, ErrSplit)
	require.ErrorContains(t, err, "m/x-00002-of-00003.gguf")

	_, err = OpenBytes("alone.gguf", part(1))
	require.ErrorIs(t, err, ErrShardMissing)
	_, err = OpenFS(fstest.MapFS{splitName("x", 0, 1): {Data: part(0)}}, splitName("x", 0, 1))
	require.ErrorIs(t, err, ErrSplit)
}

func TestGGUFInFolder(t *testing.T) {
	data, err := os.ReadFile("testdata/quantize.gguf")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.gguf"), data, 0o666))
	set, err := Open(dir)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "a.gguf"), set.String())
	require.NoError(t, set.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.gguf"), data, 0o666))
	_, err = Open(dir)
	require.ErrorContains(t, err, `name one: "a.gguf", "b.gguf"`)
	require.ErrorContains(t, err, dir)
}

// What llama.cpp makes of numbers, block for block.
func TestAppendQuantizedEqualsGGML(t *testing.T) {
	set, err := Open("testdata/quantize.gguf")
	require.NoError(t, err)
	defer set.Close()
	source, err := set.Tensor("source")
	require.NoError(t, err)
	numbers, err := source.Float32s(nil)
	require.NoError(t, err)
	for _, d := range []DType{F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1} {
		want, err := set.Tensor(d.String())
		require.NoError(t, err)
		got, err := AppendQuantized([]byte{1, 2}, d, numbers)
		require.NoError(t, err)
		require.Equal(t, want.Data, got[2:], d)
	}
}
