package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/ladon-ml/ladon/internal/mem"
	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

var benchAttentionCase = command{
	name:    "attention",
	summary: "multi-head attention on float32 queries, keys and values",
	help: `
gflops counts the scores that a query may see, and the sums over values. With
-causal and fewer queries than keys, the last query sees every key. A query sees
-window keys up to its own place, and without -causal as many from there on.
With -kv-dtype keys and values lie in a cache of that type, in its blocks; without
it, in float32 beside each other. With -live-heads gflops counts the heads that are
computed. scratch_bytes is what the first run allocates beside inputs and output,
with what a probe keeps.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		var s attentionShape
		batch := countFlag(fs, "batch", 1, 1, "`sequences` at once")
		q := countFlag(fs, "q", 128, 1, "`queries` of each")
		k := countFlag(fs, "k", 0, 0, "`keys` of each; 0: as many as queries")
		lens := lensFlag(fs, "in place of -batch, -q and -k")
		fs.Var(countValue{&s.heads, 1}, "heads", "query `heads`")
		fs.Var(countValue{&s.kvHeads, 0}, "kv-heads", "key and value `heads`; 0: as many as query heads")
		fs.Var(countValue{&s.dim, 1}, "dim", "`size` of a head")
		fs.BoolVar(&s.causal, "causal", false, "hide later keys from earlier queries")
		fs.Var(countValue{&s.window, 0}, "window", "`keys` that a query sees on a side; 0: all")
		fs.Func("kv-dtype", "a cache of `f32|f16|int8`", func(v string) (err error) {
			s.cached = true
			s.kept, err = mha.ParseCacheType(v)
			return err
		})
		s.variant.flags(fs)
		s.heads, s.dim = 12, 64
		budget := budgetFlag(fs)
		return func(c *call) error {
			if err := c.noArgs(); err != nil {
				return err
			}
			if *k == 0 {
				*k = *q
			}
			if err := s.setLengths(*lens, *batch, *q, *k); err != nil {
				return err
			}
			if err := s.check(); err != nil {
				return err
			}
			return runBenchAttention(c, &s, *budget)
		}
	},
}

// attentionShape is a case of attention.
type attentionShape struct {
	queries, keys       []int // of each sequence
	heads, kvHeads, dim int
	causal              bool
	window              int // keys seen on a side, the query's own among them; 0: all

	cached bool // keys and values in caches of type kept
	kept   mha.CacheType

	variant attentionVariant
}

// setLengths takes lens, or without it a batch of equal sequences.
func (s *attentionShape) setLengths(lens []int, batch, q, k int) (err error) {
	if lens != nil {
		s.queries, s.keys = lens, lens
		return nil
	}
	if s.queries, err = repeated(q, batch); err != nil {
		return err
	}
	s.keys, err = repeated(k, batch)
	return err
}

func (s *attentionShape) check() error {
	if s.kvHeads == 0 {
		s.kvHeads = s.heads
	}
	switch {
	case s.heads%s.kvHeads != 0:
		return fmt.Errorf("bench attention: %d heads are no multiple of %d key and value heads", s.heads, s.kvHeads)
	case s.dim > mha.MaxDim:
		return fmt.Errorf("bench attention: heads of %d; at most %d", s.dim, mha.MaxDim)
	}
	if err := checkSize(max(1, sum(s.queries)), s.heads, s.dim); err != nil {
		return err
	}
	return checkSize(max(1, sum(s.keys)), s.kvHeads, s.dim)
}

// ops counts operations, two for a multiply-add: those of the scores, and as
// many for the sums over values.
func (s *attentionShape) ops() float64 {
	pairs := 0.0
	for i, q := range s.queries {
		k := s.keys[i]
		if !s.causal && s.window == 0 {
			pairs += float64(q) * float64(k)
			continue
		}
		for j := range q {
			place := k - q + j
			first, last := 0, k-1
			if s.window > 0 {
				first, last = max(first, place-s.window+1), min(last, place+s.window-1)
			}
			if s.causal {
				last = min(last, place)
			}
			pairs += float64(max(0, last-first+1))
		}
	}
	return 4 * pairs * float64(s.heads) * float64(s.dim) * s.variant.share(s.heads)
}

func runBenchAttention(c *call, s *attentionShape, budget time.Duration) error {
	rng := rand.New(rand.NewPCG(1, 2))
	queries, keys := sum(s.queries), sum(s.keys)
	var memory mem.Arena // as models and caches have it, in large pages
	defer memory.Free()
	view := func(heads, tokens int) mha.View {
		data, err := memory.Float32s(heads * tokens * s.dim)
		if err != nil {
			data = make([]float32, heads*tokens*s.dim)
		}
		for i := range data {
			data[i] = 2*rng.Float32() - 1
		}
		return mha.PerHead(data, tokens, s.dim)
	}
	q, k, v := view(s.heads, queries), view(s.kvHeads, keys), view(s.kvHeads, keys)
	out := mha.PerToken(make([]float32, queries*s.heads*s.dim), s.heads, s.dim)
	params := mha.Params{Heads: s.heads, KVHeads: s.kvHeads, HeadDim: s.dim, Causal: s.causal, Left: s.window, Right: s.window}
	batch := mha.Batch{SeqQ: offsets(s.queries), SeqK: offsets(s.keys)}
	if err := s.variant.params(&params, rng, largest(s.queries), largest(s.keys)); err != nil {
		return err
	}
	var x kernels.Exec
	var a mha.Attention
	run := func() { a.Run(&x, params, batch, out, q, k, v) }
	if s.cached {
		var pool mha.CachePool
		defer pool.Close()
		caches, err := s.fill(&pool, &x, &a, k, v)
		if err != nil {
			return err
		}
		run = func() { a.RunCached(&x, params, batch, out, q, caches) }
	}
	once := func() error {
		x.Begin(c.ctx, c.threads)
		run()
		return x.End()
	}
	scratch, err := allocated(once)
	if err != nil {
		return err
	}
	t, top, err := c.measureBeside("f32", budget, once)
	if err != nil {
		return err
	}
	r := newRecord("attention")
	r.ints("q", s.queries)
	r.ints("k", s.keys)
	r.int("heads", s.heads)
	r.int("kv_heads", s.kvHeads)
	r.int("dim", s.dim)
	r.bool("causal", s.causal)
	r.int("window", s.window)
	if s.cached {
		r.string("kv_dtype", s.kept.String())
	}
	s.variant.record(r)
	r.int("scratch_bytes", scratch)
	r.timing(t)
	r.float("tokens_per_s", t.perSecond(float64(queries)), 6)
	r.rate(t.perSecond(s.ops()), top)
	r.machine(c)
	return r.writeTo(c)
}

// fill puts keys and values into a cache for each sequence.
func (s *attentionShape) fill(pool *mha.CachePool, x *kernels.Exec, a *mha.Attention, k, v mha.View) ([]*mha.Cache, error) {
	caches := make([]*mha.Cache, len(s.keys))
	for i := range caches {
		c, err := mha.NewCache(pool, mha.CacheConfig{KVHeads: s.kvHeads, HeadDim: s.dim, Type: s.kept})
		if err != nil {
			return nil, err
		}
		caches[i] = c
	}
	return caches, a.Append(x, mha.Batch{SeqQ: offsets(s.keys)}, caches, k, v)
}

// offsets gives where sequences of these lengths begin, and where the last ends.
func offsets(lens []int) []int32 {
	list := []int32{0}
	for _, n := range lens {
		list = append(list, list[len(list)-1]+int32(n))
	}
	return list
}

// allocated is how many bytes f allocates when it runs for the first time.
func allocated(f func() error) (int, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc), err
}

func largest(list []int) int {
	most := 0
	for _, n := range list {
		most = max(most, n)
	}
	return most
}

func sum(list []int) int {
	total := 0
	for _, n := range list {
		total += n
	}
	return total
}
