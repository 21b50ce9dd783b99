package mha

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/internal/guard"
	"github.com/ladon-ml/ladon/kernels"
)

// eachTier runs f under every instruction set of this CPU, or the one that LADON_ISA names.
func eachTier(t *testing.T, f func(t *testing.T)) {
	for _, set := range cpu.Tested() {
		t.Run(set.String(), func(t *testing.T) {
			defer cpu.Use(set)()
			f(t)
		})
	}
}

func offsets(lengths ...int) []int32 {
	o := []int32{0}
	for _, n := range lengths {
		o = append(o, o[len(o)-1]+int32(n))
	}
	return o
}

func normal(r *rand.Rand, data []float32) []float32 {
	for i := range data {
		data[i] = float32(r.NormFloat64())
	}
	return data
}

// shape is a case: parameters, lengths, and whether heads lie per token.
type shape struct {
	Params
	lengthsQ, lengthsK []int
	perToken           bool
}

func (s shape) String() string {
	name := fmt.Sprintf("h%d_kv%d_d%d_dv%d_q%v_k%v_perToken%v", s.Heads, s.KVHeads, s.HeadDim, s.ValueDim, s.lengthsQ, s.lengthsK, s.perToken)
	return name + fmt.Sprintf("_causal%v_window%d,%d_topLeft%v_offset%d_prefix%v_masks%d_biases%d_cap%v_sinks%d_relative%v",
		s.Causal, s.Left, s.Right, s.TopLeft, s.Offset, s.Prefix, len(s.Masks), len(s.Biases), s.Cap, len(s.Sinks), s.Relative != nil)
}

// inputs makes queries, keys, values and an output poisoned with NaN, each ending at a page that must not be read.
func (s shape) inputs(t testing.TB, seed uint64) (b Batch, out, q, k, v View) {
	p := s.Params.withDefaults()
	r := rand.New(rand.NewPCG(seed, 1))
	b = Batch{SeqQ: offsets(s.lengthsQ...), SeqK: offsets(s.lengthsK...)}
	queries, keys := int(b.SeqQ[len(s.lengthsQ)]), int(b.SeqK[len(s.lengthsK)])
	view := func(heads, tokens, dim int) View {
		data := guard.Float32s(t, heads*tokens*dim)
		if s.perToken {
			return PerToken(data, heads, dim)
		}
		return PerHead(data, tokens, dim)
	}
	q, k, v = view(p.Heads, queries, p.HeadDim), view(p.KVHeads, keys, p.HeadDim), view(p.KVHeads, keys, p.ValueDim)
	normal(r, q.Data)
	normal(r, k.Data)
	normal(r, v.Data)
	out = PerToken(guard.Float32s(t, queries*p.Heads*p.ValueDim), p.Heads, p.ValueDim)
	poison(out.Data)
	return b, out, q, k, v
}

func poison(data []float32) {
	for i := range data {
		data[i] = float32(math.NaN())
	}
}

