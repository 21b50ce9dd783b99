package mha

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/kernels"
)

// tokens is a sequence: its queries, keys and values, heads side by side.
type tokens struct {
	Params
	q, k, v []float32
}

func randomTokens(r *rand.Rand, p Params, n int) *tokens {
	p = p.withDefaults()
	return &tokens{p, normal(r, make([]float32, n*p.Heads*p.HeadDim)), normal(r, make([]float32, n*p.KVHeads*p.HeadDim)),
		normal(r, make([]float32, n*p.KVHeads*p.ValueDim))}
}

func (s *tokens) len() int { return len(s.q) / (s.Heads * s.HeadDim) }

// views gives the tokens from … to-1.
func (s *tokens) views(from, to int) (q, k, v View) {
	part := func(data []float32, heads, dim int) View {
		return PerToken(data[from*heads*dim:to*heads*dim], heads, dim)
	}
	return part(s.q, s.Heads, s.HeadDim), part(s.k, s.KVHeads, s.HeadDim), part(s.v, s.KVHeads, s.ValueDim)
}

func (s *tokens) config(kind CacheType) CacheConfig {
	return CacheConfig{KVHeads: s.KVHeads, HeadDim: s.HeadDim, ValueDim: s.ValueDim, Type: kind}
}

// step appends the tokens from … to-1 to a cache and gives what its queries get.
func (s *tokens) step(t testing.TB, a *Attention, x *kernels.Exec, c *Cache, from, to int) []float32 {
	q, k, v := s.views(from, to)
	b := Batch{SeqQ: []int32{0, int32(to - from)}}
	require.NoError(t, a.Append(x, b, []*Cache{c}, k, v))
	out := make([]float32, (to-from)*s.Heads*s.ValueDim)
	poison(out)
	a.RunCached(x, s.Params, b, PerToken(out, s.Heads, s.ValueDim), q, []*Cache{c})
	return out
}

// inChunks is all tokens in pieces of n.
func (s *tokens) inChunks(t testing.TB, c *Cache, n, threads int) (out []float32) {
	var a Attention
	var x kernels.Exec
	x.Begin(context.Background(), threads)
	defer x.End()
	for from := 0; from < s.len(); from += n {
		out = append(out, s.step(t, &a, &x, c, from, min(from+n, s.len()))...)
	}
	return out
}

