package model

import (
	"slices"
	"sync/atomic"

	"github.com/ladon-ml/ladon/mha"
)

// KVType is the form in which a session keeps keys and values.
type KVType = mha.CacheType

// The forms of keys and values; docs/attention.md says what they cost in accuracy.
const (
	KVF32  = mha.CacheF32
	KVF16  = mha.CacheF16
	KVInt8 = mha.CacheInt8
)

// ParseKVType reads "f32", "f16" or "int8".
func ParseKVType(s string) (KVType, error) { return mha.ParseCacheType(s) }

// SessionOptions are how a session is kept. The zero value is a usable default.
type SessionOptions struct {
	KV     KVType
	MaxSeq int // the most tokens; 0: what the model takes
	Chunk  int // how many tokens go through the layers together; 0: 512
}

const defaultChunk = 512

// A Session is a text that a language model reads and continues: its tokens so
// far, as the keys and values of every layer, and the logits after the last; of an
// encoder-decoder, also the keys and values of the source that it is about. It
// belongs to one goroutine at a time, and others get ErrBusy. It does not lie on
// the Go heap: it must be closed to be freed.
//
// What it computes does not depend, to the bit, on the pieces in which tokens
// come, on other sessions beside it, or on the number of threads. Models whose
// rotary positions depend on the length (dynamic NTK, LongRoPE) are apart, as
// they are in transformers: past the length they were trained with, tokens turn
// as the length after the Append that brings them demands, and what is cached
// stays as it was.
type Session struct {
	model  *Model
	head   *head
	caches []*mha.Cache // [layers]
	source []*mha.Cache // [layers], of what the encoder read; nil: there is no encoder
	limit  int
	chunk  int
	busy   atomic.Bool
	closed bool

	n      int // tokens
	logits []float32
	valid  bool // logits are those after the last token

	// Arguments of an AppendAll of this session alone.
	self [1]*Session
	ids  [1][]int32
}

// NewSession begins an empty text. It fails where the model is not a language
// model whose tokens see only those before them. An encoder-decoder has to read
// first: see [Model.Encode].
func (m *Model) NewSession(o SessionOptions) (*Session, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	if m.spec.Crosses() {
		return nil, inputError("%s is an encoder-decoder, which writes about a source", m.spec.class())
	}
	return m.newSession(o)
}

// newSession is a session without a source, of a model that is open.
func (m *Model) newSession(o SessionOptions) (*Session, error) {
	s := &Session{model: m, head: m.languageModel(), limit: m.spec.Embeddings.Positions, chunk: defaultChunk}
	if s.head == nil {
		return nil, inputError("%s is not a causal language model, which alone can continue a text", m.spec.class())
	}
	if o.MaxSeq < 0 || o.MaxSeq > s.limit {
		return nil, inputError("a context of %d tokens, but the model takes at most %d", o.MaxSeq, s.limit)
	}
	if o.MaxSeq > 0 {
		s.limit = o.MaxSeq
	}
	if o.Chunk < 0 {
		return nil, inputError("chunks of %d tokens", o.Chunk)
	}
	if o.Chunk > 0 {
		s.chunk = o.Chunk
	}
	for i := range m.spec.Layers {
		a := &m.spec.Layers[i].Attention
		c, err := mha.NewCache(&m.blocks, mha.CacheConfig{KVHeads: a.KVHeads, HeadDim: a.HeadDim, Type: o.KV, Window: a.Window})
		if err != nil {
			return nil, inputError("%v", err)
		}
		s.caches = append(s.caches, c)
	}
	return s, nil
}

// languageModel is the head that scores every word as the next, nil where there
// is none, and where tokens see later ones or attend to distances.
func (m *Model) languageModel() *head {
	if m.spec.Distances != nil {
		return nil
	}
	for i := range m.spec.Layers {
		if !m.spec.Layers[i].Attention.Causal {
			return nil
		}
	}
	for i := range m.heads {
		h := &m.heads[i]
		if h.From == EveryToken && len(h.Outputs) == 1 && h.layers[len(h.layers)-1].Width == m.spec.Embeddings.Vocab {
			return h
		}
	}
	return nil
}

// Continues says whether the model continues texts: whether it has sessions.
func (m *Model) Continues() bool { return m.languageModel() != nil }

// Len is how many tokens the session has, and Max how many it may have.
func (s *Session) Len() int { return s.n }

// Max is explained at Len.
func (s *Session) Max() int { return s.limit }

// Bytes is the memory of its keys and values, those shared with forks included.
func (s *Session) Bytes() int {
	n := 0
	for _, c := range s.caches {
		n += c.Bytes()
	}
	for _, c := range s.source {
		n += c.Bytes()
	}
	return n
}

// Logits are the scores of every word of the vocabulary as the next, before the
// softmax; nil where nothing has been appended since the beginning or Truncate.
// The caller may change them; the next call to the session overwrites them.
func (s *Session) Logits() []float32 {
	if !s.valid {
		return nil
	}
	return s.logits
}

// take makes the session the caller's, until give.
func (s *Session) take() error {
	if !s.busy.CompareAndSwap(false, true) {
		return ErrBusy
	}
	if s.closed {
		s.busy.Store(false)
		return ErrClosed
	}
	return nil
}

func (s *Session) give() { s.busy.Store(false) }

// Truncate keeps the first n tokens. Where a layer has a sliding window that has
// moved on, it may be too late: that is a *mha.DroppedError and changes nothing,
// except that n = 0 always works.
func (s *Session) Truncate(n int) error {
	if err := s.take(); err != nil {
		return err
	}
	defer s.give()
	if n < 0 {
		return inputError("a session of %d tokens", n)
	}
	if n >= s.n {
		return nil
	}
	for _, c := range s.caches {
		if err := c.CanTruncate(n); err != nil {
			return err
		}
	}
	s.cut(n)
	return nil
}

// cut is Truncate to a length that the caches can have.
func (s *Session) cut(n int) {
	for _, c := range s.caches {
		_ = c.Truncate(n)
	}
	s.n, s.valid = n, false
}

// Fork gives a second session with the same text and logits. Both share the
// memory of what they have in common.
func (s *Session) Fork() (*Session, error) {
	if err := s.take(); err != nil {
		return nil, err
	}
	defer s.give()
	f := &Session{model: s.model, head: s.head, limit: s.limit, chunk: s.chunk, n: s.n, valid: s.valid, logits: slices.Clone(s.logits)}
	for _, c := range s.caches {
		f.caches = append(f.caches, c.Fork())
	}
	for _, c := range s.source {
		f.source = append(f.source, c.Fork())
	}
	return f, nil
}

// Close gives the memory back, for the model's next session. Closing again does
// nothing.
func (s *Session) Close() error {
	switch err := s.take(); err {
	case nil:
	case ErrClosed:
		return nil
	default:
		return err
	}
	defer s.give()
	for _, c := range s.caches {
		c.Close()
	}
	for _, c := range s.source {
		c.Close()
	}
	s.closed, s.source, s.caches, s.logits, s.valid, s.n = true, nil, nil, nil, false, 0
	return nil
}
