package model

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ladon-ml/ladon/model/weights"
)

// GGUFOptions says how WriteGGUF writes a model.
type GGUFOptions struct {
	// Type is what matrices become, as far as their rows are whole blocks of it;
	// the zero value leaves them as they are stored. Norms, biases and learned
	// positions are float32 in any case, and with 4 or 5 bits, word embeddings and
	// the last matrix get 6 or 8.
	Type weights.DType
	// Threads is how many threads quantise at most; 0: GOMAXPROCS.
	Threads int
	// Progress, if set, is told how many bytes of how many are written.
	Progress func(done, all int64)
}

// GGUFReport says what WriteGGUF did.
type GGUFReport struct {
	Parameters  int                   // learned numbers
	Types       map[weights.DType]int // of them, by what they became
	BytesBefore int64                 // of the tensors read
	BytesAfter  int64                 // of the tensors written
	// Vocabulary: the file has a tokenizer. Lost says what of the source's it has
	// not, or why there is none: GGUF has names for the usual kinds only.
	Vocabulary bool
	Lost       []string
}

// WriteGGUF writes a language model to dst, a GGUF file: from a folder in Hugging
// Face's form, for the architectures that [GGUFArchitectures] lists and those
// that are the same under other names, or from another GGUF file. The file
// appears whole or not at all, and not before it was seen to be read as the model
// that it was made of.
func WriteGGUF(ctx context.Context, src, dst string, o GGUFOptions) (GGUFReport, error) {
	report := GGUFReport{Types: map[weights.DType]int{}}
	p, gguf, err := placeOf(src)
	if err != nil {
		return report, err
	}
	from := p.shown
	if gguf != "" {
		from = gguf
	}
	if err := refusePlace(dst, from); err != nil { // before the work
		return report, fileError(dst, err)
	}
	set, err := weights.Open(from)
	if err != nil {
		return report, err
	}
	defer set.Close()
	w := &ggufWriter{export: export{ctx: ctx, set: set, told: o.Progress}, o: o, report: &report}
	w.exec.Begin(ctx, o.Threads)
	defer w.exec.End()
	if gguf != "" {
		err = w.fromGGUF()
	} else {
		err = w.fromFolder(p)
	}
	if err != nil {
		return report, err
	}
	return report, w.write(dst)
}

// refusePlace says why a file cannot be made of src at dst: there is a folder, or
// src itself, which what is lossy would take the place of.
func refusePlace(dst, src string) error {
	there, err := os.Stat(dst)
	if err != nil {
		return nil // there is nothing, or what is wrong is said when it is made
	}
	if there.IsDir() {
		return errors.New("is a directory")
	}
	if read, err := os.Stat(src); err == nil && os.SameFile(there, read) {
		return errors.New("is the checkpoint that is read")
	}
	return nil
}

// placeOf finds out what lies at a path, and the GGUF file that it is or holds.
func placeOf(path string) (place, string, error) {
	p := place{os.DirFS(path), ".", path}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		p.fsys, p.name = os.DirFS(filepath.Dir(path)), filepath.Base(path)
	}
	gguf, err := p.gguf()
	return p, gguf, err
}

// A ggufWriter gathers what a GGUF file is to hold.
type ggufWriter struct {
	export
	o        GGUFOptions
	metadata []weights.Entry
	report   *GGUFReport
	spec     *Spec // that the file must be read as; nil: it has its metadata from a GGUF file
}

// write writes the file beside its place, reads it as a model and moves it there.
func (w *ggufWriter) write(dst string) error {
	for _, t := range w.tensors {
		n := t.elements()
		block, size := t.dtype.Block()
		w.report.Parameters += n
		w.report.Types[t.dtype] += n
		w.report.BytesBefore += t.size
		w.report.BytesAfter += int64(n / block * size)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dst), ".ladon-gguf-*")
	if err != nil {
		return fileError(filepath.Dir(dst), err)
	}
	defer os.RemoveAll(tmp)
	made := filepath.Join(tmp, "model.gguf")
	if err := weights.WriteGGUF(made, w.sources(), w.metadata); err != nil {
		return inPlaceOf(err, made, dst)
	}
	if err := w.verify(made); err != nil {
		return inPlaceOf(err, made, dst)
	}
	if err := os.Rename(made, dst); err != nil {
		return fileError(dst, err)
	}
	return nil
}

