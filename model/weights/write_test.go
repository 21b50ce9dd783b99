package weights

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteAndOpen(t *testing.T) {
	tensors, file := sample(t)
	path := filepath.Join(t.TempDir(), "x.safetensors")
	require.NoError(t, Write(path, tensors, map[string]string{"format": "pt"}))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, file, got)
	set, err := Open(path)
	require.NoError(t, err)
	defer set.Close()
	requireTensors(t, set, tensors)

	// The order of the tensors makes no difference.
	slices.Reverse(tensors)
	require.NoError(t, Write(path, tensors, map[string]string{"format": "pt"}))
	got, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, file, got)
}

func TestWriteNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	require.NoError(t, Write(path, nil, nil))
	set, err := Open(path)
	require.NoError(t, err)
	defer set.Close()
	require.Empty(t, set.Names())
	require.Empty(t, set.Metadata())
}

func TestWriteMetadata(t *testing.T) {
	want := map[string]string{"z": "", "a\"\\\n": "<&>\u2028\x7f", "": "頭"}
	var first bytes.Buffer
	require.NoError(t, Encode(&first, nil, want))
	require.Zero(t, first.Len()%8)
	for range 10 {
		var again bytes.Buffer
		require.NoError(t, Encode(&again, nil, want))
		require.Equal(t, first.Bytes(), again.Bytes())
	}
	set, err := OpenBytes("x", first.Bytes())
	require.NoError(t, err)
	require.Equal(t, want, set.Metadata())
	set.Metadata()["z"] = "changed"
	require.Equal(t, want, set.Metadata())
}

func TestWriteRefuses(t *testing.T) {
	good := Of("x", []int{2}, []uint8{1, 2})
	with := func(change func(*Tensor)) []Tensor {
		bad := good
		change(&bad)
		return []Tensor{bad}
	}
	for _, c := range []struct {
		name     string
		tensors  []Tensor
		metadata map[string]string
		want     error
	}{
		{"duplicate", []Tensor{good, good}, nil, ErrDuplicate},
		{"duplicate of another type", []Tensor{good, Of("x", []int{1}, []int64{1})}, nil, ErrDuplicate},
		{"reserved name", with(func(t *Tensor) { t.Name = metadataKey }), nil, ErrDuplicate},
		{"name not UTF-8", with(func(t *Tensor) { t.Name = "\xff" }), nil, ErrUTF8},
		{"metadata key not UTF-8", nil, map[string]string{"\xff": ""}, ErrUTF8},
		{"metadata not UTF-8", nil, map[string]string{"a": "\xff"}, ErrUTF8},
		{"no dtype", with(func(t *Tensor) { t.DType = 0 }), nil, ErrDType},
		{"unknown dtype", with(func(t *Tensor) { t.DType = 200 }), nil, ErrDType},
		{"negative dimension", with(func(t *Tensor) { t.Shape = []int{-1, -2} }), nil, ErrNumber},
		{"overflow", with(func(t *Tensor) { t.Shape = []int{math.MaxInt32, math.MaxInt32, 4} }), nil, ErrOverflow},
		{"overflow together", []Tensor{
			{Name: "a", DType: U8, Shape: []int{1 << 30, 1 << 30, 7}},
			{Name: "b", DType: U8, Shape: []int{1 << 30, 1 << 30, 7}},
		}, nil, ErrOverflow},
		{"too little data", with(func(t *Tensor) { t.Data = t.Data[:1] }), nil, ErrSize},
		{"too much data", with(func(t *Tensor) { t.Shape = []int{1} }), nil, ErrSize},
		{"half a byte", with(func(t *Tensor) { t.DType = F4; t.Shape = []int{3} }), nil, ErrSize},
		{"rank", with(func(t *Tensor) { t.Shape = make([]int, maxRank+1) }), nil, ErrLimit},
		{"too many tensors", make([]Tensor, maxTensors+1), nil, ErrLimit},
		{"header over the limit", nil, map[string]string{"a": strings.Repeat("a", maxHeader)}, ErrHeaderLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x.safetensors")
			require.NoError(t, os.WriteFile(path, []byte("before"), 0o666))
			err := Write(path, c.tensors, c.metadata)
			require.ErrorIs(t, err, c.want)
			require.ErrorIs(t, err, ErrFormat)
			require.True(t, strings.HasPrefix(err.Error(), "weights: "+path+": "), err)
			require.Equal(t, 1, strings.Count(err.Error(), "weights:"))
			requireUntouched(t, path)
		})
	}
}

