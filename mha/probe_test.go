package mha

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/kernels"
)

// everything looks at all that there is, of some heads and queries.
func everything(heads []int, from, to int) Look {
	return Look{Heads: heads, From: from, To: to, TopK: 5, Entropy: true, Distance: true, Near: []int{0, 3, 100}, Mass: true, Weights: true}
}

// found is what a probe gives as one list of numbers, NaN among them, with TopKeys apart.
func found(p *Probe) []float32 {
	return slices.Concat(p.LogSumExp, p.TopWeights, p.Entropy, p.Distance, p.Near, p.Mass, p.Weights)
}

// statistic is one kind of number that a probe gives, computed from the weights of the rows.
type statistic[T float] struct{ lse, entropy, distance, near, mass, weights []T }

// statistics are those of a probe by the textbook.
func statistics[T float](p Params, b Batch, l Look, q, k View) (st statistic[T]) {
	p = p.withDefaults()
	for s := range len(b.SeqQ) - 1 {
		queries, keys := int(b.SeqQ[s+1]-b.SeqQ[s]), int(b.SeqK[s+1]-b.SeqK[s])
		for h := range p.Heads {
			if l.Heads != nil && !slices.Contains(l.Heads, h) {
				continue
			}
			factor := factorOf(p, s, h)
			mass := make([]T, keys)
			for i := l.From; i < queries && (l.To == 0 || i < l.To); i++ {
				row, lse := softmaxOf(scoreRow[T](p, b, s, h, i, q, k))
				place := i + p.Offset
				if !p.TopLeft {
					place += keys - queries
				}
				entropy, distance, near := T(0), T(0), make([]T, len(l.Near))
				for j, w := range row {
					if w > 0 {
						entropy -= T(w * T(math.Log(float64(w))))
					}
					d := max(j-place, place-j)
					distance += T(w * T(d))
					row[j] = w * T(factor)
					mass[j] += row[j]
					for n, reach := range l.Near {
						if d <= reach {
							near[n] += row[j]
						}
					}
				}
				st.lse = append(st.lse, lse)
				if factor == 0 {
					entropy, distance, st.lse[len(st.lse)-1] = 0, 0, T(math.Inf(-1))
				}
				st.entropy, st.distance = append(st.entropy, entropy), append(st.distance, distance)
				st.near, st.weights = append(st.near, near...), append(st.weights, row...)
			}
			st.mass = append(st.mass, mass...)
		}
	}
	return st
}

func factorOf(p Params, s, h int) float32 {
	switch len(p.HeadMask) {
	case 0:
		return 1
	case p.Heads:
		return p.HeadMask[h]
	}
	return p.HeadMask[s*p.Heads+h]
}

// TestProbe holds every statistic, over the shapes of all variants, to twice the error of the same thing done naively
// in float32 and two roundings, for a weight is a product of two rounded numbers; and the output to the bits that it
// has without a probe.
func TestProbe(t *testing.T) {
	for i, s := range shapes {
		l := everything(nil, 0, 0)
		if i%3 == 1 {
			longest := slices.Max(s.lengthsQ)
			l = everything([]int{s.Heads - 1}, longest/3, longest)
		}
		if i%4 == 2 {
			s.HeadMask = make([]float32, s.Heads)
			for h := range s.HeadMask {
				s.HeadMask[h] = []float32{.5, 0, 1}[h%3]
			}
		}
		b, out, q, k, v := s.inputs(t, 8)
		want, naive := statistics[float64](s.Params, b, l, q, k), statistics[float32](s.Params, b, l, q, k)
		eachTier(t, func(t *testing.T) { s.probe(t, l, want, naive, b, out, q, k, v) })
	}
}

func (s shape) probe(t *testing.T, l Look, want statistic[float64], naive statistic[float32], b Batch, out, q, k, v View) {
	t.Helper()
	var a Attention
	var x kernels.Exec
	s.probeBy(t, l, want, naive, out, func(p Params) { a.Run(&x, p, b, out, q, k, v) })
}