// verify refuses what GGUF has no words for: the file must be read as what it was
// made of.
func (w *ggufWriter) verify(path string) error {
	if w.spec == nil {
		return nil
	}
	set, err := weights.Open(path)
	if err != nil {
		return err
	}
	defer set.Close()
	got, n, err := ggufSpec(set, true)
	if err != nil {
		return fmt.Errorf("model: %s: as GGUF: %w", w.set, err)
	}
	if what := differs(w.spec, &got); what != "" {
		return &UnsupportedError{w.set.String(), "for GGUF,", what, []string{"what its metadata can say"}}
	}
	c, err := newCheckpoint(set)
	if err != nil {
		return err
	}
	return c.check(newModel(got).parameters(&n, c, nil), "")
}

// typeFor is what a tensor becomes.
func (w *ggufWriter) typeFor(name string, shape []int, stored weights.DType) weights.DType {
	if len(shape) < 2 || strings.Contains(name, "norm") || strings.HasPrefix(name, "position_embd") {
		return weights.F32
	}
	want := w.o.Type
	if want == 0 {
		if want = stored; want == weights.F64 {
			want = weights.F32
		}
	}
	few := want.Quantized() && want != weights.Q8_0 && want != weights.Q6_K
	if few && w.o.Type != 0 && (name == ggufWords+".weight" || name == ggufOutput+".weight") {
		want = weights.Q6_K
	}
	for {
		block, _ := want.Block()
		if shape[len(shape)-1]%block == 0 {
			return want
		}
		next, ok := smallerBlocks[want]
		if !ok {
			return weights.F16
		}
		want = next
	}
}

// smallerBlocks are the types to take where rows are no whole blocks of 256.
var smallerBlocks = map[weights.DType]weights.DType{
	weights.Q4_K: weights.Q5_0, weights.Q5_K: weights.Q5_1, weights.Q6_K: weights.Q8_0,
}

// fileTypes are the values of general.file_type, which name what most tensors are.
var fileTypes = map[weights.DType]uint32{
	weights.F32: 0, weights.F16: 1, weights.Q4_0: 2, weights.Q4_1: 3, weights.Q8_0: 7, weights.Q5_0: 8, weights.Q5_1: 9,
	weights.Q4_K: 14, weights.Q5_K: 16, weights.Q6_K: 18, weights.BF16: 32,
}

// say adds an entry.
func (w *ggufWriter) say(key string, v weights.Value) {
	w.metadata = append(w.metadata, weights.Entry{Key: key, Value: v})
}

// addFileType says which type most of the numbers have.
func (w *ggufWriter) addFileType() {
	counts := map[weights.DType]int{}
	most := weights.F32
	for _, t := range w.tensors {
		if counts[t.dtype] += t.elements(); counts[t.dtype] > counts[most] {
			most = t.dtype
		}
	}
	w.say("general.file_type", weights.ValueOf(fileTypes[most]))
}

// fromGGUF takes metadata and tensors over.
func (w *ggufWriter) fromGGUF() error {
	for _, name := range w.set.Names() {
		info, _ := w.set.Lookup(name)
		dtype := info.DType
		if len(info.Shape) > 1 {
			dtype = w.typeFor(name, info.Shape, info.DType)
		}
		w.add(info, dtype)
	}
	for _, key := range w.set.Keys() {
		if strings.HasPrefix(key, "split.") || key == "general.file_type" || key == "general.alignment" {
			continue
		}
		v, _ := w.set.Value(key)
		w.say(key, v)
		w.report.Vocabulary = w.report.Vocabulary || key == "tokenizer.ggml.tokens"
	}
	if !w.report.Vocabulary {
		w.report.Lost = []string{w.set.String() + " has none"}
	}
	w.addFileType()
	return nil
}
