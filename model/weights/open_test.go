package weights

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// sample is tensors of several types and their file.
func sample(t testing.TB) ([]Tensor, []byte) {
	tensors := []Tensor{
		Of("a.weight", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}),
		Of("b.ids", []int{3}, []int64{-1, 0, 1 << 40}),
		Of("c.bytes", []int{1}, []uint8{7}),
		{Name: "d.half", DType: F16, Shape: []int{2}, Data: []byte{0, 0x3c, 0, 0xc0}},
		Of("e.empty", []int{0, 4}, []float64{}),
	}
	var file bytes.Buffer
	require.NoError(t, Encode(&file, sources(tensors), map[string]string{"format": "pt"}))
	return tensors, file.Bytes()
}

func sources(tensors []Tensor) []Source {
	var s []Source
	for _, t := range tensors {
		s = append(s, t.Source())
	}
	return s
}

// requireTensors checks that set holds exactly tensors, however they are read.
func requireTensors(t testing.TB, set *Set, tensors []Tensor) {
	require.Equal(t, len(tensors), set.Len())
	for _, want := range tensors {
		info, ok := set.Lookup(want.Name)
		require.True(t, ok)
		require.Equal(t, want.Name, info.Name)
		require.Equal(t, want.DType, info.DType)
		require.Equal(t, want.Shape, info.Shape)
		require.EqualValues(t, len(want.Data), info.Size)
		require.EqualValues(t, want.Elements(), info.Elements())

		got, err := set.Tensor(want.Name)
		require.NoError(t, err)
		require.Equal(t, want, got)
		if view, ok := set.View(want.Name); ok {
			require.Equal(t, want, view)
		}

		data := make([]byte, len(want.Data))
		require.NoError(t, set.ReadBytes(data, want.Name, 0))
		require.Equal(t, want.Data, data)
		if n := len(data); n > 2 {
			require.NoError(t, set.ReadBytes(data[1:n-1], want.Name, 1))
			require.Equal(t, want.Data, data)
		}

		floats, err := want.Float32s(nil)
		if err != nil {
			require.ErrorIs(t, set.ReadFloat32s(nil, want.Name, 0), ErrConvert)
			continue
		}
		read := make([]float32, len(floats))
		for i := range read {
			require.NoError(t, set.ReadFloat32s(read[i:i+1], want.Name, int64(i)))
		}
		require.Equal(t, floats, append([]float32(nil), read...))
		require.NoError(t, set.ReadFloat32s(read, want.Name, 0))
		require.Equal(t, floats, append([]float32(nil), read...))
	}
}

func TestOpen(t *testing.T) {
	tensors, file := sample(t)
	dir := t.TempDir()
	other := filepath.Join(dir, "other.bin")
	require.NoError(t, os.WriteFile(filepath.Join(dir, singleFile), file, 0o666))
	require.NoError(t, os.WriteFile(other, file, 0o666))
	for _, path := range []string{dir, dir + "/", filepath.Join(dir, singleFile), other} {
		set, err := Open(path)
		require.NoError(t, err)
		requireTensors(t, set, tensors)
		require.Equal(t, map[string]string{"format": "pt"}, set.Metadata())
		_, view := set.View("a.weight")
		require.False(t, view, "a file is not in memory")
		require.NoError(t, set.Close())
	}
	set, err := Open(other)
	require.NoError(t, err)
	defer set.Close()
	require.Equal(t, other, set.String())
	info, _ := set.Lookup("a.weight")
	require.Equal(t, other, info.File)
}

