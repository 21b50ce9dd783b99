package mha

import (
	"math"
	"unsafe"

	"github.com/ladon-ml/ladon/kernels"
)

// Params say what attention to compute. The zero value of each field but Heads and HeadDim is a usable default.
type Params struct {
	Heads   int // query heads
	KVHeads int // key and value heads, each shared by Heads/KVHeads query heads (Ainslie et al. 2023); 0: Heads

	HeadDim  int // size of a query and a key
	ValueDim int // size of a value; 0: HeadDim

	// Scale of the scores, which may be negative; 0 means 1/√HeadDim. For scores that do not count at all pass the
	// smallest nonzero number.
	Scale float32

	// Cap bounds scores softly: Cap·tanh(score/Cap), before biases are added. 0: no bound.
	Cap float32

	// What a query sees depends on its place among the keys. The last query of a sequence stands at its last key, as
	// with a cache of earlier keys; with TopLeft the first query stands at the first key, as torch's is_causal has it.
	// Offset moves all of them.
	TopLeft bool
	Offset  int

	Causal      bool    // a query sees no key past its place
	Left, Right int     // a query sees this many keys up to its place, which counts, and from it on; 0: no limit
	Prefix      []int32 // of each sequence, so many keys at its beginning are seen by all, whatever the above say

	Masks  []Mask // a key must be visible in all of them
	Biases []Bias // are added to the scores

	// Relative, unless nil, adds what queries say to distances and segments.
	Relative *Relative

	// Sinks are a logit per query head that takes its share of the softmax and has no value (Xiao et al. 2023).
	Sinks []float32

	// HeadMask are factors of the weights of every query head, or of every sequence's heads, [Heads] or
	// [sequences, Heads]; nil: 1. A head whose factor is 0 is not computed, and gives zeros.
	HeadMask []float32

	// Probe, unless nil, gets what its Look asks for.
	Probe *Probe
}

func (p Params) withDefaults() Params {
	if p.KVHeads == 0 {
		p.KVHeads = p.Heads
	}
	if p.ValueDim == 0 {
		p.ValueDim = p.HeadDim
	}
	if p.Scale == 0 && p.HeadDim > 0 {
		p.Scale = float32(1 / math.Sqrt(float64(p.HeadDim)))
	}
	p.Left, p.Right = min(p.Left, far), min(p.Right, far)
	p.Offset = min(max(p.Offset, -far), far)
	return p
}

// View is where heads lie in a slice: element d of token t of head h is Data[h*Head+t*Token+d].
type View struct {
	Data  []float32
	Head  int // elements between heads
	Token int // elements between tokens
}

// PerHead is the layout [heads][tokens][dim], the best for keys and values: rows that follow each other do not fight
// over cache sets.
func PerHead(data []float32, tokens, dim int) View {
	return View{Data: data, Head: tokens * dim, Token: dim}
}

// PerToken is the layout [tokens][heads][dim].
func PerToken(data []float32, heads, dim int) View {
	return View{Data: data, Head: dim, Token: heads * dim}
}

// head is the part of v that begins at a token of a head.
func (v View) head(h, token int) []float32 { return v.Data[h*v.Head+token*v.Token:] }

// holds tells whether v has room for all of the given shape.
func (v View) holds(heads, tokens, dim int) bool {
	if heads == 0 || tokens == 0 {
		return true
	}
	return v.Head >= 0 && v.Token >= 0 && (heads-1)*v.Head+(tokens-1)*v.Token+dim <= len(v.Data)
}

// part is what v touches in the given shape.
func (v View) part(heads, tokens, dim int) []float32 {
	if heads == 0 || tokens == 0 {
		return nil
	}
	return v.Data[:(heads-1)*v.Head+(tokens-1)*v.Token+dim]
}

// overlap tells whether two slices share memory, gaps between rows included.
func overlap(x, y []float32) bool {
	if len(x) == 0 || len(y) == 0 {
		return false
	}
	a, b := uintptr(unsafe.Pointer(&x[0])), uintptr(unsafe.Pointer(&y[0]))
	return a < b+4*uintptr(len(y)) && b < a+4*uintptr(len(x))
}

// Batch says which tokens belong together: sequence s has the queries SeqQ[s] to SeqQ[s+1] and the keys SeqK[s] to
// SeqK[s+1]. Both begin at 0 and have one entry more than there are sequences.
type Batch struct {
	SeqQ []int32
	SeqK []int32 // nil: SeqQ, self-attention
}

// What Run panics with: shapes are the caller's to get right.
const (
	errHeads = "mha: heads must be positive and a multiple of kvHeads"
	errDim   = "mha: head sizes must be 1 to 256"
	errBatch = "mha: sequence offsets must begin at 0 and not fall, as many for keys as for queries"
	errView  = "mha: view shorter than its shape"
	errSight = "mha: windows, prefixes and cap must not be negative, with a prefix for every sequence"
	errMask  = "mha: mask or bias smaller than the batch, or with a negative stride"
	errOut   = "mha: the output overlaps an input"
	errSinks = "mha: there must be a sink for every head"
	errFewer = "mha: a head mask needs a factor for every head, or for every head of every sequence"
)

// MaxDim is the largest size of a query, key or value.
const MaxDim = 256

func check(p *Params, b Batch, q View) {
	if p.Heads < 1 || p.KVHeads < 1 || p.Heads%p.KVHeads != 0 {
		panic(errHeads)
	}
	if p.HeadDim < 1 || p.HeadDim > MaxDim || p.ValueDim < 1 || p.ValueDim > MaxDim {
		panic(errDim)
	}
	if len(b.SeqQ) != len(b.SeqK) || len(b.SeqQ) == 0 || !rising(b.SeqQ) || !rising(b.SeqK) {
		panic(errBatch)
	}
	checkSight(p, b)
	if !q.holds(p.Heads, int(b.SeqQ[len(b.SeqQ)-1]), p.HeadDim) {
		panic(errView)
	}
}

