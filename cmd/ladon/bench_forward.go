package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ladon-ml/ladon/internal/peak"
	"github.com/ladon-ml/ladon/mha"
	"github.com/ladon-ml/ladon/model"
)

var benchForwardCase = command{
	name:    "forward",
	summary: "a model's forward pass, to last_hidden_state",
	help: `
The tokens are random. gflops counts the products with the layers' matrices and
attention's; the peak of an int8 run is that of bytes, although its attention
computes in float32.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := modelFlag(fs)
		batch := countFlag(fs, "batch", 1, 1, "`sequences` at once")
		seq := countFlag(fs, "seq", 128, 1, "`tokens` of each")
		lens := lensFlag(fs, "in place of -batch and -seq")
		look := lookFlag(fs)
		budget := budgetFlag(fs)
		return func(c *call) error {
			if err := c.noArgs(); err != nil {
				return err
			}
			list := *lens
			if list == nil {
				var err error
				if list, err = repeated(*seq, *batch); err != nil {
					return err
				}
			}
			return runBenchForward(c, src, list, *look, *budget)
		}
	},
}

// lensFlag registers the lengths of a ragged batch.
func lensFlag(fs *flag.FlagSet, instead string) *[]int {
	var lens []int
	fs.Var(countsValue{&lens}, "lens", "`LENGTHS` of the sequences, separated by commas, "+instead)
	return &lens
}

func runBenchForward(c *call, src *modelSource, lens []int, look *mha.Look, budget time.Duration) error {
	m, err := src.loadBase(c)
	if err != nil {
		return err
	}
	defer m.Close()
	spec := m.Spec()
	tokens := 0
	for _, n := range lens {
		tokens += n
		if err := checkSize(tokens, max(spec.Hidden, spec.Layers[0].FeedForward.Width)); err != nil {
			return err
		}
	}
	batch, ops := model.Batch{CuSeqlens: []int32{0}}, 0.0
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range lens {
		if most := spec.Embeddings.Positions; n > most {
			return fmt.Errorf("bench forward: %d tokens, but the model takes at most %d", n, most)
		}
		for range n {
			batch.IDs = append(batch.IDs, rng.Int32N(int32(spec.Embeddings.Vocab)))
		}
		batch.CuSeqlens = append(batch.CuSeqlens, int32(len(batch.IDs)))
		ops += peak.ForwardOps(spec, n)
	}
	result, err := m.NewResult(model.LastHiddenState)
	if err != nil {
		return err
	}
	for l := range spec.Layers {
		if look != nil {
			if err := result.Look(l, *look); err != nil {
				return err
			}
		}
	}
	dtype := m.DType().String()
	t, top, err := c.measureBeside(dtype, budget, func() error { return m.Forward(c.ctx, batch, result) })
	if err != nil {
		return err
	}
	r := newRecord("forward")
	r.string("model", src.name())
	r.ints("lens", lens)
	r.int("tokens", len(batch.IDs))
	r.string("dtype", dtype)
	if look != nil {
		r.string("probe", kept(look))
	}
	r.timing(t)
	r.float("tokens_per_s", t.perSecond(float64(len(batch.IDs))), 6)
	r.rate(t.perSecond(ops), top)
	r.machine(c)
	return r.writeTo(c)
}