var shapes = []shape{
	{Params: Params{Heads: 2, HeadDim: 64}, lengthsQ: []int{1}, lengthsK: []int{1}},
	{Params: Params{Heads: 3, HeadDim: 32}, lengthsQ: []int{5, 1, 16, 17, 33}, lengthsK: []int{5, 1, 16, 17, 33}},
	{Params: Params{Heads: 2, HeadDim: 32}, lengthsQ: []int{127, 128, 129}, lengthsK: []int{127, 128, 129}},
	{Params: Params{Heads: 2, HeadDim: 64}, lengthsQ: []int{300}, lengthsK: []int{300}, perToken: true},
	{Params: Params{Heads: 2, HeadDim: 64, Causal: true}, lengthsQ: []int{300, 1, 40}, lengthsK: []int{300, 1, 40}},
	{Params: Params{Heads: 4, KVHeads: 2, HeadDim: 48, ValueDim: 80}, lengthsQ: []int{7, 40}, lengthsK: []int{150, 3}},
	{Params: Params{Heads: 6, KVHeads: 1, HeadDim: 128, Causal: true}, lengthsQ: []int{3, 20}, lengthsK: []int{260, 20}},
	{Params: Params{Heads: 1, HeadDim: 1, ValueDim: 1}, lengthsQ: []int{9, 0, 50}, lengthsK: []int{200, 4, 13}},
	{Params: Params{Heads: 2, HeadDim: 9, ValueDim: 33}, lengthsQ: []int{31, 65}, lengthsK: []int{31, 65}, perToken: true},
	{Params: Params{Heads: 1, HeadDim: 256, ValueDim: 250}, lengthsQ: []int{35}, lengthsK: []int{131}},
	{Params: Params{Heads: 2, HeadDim: 17, ValueDim: 16, Scale: 3}, lengthsQ: []int{18}, lengthsK: []int{18}},
	{Params: Params{Heads: 2, HeadDim: 16, Causal: true}, lengthsQ: []int{70}, lengthsK: []int{20}}, // the first 50 see nothing
	{Params: Params{Heads: 2, HeadDim: 16}, lengthsQ: []int{4}, lengthsK: []int{0}},
}

// TestReference holds the largest error over a tensor to twice that of the same formula done naively in float32, plus
// one rounding of the largest value.
func TestReference(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.String(), func(t *testing.T) { s.compare(t, 7) })
	}
}

func (s shape) compare(t *testing.T, seed uint64) {
	t.Helper()
	b, out, q, k, v := s.inputs(t, seed)
	want, plain := make([]float64, len(out.Data)), make([]float32, len(out.Data))
	wantW, plainW := reference(s.Params, b, want, q, k, v), reference(s.Params, b, plain, q, k, v)
	eachTier(t, func(t *testing.T) {
		var a Attention
		var x kernels.Exec
		poison(out.Data)
		a.Run(&x, s.Params, b, out, q, k, v)
		requireClose(t, s, want, plain, out.Data)

		w := s.weights(b)
		a.Weights(&x, s.Params, b, w, q, k)
		var got []float32
		eachRow(s.Params.withDefaults(), b, func(seq, head, i, _, _, keys int) {
			got = append(got, w.Data[seq*w.Seq+head*w.Head+i*w.Query:][:keys]...)
		})
		requireClose(t, s, wantW, plainW, got)
	})
}

// weights gives a map with room for every sequence.
func (s shape) weights(b Batch) Map {
	q, k := 1, 1
	for i := range s.lengthsQ {
		q, k = max(q, s.lengthsQ[i]), max(k, s.lengthsK[i])
	}
	return Map{Data: make([]float32, len(s.lengthsQ)*s.Heads*q*k), Seq: s.Heads * q * k, Head: q * k, Query: k}
}

func requireClose(t *testing.T, s shape, want []float64, plain, got []float32) {
	t.Helper()
	worst, plainWorst, largest := 0.0, 0.0, 0.0
	for i, w := range want {
		diff := math.Abs(float64(got[i]) - w)
		if math.IsNaN(diff) {
			t.Fatalf("%v: element %d is %v", s, i, got[i])
		}
		worst = max(worst, diff)
		plainWorst = max(plainWorst, math.Abs(float64(plain[i])-w))
		largest = max(largest, math.Abs(w))
	}
	if tol := 2*plainWorst + largest*0x1p-23; !(worst <= tol) {
		t.Errorf("%v: largest error %g, allowed %g", s, worst, tol)
	}
}

// threadCounts are those that must give the bits of one thread.
func threadCounts() []int {
	if testing.Short() {
		return []int{3}
	}
	return []int{2, 3, 7}
}

// skipIfRacing is for tests that count allocations: the race detector makes its own.
func skipIfRacing(t *testing.T) {
	if guard.Race {
		t.Skip("the race detector allocates")
	}
}