func newPool(t testing.TB) *CachePool {
	p := new(CachePool)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func newCache(t testing.TB, p *CachePool, c CacheConfig) *Cache {
	cache, err := NewCache(p, c)
	require.NoError(t, err)
	return cache
}

var cacheTypes = []CacheType{CacheF32, CacheF16, CacheInt8}

// cached are variants of causal attention with what decoders have.
var cached = map[string]Params{
	"heads":         {Heads: 2, HeadDim: 64, Causal: true},
	"groups":        {Heads: 6, KVHeads: 2, HeadDim: 32, ValueDim: 48, Causal: true},
	"one key head":  {Heads: 4, KVHeads: 1, HeadDim: 33, Causal: true, Scale: 0.1},
	"window":        {Heads: 4, KVHeads: 2, HeadDim: 16, Causal: true, Left: 100},
	"long window":   {Heads: 2, KVHeads: 1, HeadDim: 16, Causal: true, Left: 300, Cap: 5},
	"sinks":         {Heads: 4, KVHeads: 2, HeadDim: 16, Causal: true, Left: 130, Sinks: []float32{1, -2, 0, 3}},
	"no sink":       {Heads: 2, HeadDim: 8, Causal: true, Sinks: []float32{float32(math.Inf(-1)), 0}},
	"linear biases": {Heads: 3, HeadDim: 17, ValueDim: 5, Causal: true, Biases: []Bias{NewALiBi(3)}},
}

// TestChunks says that it does not matter, to the bit, in which pieces tokens come, on how many threads and with which
// vector instructions.
func TestChunks(t *testing.T) {
	for name, p := range cached {
		t.Run(name, func(t *testing.T) {
			kinds, n := cacheTypes, 530
			if name != "groups" {
				kinds, n = kinds[:1], 300
			}
			s := randomTokens(rand.New(rand.NewPCG(1, 2)), p, n)
			for _, kind := range kinds {
				var vector []float32
				eachTier(t, func(t *testing.T) {
					pool := newPool(t)
					want := s.inChunks(t, newCache(t, pool, s.config(kind)), s.len(), 1)
					pieces := []int{1, 17, 270}
					if testing.Short() {
						pieces = pieces[1:]
					}
					for _, n := range pieces {
						requireBits(t, want, s.inChunks(t, newCache(t, pool, s.config(kind)), n, 1+n%3), "%v in pieces of %d", kind, n)
					}
					if cpu.Active().Tier == cpu.Generic {
						return
					}
					if vector == nil {
						vector = want
					}
					requireBits(t, vector, want, "%v", kind)
				})
			}
		})
	}
}

// TestCachedIsUncached says that as many tokens as a range has give the bits of Run.
func TestCachedIsUncached(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for name, p := range cached {
			if p.Sinks != nil {
				continue // a sink is merged like a range of keys
			}
			s := randomTokens(rand.New(rand.NewPCG(1, 2)), p, SplitKeys)
			got := s.inChunks(t, newCache(t, newPool(t), s.config(CacheF32)), 50, 2)
			q, k, v := s.views(0, SplitKeys)
			want := make([]float32, len(got))
			var a Attention
			var x kernels.Exec
			a.Run(&x, s.Params, Batch{SeqQ: []int32{0, SplitKeys}}, PerToken(want, s.Heads, s.ValueDim), q, k, v)
			requireBits(t, want, got, "%s", name)
		}
	})
}

// kept is a row as a cache of this type has it.
func kept(kind CacheType, row []float32) {
	switch kind {
	case CacheF16:
		half := make([]uint16, len(row))
		kernels.F32ToF16(half, row)
		kernels.F16ToF32(row, half)
	case CacheInt8:
		q := make([]int8, len(row))
		scale := kernels.QuantizeRow(q, row)
		for i := range row {
			row[i] = float32(q[i]) * scale
		}
	}
}

// TestCachedReference holds the error to that of the naive formula on what the cache keeps, and says how far that is
// from what went in.
func TestCachedReference(t *testing.T) {
	const n = SplitKeys + 14
	near := map[CacheType]float64{CacheF32: 1e-5, CacheF16: 3e-3, CacheInt8: 6e-2}
	for name, p := range cached {
		s := randomTokens(rand.New(rand.NewPCG(3, 4)), p, n)
		b := Batch{SeqQ: []int32{0, n}, SeqK: []int32{0, n}}
		right := make([]float64, n*s.Heads*s.ValueDim)
		q, k, v := s.views(0, n)
		reference(s.Params, b, right, q, k, v)
		kinds := cacheTypes
		if testing.Short() && name != "groups" {
			kinds = kinds[:1]
		}
		for _, kind := range kinds {
			keeps := &tokens{s.Params, s.q, append(s.k[:0:0], s.k...), append(s.v[:0:0], s.v...)}
			for i := 0; i < len(s.k); i += s.HeadDim {
				kept(kind, keeps.k[i:i+s.HeadDim])
			}
			for i := 0; i < len(s.v); i += s.ValueDim {
				kept(kind, keeps.v[i:i+s.ValueDim])
			}
			want, plain := right, make([]float32, len(right))
			q, k, v := keeps.views(0, n)
			if kind != CacheF32 {
				want = make([]float64, len(right))
				reference(s.Params, b, want, q, k, v)
			}
			reference(s.Params, b, plain, q, k, v)
			eachTier(t, func(t *testing.T) {
				got := s.inChunks(t, newCache(t, newPool(t), s.config(kind)), 150, 2)
				requireClose(t, shape{Params: s.Params}, want, plain, got)
				worst := 0.0
				for i, w := range right {
					worst = max(worst, math.Abs(float64(got[i])-w))
				}
				if !(worst <= near[kind]) {
					t.Fatalf("%s, %v: the largest difference to no cache is %v", name, kind, worst)
				}
			})
		}
	}
}