// probeBy holds what a probe finds to what is wanted; run sets out.
func (s shape) probeBy(t *testing.T, l Look, want statistic[float64], naive statistic[float32], out View, run func(p Params)) {
	t.Helper()
	run(s.Params)
	plain := slices.Clone(out.Data)
	probe := Probe{Look: l}
	p := s.Params
	p.Probe = &probe
	for range 2 { // the second finds the first's numbers where it should write its own
		run(p)
		requireBits(t, plain, out.Data, "%v: the probe changes the output", s)
	}
	for i, w := range want.lse {
		if blind := math.IsInf(w, -1); blind || math.IsInf(float64(probe.LogSumExp[i]), -1) {
			require.Equal(t, blind, math.IsInf(float64(probe.LogSumExp[i]), -1), "%v: row %d", s, i)
			probe.LogSumExp[i] = float32(w)
		}
	}
	for _, c := range []struct {
		name  string
		want  []float64
		naive []float32
		got   []float32
	}{
		{"log-sum-exp", want.lse, naive.lse, probe.LogSumExp}, {"weights", want.weights, naive.weights, probe.Weights},
		{"entropy", want.entropy, naive.entropy, probe.Entropy}, {"distance", want.distance, naive.distance, probe.Distance},
		{"near", want.near, naive.near, probe.Near}, {"mass", want.mass, naive.mass, probe.Mass},
	} {
		worst, plainWorst, largest := 0.0, 0.0, 0.0
		require.Len(t, c.got, len(c.want), "%v: %s", s, c.name)
		for i, w := range c.want {
			if math.IsInf(w, -1) {
				continue
			}
			diff := math.Abs(float64(c.got[i]) - w)
			if math.IsNaN(diff) {
				t.Fatalf("%v: %s %d is %v", s, c.name, i, c.got[i])
			}
			worst, largest = max(worst, diff), max(largest, math.Abs(w))
			plainWorst = max(plainWorst, math.Abs(float64(c.naive[i])-w))
		}
		if tol := 2*plainWorst + 2*largest*0x1p-23; !(worst <= tol) {
			t.Errorf("%v: %s: largest error %g, allowed %g", s, c.name, worst, tol)
		}
	}
	requireTop(t, s, &probe)
}

// requireTop holds the largest weights of every row to a sort of all of them.
func requireTop(t *testing.T, s shape, p *Probe) {
	t.Helper()
	for seq := range p.seqs {
		for h := range p.heads {
			weights, queries, keys := p.WeightsOf(seq, h)
			for i := range queries {
				row := weights[i*keys:][:keys]
				sorted := slices.Clone(row)
				slices.SortFunc(sorted, func(a, b float32) int { return cmp.Compare(b, a) })
				at := p.Row(seq, h, i+p.Look.From) * p.Look.TopK
				for n := range p.Look.TopK {
					key, weight := p.TopKeys[at+n], p.TopWeights[at+n]
					ok := key < 0 && weight == 0 && (n >= keys || sorted[n] == 0)
					if key >= 0 {
						ok = weight == sorted[n] && weight == row[key]
					}
					if !ok {
						t.Fatalf("%v: head %d query %d place %d: key %d, %v", s, h, i, n, key, weight)
					}
				}
			}
		}
	}
}

// TestTiesGoToTheLowerKey has keys that are alike.
func TestTiesGoToTheLowerKey(t *testing.T) {
	s := shape{Params: Params{Heads: 1, HeadDim: 8}, lengthsQ: []int{20}, lengthsK: []int{300}}
	eachTier(t, func(t *testing.T) {
		b, out, q, k, v := s.inputs(t, 7)
		clear(k.Data)
		probe := Probe{Look: Look{TopK: 4}}
		p := s.Params
		p.Probe = &probe
		for _, better := range []int{-1, 130} {
			want := []int32{0, 1, 2, 3}
			if better >= 0 {
				copy(k.head(0, better)[:8], q.head(0, 0))
				want = []int32{int32(better), 0, 1, 2}
			}
			var a Attention
			var x kernels.Exec
			a.Run(&x, p, b, out, q, k, v)
			require.Equal(t, want, probe.TopKeys[:4])
		}
	})
}

// TestProbeSameBits runs with one to seven workers, and every sequence alone.
func TestProbeSameBits(t *testing.T) {
	long := shape{Params: Params{Heads: 3, HeadDim: 8}, lengthsQ: []int{700, 5}, lengthsK: []int{700, 5}}
	eachTier(t, func(t *testing.T) {
		for _, s := range append(slices.Clone(shapes), long) {
			b, out, q, k, v := s.inputs(t, 3)
			probe := Probe{Look: everything(nil, 0, 0)}
			p := s.Params
			p.Probe = &probe
			var a Attention
			var x kernels.Exec
			a.Run(&x, p, b, out, q, k, v)
			want, keys := found(&probe), slices.Clone(probe.TopKeys)
			for _, threads := range threadCounts() {
				x.Begin(context.Background(), threads)
				a.Run(&x, p, b, out, q, k, v)
				require.NoError(t, x.End())
				requireBits(t, want, found(&probe), "%v with %d threads", s, threads)
				require.True(t, slices.Equal(keys, probe.TopKeys), "%v with %d threads", s, threads)
			}
		}
	})
}