// TestSameBits runs shapes with one to three workers, and every sequence alone: nothing may change.
func TestSameBits(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, s := range shapes {
			b, out, q, k, v := s.inputs(t, 3)
			var a Attention
			var x kernels.Exec
			a.Run(&x, s.Params, b, out, q, k, v)
			want := append([]float32(nil), out.Data...)
			for _, threads := range threadCounts() {
				clear(out.Data)
				x.Begin(context.Background(), threads)
				a.Run(&x, s.Params, b, out, q, k, v)
				require.NoError(t, x.End())
				requireBits(t, want, out.Data, "%v with %d threads", s, threads)
			}
			clear(out.Data)
			for i := range s.lengthsQ {
				alone := Batch{SeqQ: offsets(s.lengthsQ[i]), SeqK: offsets(s.lengthsK[i])}
				from := func(v View, token int32) View {
					v.Data = v.Data[min(len(v.Data), int(token)*v.Token):]
					return v
				}
				if s.lengthsQ[i] == 0 || s.lengthsK[i] == 0 {
					continue
				}
				p := s.Params
				p.Prefix, p.Masks, p.Biases = alonePrefix(p.Prefix, i), aloneMasks(p.Masks, i), aloneBiases(p.Biases, i)
				p.Relative = aloneRelative(p.Relative, b, i)
				a.Run(&x, p, alone, from(out, b.SeqQ[i]), from(q, b.SeqQ[i]), from(k, b.SeqK[i]), from(v, b.SeqK[i]))
			}
			requireBits(t, want, out.Data, "%v one by one", s)
		}
	})
}

func alonePrefix(prefix []int32, s int) []int32 {
	if prefix == nil {
		return nil
	}
	return prefix[s : s+1]
}

func aloneMasks(masks []Mask, s int) (alone []Mask) {
	for _, m := range masks {
		m.Data = m.Data[s*m.Seq:]
		alone = append(alone, m)
	}
	return alone
}

func aloneBiases(biases []Bias, s int) (alone []Bias) {
	for _, b := range biases {
		if t, ok := b.(*Table); ok {
			moved := *t
			moved.Data = t.Data[s*t.Seq:]
			b = &moved
		}
		alone = append(alone, b)
	}
	return alone
}

// TestTiersAgree says that the vector instruction sets give the same bits.
func TestTiersAgree(t *testing.T) {
	for _, s := range shapes {
		var want []float32
		for _, set := range cpu.Available() {
			if set.Tier == cpu.Generic {
				continue
			}
			restore := cpu.Use(set)
			b, out, q, k, v := s.inputs(t, 3)
			var a Attention
			var x kernels.Exec
			a.Run(&x, s.Params, b, out, q, k, v)
			restore()
			if want == nil {
				want = out.Data
			}
			requireBits(t, want, out.Data, "%v on %v", s, set)
		}
	}
}

// requireBits is for many numbers: reflection takes its time only where they differ.
func requireBits(t testing.TB, want, got []float32, format string, args ...any) {
	t.Helper()
	if w, g := bits(want), bits(got); !slices.Equal(w, g) {
		require.Equal(t, w, g, append([]any{format}, args...)...)
	}
}

func bits(x []float32) []uint32 {
	b := make([]uint32, len(x))
	for i, v := range x {
		b[i] = math.Float32bits(v)
	}
	return b
}

