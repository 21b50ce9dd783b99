package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

var benchMHACase = command{
	name:    "mha",
	summary: "self-attention with its projections: queries, keys, values and output",
	setup: func(fs *flag.FlagSet) func(*call) error {
		batch := countFlag(fs, "batch", 1, 1, "`sequences` at once")
		seq := countFlag(fs, "seq", 128, 1, "`tokens` of each")
		lens := lensFlag(fs, "in place of -batch and -seq")
		dim := countFlag(fs, "model-dim", 384, 1, "`size` of a token's vector")
		heads := countFlag(fs, "heads", 12, 1, "`heads`")
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
			if *dim%*heads != 0 || *dim / *heads > mha.MaxDim {
				return fmt.Errorf("bench mha: -model-dim %d in %d heads: no whole size up to %d", *dim, *heads, mha.MaxDim)
			}
			if err := checkSize(sum(list), 3, *dim); err != nil {
				return err
			}
			if err := checkSize(*dim, 3, *dim); err != nil {
				return err
			}
			m, err := newSelfAttention(c, list, *dim, *heads)
			if err != nil {
				return err
			}
			if *look != nil {
				m.probe = &mha.Probe{Look: **look}
			}
			return m.bench(c, *budget)
		}
	},
}

// selfAttention is the module of Vaswani et al. 2017 on random weights.
type selfAttention struct {
	lens       []int
	dim, heads int
	dtype      string
	probe      *mha.Probe // nil: none

	exec    kernels.Exec
	attend  mha.Attention
	wqkv    *kernels.Matrix // [3·dim, dim]: queries, keys, values, each head after head
	wo      *kernels.Matrix // [dim, dim]
	bqkv    []float32       // [3·dim]
	bo      []float32       // [dim]
	x, y, o []float32       // [tokens, dim]
	qkv     []float32       // [3·heads, tokens, headDim]
}

func newSelfAttention(c *call, lens []int, dim, heads int) (*selfAttention, error) {
	rng := rand.New(rand.NewPCG(1, 2))
	tokens := sum(lens)
	m := &selfAttention{
		lens: lens, dim: dim, heads: heads, dtype: "f32",
		bqkv: randomFloats(rng, 3*dim), bo: randomFloats(rng, dim),
		x: randomFloats(rng, tokens*dim), y: make([]float32, tokens*dim), o: make([]float32, tokens*dim),
		qkv: make([]float32, 3*tokens*dim),
	}
	pack := kernels.Pack
	if c.dtype == "int8" {
		m.dtype, pack = "int8", kernels.PackInt8
	}
	var err error
	if m.wqkv, err = pack(randomFloats(rng, 3*dim*dim), 3*dim, dim); err != nil {
		return nil, err
	}
	m.wo, err = pack(randomFloats(rng, dim*dim), dim, dim)
	return m, err
}

func (m *selfAttention) run(batch mha.Batch) {
	tokens, headDim := sum(m.lens), m.dim/m.heads
	perHead := kernels.Out{C: m.qkv, LD: headDim, BlockCols: headDim, BlockStride: tokens * headDim}
	m.exec.MatMul(perHead, m.x, tokens, m.dim, m.wqkv, kernels.Epilogue{Bias: m.bqkv})
	part := func(i int) mha.View {
		return mha.PerHead(m.qkv[i*tokens*m.dim:(i+1)*tokens*m.dim], tokens, headDim)
	}
	m.attend.Run(&m.exec, mha.Params{Heads: m.heads, HeadDim: headDim, Probe: m.probe}, batch, mha.PerToken(m.o, m.heads, headDim), part(0), part(1), part(2))
	m.exec.MatMul(kernels.Out{C: m.y, LD: m.dim}, m.o, tokens, m.dim, m.wo, kernels.Epilogue{Bias: m.bo})
}

// ops counts operations, two for a multiply-add.
func (m *selfAttention) ops() float64 {
	ops, dim := 0.0, float64(m.dim)
	for _, n := range m.lens {
		ops += 8*float64(n)*dim*dim + 4*float64(n)*float64(n)*dim
	}
	return ops
}

func (m *selfAttention) bench(c *call, budget time.Duration) error {
	batch := mha.Batch{SeqQ: offsets(m.lens)}
	t, top, err := c.measureBeside(m.dtype, budget, func() error {
		m.exec.Begin(c.ctx, c.threads)
		m.run(batch)
		return m.exec.End()
	})
	if err != nil {
		return err
	}
	r := newRecord("mha")
	r.ints("lens", m.lens)
	r.int("model_dim", m.dim)
	r.int("heads", m.heads)
	r.string("dtype", m.dtype)
	if m.probe != nil {
		r.string("probe", kept(&m.probe.Look))
	}
	r.timing(t)
	r.float("tokens_per_s", t.perSecond(float64(sum(m.lens))), 6)
	r.rate(t.perSecond(m.ops()), top)
	r.machine(c)
	return r.writeTo(c)
}
