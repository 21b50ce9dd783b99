package generate

import (
	"context"
	"fmt"
	"slices"
)

// A Sequence is what Search wrote.
type Sequence struct {
	IDs    []int32 // the prompt, then what was generated, a token that ended it included
	Prompt int     // tokens of the prompt
	Finish Finish
	// Score is a beam search's: the sum of the log-probabilities of the generated
	// tokens, divided by the length penalty. Otherwise 0.
	Score float32
}

// Search writes one sequence for each prompt, or Config.Return of them, one after
// the other: greedily, by chance, or with beams, as the Config says. d must hold the
// prompts, one a row, and vocab be the number of its logits. The sequences of a
// prompt do not depend on the others.
func Search(ctx context.Context, d Decoder, prompts []Prompt, cfg Config, vocab int) ([]Sequence, error) {
	s, err := newSearch(d, prompts, 0, cfg, vocab)
	if err != nil {
		return nil, err
	}
	return s.run(ctx)
}

// newSearch checks everything that can be checked before the prompts are computed.
// first is the number of the first prompt, for messages.
func newSearch(d Decoder, prompts []Prompt, first int, cfg Config, vocab int) (*search, error) {
	if err := cfg.Check(vocab); err != nil {
		return nil, err
	}
	s, proc := &search{d: d}, &processors{cfg: &cfg}
	draws := 1 // writers of a prompt: a beam search writes all that it returns
	if cfg.Beams.Width < 2 {
		draws = cfg.returns()
	}
	s.shared = draws > 1
	for i, p := range prompts {
		for stream := range draws {
			w, err := newWriter(&cfg, proc, p, vocab, d.Context(), uint64(stream))
			if err != nil {
				if first+len(prompts) > 1 {
					err = fmt.Errorf("prompt %d: %w", first+i, err)
				}
				return nil, err
			}
			s.writers = append(s.writers, w)
			s.rows = append(s.rows, []int{i})
		}
	}
	return s, nil
}

// A writer writes one sequence, by one hypothesis or several.
type writer interface {
	// next reads the logits of its hypotheses and says how they go on: hypothesis
	// i is the old parents[i] followed by ids[i]. None: the sequence has ended.
	next(logits func(i int) []float32) (parents []int, ids []int32, err error)
	sequences() []Sequence
}

func newWriter(c *Config, proc *processors, p Prompt, vocab, context int, stream uint64) (writer, error) {
	if c.Beams.Width < 2 {
		s, err := NewSampler(*c, vocab)
		if err != nil {
			return nil, err
		}
		s.stream = stream
		return &single{s: s}, s.Begin(p, context)
	}
	h, err := c.begin(nil, p, vocab, context)
	if err != nil {
		return nil, err
	}
	return newBeam(c, proc, h), nil
}

// search steps writers together, so that the model's weights are read once for
// all of them.
type search struct {
	d       Decoder
	writers []writer
	rows    [][]int // by writer: the decoder's rows of its hypotheses
	shared  bool    // several writers have the same row, before the first step

	parents []int
	ids     []int32
}

// run writes until all sequences have ended.
func (s *search) run(ctx context.Context) ([]Sequence, error) {
	for {
		if err := s.advance(); err != nil {
			return nil, err
		}
		if len(s.parents) == 0 {
			done := make([]Sequence, 0, len(s.writers))
			for _, w := range s.writers {
				done = append(done, w.sequences()...)
			}
			return done, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.d.Step(ctx, s.parents, s.ids); err != nil {
			return nil, err
		}
	}
}

// advance lets every writer choose; parents and ids are then the next step.
func (s *search) advance() error {
	s.parents, s.ids = s.parents[:0], s.ids[:0]
	for i, w := range s.writers {
		rows := s.rows[i]
		if len(rows) == 0 {
			continue
		}
		parents, ids, err := w.next(func(i int) []float32 {
			if s.shared {
				return slices.Clone(s.d.Logits(rows[i]))
			}
			return s.d.Logits(rows[i])
		})
		if err != nil {
			return err
		}
		next := rows[:0:0]
		for j, p := range parents {
			next = append(next, len(s.parents))
			s.parents, s.ids = append(s.parents, rows[p]), append(s.ids, ids[j])
		}
		s.rows[i] = next
	}
	s.shared = false
	return nil
}

// single writes with a Sampler.
type single struct {
	s      *Sampler
	end    Finish
	parent [1]int // 0
	id     [1]int32
}

func (w *single) next(logits func(i int) []float32) ([]int, []int32, error) {
	t, err := w.s.Next(logits(0))
	if err != nil {
		return nil, nil, err
	}
	if w.end = t.Finish; w.end != Unfinished {
		return nil, nil, nil
	}
	w.id[0] = t.ID
	return w.parent[:], w.id[:], nil
}

func (w *single) sequences() []Sequence {
	return []Sequence{{IDs: w.s.Sequence(), Prompt: w.s.history.prompt, Finish: w.end}}
}

// next of a beam: see advance.
func (b *beam) next(logits func(i int) []float32) (parents []int, ids []int32, err error) {
	if err := b.advance(logits); err != nil || b.ended {
		return nil, nil, err
	}
	for i := range b.open {
		h := &b.open[i]
		parents, ids = append(parents, h.parent), append(ids, h.ids[len(h.ids)-1])
	}
	return parents, ids, nil
}

// sequences are the best. Where the vocabulary is too small for as many as are
// wanted, the last comes again.
func (b *beam) sequences() []Sequence {
	list := make([]Sequence, b.cfg.returns())
	for i := range list {
		h := b.finished[min(i, len(b.finished)-1)]
		list[i] = Sequence{IDs: h.ids, Prompt: h.prompt, Finish: h.finish, Score: h.score}
	}
	return list
}
