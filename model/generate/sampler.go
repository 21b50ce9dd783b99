package generate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// ErrNoToken is what choosing a token gives where the settings leave none, or the
// model's logits are NaN.
var ErrNoToken = errors.New("generate: no token can follow: all are excluded, or their logits are NaN")

// A LengthError says that a prompt leaves no room for another token.
type LengthError struct {
	Prompt, Max int
	Setting     string // what sets Max: "max_length", or "" for the model's context
}

func (e *LengthError) Error() string {
	if e.Setting != "" {
		return fmt.Sprintf("generate: a prompt of %d tokens leaves no room in %s %d", e.Prompt, e.Setting, e.Max)
	}
	return fmt.Sprintf("generate: a prompt of %d tokens leaves no room in the model's context of %d", e.Prompt, e.Max)
}

// Finish says why a sequence ended.
type Finish string

const (
	Unfinished Finish = ""
	EOS        Finish = "eos"    // the model gave a token of Config.EOS
	Stop       Finish = "stop"   // the text came to a stop string
	Length     Finish = "length" // the Config's lengths or the model's context
)

// A Token is what a Sampler chose.
type Token struct {
	ID int32
	// LogProb is the logarithm of the probability that the model gave the token,
	// before any setting changed it; 0 unless Config.LogProbs.
	LogProb float32
	// Top are the likeliest tokens in that sense, Config.TopLogProbs of them, best
	// first; valid until the next token.
	Top    []LogProb
	Finish Finish // of the last token
}

// A LogProb is a token with the logarithm of its probability.
type LogProb struct {
	ID      int32
	LogProb float32
}

// A Sampler chooses the tokens of one sequence at a time. It keeps its memory,
// and in steady state allocates nothing. One goroutine at a time uses it.
type Sampler struct {
	cfg     Config
	vocab   int
	proc    processors
	lottery lottery
	rng     rand.PCG
	stream  uint64 // of random numbers: which of a prompt's sequences it is
	history history
	logProb logProbs
}

// NewSampler makes a Sampler of a Config, which it checks, for a vocabulary.
func NewSampler(cfg Config, vocab int) (*Sampler, error) {
	if err := cfg.Check(vocab); err != nil {
		return nil, err
	}
	s := &Sampler{cfg: cfg, vocab: vocab}
	s.proc.cfg = &s.cfg
	return s, nil
}

// A Prompt is what a sequence begins with.
type Prompt struct {
	IDs []int32
	// Pad is how many positions of padding stood before IDs in the batch that they
	// come from. Lengths (MaxLength, MinLength) count them, as transformers does.
	Pad int
	// Source are the tokens that the encoder of an encoder-decoder read, for the
	// settings that concern them. nil: IDs.
	Source []int32
}

// Begin starts a sequence for a model that takes context tokens in all.
func (s *Sampler) Begin(p Prompt, context int) error {
	h, err := s.cfg.begin(s.history.ids[:0], p, s.vocab, context)
	if err != nil {
		return err
	}
	s.history = h
	s.rng.Seed(s.cfg.Seed, s.stream)
	return nil
}

// begin makes the history of a prompt in ids.
func (c *Config) begin(ids []int32, p Prompt, vocab, context int) (history, error) {
	if len(p.IDs) == 0 {
		return history{}, errors.New("generate: an empty prompt")
	}
	for i, id := range p.IDs {
		if id < 0 || int(id) >= vocab {
			return history{}, fmt.Errorf("generate: token %d of the prompt is %d, outside the vocabulary of %d", i, id, vocab)
		}
	}
	for i, id := range p.Source {
		if id < 0 {
			return history{}, fmt.Errorf("generate: token %d of the source is %d", i, id)
		}
	}
	h := history{ids: append(ids, p.IDs...), prompt: len(p.IDs), pad: p.Pad, source: p.Source}
	if h.source == nil {
		h.source = p.IDs
	}
	h.limit = c.limit(h.length(), max(context-len(p.IDs), 0))
	switch {
	case len(p.IDs) >= context:
		return history{}, &LengthError{Prompt: len(p.IDs), Max: context}
	case h.limit <= h.length():
		return history{}, &LengthError{h.length(), c.MaxLength, "max_length"}
	}
	return h, nil
}

// Next chooses the token that follows, from the model's logits after the sequence
// so far, which it overwrites. It must not be called after a token with a Finish.
func (s *Sampler) Next(logits []float32) (Token, error) {
	if len(logits) != s.vocab {
		return Token{}, fmt.Errorf("generate: %d logits for a vocabulary of %d", len(logits), s.vocab)
	}
	if s.cfg.LogProbs || s.cfg.TopLogProbs > 0 {
		s.logProb.take(logits, s.cfg.TopLogProbs)
	}
	s.proc.apply(logits, &s.history)
	id := int32(-1)
	if s.cfg.Temperature == 0 {
		id = greedy(logits)
	} else {
		s.lottery.fill(logits, &s.cfg, 1)
		if i := s.lottery.draw(float64(s.rng.Uint64()>>11) / (1 << 53)); i >= 0 {
			id = s.lottery.ids[i]
		}
	}
	if id < 0 {
		return Token{}, ErrNoToken
	}
	t := Token{ID: id, Finish: s.cfg.push(&s.history, id)}
	if s.cfg.LogProbs || s.cfg.TopLogProbs > 0 {
		t.LogProb, t.Top = s.logProb.of(id), s.logProb.top
	}
	return t, nil
}

// push appends a token and says whether it is the last.
func (c *Config) push(h *history, id int32) Finish {
	h.ids = append(h.ids, id)
	switch {
	case slices.Contains(c.EOS, id):
		return EOS
	case h.length() >= h.limit:
		return Length
	}
	return Unfinished
}

// Sequence is the prompt and what followed it. It is valid until the next Begin.
func (s *Sampler) Sequence() []int32 { return s.history.ids }

// Generated is what followed the prompt. It is valid until the next Begin.
func (s *Sampler) Generated() []int32 { return s.history.generated() }
