package pipeline

import (
	"context"
	"fmt"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// A Classifier says which of a model's labels hold for a text. It is safe for
// concurrent use, and ends with its Model.
type Classifier struct{ m *Model }

// Classifier gives the model's text classification. Only sequence classifiers
// have it.
func (m *Model) Classifier() (*Classifier, error) {
	if err := m.can("classify"); err != nil {
		return nil, err
	}
	return &Classifier{m}, nil
}

// ClassifyConfig changes one call. Its zero value is the default.
type ClassifyConfig struct {
	Top    int // so many labels of each text, the best; 0: all
	Scores Scoring
	// Truncated is called for each text that is longer than the model takes, with
	// its index and the number of tokens that it keeps.
	Truncated func(text, kept int)
	// Progress is called now and then with the number of texts that are done.
	Progress func(done int)
}

// Classify gives the labels of each text, the best first.
func (c *Classifier) Classify(ctx context.Context, cfg ClassifyConfig, texts ...string) ([][]Label, error) {
	w, err := c.m.gate.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	defer c.m.gate.leave(w)
	spec := c.m.model.Spec()
	answers := make([][]Label, 0, len(texts))
	add := func(text string, _ int) (bool, error) { return w.add(text, tokenizer.Options{}) }
	err = c.m.eachLogits(ctx, w, texts, 1, cfg.Truncated, add, func(done int, out model.Output) {
		for row := range out.Rows {
			answers = append(answers, cfg.Scores.labels(&spec, out.Data[row*out.Cols:(row+1)*out.Cols], cfg.Top))
		}
		if cfg.Progress != nil {
			cfg.Progress(done)
		}
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

// eachLogits runs a sequence classifier on texts, each of them times times, as add
// puts them into the batch. It hands out the logits of some at a time, with the
// number of texts that are done then.
func (m *Model) eachLogits(ctx context.Context, w *workspace, texts []string, times int, truncated func(text, kept int), add func(text string, time int) (cut bool, err error), take func(done int, out model.Output)) error {
	w.reset()
	for i, text := range texts {
		text, told := m.folder.text(text), false
		for k := range times {
			cut, err := add(text, k)
			if err != nil {
				return fmt.Errorf("pipeline: text %d: %w", i, err)
			}
			if cut && !told {
				m.reportCut(ctx, i, truncated)
				told = true
			}
			last := k == times-1
			if !w.full() && !(last && i == len(texts)-1) {
				continue
			}
			out, err := w.run(ctx, &w.logits, logits)
			if err != nil {
				return fmt.Errorf("pipeline: %s: %w", m.name, err)
			}
			done := i
			if last {
				done++
			}
			take(done, out)
			w.reset()
		}
	}
	return nil
}
