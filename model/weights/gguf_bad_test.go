package weights

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

// gg builds a GGUF file from its parts: strings get their lengths, raw stands as it is.
type raw string

func gg(parts ...any) []byte {
	b := []byte(ggufMagic)
	for _, p := range parts {
		if r, ok := p.(raw); ok {
			b = append(b, r...)
			continue
		}
		b = appendScalar(b, p)
	}
	return b
}

// oneTensor is a file of one tensor x and 64 bytes of data.
func oneTensor(dims []uint64, number uint32, off uint64) []byte {
	parts := []any{uint32(3), uint64(1), uint64(0), "x", uint32(len(dims))}
	for _, d := range dims {
		parts = append(parts, d)
	}
	b := gg(append(parts, number, off)...)
	for len(b)%32 != 0 {
		b = append(b, 0)
	}
	return append(b, make([]byte, 64)...)
}

// oneKey is a file of one key k, and no tensors.
func oneKey(parts ...any) []byte {
	return gg(append([]any{uint32(3), uint64(0), uint64(1), "k"}, parts...)...)
}

func TestGGUFMalformed(t *testing.T) {
	nested := raw("")
	for range maxNesting + 1 {
		nested += raw(gg(uint32(KindArray), uint64(1))[4:])
	}
	for _, c := range []struct {
		name   string
		file   []byte
		reason error
		detail string
	}{
		{"version 1", gg(uint32(1), uint64(0), uint64(0)), ErrVersion, "1; 2 and 3 are read"},
		{"version 4", gg(uint32(4), uint64(0), uint64(0)), ErrVersion, "4; 2 and 3 are read"},
		{"big-endian", gg(raw("\x00\x00\x00\x03"), uint64(0), uint64(0)), ErrVersion, "big-endian"},
		{"another magic", []byte("GGUX\x03\x00\x00\x00"), ErrMagic, ""},
		{"empty", nil, ErrMagic, ""},
		{"nothing behind the magic", gg(), ErrHeaderBounds, "start"},
		{"too many tensors", gg(uint32(3), uint64(1<<40), uint64(0)), ErrLimit, "tensors"},
		{"too many keys", gg(uint32(3), uint64(0), uint64(math.MaxUint64)), ErrLimit, "keys"},
		{"tensors that are not there", gg(uint32(3), uint64(1<<18), uint64(0)), ErrHeaderBounds, "tensor 0"},
		{"keys that are not there", gg(uint32(3), uint64(0), uint64(5)), ErrHeaderBounds, "key"},
		{"key of 2^63 bytes", gg(uint32(3), uint64(0), uint64(1), uint64(1<<63)), ErrLimit, "name of"},
		{"key that is cut", gg(uint32(3), uint64(0), uint64(1), uint64(100), raw("abc")), ErrHeaderBounds, "100 bytes"},
		{"key in latin-1", gg(uint32(3), uint64(0), uint64(1), "gr\xf6\xdfe", uint32(0), uint8(1)), ErrUTF8, `gr\xf6`},
		{"key twice", gg(uint32(3), uint64(0), uint64(2), "k", uint32(0), uint8(1), "k", uint32(0), uint8(1)), ErrDuplicate, `"k"`},
		{"unknown kind", oneKey(uint32(13), uint64(0)), ErrKind, `key "k": 13`},
		{"bool of 2", oneKey(uint32(7), uint8(2)), ErrKind, "bool of 2"},
		{"bools of 2", oneKey(uint32(9), uint32(7), uint64(3), raw("\x00\x01\x02")), ErrKind, "bool of 2"},
		{"string that is cut", oneKey(uint32(8), uint64(1<<62)), ErrHeaderBounds, `key "k"`},
		{"array that is cut", oneKey(uint32(9), uint32(10), uint64(1<<20), uint64(1)), ErrHeaderBounds, "8388608 bytes"},
		{"array of 2^63", oneKey(uint32(9), uint32(10), uint64(1<<63), uint64(1)), ErrLimit, "array of 9223372036854775808"},
		{"strings that are cut", oneKey(uint32(9), uint32(8), uint64(3), "a", "b", uint64(7), raw("c")), ErrHeaderBounds, "7 bytes"},
		{"array of unknown kind", oneKey(uint32(9), uint32(99), uint64(1)), ErrKind, "99"},
		{"array in array of unknown kind", oneKey(uint32(9), uint32(9), uint64(1), uint32(99), uint64(1)), ErrKind, "99"},
		{"arrays too deep", oneKey(uint32(9), nested, raw("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")), ErrLimit, "deep"},
		{"alignment 0", gg(uint32(3), uint64(0), uint64(1), alignmentKey, uint32(4), uint32(0)), ErrAlignment, alignmentKey},
		{"alignment 24", gg(uint32(3), uint64(0), uint64(1), alignmentKey, uint32(4), uint32(24)), ErrAlignment, alignmentKey},
		{"alignment in another kind", gg(uint32(3), uint64(0), uint64(1), alignmentKey, uint32(10), uint64(32)), ErrAlignment, alignmentKey},
		{"name in latin-1", gg(uint32(3), uint64(1), uint64(0), "\xf6", uint32(0), uint32(0), uint64(0)), ErrUTF8, `\xf6`},
		{"name twice", append(gg(uint32(3), uint64(2), uint64(0), "x", uint32(0), uint32(0), uint64(0), "x", uint32(0), uint32(0), uint64(32)), make([]byte, 200)...), ErrDuplicate, ""},
		{"five dimensions", oneTensor([]uint64{1, 1, 1, 1, 1}, 0, 0), ErrLimit, "5 dimensions"},
		{"2^32-1 dimensions", gg(uint32(3), uint64(1), uint64(0), "x", uint32(math.MaxUint32)), ErrLimit, "dimensions"},
		{"dimension of 2^63", oneTensor([]uint64{1 << 63}, 0, 0), ErrOverflow, "dimension"},
		{"dimensions that overflow", oneTensor([]uint64{1 << 32, 1 << 32}, 0, 0), ErrOverflow, ""},
		{"bytes that overflow", oneTensor([]uint64{1 << 31, 1 << 30}, 28, 0), ErrOverflow, ""},
		{"rows that are no whole blocks", oneTensor([]uint64{16, 2}, 2, 0), ErrSize, "whole blocks of Q4_0, of 32"},
		{"a scalar in blocks", oneTensor(nil, 2, 0), ErrSize, "whole blocks"},
		{"unsupported type", oneTensor([]uint64{256}, 23, 0), ErrDType, "IQ4_XS; supported: F32"},
		{"unknown type", oneTensor([]uint64{256}, 4711, 0), ErrDType, "number 4711; supported: F32"},
		{"offset of 2^63", oneTensor([]uint64{4}, 0, 1<<63), ErrOverflow, "offset"},
		{"offset behind the end", oneTensor([]uint64{4}, 0, 1<<40), ErrTruncated, "of 64"},
		{"data behind the end", oneTensor([]uint64{17}, 0, 0), ErrTruncated, "needs 68 bytes from byte 0 on, of 64"},
		{"huge tensor", oneTensor([]uint64{1 << 30}, 0, 0), ErrTruncated, "4294967296"},
		{"offset askew", oneTensor([]uint64{4}, 0, 16), ErrAlignment, "no multiple of 32"},
		{"overlap", append(gg(uint32(3), uint64(2), uint64(0), "x", uint32(1), uint64(16), uint32(0), uint64(0), "y", uint32(1), uint64(4), uint32(0), uint64(32)), make([]byte, 200)...), ErrOverlap, "inside"},
		{"split of 0", gg(uint32(3), uint64(0), uint64(2), splitNumberKey, uint32(2), uint16(0), splitCountKey, uint32(2), uint16(0)), ErrSplit, splitCountKey},
		{"split 3 of 2", gg(uint32(3), uint64(0), uint64(2), splitNumberKey, uint32(2), uint16(3), splitCountKey, uint32(2), uint16(2)), ErrSplit, splitCountKey},
		{"split of a million", gg(uint32(3), uint64(0), uint64(2), splitNumberKey, uint32(4), uint32(3), splitCountKey, uint32(4), uint32(1e6)), ErrLimit, "parts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := OpenBytes("a.gguf", c.file)
			require.Nil(t, set)
			require.ErrorIs(t, err, ErrFormat)
			require.ErrorIs(t, err, c.reason)
			require.ErrorContains(t, err, "weights: a.gguf: ")
			require.ErrorContains(t, err, c.detail)
			_, errFS := OpenFS(fstest.MapFS{"a.gguf": {Data: c.file}}, "a.gguf")
			require.EqualError(t, errFS, err.Error())
		})
	}
}

