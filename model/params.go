package model

import (
	"fmt"

	"github.com/ladon-ml/ladon/kernels"
)

// linear is x·Wᵀ + bias. bias is nil where there is none.
type linear struct {
	w    *kernels.Matrix // [outputs, inputs]
	bias []float32       // [outputs]
}

// norm holds the learned scale and shift of a norm; weight is nil where there is no norm.
type norm struct {
	weight, bias []float32 // [hidden]
}

// layer holds what one layer has learned.
type layer struct {
	qkv      linear // [3·heads·headDim, hidden]: queries, then keys, then values, each head after head
	out      linear // [hidden, heads·headDim]
	attnNorm norm
	up, down linear // [ffn, hidden], [hidden, ffn]
	ffnNorm  norm
}

// embeddings holds the tables that ids, positions and token types select from.
type embeddings struct {
	words, positions, types table
	norm                    norm
}

// head holds what a Head has learned.
type head struct {
	Head
	layers []dense
}

type dense struct {
	Dense
	linear
	norm norm
}

// kind is the form in which a model keeps a parameter.
type kind uint8

const (
	vector kind = iota // float32
	rows               // a table: rows that are gathered
	matrix             // a packed matrix, multiplied by
	both               // a packed matrix of which rows are also gathered: tied embeddings
)

// A param is one parameter of a model: where a checkpoint has it and where the
// model wants it. The list of them is what loading checks and then fills, and
// what Quantize writes.
type param struct {
	name       string // in files of our own form
	kind       kind
	rows, cols int      // a vector has one row
	from       []source // what a checkpoint makes up the rows of, in order
	// narrow: int8 may store it. The rest are too few, or decide too much.
	narrow bool

	vector *[]float32
	table  *table
	matrix **kernels.Matrix
}

// A source is one tensor of a checkpoint.
type source struct {
	names []string // the first that is there counts
	shape []int
	int8  bool // stored as int8, not in one of the float types
}

// parameters lists the parameters of m.spec, which has the heads that the
// checkpoint turned out to have. prefix is what the checkpoint puts before the
// names of the base model's tensors.
func (m *Model) parameters(n names, prefix string) []param {
	s := &m.spec
	p := paramList{prefix: prefix, vocab: s.Embeddings.Vocab}
	e := &m.embed
	p.words("embeddings.words", &e.words, s.Embeddings.Vocab, s.Hidden, n.Words, s.tied())
	p.table("embeddings.positions", &e.positions, s.Embeddings.Positions, s.Hidden, n.Positions)
	if s.Embeddings.Types > 0 {
		p.table("embeddings.types", &e.types, s.Embeddings.Types, s.Hidden, n.Types)
	}
	if s.Embeddings.Norm {
		p.norm("embeddings.norm", &e.norm, s.Hidden, prefix+n.EmbeddingNorm)
	}

	m.layers = make([]layer, s.Layers)
	heads := s.Attention.Heads * s.Attention.HeadDim
	for i := range m.layers {
		l, ours, theirs := &m.layers[i], fmt.Sprintf("layers.%d.", i), prefix+fmt.Sprintf(n.Layer, i)
		p.linear(ours+"qkv", &l.qkv, 3*heads, s.Hidden, s.Attention.Bias, theirs+n.Query, theirs+n.Key, theirs+n.Value)
		p.linear(ours+"out", &l.out, s.Hidden, heads, s.Attention.Bias, theirs+n.Out)
		p.norm(ours+"attn_norm", &l.attnNorm, s.Hidden, theirs+n.AttentionNorm)
		p.linear(ours+"up", &l.up, s.FeedForward.Width, s.Hidden, s.FeedForward.Bias, theirs+n.Up)
		p.linear(ours+"down", &l.down, s.Hidden, s.FeedForward.Width, s.FeedForward.Bias, theirs+n.Down)
		p.norm(ours+"ffn_norm", &l.ffnNorm, s.Hidden, theirs+n.FeedForwardNorm)
	}

	m.heads = make([]head, len(s.Heads))
	for i := range s.Heads {
		h := &m.heads[i]
		h.Head = s.Heads[i]
		h.layers = make([]dense, len(h.Layers))
		width := s.Hidden
		for j := range h.layers {
			d := &h.layers[j]
			d.Dense = h.Layers[j]
			p.dense(d, width)
			width = d.Width
		}
	}
	return p.list
}

// tied says whether a head shares the word embeddings.
func (s *Spec) tied() bool {
	for _, h := range s.Heads {
		for _, d := range h.Layers {
			if d.Tied {
				return true
			}
		}
	}
	return false
}

type paramList struct {
	prefix string
	vocab  int
	list   []param
}

func (p *paramList) add(q param) { p.list = append(p.list, q) }

// words is the one table that is worth storing narrowly. Where a head multiplies
// by it too, it is packed, and stored once.
func (p *paramList) words(name string, t *table, vocab, width int, from string, tied bool) {
	p.table(name, t, vocab, width, from)
	q := &p.list[len(p.list)-1]
	q.narrow = true
	if tied {
		q.kind, q.matrix = both, &t.packed
	}
}

func (p *paramList) table(name string, t *table, height, width int, from string) {
	p.add(param{name: name, kind: rows, rows: height, cols: width, table: t,
		from: []source{{names: []string{p.prefix + from + ".weight"}, shape: []int{height, width}}}})
}

// vector reads a bias or a norm's weight, under the first of the names.
func (p *paramList) vector(name string, v *[]float32, width int, from ...string) {
	p.add(param{name: name, rows: 1, cols: width, vector: v, from: []source{{names: from, shape: []int{width}}}})
}

// norm takes the names that TensorFlow gave them too, which the first
// conversions to PyTorch kept.
func (p *paramList) norm(name string, n *norm, width int, from string) {
	p.vector(name+".weight", &n.weight, width, from+".weight", from+".gamma")
	p.vector(name+".bias", &n.bias, width, from+".bias", from+".beta")
}

// linear stacks the outputs of projections that a checkpoint stores apart, all
// of the same height.
func (p *paramList) linear(name string, l *linear, out, in int, bias bool, from ...string) {
	w := param{name: name + ".weight", kind: matrix, rows: out, cols: in, narrow: true, matrix: &l.w}
	b := param{name: name + ".bias", rows: 1, cols: out, vector: &l.bias}
	for _, f := range from {
		w.from = append(w.from, source{names: []string{f + ".weight"}, shape: []int{out / len(from), in}})
		b.from = append(b.from, source{names: []string{f + ".bias"}, shape: []int{out / len(from)}})
	}
	p.add(w)
	if bias {
		p.add(b)
	}
}

// dense reads one layer of a head. A tied one has no weight of its own: Load
// gives it the embeddings'. Of a head, only a language model's decoder is worth
// storing narrowly: the rest is small, and what it says is the answer.
func (p *paramList) dense(d *dense, in int) {
	from, name := d.Name, ownHead+d.Name
	if d.InBase {
		from = p.prefix + from
	}
	if !d.Tied {
		p.add(param{name: name + ".weight", kind: matrix, rows: d.Width, cols: in, matrix: &d.w, narrow: d.Width == p.vocab,
			from: []source{{names: []string{from + ".weight"}, shape: []int{d.Width, in}}}})
	}
	bias := d.Bias
	if bias == nil {
		bias = []string{from + ".bias"}
	}
	p.vector(name+".bias", &d.bias, d.Width, bias...)
	if d.Norm != "" {
		p.norm(ownHead+d.Norm, &d.norm, d.Width, d.Norm)
	}
}
