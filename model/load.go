package model

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/weights"
)

// configFile is the name of a checkpoint's configuration.
const configFile = "config.json"

// Load loads the checkpoint in a folder: config.json and model.safetensors, one
// file or shards. Nothing of the files is in use afterwards.
func Load(dir string, opts ...Option) (*Model, error) {
	return load(os.DirFS(dir), ".", filepath.Join(dir, configFile), opts, func() (*weights.Set, error) { return weights.Open(dir) })
}

// LoadFS is Load for a folder of fsys.
func LoadFS(fsys fs.FS, dir string, opts ...Option) (*Model, error) {
	dir = path.Clean(dir)
	return load(fsys, dir, path.Join(dir, configFile), opts, func() (*weights.Set, error) { return weights.OpenFS(fsys, dir) })
}

// load loads dir of fsys, whose config.json messages call file.
func load(fsys fs.FS, dir, file string, opts []Option, open func() (*weights.Set, error)) (*Model, error) {
	config, err := readFile(fsys, path.Join(dir, configFile), maxConfig)
	if err != nil {
		return nil, fileError(file, err)
	}
	set, err := open()
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

// build makes a model of a Spec and the open checkpoint that has its tensors
// under these names.
func build(spec Spec, n names, set *weights.Set, o options) (*Model, error) {
	c, err := newCheckpoint(set)
	if err != nil {
		return nil, err
	}
	m := &Model{spec: spec, threads: o.threads}
	if err := m.makeRotations(); err != nil {
		return nil, err
	}
	prefix := c.prefix(&n)
	m.spec.Heads = slices.DeleteFunc(m.spec.Heads, func(h Head) bool { return h.Optional && !c.hasHead(h, &n, prefix) })
	if err := c.untie(&m.spec, &n, prefix+n.Words+".weight"); err != nil {
		return nil, err
	}
	m.dtype = o.dtype
	if m.dtype == Auto && c.own {
		m.dtype = Int8
	}
	m.params = m.parameters(n, prefix, func(name string) kernels.DType { return c.kept(name, m.dtype) })
	if err := c.check(m.params); err != nil {
		return nil, err
	}
	if err := c.fill(m.params, m.dtype, &m.memory, o.threads); err != nil {
		m.free()
		return nil, err
	}
	if m.dtype == Auto {
		m.dtype = m.storedDType()
	}
	for i := range m.heads {
		for j := range m.heads[i].layers {
			if d := &m.heads[i].layers[j]; d.Tied {
				d.w = m.embed.words.packed
			}
		}
	}
	return m, nil
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