func TestGGUFUnusualButValid(t *testing.T) {
	two := append(gg(uint32(3), uint64(2), uint64(0), "x", uint32(1), uint64(4), uint32(0), uint64(64), "y", uint32(1), uint64(4), uint32(0), uint64(0)), make([]byte, 200)...)
	for _, c := range []struct {
		name  string
		file  []byte
		names []string
	}{
		{"nothing", gg(uint32(3), uint64(0), uint64(0)), []string{}},
		{"version 2", append(gg(uint32(2), uint64(1), uint64(0), "x", uint32(0), uint32(0), uint64(0)), make([]byte, 32)...), []string{"x"}},
		{"not in the order of offsets, and a hole", two, []string{"y", "x"}},
		{"an empty tensor and no padding", gg(uint32(3), uint64(1), uint64(0), "x", uint32(1), uint64(0), uint32(0), uint64(64)), []string{"x"}},
		{"alignment of 1", gg(uint32(3), uint64(1), uint64(1), alignmentKey, uint32(4), uint32(1), "x", uint32(0), uint32(24), uint64(1), raw("ab")), []string{"x"}},
		{"one part", gg(uint32(3), uint64(0), uint64(2), splitNumberKey, uint32(2), uint16(0), splitCountKey, uint32(2), uint16(1)), []string{}},
		{"arrays in arrays", oneKey(uint32(9), uint32(9), uint64(2), uint32(8), uint64(1), "a", uint32(8), uint64(0)), []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := OpenBytes("a", c.file)
			require.NoError(t, err)
			require.Equal(t, c.names, set.Names())
			for _, name := range set.Names() {
				_, err := set.Tensor(name)
				require.NoError(t, err)
			}
		})
	}
	set, err := OpenBytes("a", oneKey(uint32(9), uint32(9), uint64(2), uint32(8), uint64(1), "a", uint32(8), uint64(0)))
	require.NoError(t, err)
	v, _ := set.Value("k")
	require.Equal(t, `[["a"], []]`, v.String())
}

