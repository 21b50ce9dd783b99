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
The tokens, or the pixels of a model that looks at pictures, are random. gflops
counts the products with the layers' matrices, with patches, and attention's;
the peak of an int8 run is that of bytes, although its attention computes in
float32. An encoder-decoder reads the tokens twice: its decoder its own source, or
where that is a picture, the token that texts begin with.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		w := forwardWork{src: modelFlag(fs)}
		batch := countFlag(fs, "batch", 1, 1, "`sequences` or pictures at once")
		seq := countFlag(fs, "seq", 128, 1, "`tokens` of each sequence")
		lens := lensFlag(fs, "in place of -batch and -seq")
		w.images = countFlag(fs, "images", 0, 0, "`pictures` beside the texts, for a model of both")
		look := lookFlag(fs)
		budget := budgetFlag(fs)
		return func(c *call) error {
			if err := c.noArgs(); err != nil {
				return err
			}
			w.batch, w.lens, w.look = *batch, *lens, *look
			if w.lens == nil {
				var err error
				if w.lens, err = repeated(*seq, *batch); err != nil {
					return err
				}
			}
			return w.run(c, *budget)
		}
	},
}

// lensFlag registers the lengths of a ragged batch.
func lensFlag(fs *flag.FlagSet, instead string) *[]int {
	var lens []int
	fs.Var(countsValue{&lens}, "lens", "`LENGTHS` of the sequences, separated by commas, "+instead)
	return &lens
}

// forwardWork is what is measured.
type forwardWork struct {
	src    *modelSource
	batch  int
	lens   []int
	images *int
	look   *mha.Look
}

// A forwardPass is one model's part of it.
type forwardPass struct {
	model  *model.Model
	batch  model.Batch
	result *model.Result
	ops    float64
}

func (w *forwardWork) run(c *call, budget time.Duration) error {
	m, err := w.src.loadBase(c)
	if err != nil {
		return err
	}
	defer m.Close()
	passes, err := w.passes(m)
	if err != nil {
		return err
	}
	ops, tokens := 0.0, 0
	for i := range passes {
		p := &passes[i]
		if p.result, err = p.model.NewResult(model.LastHiddenState); err != nil {
			return err
		}
		for l := range p.model.Spec().Layers {
			if w.look != nil {
				if err := p.result.Look(l, *w.look); err != nil {
					return err
				}
			}
		}
		ops += p.ops
		tokens += int(p.batch.CuSeqlens[len(p.batch.CuSeqlens)-1])
	}
	dtype := m.DType().String()
	t, top, err := c.measureBeside(dtype, budget, func() error {
		for i := range passes {
			if err := passes[i].model.Forward(c.ctx, passes[i].batch, passes[i].result); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r := newRecord("forward")
	r.string("model", w.src.name())
	r.ints("lens", w.lens)
	if *w.images > 0 {
		r.int("images", *w.images)
	}
	r.int("tokens", tokens)
	r.string("dtype", dtype)
	if w.look != nil {
		r.string("probe", kept(w.look))
	}
	r.timing(t)
	r.float("tokens_per_s", t.perSecond(float64(tokens)), 6)
	r.rate(t.perSecond(ops), top)
	r.machine(c)
	return r.writeTo(c)
}

// passes makes the batches: texts, pictures, or both for two models.
func (w *forwardWork) passes(m *model.Model) ([]forwardPass, error) {
	if p := m.Spec().Embeddings.Patches; p != nil {
		pass, err := picturesPass(m, w.batch)
		w.lens, _ = repeated(pass.tokens(), w.batch)
		return []forwardPass{pass}, err
	}
	spec := m.Spec()
	if spec.Crosses() && spec.Other.Embeddings.Patches != nil {
		pass, err := picturesPass(m.Other(), w.batch)
		w.lens, _ = repeated(pass.tokens(), w.batch)
		if err == nil {
			pass.model = m
			pass.batch, err = m.Shifted(pass.batch)
		}
		return []forwardPass{pass}, err
	}
	texts, err := textsPass(m, w.lens)
	if err == nil && spec.Crosses() {
		texts.batch, err = m.Shifted(texts.batch)
	}
	if err != nil || *w.images == 0 {
		return []forwardPass{texts}, err
	}
	other := m.Other()
	if other == nil || other.Spec().Embeddings.Patches == nil {
		return nil, fmt.Errorf("bench forward: -images: a %s does not look at pictures", m.Spec().Architecture)
	}
	pictures, err := picturesPass(other, *w.images)
	return []forwardPass{texts, pictures}, err
}

// tokens is how many each sequence has, if all have as many.
func (p *forwardPass) tokens() int {
	if len(p.batch.CuSeqlens) < 2 {
		return 1
	}
	return int(p.batch.CuSeqlens[1])
}

func textsPass(m *model.Model, lens []int) (forwardPass, error) {
	spec := m.Spec()
	p := forwardPass{model: m, batch: model.Batch{CuSeqlens: []int32{0}}}
	reader := &spec // of the words
	if spec.Crosses() {
		reader = spec.Other
	}
	tokens := 0
	for _, n := range lens {
		tokens += n
		if err := checkSize(tokens, max(spec.Hidden, spec.Layers[0].FeedForward.Width)); err != nil {
			return p, err
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range lens {
		if most := reader.Embeddings.Positions; n > most {
			return p, fmt.Errorf("bench forward: %d tokens, but the model takes at most %d", n, most)
		}
		for range n {
			p.batch.IDs = append(p.batch.IDs, rng.Int32N(int32(reader.Embeddings.Vocab)))
		}
		p.batch.CuSeqlens = append(p.batch.CuSeqlens, int32(len(p.batch.IDs)))
		p.ops += peak.ForwardOps(spec, n)
	}
	return p, nil
}

// picturesPass is as many pictures of the size that positions are learned for.
func picturesPass(m *model.Model, count int) (forwardPass, error) {
	spec := m.Spec()
	p := spec.Embeddings.Patches
	if err := checkSize(count, p.Channels, p.Height, p.Width); err != nil {
		return forwardPass{}, err
	}
	rng := rand.New(rand.NewPCG(3, 4))
	list := make([]model.Pixels, count)
	for i := range list {
		list[i] = model.Pixels{Data: make([]float32, p.Channels*p.Height*p.Width), Height: p.Height, Width: p.Width}
		for j := range list[i].Data {
			list[i].Data[j] = float32(rng.NormFloat64())
		}
	}
	pass := forwardPass{model: m, batch: m.Pictures(list...)}
	if err := checkSize(count, pass.tokens(), max(spec.Hidden, spec.Layers[0].FeedForward.Width)); err != nil {
		return pass, err
	}
	pass.ops = float64(count) * peak.ForwardOps(spec, pass.tokens())
	return pass, nil
}