func TestProbeOfNaN(t *testing.T) {
	nan := float32(math.NaN())
	eachTier(t, func(t *testing.T) {
		for _, s := range []shape{
			{Params: Params{Heads: 2, HeadDim: 16}, lengthsQ: []int{20}, lengthsK: []int{140}},
			{Params: Params{Heads: 4, KVHeads: 2, HeadDim: 16}, lengthsQ: []int{3}, lengthsK: []int{40}},
			{Params: Params{Heads: 4, KVHeads: 2, HeadDim: 16}, lengthsQ: []int{1}, lengthsK: []int{600}},
		} {
			b, out, q, k, v := s.inputs(t, 5)
			spoilt := s.lengthsQ[0] / 2
			q.head(1, spoilt)[3] = nan
			probe := Probe{Look: everything(nil, 0, 0)}
			p := s.Params
			p.Probe = &probe
			var a Attention
			var x kernels.Exec
			a.Run(&x, p, b, out, q, k, v)
			for h := range s.Heads {
				for i := range s.lengthsQ[0] {
					row := probe.Row(0, h, i)
					is := h == 1 && i == spoilt
					for _, number := range []float32{probe.LogSumExp[row], probe.Entropy[row], probe.Distance[row], probe.TopWeights[row*5]} {
						require.Equal(t, is, number != number, "%v: head %d query %d", s, h, i)
					}
					require.Equal(t, is, probe.TopKeys[row*5] < 0)
				}
				for _, m := range probe.MassOf(0, h) {
					require.Equal(t, h == 1, m != m, "%v: mass of head %d", s, h)
				}
			}
			// A row outside of what is looked at does not matter to any other.
			probe.Look = everything(nil, 0, spoilt)
			if spoilt > 0 {
				a.Run(&x, p, b, out, q, k, v)
				for i, x := range found(&probe) {
					require.False(t, x != x, "%v: element %d", s, i)
				}
			}
		}
	})
}

// TestHeadMask holds masked heads to zeros and the others to their own bits, times the factor.
func TestHeadMask(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, s := range shapes {
			b, out, q, k, v := s.inputs(t, 3)
			p := s.Params.withDefaults()
			var a Attention
			var x kernels.Exec
			a.Run(&x, p, b, out, q, k, v)
			plain := slices.Clone(out.Data)
			seqs := len(s.lengthsQ)
			p.HeadMask = make([]float32, seqs*p.Heads)
			for i := range p.HeadMask {
				p.HeadMask[i] = []float32{1, 0, .5}[i%3]
			}
			a.Run(&x, p, b, out, q, k, v)
			eachRow(p, b, func(seq, head, i, firstQ, _, _ int) {
				f := factorOf(p, seq, head)
				from := ((firstQ+i)*p.Heads + head) * p.ValueDim
				for d := from; d < from+p.ValueDim; d++ {
					if !(math.Abs(float64(out.Data[d]-plain[d]*f)) <= 1e-6*math.Abs(float64(plain[d]))) {
						require.Fail(t, "another value", "%v: sequence %d head %d query %d: %v, not %v·%v", s, seq, head, i, out.Data[d], plain[d], f)
					}
					if (f == 1 || f == 0) && (plain[d]*f == 0) != (out.Data[d] == 0) {
						t.Fatalf("%v: sequence %d head %d query %d: %v, of %v·%v", s, seq, head, i, out.Data[d], plain[d], f)
					}
				}
			})
		}
	})
}