// A file that ends too early is refused wherever it ends.
func TestGGUFTruncated(t *testing.T) {
	for _, name := range []string{"testdata/split-00002-of-00003.gguf", "small"} {
		var whole []byte
		var err error
		if name == "small" {
			whole = smallGGUF(t)
		} else if whole, err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
		end := len(whole)
		for whole[end-1] == 0 {
			end-- // padding, and zeros of the last number
		}
		for n := range end {
			_, err := OpenBytes("a", whole[:n])
			require.ErrorIs(t, err, ErrFormat, n)
			_, err = OpenFS(fstest.MapFS{"a": {Data: whole[:n]}}, "a")
			require.ErrorIs(t, err, ErrFormat, n)
		}
	}
}

// smallGGUF has a value of every kind, and tensors.
func smallGGUF(t testing.TB) []byte {
	var b bytes.Buffer
	require.NoError(t, EncodeGGUF(&b, []Source{
		Of("a", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}).Source(),
		Tensor{Name: "b", DType: Q4_0, Shape: []int{32}, Data: bytes.Repeat([]byte{1}, 18)}.Source(),
		Of("ß", []int{1}, []int8{-1}).Source(),
	}, []Entry{
		{"general.architecture", ValueOf("llama")}, {"u8", ValueOf(uint8(1))}, {"i8", ValueOf(int8(-1))}, {"u16", ValueOf(uint16(1))},
		{"i16", ValueOf(int16(-1))}, {"u32", ValueOf(uint32(1))}, {"i32", ValueOf(int32(-1))}, {"f32", ValueOf(float32(0.5))},
		{"bool", ValueOf(true)}, {"u64", ValueOf(uint64(1))}, {"i64", ValueOf(int64(-1))}, {"f64", ValueOf(0.5)},
		{"strings", ValuesOf([]string{"", "x"})}, {"bools", ValuesOf([]bool{true, false})}, {"ints", ValuesOf([]int32{1, -1})},
	}))
	return b.Bytes()
}

