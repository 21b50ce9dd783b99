package tokenizer

// Decode turns ids back into text, as the decoder section says; without one, tokens are joined by blanks. Ids that no
// token has are left out, with skipSpecial special tokens too.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	return string(t.AppendDecode(nil, ids, skipSpecial))
}

// AppendDecode appends to dst what Decode returns.
func (t *Tokenizer) AppendDecode(dst []byte, ids []int32, skipSpecial bool) []byte {
	s := t.NewStream(skipSpecial)
	for _, id := range ids {
		dst = s.Append(dst, id)
	}
	return s.Flush(dst)
}

// Stream turns ids into text one by one: NewStream, Append for every id, Flush at the end. All that is appended, put
// together, is what Decode returns for all the ids. A text that may still change is held back: characters whose bytes
// are not all there, a run of tokens for single bytes until it ends, blanks that may turn out to be the last.
//
// A Stream is for one goroutine at a time.
type Stream struct {
	t           *Tokenizer
	skipSpecial bool
	first       stage
	out         output
	piece       []byte
}

// NewStream returns a stream at the beginning of a text. With skipSpecial it leaves special tokens out.
func (t *Tokenizer) NewStream(skipSpecial bool) *Stream {
	s := &Stream{t: t, skipSpecial: skipSpecial}
	s.first = t.decoder.stage(&s.out, false)
	return s
}

// Append appends to dst the text that an id makes certain.
func (s *Stream) Append(dst []byte, id int32) []byte {
	token, ok := s.t.written(id)
	if !ok || s.skipSpecial && s.t.special[token] {
		return dst
	}
	s.piece = append(s.piece[:0], token...)
	s.out.text = dst
	s.first.token(s.piece, false)
	dst, s.out.text = s.out.text, nil
	return dst
}

// written returns the token of an id that a model writes.
func (t *Tokenizer) written(id int32) (string, bool) {
	if t.target != nil {
		return t.target.token(id)
	}
	return t.IDToToken(id)
}

// Write is Append to a string.
func (s *Stream) Write(id int32) string { return string(s.Append(nil, id)) }

// Flush appends to dst what was held back: the text ends here. The stream is at the beginning of another then.
func (s *Stream) Flush(dst []byte) []byte {
	s.out.text = dst
	s.first.end()
	dst, s.out.text = s.out.text, nil
	return dst
}

// Reset takes the stream back to the beginning of a text.
func (s *Stream) Reset() { s.piece = s.Flush(s.piece[:0]) }

// Skip takes ids as already written, a prompt for instance, and what follows goes on from there: it is no beginning,
// where a blank might be dropped.
func (s *Stream) Skip(ids []int32) {
	var dropped []byte
	for _, id := range ids {
		dropped = s.Append(dropped[:0], id)
	}
	s.out.text = dropped[:0]
	s.first.settle()
	s.out.text = nil
}

// decoder is a step from tokens to text.
type decoder interface {
	// stage returns the step at work, which gives its tokens to next. joined says that it gets one token in pieces.
	stage(next stage, joined bool) stage
	// joins says that the step gives one token in pieces, if it gets tokens.
	joins() bool
}

// stage is a decoder at work on a text.
type stage interface {
	// token takes a token, or with more a further piece of the one before. The bytes may be written over.
	token(s []byte, more bool)
	// end ends the text.
	end()
	// settle gives on what is held back and could be a text by itself.
	settle()
}

// output is the last stage.
type output struct{ text []byte }

func (o *output) token(s []byte, _ bool) { o.text = append(o.text, s...) }
func (o *output) end()                   {}
func (o *output) settle()                {}

// decoders are steps one after the other.
type decoders []decoder

func (d decoders) stage(next stage, joined bool) stage {
	in := make([]bool, len(d)) // whether each gets pieces
	for i, step := range d {
		in[i] = joined
		joined = joined || step.joins()
	}
	for i := len(d) - 1; i >= 0; i-- {
		next = d[i].stage(next, in[i])
	}
	return next
}

func (d decoders) joins() bool {
	for _, step := range d {
		if step.joins() {
			return true
		}
	}
	return false
}

// whole puts the pieces of a joined token together before a stage that needs all of it.
func whole(s stage, joined bool) stage {
	if joined {
		return &gather{next: s}
	}
	return s
}

// gather holds one token that comes in pieces until the end.
type gather struct {
	next stage
	held []byte
	any  bool
}

func (g *gather) token(s []byte, _ bool) {
	g.held = append(g.held, s...)
	g.any = true
}

func (g *gather) end() {
	if g.any {
		g.next.token(g.held, false)
	}
	g.held, g.any = g.held[:0], false
	g.next.end()
}

func (g *gather) settle() { g.next.settle() }
