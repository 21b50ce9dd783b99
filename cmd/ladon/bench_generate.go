package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ladon-ml/ladon/internal/peak"
	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
)

var benchGenerateCase = command{
	name:    "generate",
	summary: "a prompt through a language model, then tokens one by one",
	help: `
The prompt is random, and tokens are chosen greedily. prompt_tokens_per_s is of
the prompt at once, new_tokens_per_s of the tokens after it, each its best run.
bytes is what one token reads of the weights, read_gb_per_s the most at which this
CPU reads so much memory, measured before and after, and share_of_peak the new
tokens' share of that.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := needModelFlag(fs)
		prompt := countFlag(fs, "prompt", 128, 1, "`tokens` of the prompt")
		fresh := countFlag(fs, "new", 32, 1, "`tokens` after it")
		kv := "f32"
		fs.Var(choiceValue{&kv, []string{"f32", "f16", "int8"}}, "kv-dtype", "keep keys and values in `TYPE`: f32, f16 or int8")
		budget := budgetFlag(fs)
		return func(c *call) error {
			if err := c.noArgs(); err != nil {
				return err
			}
			if err := src.need("bench generate"); err != nil {
				return err
			}
			return runBenchGenerate(c, src, *prompt, *fresh, kv, *budget)
		}
	},
}

// generateBench repeats a prompt and the tokens after it.
type generateBench struct {
	c       *call
	session *model.Session
	sampler *generate.Sampler
	ids     []int32
	fresh   int

	prompt, new []time.Duration // of each run
}

func (b *generateBench) run() error {
	if err := b.session.Truncate(0); err != nil {
		return err
	}
	if err := b.sampler.Begin(generate.Prompt{IDs: b.ids}, b.session.Max()); err != nil {
		return err
	}
	start := time.Now()
	if err := b.session.Append(b.c.ctx, b.ids); err != nil {
		return err
	}
	middle := time.Now()
	for range b.fresh {
		t, err := b.sampler.Next(b.session.Logits())
		if err != nil {
			return err
		}
		if err := b.session.Append(b.c.ctx, []int32{t.ID}); err != nil {
			return err
		}
	}
	b.prompt, b.new = append(b.prompt, middle.Sub(start)), append(b.new, time.Since(middle))
	return nil
}

func runBenchGenerate(c *call, src *modelSource, prompt, fresh int, kv string, budget time.Duration) error {
	m, err := src.load(c)
	if err != nil {
		return err
	}
	defer m.Close()
	kvType, err := model.ParseKVType(kv)
	if err != nil {
		return err
	}
	b := generateBench{c: c, fresh: fresh}
	if b.session, err = m.NewSession(model.SessionOptions{KV: kvType}); err != nil {
		return err
	}
	defer b.session.Close()
	if most := b.session.Max(); prompt+fresh+1 > most {
		return fmt.Errorf("bench generate: %d and %d tokens, but the model takes at most %d", prompt, fresh+1, most)
	}
	vocab := m.Spec().Embeddings.Vocab
	if b.sampler, err = generate.NewSampler(generate.Config{}, vocab); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range prompt {
		b.ids = append(b.ids, rng.Int32N(int32(vocab)))
	}
	bytes := m.TokenBytes()
	before, err := peak.Read(c.ctx, c.width(), peakTime, bytes)
	if err != nil {
		return err
	}
	t, err := measure(c.ctx, budget, b.run)
	if err != nil {
		return err
	}
	after, err := peak.Read(c.ctx, c.width(), peakTime, bytes)
	if err != nil {
		return err
	}
	read, newRate := max(before[0], after[0]), float64(fresh)/slices.Min(b.new).Seconds()
	r := newRecord("generate")
	r.string("model", src.name())
	r.int("prompt", prompt)
	r.int("new", fresh)
	r.string("dtype", m.DType().String())
	r.timing(t)
	r.float("prompt_tokens_per_s", float64(prompt)/slices.Min(b.prompt).Seconds(), 6)
	r.float("new_tokens_per_s", newRate, 6)
	r.int("bytes", bytes)
	r.float("read_gb_per_s", read/1e9, 4)
	r.float("share_of_peak", newRate*float64(bytes)/read, 4)
	r.machine(c)
	return r.writeTo(c)
}
