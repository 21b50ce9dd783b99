package pipeline

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
)

// DefaultNewTokens is how many tokens are generated at most where neither the
// caller nor the checkpoint's generation_config.json says.
const DefaultNewTokens = 128

// A Generator continues texts, or with an encoder-decoder writes texts about
// others. It is safe for concurrent use, and ends with its Model.
type Generator struct {
	m        *Model
	settings *generate.Settings
	vocab    int
	start    []int32 // what a text about a source begins with; nil: the model continues texts
}

// Generator gives the model's text generation. Models that do not predict the
// next token are an error.
func (m *Model) Generator() (*Generator, error) {
	if err := m.can("generate"); err != nil {
		return nil, err
	}
	if m.settingsErr != nil {
		return nil, m.settingsErr
	}
	spec := m.model.Spec()
	g := &Generator{m: m, settings: m.generation, vocab: spec.Embeddings.Vocab}
	if err := g.settings.Check(g.vocab); err != nil {
		return nil, err
	}
	if readsSource(&spec) {
		start, err := m.startOf(&spec)
		g.start = start
		return g, err
	}
	s, err := m.model.NewSession(model.SessionOptions{})
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	return g, s.Close()
}

// startOf gives the token that a text about a source begins with.
func (m *Model) startOf(spec *model.Spec) ([]int32, error) {
	start := m.generation.Start(spec.Target.Start)
	if vocab := spec.Embeddings.Vocab; len(start) != 1 || start[0] < 0 || int(start[0]) >= vocab {
		return nil, fmt.Errorf("pipeline: %s: decoder_start_token_id: %v, want one of %d tokens for a text to begin with", m.name, start, vocab)
	}
	return start, nil
}

// Settings gives what the checkpoint's generation_config.json says. Its lengths
// and its forced, excluded and last tokens are obeyed; its Sampling and BeamSearch
// only put into a Config what a caller asks for.
func (g *Generator) Settings() *generate.Settings { return g.settings }

// GenerateConfig changes one call. Its zero value is greedy, and gives at most
// the tokens that the checkpoint's settings say, else DefaultNewTokens.
type GenerateConfig struct {
	generate.Config

	// Stop ends the text before the first of these strings.
	Stop []string
	// IgnoreEOS goes on after the tokens that end a text by the checkpoint's settings.
	IgnoreEOS bool
	// KV is the type of the cache of keys and values; the zero value is float32.
	KV model.KVType
}

// A Token is a piece of a generated text.
type Token struct {
	ID int32
	// Text is what the token lets be known of the text: valid UTF-8, and empty
	// while a letter is incomplete or a stop string may have begun. All pieces
	// together are the text.
	Text string
	// LogProb is the logarithm of the token's probability, where the Config asks
	// for it, and Top the likeliest tokens, valid until the next one.
	LogProb float32
	Top     []generate.LogProb
	// Finish says in the last token why it is that.
	Finish generate.Finish
}

// Generate continues a text token by token. The text is raw: it gets the special
// tokens that the tokenizer puts before a text, and no chat template. Only what
// follows the prompt is given. An error ends the stream; cancelling ctx ends it
// within a token. With beams all tokens come at the end of the search. For an
// encoder-decoder the prompt is the source, and all that it writes is given.
func (g *Generator) Generate(ctx context.Context, prompt string, cfg GenerateConfig) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		s, err := g.NewSession(cfg)
		if err != nil {
			yield(Token{}, err)
			return
		}
		defer s.Close()
		for t, err := range s.Generate(ctx, prompt) {
			if !yield(t, err) {
				return
			}
		}
	}
}

// Text continues a text and gives all that follows at once.
func (g *Generator) Text(ctx context.Context, prompt string, cfg GenerateConfig) (string, error) {
	var text strings.Builder
	for t, err := range g.Generate(ctx, prompt, cfg) {
		if err != nil {
			return text.String(), err
		}
		text.WriteString(t.Text)
	}
	return text.String(), nil
}

// config puts the checkpoint's settings and the defaults into a Config.
func (g *Generator) config(c generate.Config, ignoreEOS bool) generate.Config {
	own := c.EOS
	g.settings.Obey(&c)
	if ignoreEOS {
		c.EOS = own
	}
	if c.MaxNewTokens == 0 && c.MaxLength == 0 {
		c.MaxNewTokens = DefaultNewTokens
	}
	return c
}