func TestGGUFClaimsCostNothing(t *testing.T) {
	for name, file := range map[string][]byte{
		"string": oneKey(uint32(8), uint64(90_000_000)),
		"array":  oneKey(uint32(9), uint32(10), uint64(10_000_000)),
		"tensor": oneTensor([]uint64{1 << 40}, 0, 0),
		"counts": gg(uint32(3), uint64(maxTensors), uint64(maxKeys)),
	} {
		t.Run(name, func(t *testing.T) {
			n := allocated(func() {
				_, err := OpenFS(fstest.MapFS{"a": {Data: file}}, "a")
				require.ErrorIs(t, err, ErrFormat)
			})
			require.Less(t, n, uint64(1<<20))
		})
	}
}

// A header may be large, but not without bound, whatever the file's size.
func TestGGUFHeaderLimit(t *testing.T) {
	begin := time.Now()
	n := allocated(func() {
		_, err := OpenFS(hugeFS{oneKey(uint32(8), uint64(1<<40))}, "a")
		require.ErrorIs(t, err, ErrHeaderLength)
	})
	require.Less(t, n, uint64(1<<20))
	require.Less(t, time.Since(begin), 10*time.Second)
}

// hugeFS has one file of 2^50 bytes, zeros after the first few.
type hugeFS struct{ start []byte }

func (h hugeFS) Open(string) (fs.File, error)     { return hugeFile{nil, h.start}, nil }
func (h hugeFS) Stat(string) (fs.FileInfo, error) { return hugeInfo{}, nil }

type hugeFile struct {
	fs.File
	start []byte
}

func (h hugeFile) Stat() (fs.FileInfo, error) { return hugeInfo{}, nil }
func (h hugeFile) Close() error               { return nil }
func (h hugeFile) ReadAt(dst []byte, off int64) (int, error) {
	clear(dst)
	if off < int64(len(h.start)) {
		copy(dst, h.start[off:])
	}
	return len(dst), nil
}

type hugeInfo struct{ fs.FileInfo }

func (hugeInfo) Mode() fs.FileMode { return 0 }
func (hugeInfo) Size() int64       { return 1 << 50 }
func (hugeInfo) IsDir() bool       { return false }

func TestWriteGGUF(t *testing.T) {
	file := smallGGUF(t)
	set, err := OpenBytes("a", file)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "ß"}, set.Names())
	var sources []Source
	for _, name := range set.Names() {
		tensor, err := set.Tensor(name)
		require.NoError(t, err)
		sources = append(sources, tensor.Source())
	}
	var entries []Entry
	for _, key := range set.Keys() {
		v, ok := set.Value(key)
		require.True(t, ok)
		entries = append(entries, Entry{key, v})
	}
	path := t.TempDir() + "/b.gguf"
	require.NoError(t, WriteGGUF(path, sources, entries))
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, file, again)

	wide := append([]Entry{{alignmentKey, ValueOf(uint32(256))}}, entries...)
	require.NoError(t, WriteGGUF(path, sources, wide))
	set, err = Open(path)
	require.NoError(t, err)
	defer set.Close()
	got := make([]float32, 6)
	require.NoError(t, set.ReadFloat32s(got, "a", 0))
	require.Equal(t, []float32{1, 2, 3, 4, 5, 6}, got)
}