func checkSight(p *Params, b Batch) {
	if p.Left < 0 || p.Right < 0 || !(p.Cap >= 0) || p.Prefix != nil && len(p.Prefix) < len(b.SeqQ)-1 {
		panic(errSight)
	}
	for _, n := range p.Prefix {
		if n < 0 {
			panic(errSight)
		}
	}
	for i := range p.Masks {
		if m := &p.Masks[i]; !holds(len(m.Data), p, b, m.Seq, m.Head, m.Query, m.Key) {
			panic(errMask)
		}
	}
	for _, bias := range p.Biases {
		switch t := bias.(type) {
		case *Table:
			if !holds(len(t.Data), p, b, t.Seq, t.Head, t.Query, t.Key) {
				panic(errMask)
			}
		case *ALiBi:
			if len(t.Slopes) < p.Heads {
				panic(errMask)
			}
		case *Distances:
			if t.Len < 1 || len(t.Data) < p.Heads*t.Len {
				panic(errMask)
			}
		}
	}
	if p.Relative != nil {
		p.Relative.check(p, b)
	}
	if p.Sinks != nil && len(p.Sinks) != p.Heads {
		panic(errSinks)
	}
	if n := len(p.HeadMask); p.HeadMask != nil && n != p.Heads && n != p.Heads*(len(b.SeqQ)-1) {
		panic(errFewer)
	}
	if p.Probe != nil {
		p.Probe.Look.check(p, b)
	}
}

func rising(offsets []int32) bool {
	last := int32(0)
	for i, o := range offsets {
		if o < last || i == 0 && o != 0 {
			return false
		}
		last = o
	}
	return true
}

// Attention computes attention and owns the scratch for it. Its zero value is ready; it belongs to one goroutine at a
// time. Once the largest shapes have been seen, Run allocates nothing.
type Attention struct {
	job         job
	preparation preparation
	storing     storing
	seqK        []int32 // of RunCached
	own         Probe   // for Weights and Rollout
}

// Run sets, for every query head h, sequence and query i in it,
//
//	out[h][i] = Σ_j softmax_j(Scale·q[h][i]·k[g][j]) · v[g][j]   with g = h·KVHeads/Heads
//
// over the keys j of the sequence that the query may see, with what else p asks for; a query that sees none gets
// zeros. A NaN or +Inf score makes the row NaN; what a key or value that a query does not see may be changes nothing.
// out must not overlap the others, nor lie in the gaps between their rows.
//
// The work runs on x's pass: between its Begin and End on several processors, else on the caller. If its context is
// cancelled, out is left unfinished and x.End says so. Run panics if the shapes do not fit together.
func (a *Attention) Run(x *kernels.Exec, p Params, b Batch, out, q, k, v View) {
	p = p.withDefaults()
	if b.SeqK == nil {
		b.SeqK = b.SeqQ
	}
	check(&p, b, q)
	last := len(b.SeqQ) - 1
	if !k.holds(p.KVHeads, int(b.SeqK[last]), p.HeadDim) || !v.holds(p.KVHeads, int(b.SeqK[last]), p.ValueDim) ||
		!out.holds(p.Heads, int(b.SeqQ[last]), p.ValueDim) {
		panic(errView)
	}
	o := out.part(p.Heads, int(b.SeqQ[last]), p.ValueDim)
	if overlap(o, q.part(p.Heads, int(b.SeqQ[last]), p.HeadDim)) || overlap(o, k.part(p.KVHeads, int(b.SeqK[last]), p.HeadDim)) ||
		overlap(o, v.part(p.KVHeads, int(b.SeqK[last]), p.ValueDim)) {
		panic(errOut)
	}
	j := &a.job
	j.Params, j.Batch, j.out, j.q, j.k, j.v = p, b, out, q, k, v
	j.run(x)
	j.forget()
}

// Map is where attention weights lie: that of key j for query i of head h of sequence s, i and j counted from the
// beginning of the sequence, is Data[s*Seq+h*Head+i*Query+j].
type Map struct {
	Data             []float32
	Seq, Head, Query int
}

// Weights sets w to the softmax of Run, without the values: rows add up to 1, less the share of a sink, and are zeros
// for a query that sees nothing. Only q and k are looked at, and p.ValueDim and p.Probe are not.
func (a *Attention) Weights(x *kernels.Exec, p Params, b Batch, w Map, q, k View) {
	a.own.Look, p.Probe = Look{Weights: true}, &a.own
	j := a.onlyLook(p, b, q, k)
	if !holds(len(w.Data), &j.Params, j.Batch, w.Seq, w.Head, w.Query, 1) {
		panic(errView)
	}
	j.weights = w
	j.run(x)
	j.forget()
}

// Look is Run without values, for what p.Probe finds alone: only the queries that it looks at are computed.
func (a *Attention) Look(x *kernels.Exec, p Params, b Batch, q, k View) {
	if p.Probe == nil {
		panic(errProbe)
	}
	j := a.onlyLook(p, b, q, k)
	j.run(x)
	j.forget()
}

// onlyLook prepares a job without values.
func (a *Attention) onlyLook(p Params, b Batch, q, k View) *job {
	p.ValueDim = 0
	p = p.withDefaults()
	if b.SeqK == nil {
		b.SeqK = b.SeqQ
	}
	check(&p, b, q)
	if !k.holds(p.KVHeads, int(b.SeqK[len(b.SeqK)-1]), p.HeadDim) {
		panic(errView)
	}
	j := &a.job
	j.Params, j.Batch, j.q, j.k, j.noValues = p, b, q, k, true
	return j
}
