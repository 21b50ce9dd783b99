package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/ladon-ml/ladon/model/generate"
)

// A Translator writes texts in another language. It is safe for concurrent use,
// and ends with its Model.
type Translator struct{ r *rewriter }

// Translator gives the model's translation. Only encoder-decoders with a language
// model's head have it.
func (m *Model) Translator() (*Translator, error) {
	r, err := m.newRewriter("translate")
	if err != nil {
		return nil, err
	}
	return &Translator{r}, nil
}

// Settings gives what the checkpoint's generation_config.json says.
func (t *Translator) Settings() *generate.Settings { return t.r.settings }

// MaxSource is how many tokens of a text are read at once, special ones included.
func (t *Translator) MaxSource() int { return t.r.limit }

// TranslateConfig changes one call. Its zero value is the default.
type TranslateConfig struct {
	RewriteConfig
	// Source and Target are languages, for models that translate between several:
	// "en" and "de" for T5, whose config.json has a prefix for each pair; "fra" for
	// Marian's >>fra<<; "en_XX" for mBART.
	Source, Target string
}

// Translate translates texts, by the rules of transformers' translation pipeline:
// with the beams and lengths that the checkpoint says, else 4 and 256. A text
// longer than the model reads at once is translated in parts, cut between sentences
// or lines. A text of white space is translated by an empty one.
func (t *Translator) Translate(ctx context.Context, cfg TranslateConfig, texts ...string) ([]string, error) {
	d, err := t.r.direction(cfg.Source, cfg.Target)
	if err != nil {
		return nil, err
	}
	if err := t.needDirection(d, cfg, texts); err != nil {
		return nil, err
	}
	return t.r.write(ctx, d.task, cfg.RewriteConfig, d, texts)
}

// needDirection gives an error where a model that was trained with prefixes for
// several languages gets none. Texts may begin with one.
func (t *Translator) needDirection(d direction, cfg TranslateConfig, texts []string) error {
	pairs := t.r.pairs()
	if d.task != noDirection.task || cfg.Prefix != nil || len(pairs) == 0 {
		return nil
	}
	begins := func(text string) bool {
		for _, task := range t.r.tasks {
			if task.prefix != nil && *task.prefix != "" && strings.HasPrefix(text, *task.prefix) {
				return true
			}
		}
		return strings.TrimSpace(text) == ""
	}
	for _, text := range texts {
		if !begins(text) {
			return fmt.Errorf("pipeline: %s translates %s: the target language has to be said", t.r.m.name, pairList(pairs))
		}
	}
	return nil
}

// A Summarizer writes what is in a text in fewer words. It is safe for concurrent
// use, and ends with its Model.
type Summarizer struct{ r *rewriter }

// Summarizer gives the model's summaries. Only encoder-decoders with a language
// model's head have it.
func (m *Model) Summarizer() (*Summarizer, error) {
	r, err := m.newRewriter("summarize")
	if err != nil {
		return nil, err
	}
	return &Summarizer{r}, nil
}

// Settings gives what the checkpoint's generation_config.json says.
func (s *Summarizer) Settings() *generate.Settings { return s.r.settings }

// MaxSource is how many tokens of a text are read at once, special ones included.
func (s *Summarizer) MaxSource() int { return s.r.limit }

// SummarizeConfig changes one call. Its zero value is the default.
type SummarizeConfig struct{ RewriteConfig }

// Summarize summarises texts, by the rules of transformers' summarization
// pipeline; see [Translator.Translate], which does the same with other settings.
func (s *Summarizer) Summarize(ctx context.Context, cfg SummarizeConfig, texts ...string) ([]string, error) {
	return s.r.write(ctx, "summarization", cfg.RewriteConfig, noDirection, texts)
}
