package model

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/model/weights"
)

// FolderOptions says how WriteFolder writes a model.
type FolderOptions struct {
	// Type is what the numbers become: F32, F16 or BF16; 0: F32.
	Type weights.DType
	// Threads is how many threads convert at most; 0: GOMAXPROCS.
	Threads int
	// Progress, if set, is told how many bytes of how many are read.
	Progress func(done, all int64)
}

// FolderReport says what WriteFolder did.
type FolderReport struct {
	Parameters  int      // learned numbers
	BytesBefore int64    // of the tensors read
	BytesAfter  int64    // of the file written
	Copied      []string // other files that were copied as they are, slash-separated
	Made        []string // files that were made of a GGUF file's metadata
	Lost        []string // what of a GGUF file's tokenizer they cannot say
}

// WriteFolder writes a model to dst in Hugging Face's form, with weights in a
// float type, as transformers reads it: from a GGUF file, whose metadata become
// config.json, tokenizer.json and generation_config.json, or from a folder.
//
// dst must be empty or not exist. It appears whole or not at all.
func WriteFolder(ctx context.Context, src, dst string, o FolderOptions) (FolderReport, error) {
	var report FolderReport
	if o.Type == 0 {
		o.Type = weights.F32
	}
	if _, ok := torchTypes[o.Type]; !ok {
		return report, &UnsupportedError{src, "for folders, type", o.Type.String(), []string{"F32", "F16", "BF16"}}
	}
	p, gguf, err := placeOf(src)
	if err != nil {
		return report, err
	}
	err = newFolder(dst, func(tmp string) error {
		from := p.shown
		if gguf != "" {
			from = gguf
		}
		set, err := weights.Open(from)
		if err != nil {
			return err
		}
		defer set.Close()
		w := &folderWriter{export: export{ctx: ctx, set: set, told: o.Progress}, o: o, dir: tmp, report: &report}
		w.exec.Begin(ctx, o.Threads)
		defer w.exec.End()
		if gguf != "" {
			return w.fromGGUF()
		}
		return w.fromFolder(p)
	})
	return report, err
}

// torchTypes are what config.json calls the types.
var torchTypes = map[weights.DType]string{weights.F32: "float32", weights.F16: "float16", weights.BF16: "bfloat16"}

// A folderWriter writes a folder in Hugging Face's form.
type folderWriter struct {
	export
	o      FolderOptions
	dir    string
	report *FolderReport
}

// fromFolder casts the tensors of a folder.
func (w *folderWriter) fromFolder(p place) error {
	file := filepath.Join(p.shown, configFile)
	config, err := os.ReadFile(file)
	if err != nil {
		return fileError(file, err)
	}
	c, err := newCheckpoint(w.set)
	if err != nil {
		return err
	}
	if c.own {
		return fmt.Errorf("model: %s: already quantised", w.set)
	}
	for _, name := range w.set.Names() {
		info, _ := w.set.Lookup(name)
		dtype := info.DType
		if slices.Contains(floats, dtype) {
			dtype = w.o.Type
		}
		w.add(info, dtype)
	}
	if err := w.write(file, config); err != nil {
		return err
	}
	w.report.Copied, err = copyCompanions(w.ctx, p.shown, w.dir)
	return err
}

// fromGGUF gives the tensors of a GGUF file the names of its architecture.
func (w *folderWriter) fromGGUF() error {
	from, ours, err := ggufSpec(w.set, true)
	if err != nil {
		return err
	}
	g, err := ggufToConfig(w.set)
	if err != nil {
		return err
	}
	config, err := g.json()
	if err != nil {
		return err
	}
	arch, spec, err := parseSpec(w.set.String(), config, true)
	if err != nil {
		return err
	}
	if what := differs(&from, &spec); what != "" {
		return &UnsupportedError{w.set.String(), "for safetensors,", what, []string{"what config.json can say"}}
	}
	c, err := newCheckpoint(w.set)
	if err != nil {
		return err
	}
	m := newModel(from)
	if err := c.settle(m, &ours); err != nil {
		return err
	}
	stored := m.parameters(&ours, c, nil)
	if err := c.check(stored, ""); err != nil {
		return err
	}
	theirs := arch.names(&spec)
	to := newModel(m.spec).parameters(&theirs, nil, nil)
	for i := range to {
		if strings.HasPrefix(to[i].name, ownHead) {
			continue
		}
		for j := range to[i].from {
			s := &to[i].from[j]
			s.names = []string{theirs.Prefix + s.names[0]}
		}
	}
	w.addParams(c, stored, to, func(string, []int, weights.DType) weights.DType { return w.o.Type })
	if err := w.write(w.set.String(), config); err != nil {
		return err
	}
	w.report.Made, w.report.Lost, err = writeTokenizer(w.set, g, w.dir)
	return err
}

// write writes the tensors and config.json.
func (w *folderWriter) write(file string, config []byte) error {
	for _, t := range w.tensors {
		w.report.Parameters += t.elements()
		w.report.BytesBefore += t.size
	}
	path := filepath.Join(w.dir, "model.safetensors")
	if err := weights.WriteSources(path, w.sources(), map[string]string{"format": "pt"}); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return fileError(path, err)
	}
	w.report.BytesAfter = info.Size()
	var values map[string]json.RawMessage
	if err := json.Unmarshal(config, &values); err != nil {
		return &ConfigError{file, []string{err.Error()}}
	}
	delete(values, "dtype") // newer files' name for the same
	values["torch_dtype"] = json.RawMessage(`"` + torchTypes[w.o.Type] + `"`)
	return writeJSON(filepath.Join(w.dir, configFile), values)
}

// writeJSON writes a small file for people to read.
func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("model: %s: %w", path, err)
	}
	return fileError(path, os.WriteFile(path, append(data, '\n'), 0o644))
}
