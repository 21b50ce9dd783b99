package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
		return err
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
