package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// A Session is a text that grows in turns: given parts and generated ones. What
// it has seen is not computed again. It belongs to one goroutine at a time, and others
// get model.ErrBusy.
type Session struct {
	busy    atomic.Bool
	g       *Generator
	cfg     generate.Config
	kv      model.KVType
	model   *model.Session // nil: about a source that nobody has given
	sampler *generate.Sampler
	source  []int32 // what the encoder of an encoder-decoder has read
	ids     []int32 // the whole text, whose first the model has read

	enc    tokenizer.Encoding
	stream *tokenizer.Stream
	stop   *generate.Stopper
	piece  []byte // of the text, as the last token let it be known
	shown  []byte // what of that may be shown
	text   arena
}

// NewSession begins an empty text.
func (g *Generator) NewSession(cfg GenerateConfig) (*Session, error) {
	s := &Session{g: g, cfg: g.config(cfg.Config, cfg.IgnoreEOS), kv: cfg.KV, stream: g.m.tokenizer.NewStream(true)}
	var err error
	if s.stop, err = generate.NewStopper(cfg.Stop...); err != nil {
		return nil, err
	}
	if s.sampler, err = generate.NewSampler(s.cfg, g.vocab); err != nil {
		return nil, err
	}
	if g.start != nil {
		return s, nil // it begins with its source
	}
	if s.model, err = g.m.model.NewSession(model.SessionOptions{KV: cfg.KV}); err != nil {
		return nil, err
	}
	return s, nil
}

// Close frees the session's memory.
func (s *Session) Close() error {
	if s.model == nil {
		return nil
	}
	return s.model.Close()
}

// IDs are the tokens of the text so far, of an encoder-decoder those that it writes.
// They are valid until the next call.
func (s *Session) IDs() []int32 { return s.ids }

// Source are the tokens that an encoder-decoder has read; nil for other models.
func (s *Session) Source() []int32 { return s.source }

// Generate appends text to what there is and continues it: see Generator.Generate.
// Special tokens stand only before the first text. With an encoder-decoder there is
// one call, whose text is the source.
func (s *Session) Generate(ctx context.Context, text string) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		if !s.busy.CompareAndSwap(false, true) {
			yield(Token{}, fmt.Errorf("pipeline: %w", model.ErrBusy))
			return
		}
		defer s.busy.Store(false)
		begin := s.begin
		if s.g.start != nil {
			begin = s.beginAbout
		}
		if err := begin(ctx, text); err != nil {
			yield(Token{}, err)
			return
		}
		next := s.next
		if s.cfg.Beams.Width > 1 {
			next = s.search()
		}
		for {
			t, err := next(ctx)
			if !yield(t, err) || err != nil || t.Finish != generate.Unfinished {
				return
			}
		}
	}
}

// begin appends a text.
func (s *Session) begin(_ context.Context, text string) error {
	ids, err := s.encode(text, len(s.ids) > 0)
	if err != nil {
		return err
	}
	if len(s.ids)+len(ids) == 0 {
		return errors.New("pipeline: the prompt is empty, and its tokenizer puts no token before a text")
	}
	return s.append(generate.Prompt{IDs: append(s.ids[:len(s.ids):len(s.ids)], ids...)})
}

// beginAbout reads a source.
func (s *Session) beginAbout(ctx context.Context, text string) error {
	if s.model != nil {
		return errors.New("pipeline: this session has its source: a text about another takes another session")
	}
	ids, err := s.encode(text, false)
	if err != nil {
		return err
	}
	source := model.Batch{IDs: ids, CuSeqlens: []int32{0, int32(len(ids))}}
	list, err := s.g.m.model.Encode(ctx, source, model.SessionOptions{KV: s.kv})
	if err != nil {
		return fmt.Errorf("pipeline: the prompt: %w", err)
	}
	s.model, s.source = list[0], slices.Clone(ids)
	return s.append(generate.Prompt{IDs: s.g.start, Source: s.source})
}