// TestMixedBatch is prompts and single tokens of several sequences at once: each gets what it gets alone.
func TestMixedBatch(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		pool, r := newPool(t), rand.New(rand.NewPCG(5, 6))
		p := cached["groups"]
		var all []*tokens
		var caches []*Cache
		var alone [][]float32
		before, more := []int{0, 300, 127, 5, 511}, []int{40, 1, 1, 0, 20}
		b := Batch{SeqQ: offsets(more...)}
		total := int(b.SeqQ[len(more)])
		sum := randomTokens(r, p, total)
		for i, n := range before {
			s := randomTokens(r, p, n+more[i])
			all = append(all, s)
			c := newCache(t, pool, s.config(cacheTypes[i%3]))
			q, k, v := s.views(n, n+more[i])
			copy(sum.q[int(b.SeqQ[i])*s.Heads*s.HeadDim:], q.Data)
			copy(sum.k[int(b.SeqQ[i])*s.KVHeads*s.HeadDim:], k.Data)
			copy(sum.v[int(b.SeqQ[i])*s.KVHeads*s.ValueDim:], v.Data)
			first := &tokens{s.Params, s.q[:n*s.Heads*s.HeadDim], s.k[:n*s.KVHeads*s.HeadDim], s.v[:n*s.KVHeads*s.ValueDim]}
			first.inChunks(t, c, 256, 1)
			caches = append(caches, c)
			var a Attention
			var x kernels.Exec
			fork := c.Fork()
			alone = append(alone, s.step(t, &a, &x, fork, n, n+more[i]))
			fork.Close()
		}
		var a Attention
		var x kernels.Exec
		x.Begin(context.Background(), 3)
		defer x.End()
		q, k, v := sum.views(0, total)
		require.NoError(t, a.Append(&x, b, caches, k, v))
		out := make([]float32, total*sum.Heads*sum.ValueDim)
		a.RunCached(&x, p, b, PerToken(out, sum.Heads, sum.ValueDim), q, caches)
		for i, want := range alone {
			require.Equal(t, bits(want), bits(out[int(b.SeqQ[i])*sum.Heads*sum.ValueDim:][:len(want)]), "sequence %d", i)
			require.Equal(t, all[i].len(), caches[i].Len())
		}
	})
}

func TestWindowDrops(t *testing.T) {
	p := Params{Heads: 2, KVHeads: 1, HeadDim: 8, Causal: true, Left: 200}
	s := randomTokens(rand.New(rand.NewPCG(7, 8)), p, 3000)
	pool := newPool(t)
	config := s.config(CacheF32)
	all := s.inChunks(t, newCache(t, pool, config), 64, 1)
	config.Window = 200
	few := newCache(t, pool, config)
	require.Equal(t, bits(all), bits(s.inChunks(t, few, 64, 1)))
	require.LessOrEqual(t, few.Bytes(), (200+64+2*CacheBlock)/CacheBlock*config.kind().bytes())

	var dropped *DroppedError
	require.ErrorAs(t, few.Truncate(2000), &dropped)
	require.Equal(t, 3000, few.Len())
	require.NoError(t, few.Truncate(2990))
	var a Attention
	var x kernels.Exec
	require.Equal(t, bits(all[2990*2*8:]), bits(s.step(t, &a, &x, few, 2990, 3000)))
	require.NoError(t, few.Truncate(0))
	require.Equal(t, bits(all), bits(s.inChunks(t, few, 1000, 2)))

	wide := s.Params
	wide.Left = 2000
	q, _, _ := s.views(0, 1)
	require.PanicsWithValue(t, errDropped, func() {
		a.RunCached(&x, wide, Batch{SeqQ: []int32{0, 1}}, PerToken(make([]float32, 16), 2, 8), q, []*Cache{few})
	})
}

