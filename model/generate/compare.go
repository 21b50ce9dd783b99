package generate

import (
	"context"
	"fmt"

	"github.com/ladon-ml/ladon/model"
)

// A Comparison says what became of a model's answers when it was changed.
type Comparison struct {
	Before, After Perplexity
	// SameTop is the share of tokens after which both find the same token the
	// likeliest to follow.
	SameTop float64
}

// Compare measures the perplexities of two models of one vocabulary on the same
// tokens, as [MeasurePerplexity] does, and how often they agree.
func Compare(ctx context.Context, before, after *model.Model, ids []int32, o PerplexityOptions) (Comparison, error) {
	var c Comparison
	if a, b := before.Spec().Embeddings.Vocab, after.Spec().Embeddings.Vocab; a != b {
		return c, fmt.Errorf("generate: vocabularies of %d and %d tokens cannot be compared", a, b)
	}
	var tops []int32
	o.top = func(id int32) { tops = append(tops, id) }
	var err error
	if c.Before, err = MeasurePerplexity(ctx, before, model.SessionOptions{}, ids, o); err != nil {
		return c, err
	}
	same, at := 0, 0
	o.top = func(id int32) {
		if tops[at] == id {
			same++
		}
		at++
	}
	if c.After, err = MeasurePerplexity(ctx, after, model.SessionOptions{}, ids, o); err != nil {
		return c, err
	}
	c.SameTop = float64(same) / float64(at)
	return c, nil
}

// likeliest is the token with the largest logit, the first of several.
func likeliest(logits []float32) int32 {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return int32(best)
}
