package mha

import "github.com/ladon-ml/ladon/kernels"

// Norm normalises queries or keys head by head, before they are turned (Henry et al. 2020).
type Norm struct {
	Weight []float32 // [HeadDim]
	Bias   []float32 // [HeadDim], or nil; LayerNorm only
	Eps    float32
	Layer  bool // LayerNorm; else RMSNorm
}

const (
	errRotate = "mha: a position that the rotary table does not have, or heads shorter than what it turns"
	errNorm   = "mha: a norm needs a weight for every element of a head"
)

// Prepare changes the queries or keys of v, heads of dim elements, in place: they are normalised unless norm is nil,
// then turned unless rope is nil, token t as at positions[t]; nil positions are 0, 1, 2, …. It works on x's pass as Run
// does, and panics if the shapes do not fit together.
func (a *Attention) Prepare(x *kernels.Exec, v View, heads, tokens, dim int, norm *Norm, rope *RoPE, positions []int32) {
	if dim < 1 || heads < 0 || tokens < 0 || !v.holds(heads, tokens, dim) {
		panic(errView)
	}
	if norm != nil && (len(norm.Weight) != dim || norm.Bias != nil && len(norm.Bias) != dim) {
		panic(errNorm)
	}
	if rope != nil {
		if 2*rope.half > dim || positions == nil && tokens > rope.MaxSeq() || positions != nil && len(positions) != tokens {
			panic(errRotate)
		}
		for _, at := range positions {
			if at < 0 || int(at) >= rope.MaxSeq() {
				panic(errRotate)
			}
		}
	}
	if heads == 0 || tokens == 0 {
		return
	}
	const perItem = 16 << 10 // elements, some µs
	p := &a.preparation
	*p = preparation{View: v, heads: heads, tokens: tokens, dim: dim, norm: norm, rope: rope, positions: positions}
	p.step = max(1, perItem/(heads*dim))
	x.Do((tokens+p.step-1)/p.step, p)
	*p = preparation{}
}

// preparation is the work of Prepare, some tokens an item.
type preparation struct {
	View
	heads, tokens, dim int
	norm               *Norm
	rope               *RoPE
	positions          []int32
	step               int
}

func (p *preparation) Run(_, item int) {
	from, to := item*p.step, min((item+1)*p.step, p.tokens)
	for h := range p.heads {
		for t := from; t < to && p.norm != nil; t++ {
			x := p.head(h, t)[:p.dim]
			if n := p.norm; n.Layer {
				kernels.LayerNorm(x, x, n.Weight, n.Bias, n.Eps)
			} else {
				kernels.RMSNorm(x, x, n.Weight, n.Eps)
			}
		}
		for t := from; t < to && p.rope != nil; {
			at, n := p.following(t, to)
			p.rope.turn(p.head(h, t), p.Token, n, at)
			t += n
		}
	}
}

// following is the position of token t, and of how many tokens before end, with it, the positions follow each other.
func (p *preparation) following(t, end int) (at, n int) {
	if p.positions == nil {
		return t, end - t
	}
	at, n = int(p.positions[t]), 1
	for t+n < end && int(p.positions[t+n]) == at+n {
		n++
	}
	return at, n
}
