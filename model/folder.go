package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// newFolder makes dir of what fill writes into the folder that it is given: it
// appears whole or not at all. It must be empty or not exist.
func newFolder(dir string, fill func(tmp string) error) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("model: %s: the folder to write is not empty", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError(dir, err)
	}
	parent := filepath.Dir(filepath.Clean(dir))
	tmp, err := os.MkdirTemp(parent, ".ladon-model-*")
	if err != nil {
		return fileError(parent, err)
	}
	defer os.RemoveAll(tmp)
	if err := fill(tmp); err != nil {
		return inPlaceOf(err, tmp, dir)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return fileError(dir, err)
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError(dir, err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("model: %s: %w", dir, err)
	}
	return nil
}

// A placeError is an error about what was on its way to a place, told of the place.
type placeError struct {
	error
	made, place string
}

// inPlaceOf says of place what err says of made, a temporary name that tells
// nobody anything.
func inPlaceOf(err error, made, place string) error { return &placeError{err, made, place} }

func (e *placeError) Error() string { return strings.ReplaceAll(e.error.Error(), e.made, e.place) }
func (e *placeError) Unwrap() error { return e.error }
