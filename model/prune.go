package model

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ladon-ml/ladon/model/weights"
)

// PruneReport says what Prune did.
type PruneReport struct {
	ParametersBefore, ParametersAfter int   // learned numbers, without the heads
	BytesBefore, BytesAfter           int64 // of the checkpoints' tensors
	Heads, HeadsBefore                int   // taken out, of all
	Neurons, NeuronsBefore            int   // likewise
	Copied                            []string
}

// Prune takes heads and neurons out of the float checkpoint in srcDir and writes
// what remains to dstDir: the tensors under their names and in their types, less
// the rows and columns of what is gone. The model that Load makes of it gives
// what the old one would with those heads and neurons giving zeros, to the bit
// in float32, and does not compute them.
//
// config.json says the new sizes in transformers' own keys where there are any:
// see prunedConfig. Files of tokenizers and sentence-transformers go with it.
// dstDir must be empty or not exist. It appears whole or not at all.
func Prune(ctx context.Context, srcDir, dstDir string, p Pruning) (PruneReport, error) {
	var report PruneReport
	err := newFolder(dstDir, func(tmp string) error {
		set, err := weights.Open(srcDir)
		if err != nil {
			return err
		}
		defer set.Close()
		return prune(ctx, srcDir, tmp, set, p, &report)
	})
	if err != nil {
		return PruneReport{}, err
	}
	return report, nil
}

func prune(ctx context.Context, srcDir, dstDir string, set *weights.Set, p Pruning, report *PruneReport) error {
	if set.Format() != weights.Safetensors {
		return fmt.Errorf("model: %s: pruning reads safetensors, not %v", set, set.Format())
	}
	file := filepath.Join(srcDir, configFile)
	config, err := readFile(os.DirFS(srcDir), configFile, maxConfig)
	if err != nil {
		return fileError(file, err)
	}
	m, c, err := outline(file, config, set)
	if err != nil {
		return err
	}
	if c.own {
		return fmt.Errorf("model: %s: quantised: prune the float checkpoint, then quantise what remains", set)
	}
	after, cuts, tensors, err := m.pruned(&p, m.params)
	if err != nil {
		return err
	}
	config, err = prunedConfig(file, config, &m.spec, after, cuts)
	if err != nil {
		return err
	}
	report.count(m, after)

	var sources []weights.Source
	for _, name := range set.Names() {
		info, _ := set.Lookup(name)
		s := weights.Source{Name: name, DType: info.DType, Shape: info.Shape}
		k := tensors[name]
		if k == nil {
			k = new(kept)
		}
		s.Shape = k.shape(info.Shape)
		s.Write = func(w io.Writer) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return copyKept(w, set, info, k)
		}
		size := int64(1)
		for _, n := range s.Shape {
			size *= int64(n)
		}
		report.BytesBefore += info.Size
		report.BytesAfter += info.Size / max(info.Elements(), 1) * size
		sources = append(sources, s)
	}
	if err := weights.WriteSources(filepath.Join(dstDir, "model.safetensors"), sources, set.Metadata()); err != nil {
		return err
	}
	out := filepath.Join(dstDir, configFile)
	if err := os.WriteFile(out, config, 0o644); err != nil {
		return fileError(out, err)
	}
	report.Copied, err = copyCompanions(ctx, srcDir, dstDir)
	return err
}

// outline is a model without weights: its parameters, and where they lie.
func outline(file string, config []byte, set *weights.Set) (*Model, *checkpoint, error) {
	arch, spec, err := parseSpec(file, config, false)
	if err != nil {
		return nil, nil, err
	}
	c, err := newCheckpoint(set)
	if err != nil {
		return nil, nil, err
	}
	m, n := newModel(spec), arch.names(&spec)
	m.params = m.parameters(&n, c, nil)
	return m, c, c.check(m.params, "")
}

// pruned gives the Spec of what remains of m, what remains of its layers and those
// of its other model, and what of the tensors that params, those of both, are made
// of.
func (m *Model) pruned(p *Pruning, params []param) (*Spec, [][]cut, map[string]*kept, error) {
	cuts, err := p.cuts(&m.spec.Stack)
	if err != nil {
		return nil, nil, nil, err
	}
	after, all, tensors := m.spec, [][]cut{cuts}, map[string]*kept{}
	after.Layers = m.spec.applyCuts(cuts)
	switch {
	case m.other != nil:
		theirs := p.Other
		if theirs == nil {
			theirs = new(Pruning)
		}
		other, more, left, err := m.other.pruned(theirs, params)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("the other model: %w", err)
		}
		after.Other, all, tensors = other, append(all, more...), left
	case p.Other != nil:
		return nil, nil, nil, pruningError("%s has no other model", m.spec.class())
	}
	m.keepTensors(tensors, params, cuts)
	return &after, all, tensors, nil
}

// count says how much goes.
func (r *PruneReport) count(m *Model, after *Spec) {
	for _, p := range m.params {
		r.ParametersBefore += p.rows * p.cols
	}
	for _, p := range newModel(*after).parameters(new(names), nil, nil) {
		r.ParametersAfter += p.rows * p.cols
	}
	for before := &m.spec; before != nil; before, after = before.Other, after.Other {
		for l := range before.Layers {
			if before.params(l) != l {
				continue
			}
			was, left := &before.Layers[l], &after.Layers[l]
			r.HeadsBefore += was.Attention.Heads
			r.Heads += was.Attention.Heads - left.Attention.Heads
			r.NeuronsBefore += was.FeedForward.Width
			r.Neurons += was.FeedForward.Width - left.FeedForward.Width
		}
	}
}

// copyKept writes what remains of a tensor, a row at a time.
func copyKept(w io.Writer, set *weights.Set, info weights.Info, k *kept) error {
	rows, cols := 1, 1
	if len(info.Shape) > 0 {
		rows = info.Shape[0]
	}
	if rows == 0 || info.Size == 0 {
		return nil
	}
	for _, n := range info.Shape[min(1, len(info.Shape)):] {
		cols *= n
	}
	width := info.Size / int64(rows) // of a row, in bytes
	size := int(width) / cols
	row := make([]byte, width)
	left := make([]byte, 0, width)
	each := func(i int) error {
		if err := set.ReadBytes(row, info.Name, int64(i)*width); err != nil {
			return err
		}
		out := row
		if k[1] != nil {
			left = left[:0]
			for _, j := range k[1] {
				left = append(left, row[j*size:(j+1)*size]...)
			}
			out = left
		}
		_, err := w.Write(out)
		return err
	}
	if k[0] != nil {
		for _, i := range k[0] {
			if err := each(i); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range rows {
		if err := each(i); err != nil {
			return err
		}
	}
	return nil
}
