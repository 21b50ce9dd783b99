package model

import (
	"fmt"
	"strconv"

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
	// [(heads+2·kvHeads)·headDim, hidden]: queries, then keys, then values, each
	// head after head. It is one matrix above the other where a file stores them in
	// different forms.
	qkv                []linear
	queryNorm, keyNorm norm // [headDim]
	toDistances        toDistances
	out                linear // [hidden, heads·headDim]

	// Of attention to a source: [heads·headDim, hidden], then keys and values one
	// above the other, [2·kvHeads·headDim, width of the source].
	crossQuery, crossKV, crossOut linear

	gate, up linear // [ffn, hidden]
	down     linear // [hidden, ffn]

	// The norms of the two parts: the one that they have, or the one before, and
	// of a sandwich the one after.
	attnNorm, ffnNorm         norm
	crossNorm                 norm
	attnPostNorm, ffnPostNorm norm
}

// embeddings holds the tables that ids, positions and token types select from.
type embeddings struct {
	words, positions, types table
	norm                    norm
	project                 linear    // [hidden, embedWidth], where they are projected
	relative                table     // [buckets, heads]
	target                  []float32 // [hidden], of Permuted

	// Of pictures.
	patches          linear // [hidden, channels·height·width]
	learned, between table  // [class+detection, hidden], [(layers-1)·positions, hidden]
}

// head holds what a Head has learned.
type head struct {
	Head
	norm   norm
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
	// onSource: it reads a source, once, and not what is written about it.
	onSource bool

	vector *[]float32
	table  *table
	matrix **kernels.Matrix
}