// TestRollout holds two layers to products of whole matrices.
func TestRollout(t *testing.T) {
	for _, p := range []Params{{Heads: 3, HeadDim: 8}, {Heads: 4, KVHeads: 2, HeadDim: 8, Causal: true}} {
		s := shape{Params: p, lengthsQ: []int{70, 1, 9}, lengthsK: []int{70, 1, 9}}
		eachTier(t, func(t *testing.T) {
			b, _, q, k, _ := s.inputs(t, 3)
			const rows = 2
			tokens := int(b.SeqQ[3])
			src := make([]float32, rows*tokens)
			r := rand.New(rand.NewPCG(1, 2))
			for i := range src {
				src[i] = r.Float32()
			}
			dst := make([]float32, rows*tokens)
			want := make([]float64, rows*tokens)
			eachRow(s.Params.withDefaults(), b, func(seq, head, i, firstQ, firstK, keys int) {
				weights, _ := softmaxOf(scoreRow[float64](s.Params.withDefaults(), b, seq, head, i, q, k))
				for n := range rows {
					u := float64(src[n*tokens+firstQ+i])
					for j, w := range weights {
						want[n*tokens+firstK+j] += u * w / float64(s.Heads) / 2
					}
					if head == 0 {
						want[n*tokens+firstK+i] += u / 2
					}
				}
			})
			var a Attention
			var x kernels.Exec
			for _, threads := range []int{1, 3} {
				x.Begin(context.Background(), threads)
				a.Rollout(&x, s.Params, b, rows, dst, src, q, k)
				require.NoError(t, x.End())
				for i := range want {
					require.InDelta(t, want[i], dst[i], 2e-6)
				}
			}
		})
	}
}

func TestProbeAllocatesNothing(t *testing.T) {
	skipIfRacing(t)
	for _, s := range variants() {
		b, out, q, k, v := s.inputs(t, 5)
		p := s.Params
		p.Probe = &Probe{Look: everything(nil, 0, 0)}
		var a Attention
		var x kernels.Exec
		run := func() { a.Run(&x, p, b, out, q, k, v) }
		run()
		require.Zero(t, testing.AllocsPerRun(2, run), "%v", s)
	}
}

func TestBadProbesPanic(t *testing.T) {
	s := shape{Params: Params{Heads: 2, HeadDim: 8}, lengthsQ: []int{4, 2}, lengthsK: []int{5, 2}}
	for _, l := range []Look{{Heads: []int{2}}, {Heads: []int{-1}}, {Heads: []int{1, 0}}, {Heads: []int{1, 1}}, {From: -1}, {To: 5},
		{From: 3, To: 2}, {To: -1}, {TopK: -1}, {Near: []int{-1}}} {
		b, out, q, k, v := s.inputs(t, 1)
		p := s.Params
		p.Probe = &Probe{Look: l}
		var a Attention
		var x kernels.Exec
		require.PanicsWithValue(t, errProbe, func() { a.Run(&x, p, b, out, q, k, v) }, "%+v", l)
	}
	for _, mask := range [][]float32{{}, {1}, {1, 2, 3}} {
		b, out, q, k, v := s.inputs(t, 1)
		p := s.Params
		p.HeadMask = mask
		var a Attention
		var x kernels.Exec
		require.PanicsWithValue(t, errFewer, func() { a.Run(&x, p, b, out, q, k, v) }, "%v", mask)
	}
}

// TestProbeOfCaches finds in caches what it finds in slices.
func TestProbeOfCaches(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, s := range []shape{
			{Params: Params{Heads: 4, KVHeads: 2, HeadDim: 16, Causal: true}, lengthsQ: []int{40, 1, 7}, lengthsK: []int{700, 300, 7}},
			{Params: Params{Heads: 4, KVHeads: 2, HeadDim: 16, Causal: true, Left: 300, Sinks: []float32{0, 1, 2, 3}}, lengthsQ: []int{40, 2}, lengthsK: []int{700, 600}},
			{Params: Params{Heads: 2, HeadDim: 16, HeadMask: []float32{0, .5}}, lengthsQ: []int{40, 2}, lengthsK: []int{700, 600}},
		} {
			b, out, q, k, v := s.inputs(t, 8)
			l := everything(nil, 0, 0)
			want, naive := statistics[float64](s.Params, b, l, q, k), statistics[float32](s.Params, b, l, q, k)
			var a Attention
			var x kernels.Exec
			caches := s.fill(t, &a, &x, k, v)
			run := func(p Params) { a.RunCached(&x, p, Batch{SeqQ: b.SeqQ}, out, q, caches) }
			s.probeBy(t, l, want, naive, out, run)
		}
	})
}

// fill gives caches with the keys and values of every sequence.
func (s shape) fill(t *testing.T, a *Attention, x *kernels.Exec, k, v View) (caches []*Cache) {
	p := s.Params.withDefaults()
	pool := new(CachePool)
	for range s.lengthsK {
		c, err := NewCache(pool, CacheConfig{KVHeads: p.KVHeads, HeadDim: p.HeadDim, ValueDim: p.ValueDim})
		require.NoError(t, err)
		caches = append(caches, c)
	}
	require.NoError(t, a.Append(x, Batch{SeqQ: offsets(s.lengthsK...)}, caches, k, v))
	return caches
}
