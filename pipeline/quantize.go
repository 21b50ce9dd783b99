package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/model"
)

// Quantize is model.Quantize for a folder that may be sentence-transformers':
// the checkpoint may lie in a folder of its own, and Dense modules, which stay as
// they are, have weights too. dst must be empty or not exist, and appears whole
// or not at all. src may be a GGUF file.
func Quantize(ctx context.Context, src, dst string, o model.QuantizeOptions) (report model.QuantizeReport, err error) {
	if info, err := os.Stat(src); err == nil && !info.IsDir() {
		return model.Quantize(ctx, src, dst, o)
	}
	copied, err := rewrite(ctx, src, dst, func(from, to string) error {
		report, err = model.Quantize(ctx, from, to, o)
		return err
	})
	if err != nil {
		return model.QuantizeReport{}, err
	}
	report.Copied = append(report.Copied, copied...)
	return report, nil
}

// WriteFolder is model.WriteFolder for a folder that may be sentence-transformers',
// as Quantize is model.Quantize.
func WriteFolder(ctx context.Context, src, dst string, o model.FolderOptions) (report model.FolderReport, err error) {
	if info, err := os.Stat(src); err == nil && !info.IsDir() {
		return model.WriteFolder(ctx, src, dst, o)
	}
	copied, err := rewrite(ctx, src, dst, func(from, to string) error {
		report, err = model.WriteFolder(ctx, from, to, o)
		return err
	})
	if err != nil {
		return model.FolderReport{}, err
	}
	report.Copied = append(report.Copied, copied...)
	return report, nil
}

// rewrite writes the checkpoint of a folder anew, by the folder that it lies in
// and the one that it goes to, and copies the modules that stand beside it.
func rewrite(ctx context.Context, src, dst string, checkpoint func(from, to string) error) (copied []string, err error) {
	fail := func(name string, err error) ([]string, error) {
		return nil, fmt.Errorf("pipeline: %s: %w", name, bare(err))
	}
	f, err := readFolder(os.DirFS(src))
	if err != nil {
		return fail(src, err)
	}
	hasDense := slices.ContainsFunc(f.stages, func(s stage) bool { return s.dense != nil })
	if f.transformer == "." && !hasDense {
		return nil, checkpoint(src, dst)
	}
	switch entries, err := os.ReadDir(dst); {
	case err == nil && len(entries) > 0:
		return fail(dst, errors.New("the folder to write is not empty"))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fail(dst, err)
	}
	parent := filepath.Dir(filepath.Clean(dst))
	tmp, err := os.MkdirTemp(parent, ".ladon-model-*")
	if err != nil {
		return fail(parent, err)
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "out") // checkpoint gives it the rights that tmp lacks
	if f.transformer != "." {
		if err := os.MkdirAll(filepath.Join(out, filepath.Dir(f.transformer)), 0o755); err != nil {
			return fail(dst, err)
		}
	}
	if err := checkpoint(filepath.Join(src, f.transformer), filepath.Join(out, f.transformer)); err != nil {
		return nil, err
	}
	if copied, err = copyModules(ctx, src, out, f.transformer); err != nil {
		return fail(src, err)
	}
	if err := os.Remove(dst); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(dst, err)
	}
	if err := os.Rename(out, dst); err != nil {
		return fail(dst, err)
	}
	return copied, nil
}

// copyModules copies what is not there yet: the settings in src, and in the
// folders of its modules the weights too.
func copyModules(ctx context.Context, src, dst, transformer string) (copied []string, err error) {
	fsys := os.DirFS(src)
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir() && name != "." && (name == transformer || strings.HasPrefix(d.Name(), ".") || strings.Contains(name, "/")):
			return fs.SkipDir
		}
		to := filepath.Join(dst, filepath.FromSlash(name))
		if _, err := os.Stat(to); err == nil || !isModuleFile(name) {
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		copied = append(copied, name)
		return os.WriteFile(to, data, 0o644)
	})
	return copied, err
}

// isModuleFile says whether a file belongs to a sentence-transformers folder:
// beside the checkpoint's own, which are written anew.
func isModuleFile(name string) bool {
	inModule := strings.Contains(name, "/")
	switch filepath.Ext(name) {
	case ".json", ".txt", ".md":
		return inModule || !strings.HasSuffix(name, ".index.json")
	case ".safetensors":
		return inModule
	}
	return false
}