// parameters lists the parameters of m.spec, which has the heads that the
// checkpoint turned out to have, and those of the other model after them. stored
// is the form in which a tensor is to be kept; nil: in the same as all others.
func (m *Model) parameters(n *names, c *checkpoint, stored func(name string) kernels.DType) []param {
	s, prefix := &m.spec, c.prefix(n)
	p := paramList{names: n, own: m.own, prefix: prefix, spec: s, stored: stored}
	p.embeddings(&m.embed)
	m.layers = make([]*layer, len(s.Layers))
	for i, own := 0, 0; i < len(m.layers); i++ {
		if from := s.params(i); from != i {
			m.layers[i] = m.layers[from]
			continue
		}
		m.layers[i] = new(layer)
		p.layer(m.layers[i], i, prefix+n.layer(own))
		own++
	}
	if s.FinalNorm {
		p.norm("final_norm", &m.finalNorm, s.Hidden, prefix+n.FinalNorm)
	}
	if s.OutWidth > 0 {
		p.linear("project_out", &m.narrow, s.Hidden, false, part{name: prefix + n.OutProject, rows: s.OutWidth})
	}
	m.heads = make([]head, len(s.Heads))
	for i := range s.Heads {
		h := &m.heads[i]
		h.Head = s.Heads[i]
		h.layers = make([]dense, len(h.Layers))
		width := s.outWidth() * h.From.states()
		if h.Norm != "" {
			p.norm(ownHead+h.Norm, &h.norm, width, prefix+h.Norm)
		}
		for j := range h.layers {
			d := &h.layers[j]
			d.Dense = h.Layers[j]
			if d.In > 0 {
				width = d.In
			}
			p.dense(d, width)
			width = d.Width
		}
	}
	if s.Bridged {
		p.add(param{name: "bridge.weight", kind: matrix, rows: s.Hidden, cols: s.Other.Hidden, narrow: true, matrix: &m.bridge.w,
			from: []source{{names: []string{n.Bridge + ".weight"}, shape: []int{s.Hidden, s.Other.Hidden}}}})
		p.vector("bridge.bias", &m.bridge.bias, s.Hidden, n.Bridge+".bias")
	}
	if s.Matches {
		p.add(param{name: "match_scale", rows: 1, cols: 1, vector: &m.matchScale, from: []source{{names: []string{n.Root + n.MatchScale}, rows: 1}}})
	}
	if m.other != nil {
		others := m.other.parameters(n.other(), c, stored)
		if s.Crosses() {
			readsSource(others)
		}
		return append(p.list, others...)
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

// A paramList grows by the parameters of one part of a model after the other.
type paramList struct {
	*names
	own    string // before our names
	prefix string // before the checkpoint's names of the base model's tensors
	spec   *Spec
	stored func(name string) kernels.DType
	list   []param
}

func (p *paramList) add(q param) {
	q.name = p.own + q.name
	p.list = append(p.list, q)
}

func (p *paramList) embeddings(e *embeddings) {
	s := &p.spec.Embeddings
	width := p.spec.embedWidth()
	if s.Norm {
		defer p.norm("embeddings.norm", &e.norm, width, p.prefix+p.EmbeddingNorm)
	}
	if s.Patches != nil {
		p.patches(e)
		return
	}
	if !s.Shared {
		p.words("embeddings.words", &e.words, s.Vocab, width, p.Words, p.spec.tied())
	}
	if s.Rows > 0 && s.Waves == NoWaves {
		rows := width
		if s.WordsOnly {
			rows = p.spec.Hidden
		}
		p.table(ownPositions, &e.positions, s.Rows, rows, p.Positions)
	}
	if s.Types > 0 {
		p.table("embeddings.types", &e.types, s.Types, width, p.Types)
	}
	if s.projected(p.spec.Hidden) {
		p.linear("embeddings.project", &e.project, width, !s.WordsOnly, part{name: p.prefix + p.EmbeddingProject, rows: p.spec.Hidden})
	}
	if p.spec.Permuted != nil {
		p.add(param{name: "embeddings.target", rows: 1, cols: width, vector: &e.target, from: []source{{names: []string{p.prefix + p.Target}, shape: []int{1, 1, width}, rows: width}}})
	}
	if n := p.spec.Relative.Buckets; n > 0 {
		p.table("relative", &e.relative, n, p.spec.Relative.Heads, p.Relative)
	}
}

// layer adds the parameters of layer i, which the checkpoint's names begin with theirs.
func (p *paramList) layer(l *layer, i int, theirs string) {
	s := p.spec
	a, f := &s.Layers[i].Attention, &s.Layers[i].FeedForward
	ours := fmt.Sprintf("layers.%d.", i)

	q, kv := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	pairs := 0
	if p.PairedQK {
		pairs = a.HeadDim
	}
	dim := 0
	if p.HeadShaped {
		dim = a.HeadDim
	}
	qkv := []part{{name: theirs + p.Query, rows: q, pairs: pairs, outDim: dim}, {name: theirs + p.Key, rows: kv, pairs: pairs, outDim: dim}, {name: theirs + p.Value, rows: kv, outDim: dim}}
	if p.QKV != "" {
		qkv = []part{{name: theirs + p.QKV, rows: q + 2*kv}}
		if p.QKVByHead {
			qkv[0].heads = a.Heads
		}
	}
	alike := p.alike(qkv)
	l.qkv = make([]linear, len(alike))
	for i, parts := range alike {
		name := ours + "qkv"
		if i > 0 {
			name += strconv.Itoa(i)
		}
		p.linear(name, &l.qkv[i], s.Hidden, a.QKVBias, parts...)
	}
	if a.QKNorm {
		p.norm(ours+"query_norm", &l.queryNorm, a.HeadDim, theirs+p.QueryNorm)
		p.norm(ours+"key_norm", &l.keyNorm, a.HeadDim, theirs+p.KeyNorm)
	}
	p.linear(ours+"out", &l.out, q, a.OutBias, part{name: theirs + p.Out, rows: s.Hidden, inDim: dim})
	p.distances(&l.toDistances, i, ours, theirs)
	p.scaled(s.LayerScale, theirs+p.AttentionScale)
	p.norm(ours+"attn_norm", &l.attnNorm, s.Hidden, theirs+p.AttentionNorm)

	p.cross(l, s.Layers[i].Cross, ours, theirs)

	gate, up := part{name: theirs + p.Gate, rows: f.Width}, part{name: theirs + p.Up, rows: f.Width}
	if p.GateUp != "" {
		gate = part{name: theirs + p.GateUp, rows: f.Width, of: 2 * f.Width}
		up = part{name: theirs + p.GateUp, rows: f.Width, of: 2 * f.Width, first: f.Width}
	}
	if f.Gated {
		p.linear(ours+"gate", &l.gate, s.Hidden, f.Bias, gate)
	}
	p.linear(ours+"up", &l.up, s.Hidden, f.Bias, up)
	p.linear(ours+"down", &l.down, f.Width, f.Bias, part{name: theirs + p.Down, rows: s.Hidden})
	p.scaled(s.LayerScale, theirs+p.FeedForwardScale)
	p.norm(ours+"ffn_norm", &l.ffnNorm, s.Hidden, theirs+p.FeedForwardNorm)

	if s.Norm.Place == SandwichNorm {
		p.norm(ours+"attn_post_norm", &l.attnPostNorm, s.Hidden, theirs+p.AttentionPostNorm)
		p.norm(ours+"ffn_post_norm", &l.ffnPostNorm, s.Hidden, theirs+p.FeedForwardPostNorm)
	}
}

// words is the one table that is worth storing narrowly. Where a head multiplies
// by it too, it is packed, and stored once.
func (p *paramList) words(name string, t *table, vocab, width int, from string, tied bool) {
	p.table(name, t, vocab, width, from)
	q := &p.list[len(p.list)-1]
	q.narrow = true
	q.from[0].names = p.names.words(p.prefix)
	if p.WordsOfHead != "" {
		q.from[0].names = append(q.from[0].names, p.Root+p.WordsOfHead+".weight")
	}
	if tied {
		q.kind, q.matrix = both, &t.packed
	}
}

func (p *paramList) table(name string, t *table, height, width int, from string) {
	p.add(param{name: name, kind: rows, rows: height, cols: width, table: t,
		from: []source{{names: []string{p.prefix + from + ".weight"}, shape: []int{height, width}}}})
}

// vector reads a bias, under the first of the names.
func (p *paramList) vector(name string, v *[]float32, width int, from ...string) {
	p.add(param{name: name, rows: 1, cols: width, vector: v, from: []source{{names: from, shape: []int{width}}}})
}

// norm takes the names that TensorFlow gave them too, which the first
// conversions to PyTorch kept.
func (p *paramList) norm(name string, n *norm, width int, from string) {
	p.vector(name+".weight", &n.weight, width, from+".weight", from+".gamma")
	p.list[len(p.list)-1].from[0].plusOne = p.NormLessOne
	if p.spec.Norm.Kind == LayerNorm && !p.spec.Norm.NoBias {
		p.vector(name+".bias", &n.bias, width, from+".bias", from+".beta")
	}
}

// A part is some rows of a linear: the tensor name.weight, or where it has more,
// of it the rows from first on.
type part struct {
	name  string
	rows  int
	of    int // rows of the tensor; 0: no more
	first int
	pairs int // see source
	heads int // see source

	// Where heads are a dimension of the tensor, their size: of outputs, which then
	// come after the inputs, or of inputs.
	outDim, inDim int
}

// tensor is the name and shape of the matrix of a part with so many inputs, and
// whether inputs come first.
func (p *paramList) tensor(t *part, in int) (name string, shape []int, transposed bool) {
	of := max(t.of, t.rows)
	switch {
	case t.outDim > 0:
		return t.name, []int{in, of / t.outDim, t.outDim}, true
	case t.inDim > 0:
		return t.name, []int{of, in / t.inDim, t.inDim}, false
	case p.Transposed:
		return weightOf(t.name), []int{in, of}, true
	}
	return weightOf(t.name), []int{of, in}, false
}

// alike cuts parts where the form changes in which they are to be kept.
func (p *paramList) alike(parts []part) (groups [][]part) {
	begin := 0
	for i := 1; i <= len(parts); i++ {
		if i == len(parts) || p.stored != nil && p.stored(weightOf(parts[i].name)) != p.stored(weightOf(parts[begin].name)) {
			groups = append(groups, parts[begin:i])
			begin = i
		}
	}
	return groups
}

// linear stacks the outputs of projections that a checkpoint stores apart, or
// takes those that it stores with others.
func (p *paramList) linear(name string, l *linear, in int, bias bool, parts ...part) {
	w := param{name: name + ".weight", kind: matrix, cols: in, narrow: true, matrix: &l.w}
	b := param{name: name + ".bias", rows: 1, vector: &l.bias}
	for _, t := range parts {
		tensor, shape, transposed := p.tensor(&t, in)
		w.from = append(w.from, source{names: []string{tensor}, shape: shape, transposed: transposed, rows: t.rows, first: t.first, pairs: t.pairs, heads: t.heads})
		b.from = append(b.from, source{names: []string{biasOf(t.name)}, shape: []int{max(t.of, t.rows)}, rows: t.rows, first: t.first, pairs: t.pairs, heads: t.heads})
		w.rows += t.rows
	}
	b.cols = w.rows
	p.add(w)
	if bias {
		p.add(b)
	}
}

// scaled gives the outputs of the linear that was added last, of hidden outputs
// from one tensor, factors to be multiplied by.
func (p *paramList) scaled(has bool, name string) {
	if !has {
		return
	}
	for i := len(p.list) - 1; i >= 0; i-- {
		q := &p.list[i]
		q.from[0].factors = &source{names: []string{name}, shape: []int{p.spec.Hidden}}
		if q.kind == matrix {
			return
		}
	}
}

// dense reads one layer of a head. A tied one has no weight of its own: Load
// gives it the embeddings'. Of a head, only a language model's decoder is worth
// storing narrowly: the rest is small, and what it says is the answer.
func (p *paramList) dense(d *dense, in int) {
	from, name := p.names.dense(&d.Dense, p.prefix), ownHead+d.Name
	if !d.Tied {
		p.add(param{name: name + ".weight", kind: matrix, rows: d.Width, cols: in, matrix: &d.w, narrow: d.Width == p.spec.Embeddings.Vocab,
			from: []source{{names: []string{from + ".weight"}, shape: []int{d.Width, in}}}})
	}
	if !d.NoBias {
		p.vector(name+".bias", &d.bias, d.Width, p.biases(&d.Dense, p.prefix)...)
	}
	if d.Norm != "" {
		p.norm(ownHead+d.Norm, &d.norm, d.Width, p.Root+d.Norm)
	}
}
