package model

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
	"github.com/ladon-ml/ladon/model/weights"
)

// configFile is the name of a checkpoint's configuration.
const configFile = "config.json"

// Load loads a checkpoint: a folder with config.json and model.safetensors, one
// file or shards, or a GGUF file, or a folder with one and no config.json.
// Nothing of the files is in use afterwards.
func Load(path string, opts ...Option) (*Model, error) {
	p := place{os.DirFS(path), ".", path}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		p.fsys, p.name = os.DirFS(filepath.Dir(path)), filepath.Base(path)
	}
	return p.load(opts, func(path string) (*weights.Set, error) { return weights.Open(path) })
}

// LoadFS is Load for a folder or GGUF file of fsys.
func LoadFS(fsys fs.FS, name string, opts ...Option) (*Model, error) {
	name = path.Clean(name)
	return place{fsys, name, name}.load(opts, func(name string) (*weights.Set, error) { return weights.OpenFS(fsys, name) })
}

// A place is where a checkpoint is: a folder or file of fsys.
type place struct {
	fsys  fs.FS
	name  string
	shown string // in messages, and what open takes
}

// gguf is the GGUF file that p is or holds, in messages; "": config.json counts.
func (p place) gguf() (string, error) {
	info, err := fs.Stat(p.fsys, p.name)
	if err != nil || !info.IsDir() {
		return p.shown, fileError(p.shown, err)
	}
	if _, err := fs.Stat(p.fsys, path.Join(p.name, configFile)); !errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	name, err := weights.FindGGUF(p.fsys, p.name, p.shown)
	if err != nil || name == "" {
		return "", err
	}
	return filepath.Join(p.shown, name), nil
}

// load loads what is there; open opens a path of those that messages show.
func (p place) load(opts []Option, open func(path string) (*weights.Set, error)) (*Model, error) {
	gguf, err := p.gguf()
	if err != nil {
		return nil, err
	}
	if gguf != "" {
		set, err := open(gguf)
		if err != nil {
			return nil, err
		}
		defer set.Close()
		return NewGGUF(set, opts...)
	}
	file := filepath.Join(p.shown, configFile)
	config, err := readFile(p.fsys, path.Join(p.name, configFile), maxConfig)
	if err != nil {
		return nil, fileError(file, err)
	}
	set, err := open(p.shown)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	return New(file, config, set, opts...)
}

// readFile reads a file of at most limit bytes, and one more of a longer one.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// fileError names the file in an error of the file system, once.
func fileError(file string, err error) error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("model: %s: %w", file, err)
}

// New makes a model of a config.json and an open checkpoint; file names the
// config in errors. The set may be closed afterwards. Where it lies in memory
// (weights.OpenBytes), matrices that Quantize wrote are used in place: those
// bytes must then stay as they are while the model lives.
func New(file string, config []byte, set *weights.Set, opts ...Option) (*Model, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	arch, spec, err := parseSpec(file, config, !o.headless)
	if err != nil {
		return nil, err
	}
	return build(spec, arch.names(&spec), set, o)
}

// NewGGUF makes a model of an open GGUF file, which may be closed afterwards.
func NewGGUF(set *weights.Set, opts ...Option) (*Model, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	spec, n, err := ggufSpec(set, !o.headless)
	if err != nil {
		return nil, err
	}
	return build(spec, n, set, o)
}

// build makes a model of a Spec and the open checkpoint that has its tensors
// under these names.
func build(spec Spec, n names, set *weights.Set, o options) (*Model, error) {
	c, err := newCheckpoint(set)
	if err != nil {
		return nil, err
	}
	m := newModel(spec)
	if err := c.settle(m, &n); err != nil {
		return nil, err
	}
	m.dtype = o.dtype
	if m.dtype == Auto && c.own {
		m.dtype = Int8
	}
	m.params = m.parameters(&n, c, func(name string) kernels.DType { return c.kept(name, m.dtype) })
	if err := c.check(m.params, m.spec.Class); err != nil {
		return nil, err
	}
	if err := c.fill(m.params, m.dtype, &m.memory, o.threads); err != nil {
		m.free()
		return nil, err
	}
	if m.dtype == Auto {
		m.dtype = m.storedDType()
	}
	if err := m.finish(o.threads); err != nil {
		m.free()
		return nil, err
	}
	return m, nil
}

// newModel is a model without parameters, and with its other.
func newModel(spec Spec) *Model {
	m := &Model{spec: spec}
	if spec.Other != nil {
		m.other = newModel(*spec.Other)
		m.other.own = m.own + ownOther
		m.spec.Other = &m.other.spec
	}
	return m
}

// finish makes what follows from the parameters.
func (m *Model) finish(threads int) error {
	m.threads = threads
	m.waves.kind, m.waves.width = m.spec.Embeddings.Waves, m.spec.embedWidth()
	if err := m.makeRotations(); err != nil {
		return err
	}
	m.makeBiases()
	for i := range m.heads {
		for j := range m.heads[i].layers {
			if d := &m.heads[i].layers[j]; d.Tied {
				d.w = m.embed.words.packed
			}
		}
	}
	if m.other == nil {
		return nil
	}
	m.other.dtype = m.dtype
	if m.other.spec.Embeddings.Shared {
		m.other.embed.words = m.embed.words
	}
	return m.other.finish(threads)
}

// makeRotations finds the tables that layers share.
func (m *Model) makeRotations() error {
	made := map[*Rotary]*rotation{}
	m.rotations = make([]*rotation, len(m.spec.Layers))
	for i := range m.spec.Layers {
		r := m.spec.Layers[i].Attention.Rotary
		if r == nil {
			continue
		}
		if made[r] == nil {
			t, err := newRotation(r)
			if err != nil {
				return err
			}
			made[r] = t
		}
		m.rotations[i], m.rotary = made[r], true
	}
	return nil
}

// makeBiases finds what is added to the scores of every layer.
func (m *Model) makeBiases() {
	s := &m.spec
	m.biases = make([][]mha.Bias, len(s.Layers))
	for i := range m.biases {
		a := &s.Layers[i].Attention
		switch r := s.Relative; {
		case i > 0 && reflect.DeepEqual(a.Kept, s.Layers[i-1].Attention.Kept) && a.ALiBi == s.Layers[i-1].Attention.ALiBi:
			m.biases[i] = m.biases[i-1]
		case a.ALiBi:
			of := a.Heads
			if a.Kept != nil {
				of = a.Kept.Of
			}
			alibi := mha.NewALiBi(of)
			alibi.Slopes = a.Kept.columns(alibi.Slopes, of)
			m.biases[i] = []mha.Bias{alibi}
		case r.Buckets > 0:
			table := a.Kept.columns(m.embed.relative.f32, r.Heads)
			m.biases[i] = []mha.Bias{mha.NewBuckets(table, r.Buckets, a.Heads, r.MaxDistance, !a.Causal)}
		}
	}
}

// columns are those of a table [rows, of] that belong to the heads that are left.
func (k *Kept) columns(table []float32, of int) []float32 {
	if k == nil {
		return table
	}
	list := make([]float32, 0, len(table)/of*len(k.Heads))
	for row := 0; row < len(table); row += of {
		for _, h := range k.Heads {
			list = append(list, table[row+h])
		}
	}
	return list
}
