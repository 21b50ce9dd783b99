package model

import "github.com/ladon-ml/ladon/kernels"

// gatherTokens is how many tokens are one piece of work when embedding.
const gatherTokens = 64

// embed: x = Norm(word·Scale + type + position), projected where the Spec says
// so, or where words alone have a width of their own, projected before the rest is
// added; or what pictures are.
func (w *workspace) embed() {
	m, tokens, width := w.model, w.stream.tokens, w.model.spec.embedWidth()
	to, projected := w.x, m.spec.Embeddings.projected(m.spec.Hidden)
	if projected {
		w.e = grow(w.e, tokens*width)
		to = w.e
	}
	if m.spec.Embeddings.Patches != nil {
		w.patches.embed()
	} else {
		w.gather.waves = w.wavesTable()
		w.gatherTo(to, width, true, !m.spec.Embeddings.WordsOnly)
	}
	if m.spec.Embeddings.Norm {
		w.norm(to, to, nil, tokens, width, &m.embed.norm)
	}
	if projected {
		w.MatMul(kernels.Out{C: w.x, LD: m.spec.Hidden}, w.e, tokens, width, m.embed.project.w, kernels.Epilogue{Bias: m.embed.project.bias})
	}
	if m.spec.Embeddings.WordsOnly {
		w.gatherTo(w.x, m.spec.Hidden, false, true)
	}
}

// gatherTo sets rows of to, of some width, to those of words, and adds what else
// there is.
func (w *workspace) gatherTo(to []float32, width int, words, rest bool) {
	g := &w.gather
	g.to, g.width, g.words, g.rest = to, width, words, rest
	w.Do((w.stream.tokens+gatherTokens-1)/gatherTokens, g)
}

// gather sums rows of the embedding tables for one piece of the tokens.
type gather struct {
	w  *workspace
	to []float32 // [tokens, width]

	width       int
	words, rest bool // which of the embeddings

	waves []float32 // [positions, embedWidth]; nil: they are learned, or there are none
}

// wavesTable has the positions of the stream, where they are not learned.
func (w *workspace) wavesTable() []float32 {
	s := &w.stream
	if w.model.waves.kind == NoWaves {
		return nil
	}
	longest := 0
	for i := range s.sequences() {
		n := int(s.cuSeqlens[i+1] - s.cuSeqlens[i])
		if s.positions != nil {
			n = s.longest(i)
		}
		longest = max(longest, n)
	}
	return w.model.waves.table(longest)
}

func (g *gather) Run(_, i int) {
	m, s := g.w.model, &g.w.stream
	e, width := &m.embed, g.width
	seq := 0 // that holds token t
	for t := i * gatherTokens; t < min((i+1)*gatherTokens, s.tokens); t++ {
		x := g.to[t*width : (t+1)*width]
		if t >= s.texts() {
			copy(x, e.target)
			continue
		}
		if g.words {
			g.word(x, t)
		}
		if !g.rest {
			continue
		}
		if m.spec.Embeddings.WordTypes && s.types != nil {
			kind := g.w.y[t*width:][:width] // which nothing needs yet
			e.words.row(kind, int(s.types[t]))
			kernels.Add(x, x, kind)
		}
		if m.spec.Embeddings.Types > 0 {
			kind := 0
			if s.types != nil {
				kind = int(s.types[t])
			}
			e.types.addRow(x, kind)
		}
		if m.spec.Embeddings.Rows == 0 && g.waves == nil {
			continue
		}
		for int(s.cuSeqlens[seq+1]) <= t {
			seq++
		}
		position := t - int(s.cuSeqlens[seq])
		if s.positions != nil {
			position = int(s.positions[t])
		}
		if g.waves != nil {
			kernels.Add(x, x, g.waves[position*width:][:width])
			continue
		}
		e.positions.addRow(x, position+m.spec.Embeddings.Offset)
	}
}

// word sets x to the word of token t.
func (g *gather) word(x []float32, t int) {
	m, s := g.w.model, &g.w.stream
	if s.embeds != nil {
		copy(x, s.embeds[t*len(x):])
		return
	}
	m.embed.words.row(x, int(s.ids[t]))
	if scale := m.spec.Embeddings.Scale; scale != 0 {
		kernels.Scale(x, x, scale)
	}
}