func TestExtremes(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		s := shape{Params: Params{Heads: 1, HeadDim: 16}, lengthsQ: []int{20}, lengthsK: []int{140}}
		nan, inf := float32(math.NaN()), float32(math.Inf(1))
		run := func(change func(q, k, v View)) []float32 {
			b, out, q, k, v := s.inputs(t, 5)
			change(q, k, v)
			var a Attention
			var x kernels.Exec
			a.Run(&x, s.Params, b, out, q, k, v)
			return out.Data
		}
		t.Run("a NaN query makes its row NaN and no other", func(t *testing.T) {
			out := run(func(q, k, v View) { q.Data[3*16] = nan })
			for i, o := range out {
				require.Equal(t, i/16 == 3, o != o, "element %d", i)
			}
		})
		t.Run("huge scores pick one key", func(t *testing.T) {
			out := run(func(q, k, v View) {
				for i := range q.Data {
					q.Data[i] = 1e4
				}
				clear(k.Data)
				for d := range 16 {
					k.Data[77*16+d] = 1e4
				}
				for d := range 16 {
					v.Data[77*16+d] = 42
				}
			})
			for _, o := range out {
				require.Equal(t, float32(42), o)
			}
		})
		t.Run("all scores hugely negative still weigh alike", func(t *testing.T) {
			out := run(func(q, k, v View) {
				for i := range q.Data {
					q.Data[i] = 1e3
				}
				for i := range k.Data {
					k.Data[i] = -1e3
				}
				for i := range v.Data {
					v.Data[i] = 2
				}
			})
			for _, o := range out {
				require.InDelta(t, 2, o, 1e-5)
			}
		})
		t.Run("an infinite value reaches the output", func(t *testing.T) {
			out := run(func(q, k, v View) { v.Data[5] = inf })
			for i := range 20 {
				require.Equal(t, inf, out[i*16+5])
				require.False(t, math.IsInf(float64(out[i*16+6]), 0))
			}
		})
	})
}

func TestRunAllocatesNothing(t *testing.T) {
	skipIfRacing(t)
	s := shape{Params: Params{Heads: 4, HeadDim: 64}, lengthsQ: []int{5, 129, 40}, lengthsK: []int{5, 129, 40}}
	b, out, q, k, v := s.inputs(t, 5)
	var a Attention
	var x kernels.Exec
	x.Begin(context.Background(), 2)
	defer x.End()
	for range 3 {
		a.Run(&x, s.Params, b, out, q, k, v)
	}
	require.Zero(t, testing.AllocsPerRun(20, func() { a.Run(&x, s.Params, b, out, q, k, v) }))
}

func TestShapesPanic(t *testing.T) {
	good := shape{Params: Params{Heads: 2, HeadDim: 8}, lengthsQ: []int{4}, lengthsK: []int{4}}
	for _, c := range []struct {
		name, message string
		spoil         func(p *Params, b *Batch, out, q, k, v *View)
	}{
		{"no heads", errHeads, func(p *Params, b *Batch, out, q, k, v *View) { p.Heads = 0 }},
		{"heads not a multiple", errHeads, func(p *Params, b *Batch, out, q, k, v *View) { p.KVHeads = 3 }},
		{"head size", errDim, func(p *Params, b *Batch, out, q, k, v *View) { p.HeadDim = 257 }},
		{"falling offsets", errBatch, func(p *Params, b *Batch, out, q, k, v *View) { b.SeqQ = []int32{0, 4, 3} }},
		{"offsets of other lengths", errBatch, func(p *Params, b *Batch, out, q, k, v *View) { b.SeqQ = []int32{0, 4, 4} }},
		{"offsets from 1", errBatch, func(p *Params, b *Batch, out, q, k, v *View) { b.SeqQ = []int32{1, 4} }},
		{"short queries", errView, func(p *Params, b *Batch, out, q, k, v *View) { q.Data = q.Data[1:] }},
		{"short output", errView, func(p *Params, b *Batch, out, q, k, v *View) { out.Data = out.Data[1:] }},
		{"short values", errView, func(p *Params, b *Batch, out, q, k, v *View) { v.Data = v.Data[1:] }},
		{"output in place", errOut, func(p *Params, b *Batch, out, q, k, v *View) { *out = *q }},
		{"output over values", errOut, func(p *Params, b *Batch, out, q, k, v *View) { v.Data = append(v.Data, 0); out.Data = v.Data[1:] }},
		{"negative stride", errView, func(p *Params, b *Batch, out, q, k, v *View) { k.Token = -8 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, out, q, k, v := good.inputs(t, 1)
			p := good.Params
			c.spoil(&p, &b, &out, &q, &k, &v)
			var a Attention
			var x kernels.Exec
			require.PanicsWithValue(t, c.message, func() { a.Run(&x, p, b, out, q, k, v) })
		})
	}
}
