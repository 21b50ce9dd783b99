package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	model   *model.Session
	sampler *generate.Sampler
	ids     []int32 // the whole text
	ended   int     // of ids, those that the model has been given

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
	if s.model, err = g.m.model.NewSession(model.SessionOptions{KV: cfg.KV}); err != nil {
		return nil, err
	}
	return s, nil
}

// Close frees the session's memory.
func (s *Session) Close() error { return s.model.Close() }

// IDs are the tokens of the text so far. They are valid until the next call.
func (s *Session) IDs() []int32 { return s.ids }

// Generate appends text to what there is and continues it: see Generator.Generate.
// Special tokens stand only before the first text.
func (s *Session) Generate(ctx context.Context, text string) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		if !s.busy.CompareAndSwap(false, true) {
			yield(Token{}, fmt.Errorf("pipeline: %w", model.ErrBusy))
			return
		}
		defer s.busy.Store(false)
		if err := s.begin(text); err != nil {
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
func (s *Session) begin(text string) error {
	s.enc.Reset()
	first := len(s.ids) == 0
	_, err := s.g.m.tokenizer.AppendEncode(&s.enc, s.g.m.folder.text(text), tokenizer.Options{
		NoSpecial: !first, MaxLen: -1, IDsOnly: true, Strict: true,
	})
	if err != nil {
		return fmt.Errorf("pipeline: the prompt: %w", err)
	}
	ids := s.enc.IDs
	if len(s.ids)+len(ids) == 0 {
		return errors.New("pipeline: the prompt is empty, and its tokenizer puts no token before a text")
	}
	// The sampler checks lengths before anything is kept.
	all := append(s.ids[:len(s.ids):len(s.ids)], ids...)
	if err := s.sampler.Begin(generate.Prompt{IDs: all}, s.model.Max()); err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	s.ids = append(s.ids, ids...)
	s.stop.Reset()
	s.stream.Reset()
	s.stream.Skip(s.ids)
	return nil
}

// next generates a token. What the model has not seen, the prompt or the token
// before, it is given first, so that a token is out before the next is begun.
func (s *Session) next(ctx context.Context) (Token, error) {
	if err := s.model.Append(ctx, s.ids[s.ended:]); err != nil {
		return Token{}, fmt.Errorf("pipeline: %w", err)
	}
	s.ended = len(s.ids)
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
			list, err := generate.Sequences(ctx, s.g.m.model, model.SessionOptions{KV: s.kv}, []generate.Prompt{{IDs: s.ids}}, s.cfg)
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
