package pipeline

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// logits is what classifiers call their output.
const logits = "logits"

// A Ranker scores texts by how well they answer a query. It is safe for
// concurrent use, and ends with its Model.
type Ranker struct {
	m       *Model
	cross   bool // else by the vectors' cosine
	sigmoid bool // of the cross-encoder's logit
}

// Ranker gives the model's ranking. A sequence classifier with one label is a
// cross-encoder: it reads query and text together, and its logit, through the
// activation that config.json names for sentence-transformers, else a sigmoid,
// is the score. Any other model scores by the cosine of its text vectors, but a
// classifier of several labels ranks nothing.
func (m *Model) Ranker() (*Ranker, error) {
	if err := m.can("rank"); err != nil {
		return nil, err
	}
	return m.ranker, nil
}

func (m *Model) newRanker() (*Ranker, error) {
	r := &Ranker{m: m}
	const classifies = "ForSequenceClassification"
	if m.headless != nil && strings.HasSuffix(m.headless.Headless, classifies) {
		return nil, nil // cosines are not what a cross-encoder gives
	}
	spec := m.model.Spec()
	switch cross := strings.HasSuffix(spec.Class, classifies); {
	case !cross && m.embedder == nil, cross && len(spec.Labels) != 1:
		return nil, nil
	case !cross:
		return r, nil
	}
	r.cross = true
	switch name := m.folder.activation; name {
	case "", "torch.nn.modules.activation.Sigmoid":
		r.sigmoid = true
	case "torch.nn.modules.linear.Identity":
	default:
		return nil, fmt.Errorf("config.json: activation_fn %q is not supported (Sigmoid and Identity are)", name)
	}
	return r, nil
}

// CrossEncoder says whether the model reads query and text together.
func (r *Ranker) CrossEncoder() bool { return r.cross }

// RankConfig changes one call. Its zero value is the default.
type RankConfig struct {
	// Truncated is called for each text (for a cross-encoder, each pair) that is
	// longer than the model takes, with its index, or -1 for the query, and the
	// number of tokens that it keeps.
	Truncated func(text, kept int)
	// Progress is called now and then with the number of texts scored.
	Progress func(done int)
}

// AppendScores appends the score of each text to dst, in the order of texts, and
// returns it; higher is better. With an error, dst comes back as it was.
func (r *Ranker) AppendScores(ctx context.Context, dst []float32, query string, texts ...string) ([]float32, error) {
	return r.AppendScoresWith(ctx, dst, RankConfig{}, query, texts...)
}

// AppendScoresWith is AppendScores with settings of its own.
func (r *Ranker) AppendScoresWith(ctx context.Context, dst []float32, cfg RankConfig, query string, texts ...string) ([]float32, error) {
	w, err := r.m.gate.enter(ctx)
	if err != nil {
		return dst, fmt.Errorf("pipeline: %w", err)
	}
	defer r.m.gate.leave(w)
	score := r.compare
	if r.cross {
		score = r.read
	}
	scores, err := score(ctx, w, slices.Grow(dst, len(texts)), cfg, query, texts)
	if err != nil {
		return dst, err
	}
	return scores, nil
}

// read scores the pairs of query and text by the cross-encoder.
func (r *Ranker) read(ctx context.Context, w *workspace, dst []float32, cfg RankConfig, query string, texts []string) ([]float32, error) {
	query = r.m.folder.text(query)
	add := func(text string, _ int) (bool, error) {
		return w.add(query, tokenizer.Options{Pair: text, HasPair: true})
	}
	err := r.m.eachLogits(ctx, w, texts, 1, cfg.Truncated, add, func(done int, out model.Output) {
		for _, x := range out.Data {
			if r.sigmoid {
				x = float32(1 / (1 + math.Exp(-float64(x))))
			}
			dst = append(dst, x)
		}
		if cfg.Progress != nil {
			cfg.Progress(done)
		}
	})
	if err != nil {
		return nil, err
	}
	return dst, nil
}

// compare scores texts by the cosine of their vectors with the query's.
func (r *Ranker) compare(ctx context.Context, w *workspace, dst []float32, cfg RankConfig, query string, texts []string) ([]float32, error) {
	e := r.m.embedder
	var err error
	if w.query, err = e.embed(ctx, w, w.query[:0], -1, cfg.Truncated, query); err != nil {
		return nil, err
	}
	// A part at a time, so that memory does not grow with the vectors of all texts.
	const part = 256
	for first := 0; first < len(texts); first += part {
		some := texts[first:min(first+part, len(texts))]
		w.vectors, err = e.embed(ctx, w, w.vectors[:0], first, cfg.Truncated, some...)
		if err != nil {
			return nil, err
		}
		for i := range some {
			dst = append(dst, cosine(w.query, w.vectors[i*e.dim:(i+1)*e.dim]))
		}
		if cfg.Progress != nil {
			cfg.Progress(first + len(some))
		}
	}
	return dst, nil
}

// cosine is that of the angle between x and y, 0 if one of them is 0.
func cosine(x, y []float32) float32 {
	norms := math.Sqrt(float64(kernels.Dot(x, x))) * math.Sqrt(float64(kernels.Dot(y, y)))
	if norms == 0 {
		return 0
	}
	return float32(float64(kernels.Dot(x, y)) / norms)
}