// TestForksShare counts blocks: a prefix is there once, and only the block that is written to is copied.
func TestForksShare(t *testing.T) {
	p := Params{Heads: 1, HeadDim: 16, Causal: true}
	s := randomTokens(rand.New(rand.NewPCG(9, 1)), p, 600)
	for _, kind := range cacheTypes {
		pool := newPool(t)
		first := newCache(t, pool, s.config(kind))
		want := s.inChunks(t, first, 500, 1) // 500 and 100
		require.NoError(t, first.Truncate(300))
		var a Attention
		var x kernels.Exec
		var forks []*Cache
		for i := range 10 {
			f := first.Fork()
			require.Equal(t, bits(want[300*16:(301+i)*16]), bits(s.step(t, &a, &x, f, 300, 301+i)))
			require.Same(t, first.blocks[1], f.blocks[1])
			require.NotSame(t, first.blocks[2], f.blocks[2])
			forks = append(forks, f)
		}
		require.EqualValues(t, 11, first.blocks[0].refs.Load())
		first.Close()
		require.Zero(t, first.Len())
		require.Equal(t, bits(want[301*16:600*16]), bits(s.step(t, &a, &x, forks[0], 301, 600)))
		for _, f := range forks {
			f.Close()
		}
		idle := 0
		for _, list := range pool.free {
			idle += len(list)
		}
		require.Equal(t, 2+10+2, idle, "blocks in all")
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	skipIfRacing(t)
	for _, kind := range cacheTypes {
		s := randomTokens(rand.New(rand.NewPCG(9, 1)), cached["groups"], 1)
		pool := newPool(t)
		c := newCache(t, pool, s.config(kind))
		var a Attention
		var x kernels.Exec
		x.Begin(context.Background(), 2)
		defer x.End()
		q, k, v := s.views(0, 1)
		out := PerToken(make([]float32, s.Heads*s.ValueDim), s.Heads, s.ValueDim)
		b, list := Batch{SeqQ: []int32{0, 1}}, []*Cache{c}
		round := func() {
			for range 300 { // three blocks, two ranges of keys
				if err := a.Append(&x, b, list, k, v); err != nil {
					t.Fatal(err)
				}
				a.RunCached(&x, s.Params, b, out, q, list)
			}
			_ = c.Truncate(0)
		}
		round()
		require.Zero(t, testing.AllocsPerRun(1, round))
	}
}

func TestClosedPool(t *testing.T) {
	pool := new(CachePool)
	s := randomTokens(rand.New(rand.NewPCG(9, 1)), cached["heads"], 200)
	c := newCache(t, pool, s.config(CacheF16))
	s.inChunks(t, c, 100, 1)
	fork := c.Fork()
	require.NoError(t, pool.Close())
	fork.Close()
	_, k, v := s.views(0, 150)
	var a Attention
	var x kernels.Exec
	require.ErrorIs(t, a.Append(&x, Batch{SeqQ: []int32{0, 150}}, []*Cache{c}, k, v), ErrPoolClosed)
	require.Equal(t, 200, c.Len())
	c.Close()
}

func TestCachePanics(t *testing.T) {
	pool := newPool(t)
	s := randomTokens(rand.New(rand.NewPCG(9, 1)), Params{Heads: 2, HeadDim: 8}, 4)
	c := newCache(t, pool, s.config(CacheF32))
	other := newCache(t, pool, CacheConfig{KVHeads: 1, HeadDim: 8})
	var a Attention
	var x kernels.Exec
	q, k, v := s.views(0, 4)
	b := Batch{SeqQ: []int32{0, 4}}
	out := PerToken(make([]float32, 4*2*8), 2, 8)
	require.PanicsWithValue(t, errCaches, func() { _ = a.Append(&x, b, nil, k, v) })
	require.PanicsWithValue(t, errBatch, func() { _ = a.Append(&x, Batch{}, nil, k, v) })
	require.PanicsWithValue(t, errView, func() { _ = a.Append(&x, b, []*Cache{c}, k, View{}) })
	require.NoError(t, a.Append(&x, b, []*Cache{c}, k, v))
	require.PanicsWithValue(t, errCaches, func() { a.RunCached(&x, s.Params, b, out, q, []*Cache{other}) })
	require.PanicsWithValue(t, errCaches, func() { a.RunCached(&x, s.Params, b, out, q, nil) })
	require.PanicsWithValue(t, errOut, func() { a.RunCached(&x, s.Params, b, q, q, []*Cache{c}) })
	require.PanicsWithValue(t, errView, func() { a.RunCached(&x, s.Params, b, View{}, q, []*Cache{c}) })
	for _, bad := range []CacheConfig{{}, {KVHeads: 1, HeadDim: 257}, {KVHeads: 1, HeadDim: 8, Window: -1}, {KVHeads: 1, HeadDim: 8, Type: 9}} {
		_, err := NewCache(pool, bad)
		require.Error(t, err, fmt.Sprint(bad))
	}
}

// FuzzCache does what the bytes say to some caches, and compares each with one that got its tokens at once.
func FuzzCache(f *testing.F) {
	f.Add([]byte{0, 200, 1, 0, 4, 130, 2, 99, 0, 7, 5, 0, 8, 255, 6, 0}, uint8(0))
	f.Add([]byte{0, 255, 0, 255, 0, 255, 3, 240, 4, 9, 2, 1, 0, 40, 1, 1, 5, 6, 7, 8, 0, 128}, uint8(1))
	f.Add([]byte{0, 127, 1, 0, 4, 1, 0, 1, 3, 127, 0, 2, 4, 200, 2, 0, 1, 0}, uint8(5))
	f.Fuzz(func(t *testing.T, ops []byte, how uint8) {
		p := Params{Heads: 2, KVHeads: 1, HeadDim: 5, Causal: true}
		kind := cacheTypes[how%3]
		config := CacheConfig{KVHeads: 1, HeadDim: 5, Type: kind}
		if how/3%2 == 1 {
			p.Left, config.Window = 70, 70
		}
		pool, r := newPool(t), rand.New(rand.NewPCG(uint64(how), 1))
		type pair struct {
			cache *Cache
			is    *tokens
		}
		pairs := []pair{{newCache(t, pool, config), randomTokens(r, p, 0)}}
		var a Attention
		var x kernels.Exec
		for i := 0; i+1 < min(len(ops), 60); i += 2 {
			at := pairs[int(ops[i]/4)%len(pairs)]
			n := int(ops[i+1])
			switch s := at.is; ops[i] % 4 {
			case 0:
				more := randomTokens(r, p, n)
				from := s.len()
				s.q, s.k, s.v = append(s.q, more.q...), append(s.k, more.k...), append(s.v, more.v...)
				if n > 0 {
					got := s.step(t, &a, &x, at.cache, from, s.len())
					fresh := newCache(t, pool, CacheConfig{KVHeads: 1, HeadDim: 5, Type: kind})
					want := s.step(t, &a, &x, fresh, 0, s.len())
					fresh.Close()
					require.Equal(t, bits(want[from*10:]), bits(got))
				}
			case 1:
				if len(pairs) < 5 {
					pairs = append(pairs, pair{at.cache.Fork(), &tokens{s.Params, append(s.q[:0:0], s.q...), append(s.k[:0:0], s.k...), append(s.v[:0:0], s.v...)}})
				}
			case 2:
				if keep := max(0, s.len()-n); at.cache.Truncate(keep) == nil {
					s.q, s.k, s.v = s.q[:keep*10], s.k[:keep*5], s.v[:keep*5]
				}
			case 3:
				at.cache.Close()
				s.q, s.k, s.v = nil, nil, nil
			}
			require.Equal(t, at.is.len(), at.cache.Len())
		}
		for _, p := range pairs {
			p.cache.Close()
		}
		for _, list := range pool.free {
			for _, b := range list {
				require.Zero(t, b.refs.Load())
			}
		}
	})
}