// A snapshot folder of Hugging Face's cache is made of symbolic links.
func TestOpenFollowsSymbolicLinks(t *testing.T) {
	tensors, file := sample(t)
	blobs, snapshot := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(blobs, "6fd5d72f"), file, 0o666))
	if err := os.Symlink(filepath.Join(blobs, "6fd5d72f"), filepath.Join(snapshot, singleFile)); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	set, err := Open(snapshot)
	require.NoError(t, err)
	defer set.Close()
	requireTensors(t, set, tensors)
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, path string
		message    string
	}{
		{"nothing there", filepath.Join(dir, "none"), filepath.Join(dir, "none") + ": "},
		{"empty folder", dir, dir + ": neither model.safetensors nor model.safetensors.index.json nor a .gguf file: file does not exist"},
		{"empty path", "", "weights: : "},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := Open(c.path)
			require.Nil(t, set)
			require.ErrorIs(t, err, fs.ErrNotExist)
			require.NotErrorIs(t, err, ErrFormat)
			require.Contains(t, err.Error(), c.message)
		})
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, singleFile), 0o777))
	_, err := Open(dir)
	require.EqualError(t, err, "weights: "+dir+"/model.safetensors: not a regular file")

	bad := filepath.Join(dir, "bad.safetensors")
	require.NoError(t, os.WriteFile(bad, []byte("1234"), 0o666))
	_, err = Open(bad)
	require.ErrorIs(t, err, ErrShort)
	require.Contains(t, err.Error(), bad)
}

// reader, seeker and memory are files that can do only what their name says.
type reader struct{ fs.File }

type seeker struct {
	fs.File
	io.Seeker
}

type memory struct {
	fs.File
	data []byte
}

func (m memory) Bytes() []byte { return m.data }

// wrapFS opens files through wrap.
type wrapFS struct {
	fs.FS
	wrap func(fs.File) fs.File
}

func (w wrapFS) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	if info, _ := fs.Stat(w.FS, name); err != nil || info.IsDir() {
		return f, err
	}
	return w.wrap(f), nil
}

// files are ways in which a file system may let a file be read.
func files(data []byte) map[string]func(fs.File) fs.File {
	return map[string]func(fs.File) fs.File{
		"at":     func(f fs.File) fs.File { return f },
		"whole":  func(f fs.File) fs.File { return reader{f} },
		"seek":   func(f fs.File) fs.File { return seeker{f, f.(io.Seeker)} },
		"memory": func(f fs.File) fs.File { return memory{f, data} },
	}
}

func TestOpenFS(t *testing.T) {
	tensors, file := sample(t)
	for name, wrap := range files(file) {
		t.Run(name, func(t *testing.T) {
			fsys := wrapFS{fstest.MapFS{"m/model.safetensors": {Data: file}}, wrap}
			for _, path := range []string{"m", "m/", "./m", "m/model.safetensors"} {
				set, err := OpenFS(fsys, path)
				require.NoError(t, err)
				requireTensors(t, set, tensors)
				_, view := set.View("a.weight")
				require.Equal(t, name == "whole" || name == "memory", view)
				require.NoError(t, set.Close())
			}
			sub, err := fs.Sub(fsys, "m")
			require.NoError(t, err)
			for _, path := range []string{".", ""} {
				set, err := OpenFS(sub, path)
				require.NoError(t, err)
				requireTensors(t, set, tensors)
			}
			_, err = OpenFS(fsys, "../m")
			require.Error(t, err)
		})
		t.Run(name+"/empty", func(t *testing.T) {
			fsys := wrapFS{fstest.MapFS{"x": {Data: []byte{}}}, files(nil)[name]}
			_, err := OpenFS(fsys, "x")
			require.ErrorIs(t, err, ErrShort)
		})
	}
}

func TestOpenBytesIsInPlace(t *testing.T) {
	tensors, file := sample(t)
	set, err := OpenBytes("embedded", file)
	require.NoError(t, err)
	requireTensors(t, set, tensors)
	view, ok := set.View("a.weight")
	require.True(t, ok)
	got, err := set.Tensor("a.weight")
	require.NoError(t, err)
	require.Same(t, &view.Data[0], &got.Data[0])
	require.Equal(t, len(view.Data), cap(view.Data), "append must not write into the next tensor")
	at := bytes.Index(file, view.Data)
	require.Same(t, &file[at], &view.Data[0])
	require.NoError(t, set.Close())
	require.Equal(t, tensors[0].Data, view.Data, "a view outlives the set")
	_, ok = set.View("a.weight")
	require.False(t, ok)
}