// encode gives the tokens of a text, valid until the next call.
func (s *Session) encode(text string, noSpecial bool) ([]int32, error) {
	s.enc.Reset()
	_, err := s.g.m.tokenizer.AppendEncode(&s.enc, s.g.m.folder.text(text), tokenizer.Options{
		NoSpecial: noSpecial, MaxLen: -1, IDsOnly: true, Strict: true,
	})
	if err != nil {
		return nil, fmt.Errorf("pipeline: the prompt: %w", err)
	}
	return s.enc.IDs, nil
}

// append takes over a text that is to go on. The sampler checks lengths before
// anything is kept.
func (s *Session) append(p generate.Prompt) error {
	if err := s.sampler.Begin(p, s.model.Max()); err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	s.ids = append(s.ids, p.IDs[len(s.ids):]...)
	s.stop.Reset()
	s.stream.Reset()
	s.stream.Skip(s.ids)
	return nil
}

// next generates a token. What the model has not seen, the prompt or the rest of it,
// or the token before, it is given first, so that a token is out before the next is
// begun.
func (s *Session) next(ctx context.Context) (Token, error) {
	if err := s.model.Append(ctx, s.ids[s.model.Len():]); err != nil {
		return Token{}, fmt.Errorf("pipeline: %w", err)
	}
	t, err := s.sampler.Next(s.model.Logits())
	if err != nil {
		return Token{}, fmt.Errorf("pipeline: %w", err)
	}
	s.ids = append(s.ids, t.ID)
	return s.show(t), nil
}

// search finds the whole continuation with beams and gives it token by token.
func (s *Session) search() func(context.Context) (Token, error) {
	var found []int32
	var finish generate.Finish
	return func(ctx context.Context) (Token, error) {
		if found == nil {
			list, err := s.beams(ctx)
			if err != nil {
				return Token{}, fmt.Errorf("pipeline: %w", err)
			}
			found, finish = list[0].IDs[list[0].Prompt:], list[0].Finish
		}
		t := generate.Token{ID: found[0]}
		if found = found[1:]; len(found) == 0 {
			t.Finish = finish
		}
		s.ids = append(s.ids, t.ID)
		return s.show(t), nil
	}
}

func (s *Session) beams(ctx context.Context) ([]generate.Sequence, error) {
	o, prompts := model.SessionOptions{KV: s.kv}, []generate.Prompt{{IDs: s.ids}}
	if s.source == nil {
		return generate.Sequences(ctx, s.g.m.model, o, prompts, s.cfg)
	}
	source := model.Batch{IDs: s.source, CuSeqlens: []int32{0, int32(len(s.source))}}
	return generate.SequencesFrom(ctx, s.g.m.model, o, source, prompts, s.cfg)
}

// show finds out what a token lets be known of the text.
func (s *Session) show(t generate.Token) Token {
	out := Token{ID: t.ID, LogProb: t.LogProb, Top: t.Top, Finish: t.Finish}
	s.piece = s.piece[:0]
	if t.Finish != generate.EOS {
		s.piece = s.stream.Append(s.piece, t.ID)
	}
	if t.Finish != generate.Unfinished {
		s.piece = s.stream.Flush(s.piece)
	}
	var found bool
	s.shown, found = s.stop.Append(s.shown[:0], s.piece)
	switch {
	case found:
		out.Finish = generate.Stop
	case out.Finish != generate.Unfinished:
		s.shown = s.stop.Flush(s.shown)
	}
	out.Text = s.text.string(s.shown)
	return out
}

// An arena makes strings of bytes, hundreds with one allocation.
type arena struct{ b strings.Builder }

func (a *arena) string(p []byte) string {
	const chunk = 4096
	if len(p) == 0 {
		return ""
	}
	if a.b.Cap()-a.b.Len() < len(p) {
		a.b = strings.Builder{}
		a.b.Grow(max(chunk, len(p)))
	}
	from := a.b.Len()
	a.b.Write(p)
	return a.b.String()[from:]
}