func TestWriteGGUFRefuses(t *testing.T) {
	x := Of("x", []int{1}, []float32{1})
	in := func(change func(*Tensor)) []Source {
		y := x
		change(&y)
		return []Source{y.Source()}
	}
	for name, c := range map[string]struct {
		sources []Source
		entries []Entry
		reason  error
	}{
		"twice":         {[]Source{x.Source(), x.Source()}, nil, ErrDuplicate},
		"key twice":     {nil, []Entry{{"a", ValueOf(1.0)}, {"a", ValueOf(1.0)}}, ErrDuplicate},
		"latin-1":       {in(func(t *Tensor) { t.Name = "\xf6" }), nil, ErrUTF8},
		"key latin-1":   {nil, []Entry{{"\xf6", ValueOf(1.0)}}, ErrUTF8},
		"long key":      {nil, []Entry{{strings.Repeat("k", maxName+1), ValueOf(1.0)}}, ErrLimit},
		"five dims":     {in(func(t *Tensor) { t.Shape = []int{1, 1, 1, 1, 1} }), nil, ErrLimit},
		"dtype":         {in(func(t *Tensor) { t.DType = U16 }), nil, ErrDType},
		"half a block":  {in(func(t *Tensor) { t.DType, t.Shape = Q4_0, []int{16} }), nil, ErrSize},
		"missing bytes": {in(func(t *Tensor) { t.Shape = []int{2} }), nil, ErrSize},
		"alignment":     {nil, []Entry{{alignmentKey, ValueOf(uint32(3))}}, ErrAlignment},
		"safetensors":   {nil, nil, nil},
	} {
		path := t.TempDir() + "/a.gguf"
		if c.reason == nil {
			err := WriteSources(path, in(func(t *Tensor) { t.DType, t.Shape = Q4_0, []int{32} }), nil)
			require.ErrorIs(t, err, ErrDType)
			continue
		}
		err := WriteGGUF(path, c.sources, c.entries)
		require.ErrorIs(t, err, c.reason, name)
		require.ErrorContains(t, err, path)
		require.NoFileExists(t, path)
	}
}

func FuzzGGUF(f *testing.F) {
	f.Add(smallGGUF(f))
	for _, name := range []string{"split-00001-of-00003.gguf", "split-00002-of-00003.gguf"} {
		data, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add(oneTensor([]uint64{256}, 14, 0))
	f.Add(oneKey(uint32(9), uint32(9), uint64(2), uint32(8), uint64(1), "a", uint32(8), uint64(0)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !bytes.HasPrefix(data, []byte(ggufMagic)) {
			return // FuzzOpen's
		}
		set, err := OpenBytes("fuzz", data)
		fromFS, errFS := OpenFS(fstest.MapFS{"fuzz": {Data: data}}, "fuzz")
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			require.EqualError(t, errFS, err.Error())
			return
		}
		require.NoError(t, errFS)
		require.Equal(t, set.Names(), fromFS.Names())
		require.Equal(t, GGUF, set.Format())
		var entries []Entry
		for _, key := range set.Keys() {
			v, ok := set.Value(key)
			require.True(t, ok)
			other, _ := fromFS.Value(key)
			require.Equal(t, v.String(), other.String())
			if list, ok := v.Values(); ok {
				require.Len(t, list, v.Len())
			}
			if list, ok := v.Strings(); ok {
				require.Len(t, list, v.Len())
			}
			entries = append(entries, Entry{key, v})
		}
		var sources []Source
		for _, name := range set.Names() {
			tensor, err := set.Tensor(name)
			require.NoError(t, err)
			other, err := fromFS.Tensor(name)
			require.NoError(t, err)
			require.Equal(t, tensor.Data, other.Data)
			if floats, err := tensor.Float32s(nil); err == nil {
				require.Len(t, floats, tensor.Elements())
			}
			sources = append(sources, tensor.Source())
		}
		// Written and read again it is the same.
		var b bytes.Buffer
		require.NoError(t, EncodeGGUF(&b, sources, entries))
		again, err := OpenBytes("again", b.Bytes())
		require.NoError(t, err)
		require.Equal(t, set.Keys(), again.Keys())
		require.ElementsMatch(t, set.Names(), again.Names())
		require.EqualValues(t, 3, binary.LittleEndian.Uint32(b.Bytes()[4:]))
	})
}
