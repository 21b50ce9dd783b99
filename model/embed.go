package model

import "github.com/ladon-ml/ladon/kernels"

// gatherTokens is how many tokens are one piece of work when embedding.
const gatherTokens = 64

// embed: x = Norm(word·Scale + type + position), or what pictures are.
func (w *workspace) embed() {
	if w.model.spec.Embeddings.Patches != nil {
		w.patches.embed()
	} else {
		w.Do((w.stream.tokens+gatherTokens-1)/gatherTokens, &w.gather)
	}
	if m := w.model; m.spec.Embeddings.Norm {
		w.norm(w.x, w.x, w.stream.tokens, m.spec.Hidden, &m.embed.norm)
	}
}

// gather sums rows of the embedding tables for one piece of the tokens.
type gather struct{ w *workspace }

func (g *gather) Run(_, i int) {
	m, s := g.w.model, &g.w.stream
	e, hidden := &m.embed, m.spec.Hidden
	seq := 0 // that holds token t
	for t := i * gatherTokens; t < min((i+1)*gatherTokens, s.tokens); t++ {
		x := g.w.x[t*hidden : (t+1)*hidden]
		if s.embeds != nil {
			copy(x, s.embeds[t*hidden:])
		} else {
			e.words.row(x, int(s.ids[t]))
		}
		if scale := m.spec.Embeddings.Scale; scale != 0 {
			kernels.Scale(x, x, scale)
		}
		if m.spec.Embeddings.Types > 0 {
			kind := 0
			if s.types != nil {
				kind = int(s.types[t])
			}
			e.types.addRow(x, kind)
		}
		if !m.spec.Embeddings.Learned {
			continue
		}
		for int(s.cuSeqlens[seq+1]) <= t {
			seq++
		}
		position := t - int(s.cuSeqlens[seq])
		if s.positions != nil {
			position = int(s.positions[t])
		}
		e.positions.addRow(x, position+m.spec.Embeddings.Offset)
	}
}
