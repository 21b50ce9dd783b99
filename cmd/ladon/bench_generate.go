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
The prompt is random, and tokens are chosen greedily or by beams. An
encoder-decoder reads the prompt as its source. prompt_tokens_per_s is of the
prompt at once, new_tokens_per_s of the tokens after it, each its best run; ms_min
is of both together. With beams new_tokens_per_s counts the prompt's time too. bytes is what one token reads of the weights, read_gb_per_s
the most at which this CPU reads so much memory, measured before and after, and
share_of_peak the new tokens' share of that, without beams.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := needModelFlag(fs)
		prompt := countFlag(fs, "prompt", 128, 1, "`tokens` of the prompt")
		fresh := countFlag(fs, "new", 32, 1, "`tokens` after it")
		beams := countFlag(fs, "num-beams", 1, 1, "follow `K` beams")
		var kv string
		kvFlag(fs, &kv)
		budget := budgetFlag(fs)
		return func(c *call) error {
			if err := c.noArgs(); err != nil {
				return err
			}
			if err := src.need("bench generate"); err != nil {
				return err
			}
			return runBenchGenerate(generateBench{c: c, fresh: *fresh, beams: *beams}, src, *prompt, kv, *budget)
		}
	},
}

// generateBench repeats a prompt and the tokens after it.
type generateBench struct {
	c       *call
	model   *model.Model
	kv      model.KVType
	sampler *generate.Sampler
	source  model.Batch // of an encoder-decoder
	ids     []int32     // what the text begins with
	fresh   int
	beams   int

	prompt, new []time.Duration // of each run
}

// run reads the prompt and goes on with it. Nothing ends a text early.
func (b *generateBench) run() error {
	start := time.Now()
	s, err := b.begin()
	if err != nil {
		return err
	}
	defer s.Close()
	if err := b.sampler.Begin(generate.Prompt{IDs: b.ids}, s.Max()); err != nil {
		return err
	}
	if err := s.Append(b.c.ctx, b.ids); err != nil {
		return err
	}
	b.prompt = append(b.prompt, time.Since(start))
	if b.beams > 1 {
		return b.search()
	}
	middle := time.Now()
	for range b.fresh {
		t, err := b.sampler.Next(s.Logits())
		if err != nil {
			return err
		}
		if err := s.Append(b.c.ctx, []int32{t.ID}); err != nil {
			return err
		}
	}
	b.new = append(b.new, time.Since(middle))
	return nil
}

// begin gives an empty text.
func (b *generateBench) begin() (*model.Session, error) {
	o := model.SessionOptions{KV: b.kv}
	if b.source.CuSeqlens == nil {
		return b.model.NewSession(o)
	}
	list, err := b.model.Encode(b.c.ctx, b.source, o)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// search does it all with beams.
func (b *generateBench) search() error {
	cfg := generate.Config{MaxNewTokens: b.fresh, Beams: generate.BeamSearch(b.beams)}
	o, prompts := model.SessionOptions{KV: b.kv}, []generate.Prompt{{IDs: b.ids}}
	start := time.Now()
	var err error
	if b.source.CuSeqlens == nil {
		_, err = generate.Sequences(b.c.ctx, b.model, o, prompts, cfg)
	} else {
		_, err = generate.SequencesFrom(b.c.ctx, b.model, o, b.source, prompts, cfg)
	}
	b.new = append(b.new, time.Since(start))
	return err
}

// read makes the prompt, or the source, of so many tokens.
func (b *generateBench) read(prompt int) error {
	spec := b.model.Spec()
	reader, begin := spec, prompt
	if spec.Other != nil {
		reader, begin = *spec.Other, 1
	}
	if most := reader.Embeddings.Positions; begin < prompt && prompt > most {
		return fmt.Errorf("bench generate: a source of %d tokens, but the model takes at most %d", prompt, most)
	}
	if most := spec.Embeddings.Positions; begin+b.fresh+1 > most {
		return fmt.Errorf("bench generate: %d and %d tokens, but the model takes at most %d", begin, b.fresh+1, most)
	}
	if reader.Embeddings.Patches != nil {
		return fmt.Errorf("bench generate: %s reads pictures, not texts", spec.Class)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range prompt {
		b.ids = append(b.ids, rng.Int32N(int32(reader.Embeddings.Vocab)))
	}
	if spec.Other != nil {
		b.source = model.Batch{IDs: b.ids, CuSeqlens: []int32{0, int32(prompt)}}
		b.ids = []int32{max(spec.Target.Start, 0)}
	}
	return nil
}

func runBenchGenerate(b generateBench, src *modelSource, prompt int, kv string, budget time.Duration) error {
	c := b.c
	m, err := src.load(c)
	if err != nil {
		return err
	}
	defer m.Close()
	b.model = m
	if b.kv, err = model.ParseKVType(kv); err != nil {
		return err
	}
	if err := b.read(prompt); err != nil {
		return err
	}
	if b.sampler, err = generate.NewSampler(generate.Config{}, m.Spec().Embeddings.Vocab); err != nil {
		return err
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
	if b.beams > 1 { // a run has read the prompt once more, by itself
		t = timingOf(b.new)
	}
	read, newRate := max(before[0], after[0]), float64(b.fresh)/slices.Min(b.new).Seconds()
	r := newRecord("generate")
	r.string("model", src.name())
	r.int("prompt", prompt)
	r.int("new", b.fresh)
	r.int("num_beams", b.beams)
	r.string("dtype", m.DType().String())
	r.timing(t)
	r.float("prompt_tokens_per_s", float64(prompt)/slices.Min(b.prompt).Seconds(), 6)
	r.float("new_tokens_per_s", newRate, 6)
	r.int("bytes", bytes)
	r.float("read_gb_per_s", read/1e9, 4)
	if b.beams == 1 { // several beams read the weights once for all of them
		r.float("share_of_peak", newRate*float64(bytes)/read, 4)
	}
	r.machine(c)
	return r.writeTo(c)
}
