package pipeline

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// An Embedder turns texts into vectors. It is safe for concurrent use, and ends
// with its Model.
type Embedder struct {
	m      *Model
	pool   pooling
	width  int      // of a pooled vector
	stages []*dense // after pooling; nil: normalise
	dim    int      // of what they give
	skip   int      // tokens at the start of every text that pooling leaves out: the prompt's
	output string   // of the model, which is the vector before the stages; "": token vectors, which are pooled
}

// Embedder gives the model's text vectors. They are what the sentence-transformers
// files of its folder say, else the average of the tokens' last hidden states;
// the task heads that the checkpoint may have do not matter. A model that was
// trained to match texts and pictures gives its projection of the text's end, as
// transformers' get_text_features does: not normalised.
func (m *Model) Embedder() (*Embedder, error) {
	if err := m.can("embed"); err != nil {
		return nil, err
	}
	return m.embedder, nil
}

func (m *Model) newEmbedder(root fs.FS) (*Embedder, error) {
	f, hidden := &m.folder, m.model.Spec().Hidden
	if f.pool.width != 0 && f.pool.width != hidden {
		return nil, fmt.Errorf("modules.json: the Pooling module takes vectors of %d, the model gives %d", f.pool.width, hidden)
	}
	e := &Embedder{m: m, pool: f.pool, width: hidden * len(f.pool.modes)}
	if h := textHead(m.model); h != nil {
		e.output, e.width = h.Outputs[0], hidden
		if n := len(h.Layers); n > 0 {
			e.width = h.Layers[n-1].Width
		}
	}
	var err error
	if e.stages, e.dim, err = loadStages(root, f.stages, e.width); err != nil {
		return nil, err
	}
	if f.pool.skipPrompt && f.prompt != "" {
		if e.skip, err = m.countPrompt(); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// textHead is the head that gives a vector of a whole text, or nil.
func textHead(m *model.Model) *model.Head {
	heads := m.Spec().Heads
	i := slices.IndexFunc(heads, func(h model.Head) bool { return h.From == model.EndToken })
	if i < 0 {
		return nil
	}
	return &heads[i]
}

// countPrompt counts the tokens of the prompt with the special ones before it:
// as sentence-transformers does, those of the prompt alone, less the one that
// ends a text.
func (m *Model) countPrompt() (int, error) {
	var enc tokenizer.Encoding
	if _, err := m.tokenizer.AppendEncode(&enc, m.folder.text(""), tokenizer.Options{MaxLen: m.maxSeq}); err != nil {
		return 0, err
	}
	n := enc.Len()
	if n > 0 && enc.Sequences[n-1] < 0 {
		n--
	}
	return n, nil
}

// Dim is the number of components of a vector.
func (e *Embedder) Dim() int { return e.dim }

// EmbedConfig changes one call. Its zero value is the default.
type EmbedConfig struct {
	// Truncated is called for each text that is longer than the model takes,
	// with its index and the number of tokens that it keeps.
	Truncated func(text, kept int)
}

// AppendEmbed appends the vectors of texts to dst, [len(texts), Dim()], and
// returns it. Once it has warmed up, and with room in dst, it allocates
// nothing. The empty text has a vector like any other.
//
// It stops soon after ctx is cancelled. With an error, dst comes back as it was.
func (e *Embedder) AppendEmbed(ctx context.Context, dst []float32, texts ...string) ([]float32, error) {
	return e.AppendEmbedWith(ctx, dst, EmbedConfig{}, texts...)
}

// AppendEmbedWith is AppendEmbed with settings of its own.
func (e *Embedder) AppendEmbedWith(ctx context.Context, dst []float32, cfg EmbedConfig, texts ...string) ([]float32, error) {
	w, err := e.m.gate.enter(ctx)
	if err != nil {
		return dst, fmt.Errorf("pipeline: %w", err)
	}
	defer e.m.gate.leave(w)
	vectors, err := e.embed(ctx, w, slices.Grow(dst, len(texts)*e.dim), 0, cfg.Truncated, texts...)
	if err != nil {
		return dst, err
	}
	return vectors, nil
}

// embed appends the vectors of texts, of which the first is called text number
// first.
func (e *Embedder) embed(ctx context.Context, w *workspace, dst []float32, first int, truncated func(text, kept int), texts ...string) ([]float32, error) {
	w.reset()
	for i, text := range texts {
		cut, err := w.add(e.m.folder.text(text), tokenizer.Options{})
		if err != nil {
			return nil, fmt.Errorf("pipeline: text %d: %w", first+i, err)
		}
		if cut {
			e.m.reportCut(ctx, first+i, truncated)
		}
		if !w.full() && i < len(texts)-1 {
			continue
		}
		if dst, err = e.flush(ctx, w, dst); err != nil {
			return nil, fmt.Errorf("pipeline: %s: %w", e.m.name, err)
		}
		w.reset()
	}
	return dst, nil
}

// flush appends the vectors of the texts in the batch.
func (e *Embedder) flush(ctx context.Context, w *workspace, dst []float32) ([]float32, error) {
	if e.output != "" {
		out, err := w.run(ctx, &w.hidden, e.output)
		return append(dst, out.Data...), err
	}
	out, err := w.run(ctx, &w.hidden, model.LastHiddenState)
	if err != nil {
		return nil, err
	}
	texts, hidden := w.texts(), out.Cols
	w.pooled = grow(w.pooled, texts*e.width)
	for s := range texts {
		from, to := w.span(s)
		e.pool.apply(w.pooled[s*e.width:(s+1)*e.width], out.Data[from*hidden:to*hidden], hidden, e.skip)
	}
	rows, width := w.pooled, e.width
	for i, d := range e.stages {
		if d != nil {
			if rows, err = w.project(ctx, d, rows, i%2); err != nil {
				return nil, err
			}
			width = d.w.N()
			continue
		}
		for s := range texts {
			normalize(rows[s*width : (s+1)*width])
		}
	}
	return append(dst, rows...), nil
}

// reportCut tells of a text that was cut. The index -1 is a ranker's query.
func (m *Model) reportCut(ctx context.Context, text int, f func(text, kept int)) {
	if f != nil {
		f(text, m.maxSeq)
	}
	if m.settings.log.Enabled(ctx, slog.LevelWarn) {
		m.settings.log.LogAttrs(ctx, slog.LevelWarn, "text cut to what the model takes", slog.Int("text", text), slog.Int("tokens", m.maxSeq))
	}
}
