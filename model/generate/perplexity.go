package generate

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/ladon-ml/ladon/model"
)

// A Perplexity is how well a model predicts a text, by llama-perplexity's
// definition: the tokens are cut into chunks of Context, each read by itself, and
// the tokens of its second half but the first count, so that each has at least
// half a chunk before it.
type Perplexity struct {
	Context int // tokens of a chunk
	Chunks  int
	Counted int // tokens that were predicted
	// Value is exp of the mean negative log-likelihood of a counted token, and
	// Error its standard error.
	Value, Error float64

	sum, squares float64
}

// PerplexityOptions are how a perplexity is measured.
type PerplexityOptions struct {
	Context int    // tokens of a chunk; 0: 512
	BOS     *int32 // takes the place of each chunk's first token, where the tokenizer begins texts with one
	Chunks  int    // most chunks to read; 0: all
	// Progress is called after each of the chunks.
	Progress func(p Perplexity, chunks int)

	top func(id int32) // is told the likeliest token in each counted place
}

// ErrShortText is wrapped by the error about a text of fewer than two chunks.
var ErrShortText = errors.New("too short a text")

// context is the tokens of a chunk.
func (o *PerplexityOptions) context() int {
	if o.Context == 0 {
		return 512
	}
	return o.Context
}

// Check says whether a perplexity can be measured on so many tokens.
func (o *PerplexityOptions) Check(tokens int) error {
	n := o.context()
	if n < 4 {
		return fmt.Errorf("generate: chunks of %d tokens leave none to predict", n)
	}
	if tokens < 2*n {
		return fmt.Errorf("generate: %w: %d tokens, but chunks of %d need at least %d", ErrShortText, tokens, n, 2*n)
	}
	return nil
}

// MeasurePerplexity reads the tokens of a text, without special ones but a first
// BOS.
func MeasurePerplexity(ctx context.Context, m *model.Model, so model.SessionOptions, ids []int32, o PerplexityOptions) (Perplexity, error) {
	p := Perplexity{Context: o.context()}
	if err := o.Check(len(ids)); err != nil {
		return p, err
	}
	chunks := len(ids) / p.Context
	if o.Chunks > 0 {
		chunks = min(chunks, o.Chunks)
	}
	s, err := m.NewSession(so)
	if err != nil {
		return p, err
	}
	defer s.Close()
	if s.Max() < p.Context {
		return p, fmt.Errorf("generate: chunks of %d tokens are longer than the model's context of %d", p.Context, s.Max())
	}
	chunk := make([]int32, p.Context)
	for i := range chunks {
		copy(chunk, ids[i*p.Context:])
		if o.BOS != nil {
			chunk[0] = *o.BOS
		}
		if err := s.Truncate(0); err != nil {
			return p, err
		}
		if err := p.read(ctx, s, chunk, o.top); err != nil {
			return p, err
		}
		p.Chunks++
		p.conclude()
		if o.Progress != nil {
			o.Progress(p, chunks)
		}
	}
	return p, nil
}

// read adds a chunk.
func (p *Perplexity) read(ctx context.Context, s *model.Session, chunk []int32, top func(id int32)) error {
	first := len(chunk) / 2
	// The last token is predicted but predicts nothing.
	return s.AppendRows(ctx, chunk[:len(chunk)-1], first, func(i int, logits []float32) {
		nll := -model.LogProb(logits, chunk[i+1])
		p.sum += nll
		p.squares += nll * nll
		p.Counted++
		if top != nil {
			top(likeliest(logits))
		}
	})
}

// conclude computes the value so far.
func (p *Perplexity) conclude() {
	n := float64(p.Counted)
	mean := p.sum / n
	p.Value = math.Exp(mean)
	p.Error = 0
	if variance := p.squares/n - mean*mean; variance > 0 && n > 1 {
		p.Error = p.Value * math.Sqrt(variance/(n-1))
	}
}
