// Package atomicfile writes files that are whole or not there at all.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Write makes path a file that holds what fill writes, or leaves it alone.
// What is there and no regular file, such as a pipe or /dev/null, is written to.
func Write(path string, fill func(io.Writer) error) (err error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return errors.New("is a directory")
	}
	if err == nil && !info.Mode().IsRegular() {
		return writeDirectly(path, fill)
	}
	temp, err := createTemp(path)
	if err != nil {
		return named(err, path)
	}
	defer func() { err = named(err, path) }()
	renamed := false
	defer func() {
		if !renamed {
			temp.Close()
			os.Remove(temp.Name())
		}
	}()
	if err := fill(temp); err != nil {
		return err
	}
	// Without Sync a crash may leave the new name with the old or no content.
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	renamed = true
	return nil
}

// named makes an error about the file on its way, whose name tells nobody
// anything, one about path.
func named(err error, path string) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p) && isTemp(p.Path):
		return &fs.PathError{Op: p.Op, Path: path, Err: p.Err}
	case errors.As(err, &l) && isTemp(l.Old):
		return &fs.PathError{Op: l.Op, Path: path, Err: l.Err}
	}
	return err
}

func writeDirectly(path string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}

// Files on their way are called so.
const prefix, suffix = ".ladon-", ".tmp"

func isTemp(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix)
}

// createTemp creates a new file beside path. Unlike os.CreateTemp's, which only
// its owner may read, it has the permissions that path itself would be given.
func createTemp(path string) (*os.File, error) {
	for {
		name := prefix + rand.Text() + suffix
		f, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}