// requireUntouched checks that a failed write left path and its folder alone.
func requireUntouched(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "before", string(text))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestWriteFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	require.NoError(t, os.WriteFile(path, []byte("before"), 0o666))
	broken := errors.New("broken")
	source := Source{Name: "x", DType: U8, Shape: []int{1 << 20}}

	source.Write = func(w io.Writer) error {
		_, err := w.Write(make([]byte, 1<<19))
		require.NoError(t, err)
		return broken
	}
	err := WriteSources(path, []Source{source}, nil)
	require.ErrorIs(t, err, broken)
	require.EqualError(t, err, "weights: "+path+`: tensor "x": broken`)
	require.EqualError(t, Encode(io.Discard, []Source{source}, nil), `weights: tensor "x": broken`)
	requireUntouched(t, path)

	source.Write = func(io.Writer) error { panic("broken") }
	require.Panics(t, func() { _ = WriteSources(path, []Source{source}, nil) })
	requireUntouched(t, path)
}

func TestWriteInPieces(t *testing.T) {
	source := Source{"x", U8, []int{10}, func(w io.Writer) error {
		for i := range byte(10) {
			if _, err := w.Write([]byte{i}); err != nil {
				return err
			}
		}
		return nil
	}}
	var b bytes.Buffer
	require.NoError(t, Encode(&b, []Source{source}, nil))
	set, err := OpenBytes("x", b.Bytes())
	require.NoError(t, err)
	got, err := set.Tensor("x")
	require.NoError(t, err)
	require.Equal(t, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, got.Data)
}

// full is a disk that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestEncodeToFailingWriter(t *testing.T) {
	tensors, _ := sample(t)
	require.ErrorIs(t, Encode(full{}, sources(tensors), nil), io.ErrShortWrite)
	big := Of("big", []int{1 << 20}, make([]uint8, 1<<20))
	require.ErrorIs(t, Encode(full{}, []Source{big.Source()}, nil), io.ErrShortWrite)
}

func TestWritePlaces(t *testing.T) {
	tensors, file := sample(t)
	dir := t.TempDir()
	require.ErrorContains(t, Write(dir, tensors, nil), dir+": is a directory")
	missing := filepath.Join(dir, "none", "x")
	require.ErrorIs(t, Write(missing, tensors, nil), os.ErrNotExist)
	require.ErrorIs(t, Write("", tensors, nil), os.ErrNotExist)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	long := filepath.Join(dir, strings.Repeat("n", 250))
	require.NoError(t, Write(long, tensors, nil), "the temporary name must not be longer")

	if runtime.GOOS == "windows" {
		return
	}
	require.NoError(t, Write(os.DevNull, tensors, nil))
	info, err := os.Stat(os.DevNull)
	require.NoError(t, err)
	require.False(t, info.Mode().IsRegular(), "a device must stay one")

	// The file gets the permissions that any new file gets.
	path := filepath.Join(dir, "x")
	require.NoError(t, Write(path, tensors, map[string]string{"format": "pt"}))
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, file, 0o666))
	wantInfo, err := os.Stat(plain)
	require.NoError(t, err)
	gotInfo, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, wantInfo.Mode(), gotInfo.Mode())
	require.Equal(t, wantInfo.Size(), gotInfo.Size())
}
