package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// The files that a checkpoint's folder holds: the tensors, or an index of the
// files that hold them.
const (
	singleFile  = "model.safetensors"
	indexSuffix = ".index.json"
)

// Open opens a safetensors or GGUF file, the index of a sharded checkpoint, a
// part of a split GGUF file, whose others must be beside it, or a folder that
// holds model.safetensors or, failing that, model.safetensors.index.json or one
// GGUF file. The caller must Close the Set.
//
// The error is a [*FormatError] when a file is malformed; it matches
// fs.ErrNotExist when one is missing.
func Open(path string) (*Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, ioError(path, err)
	}
	if info.IsDir() {
		return open(os.DirFS(path), ".", path)
	}
	return open(os.DirFS(filepath.Dir(path)), filepath.Base(path), path)
}

// OpenFS is Open for a file or folder of fsys. Files are read at offsets when
// they are io.ReaderAt or io.Seeker, else whole. Those that have a method
// Bytes() []byte, which returns their content, are viewed in place.
func OpenFS(fsys fs.FS, name string) (*Set, error) {
	name = path.Clean(name)
	return open(fsys, name, name)
}

// OpenBytes opens the content of a safetensors or GGUF file, which it uses in place:
// data must not be modified afterwards. The name is for messages.
func OpenBytes(name string, data []byte) (*Set, error) {
	f := &file{name: name}
	f.setData(data)
	return openSingle(f)
}

// A folder is where a checkpoint's files are.
type folder struct {
	fsys fs.FS
	dir  string // in fsys
	name string // for messages
}

// shown returns what messages call a file of the folder.
func (d folder) shown(file string) string { return path.Join(d.name, file) }

func (d folder) open(file string) (*file, error) {
	return openFile(d.fsys, path.Join(d.dir, file), d.shown(file))
}

// has reports whether the folder has such a file.
func (d folder) has(file string) (bool, error) {
	_, err := fs.Stat(d.fsys, path.Join(d.dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, ioError(d.shown(file), err)
	}
	return true, nil
}

// open opens name in fsys, which messages call shown.
func open(fsys fs.FS, name, shown string) (*Set, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, ioError(shown, err)
	}
	if info.IsDir() {
		return openFolder(folder{fsys, name, shown})
	}
	if strings.HasSuffix(name, indexSuffix) {
		d := folder{fsys, path.Dir(name), filepath.Dir(shown)}
		return d.openShards(path.Base(name))
	}
	if split, ok := parseSplitName(path.Base(name)); ok {
		return folder{fsys, path.Dir(name), filepath.Dir(shown)}.openSplit(split, shown)
	}
	f, err := openFile(fsys, name, shown)
	if err != nil {
		return nil, err
	}
	return openSingle(f)
}

func openFolder(d folder) (*Set, error) {
	single, err := d.has(singleFile)
	if err != nil {
		return nil, err
	}
	if single {
		f, err := d.open(singleFile)
		if err != nil {
			return nil, err
		}
		return openSingle(f)
	}
	index, err := d.has(singleFile + indexSuffix)
	if err != nil {
		return nil, err
	}
	if index {
		return d.openShards(singleFile + indexSuffix)
	}
	name, err := d.findGGUF()
	if err != nil {
		return nil, err
	}
	if name != "" {
		return open(d.fsys, path.Join(d.dir, name), d.shown(name))
	}
	return nil, fmt.Errorf("weights: %s: neither %s nor %s%s nor a %s file: %w",
		d.name, singleFile, singleFile, indexSuffix, ggufSuffix, fs.ErrNotExist)
}

func openSingle(f *file) (*Set, error) {
	set := newSet(f.name)
	err := set.add(f)
	if err == nil {
		err = set.alone()
	}
	if err != nil {
		set.Close()
		return nil, err
	}
	return set, nil
}