func TestRequests(t *testing.T) {
	_, file := sample(t)
	fsys := fstest.MapFS{"x.safetensors": {Data: file}}
	set, err := OpenFS(fsys, "x.safetensors")
	require.NoError(t, err)

	_, ok := set.Lookup("none")
	require.False(t, ok)
	_, ok = set.View("none")
	require.False(t, ok)
	_, err = set.Tensor("none")
	require.ErrorIs(t, err, ErrNotFound)
	require.EqualError(t, err, `weights: x.safetensors: tensor "none": no such tensor`)
	require.ErrorIs(t, set.ReadBytes(nil, "none", 0), ErrNotFound)
	require.ErrorIs(t, set.ReadFloat32s(nil, "none", 0), ErrNotFound)

	err = set.ReadFloat32s(make([]float32, 1), "b.ids", 0)
	require.ErrorIs(t, err, ErrConvert)
	require.EqualError(t, err, `weights: x.safetensors: tensor "b.ids": I64 to float32: cannot convert`)

	for _, c := range []struct {
		off int64
		n   int
		ok  bool
	}{
		{0, 6, true}, {6, 0, true}, {5, 1, true}, {0, 0, true},
		{0, 7, false}, {6, 1, false}, {7, 0, false}, {-1, 1, false}, {-1, 0, false},
		{1<<63 - 1, 1, false}, {-1 << 63, 1, false},
	} {
		err := set.ReadFloat32s(make([]float32, c.n), "a.weight", c.off)
		require.Equal(t, c.ok, err == nil, "%d from %d: %v", c.n, c.off, err)
		require.True(t, c.ok || strings.Contains(err.Error(), `tensor "a.weight": elements`))
		if !c.ok {
			require.ErrorIs(t, err, ErrRange)
		}
	}
	for _, c := range []struct {
		off int64
		n   int
		ok  bool
	}{{0, 24, true}, {24, 0, true}, {23, 1, true}, {0, 25, false}, {24, 1, false}, {-1, 1, false}, {1<<63 - 1, 1, false}} {
		err := set.ReadBytes(make([]byte, c.n), "a.weight", c.off)
		require.Equal(t, c.ok, err == nil, "%d from %d: %v", c.n, c.off, err)
		if !c.ok {
			require.ErrorIs(t, err, ErrRange)
		}
	}

	require.NoError(t, set.Close())
	require.NoError(t, set.Close())
	_, err = set.Tensor("a.weight")
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, set.ReadBytes(nil, "a.weight", 0), ErrClosed)
	require.ErrorIs(t, set.ReadFloat32s(nil, "a.weight", 0), ErrClosed)
}

// A file that somebody cuts after it was opened gives an error, not a SIGBUS.
func TestFileCutWhileOpen(t *testing.T) {
	tensors, file := sample(t)
	path := filepath.Join(t.TempDir(), "x.safetensors")
	require.NoError(t, os.WriteFile(path, file, 0o666))
	set, err := Open(path)
	require.NoError(t, err)
	defer set.Close()
	require.NoError(t, os.Truncate(path, 100))
	for _, want := range tensors[:4] {
		_, err := set.Tensor(want.Name)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Contains(t, err.Error(), path)
		require.Contains(t, err.Error(), want.Name)
		require.ErrorIs(t, set.ReadBytes(make([]byte, 1), want.Name, 0), io.ErrUnexpectedEOF)
	}
	require.ErrorIs(t, set.ReadFloat32s(make([]float32, 6), "a.weight", 0), io.ErrUnexpectedEOF)
	require.ErrorIs(t, set.ReadFloat32s(make([]float32, 2), "d.half", 0), io.ErrUnexpectedEOF)
}

func TestConcurrentReads(t *testing.T) {
	tensors, file := sample(t)
	for name, wrap := range files(file) {
		t.Run(name, func(t *testing.T) {
			set, err := OpenFS(wrapFS{fstest.MapFS{"x": {Data: file}}, wrap}, "x")
			require.NoError(t, err)
			done := make(chan []float32)
			const goroutines = 8
			for range goroutines {
				go func() {
					got := make([]float32, 2)
					for range 100 {
						clear(got)
						if set.ReadFloat32s(got, "d.half", 0) != nil {
							break
						}
					}
					done <- got
				}()
			}
			want, err := tensors[3].Float32s(nil)
			require.NoError(t, err)
			for range goroutines {
				require.Equal(t, want, <-done)
			}
		})
	}
}
