package model

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/model/weights"
)

// A checkpoint is where parameters come from: tensors named as an architecture
// names them, or a file of our own form (see quantize.go).
type checkpoint struct {
	set *weights.Set
	own bool
}

func newCheckpoint(set *weights.Set) (*checkpoint, error) {
	c := &checkpoint{set: set}
	meta := set.Metadata()
	if meta[metaFormat] != ownFormat {
		return c, nil
	}
	if v := meta[metaVersion]; v != ownVersion {
		return nil, &WeightsError{File: set.String(), Problems: []string{fmt.Sprintf("version %q of the %s form is not supported; supported: %s", v, ownFormat, ownVersion)}}
	}
	c.own = true
	return c, nil
}

func (c *checkpoint) has(name string) bool {
	_, ok := c.set.Lookup(name)
	return ok
}

// prefix is what the names of the base model's tensors begin with, as if it were
// saved alone where there is no checkpoint.
func (c *checkpoint) prefix(n *names) string {
	if c == nil {
		return n.Root
	}
	for _, p := range [...]string{n.Prefix, n.OtherPrefix} {
		if p != "" && slices.ContainsFunc(n.anchors(n.Root+p), c.has) {
			return n.Root + p
		}
	}
	return n.Root
}

// settle makes a model's heads, and those of its other, what the file says: it
// leaves out those that may be missing and are, and unties those that have a
// matrix of their own.
func (c *checkpoint) settle(m *Model, n *names) error {
	prefix := c.prefix(n)
	m.spec.Heads = slices.DeleteFunc(m.spec.Heads, func(h Head) bool { return h.Optional && !c.hasHead(m, h, n, prefix) })
	c.settleBiases(m, n, prefix)
	positions := prefix + n.Positions + ".weight"
	if c.own {
		positions = m.own + ownPositions
	}
	if e := &m.spec.Embeddings; e.Waves != NoWaves && e.Rows > 0 && c.has(positions) {
		e.Waves = NoWaves
	}
	if err := c.untie(m, n, prefix); err != nil || m.other == nil {
		return err
	}
	return c.settle(m.other, n.other())
}

// settleBiases leaves out biases that may be missing and are.
func (c *checkpoint) settleBiases(m *Model, n *names, prefix string) {
	for i := range m.spec.Heads {
		for j := range m.spec.Heads[i].Layers {
			d := &m.spec.Heads[i].Layers[j]
			list := n.biases(d, prefix)
			if c.own {
				list = []string{m.own + ownHead + d.Name + ".bias"}
			}
			if d.BiasOptional && !slices.ContainsFunc(list, c.has) {
				d.NoBias = true
			}
		}
	}
}

// hasHead says whether the first layer of a head is there.
func (c *checkpoint) hasHead(m *Model, h Head, n *names, prefix string) bool {
	d := &h.Layers[0]
	if c.own {
		return c.has(m.own + ownHead + d.Name + ".weight")
	}
	return c.has(n.dense(d, prefix) + ".weight")
}

// untie gives a head a matrix of its own where the file holds one that differs
// from the word embeddings that the config says it shares. Files may also hold
// the shared one twice.
func (c *checkpoint) untie(m *Model, n *names, prefix string) error {
	list := n.words(prefix)
	words := list[max(slices.IndexFunc(list, c.has), 0)]
	for i := range m.spec.Heads {
		for j := range m.spec.Heads[i].Layers {
			d := &m.spec.Heads[i].Layers[j]
			if !d.Tied {
				continue
			}
			if c.own {
				d.Tied = !c.has(m.own + ownHead + d.Name + ".weight")
				continue
			}
			name := n.dense(d, prefix) + ".weight"
			if !c.has(name) || !c.has(words) {
				continue
			}
			same, err := c.equal(name, words)
			if err != nil {
				return err
			}
			d.Tied = same
		}
	}
	return nil
}

// equal says whether two tensors are the same, byte for byte.
func (c *checkpoint) equal(a, b string) (bool, error) {
	x, _ := c.set.Lookup(a)
	y, _ := c.set.Lookup(b)
	if x.DType != y.DType || !slices.Equal(x.Shape, y.Shape) {
		return false, nil
	}
	const piece = 256 << 10
	buf := make([]byte, 2*piece)
	for off := int64(0); off < x.Size; off += piece {
		n := min(piece, x.Size-off)
		p, q := buf[:n], buf[piece:piece+n]
		if err := c.set.ReadBytes(p, a, off); err != nil {
			return false, err
		}
		if err := c.set.ReadBytes(q, b, off); err != nil {
			return false, err
		}
		if !bytes.Equal(p, q) {
			return false, nil
		}
	}
	return true, nil
}

// check looks up every parameter and says all that is missing or misshapen. It
// resolves each source to the one name that is there. class is whose head the
// parameters have.
func (c *checkpoint) check(params []param, class string) error {
	e := &WeightsError{File: c.set.String()}
	taken, ofHead := map[string]bool{}, 0
	for i := range params {
		p := &params[i]
		if c.own {
			c.ownSources(p)
		}
		for j := range p.from {
			for s := &p.from[j]; s != nil; s = s.factors {
				problem, missing := c.resolve(s)
				if problem != "" {
					e.Problems = append(e.Problems, problem)
				}
				if missing && strings.HasPrefix(p.name, ownHead) {
					ofHead++
				}
				taken[s.names[0]] = true
			}
		}
	}
	if e.Problems == nil {
		return nil
	}
	if ofHead == len(e.Problems) {
		e.Headless = class
	}
	for _, name := range c.set.Names() {
		if !taken[name] {
			e.Others = append(e.Others, name)
		}
	}
	return e
}

// floats are the dtypes that parameters may be stored in.
var floats = []weights.DType{
	weights.F32, weights.F16, weights.BF16, weights.F64,
	weights.Q8_0, weights.Q4_0, weights.Q4_1, weights.Q5_0, weights.Q5_1, weights.Q4_K, weights.Q5_K, weights.Q6_K,
}

// resolve finds the tensor of a source and leaves its name as the only one.
func (c *checkpoint) resolve(s *source) (problem string, missing bool) {
	for _, name := range s.names {
		info, ok := c.set.Lookup(name)
		if !ok {
			continue
		}
		s.names = []string{name}
		row := len(s.shape) == 1 && slices.Equal(info.Shape, []int{1, s.shape[0]}) // as final_logits_bias is stored
		if !slices.Equal(info.Shape, s.shape) && !row {
			return fmt.Sprintf("tensor %q has shape %v, want %v", name, info.Shape, s.shape), false
		}
		want := floats
		if s.int8 {
			want = []weights.DType{weights.I8}
		}
		if !slices.Contains(want, info.DType) {
			return fmt.Sprintf("tensor %q is stored as %v, want one of %v", name, info.DType, want), false
		}
		return "", false
	}
	quoted := make([]string, len(s.names))
	for i, name := range s.names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("tensor %s is missing", strings.Join(quoted, " or ")), true
}
