package tokenizer

import (
	"bytes"
	"fmt"
	"math"
	"unicode/utf8"
	"unsafe"
)

// InvalidUTF8Error says where a text stops being UTF-8.
type InvalidUTF8Error struct {
	Pair   bool // it is the pair, not the text
	Offset int  // in bytes
}

func (e *InvalidUTF8Error) Error() string {
	what := "text"
	if e.Pair {
		what = "pair"
	}
	return fmt.Sprintf("tokenizer: %s is not valid UTF-8 at byte %d", what, e.Offset)
}

func checkUTF8(s string, pair bool) error {
	if utf8.ValidString(s) {
		return nil
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return &InvalidUTF8Error{pair, i}
			}
		}
	}
	return nil
}

// AppendEncode appends the encoding of a text, or of a text and its pair, to dst, and reports whether some of it had
// to be cut off. After an error dst is as it was.
func (t *Tokenizer) AppendEncode(dst *Encoding, text string, o Options) (truncated bool, err error) {
	limit, err := t.prepare(dst, text, &o, false)
	if err != nil {
		return false, err
	}
	var keep [2]Span
	truncated, err = t.truncate(dst, &keep, limit, o)
	if err != nil {
		return false, err
	}
	t.assemble(dst, keep, o)
	return truncated, nil
}

// AppendWindows is AppendEncode without loss: where AppendEncode would cut a text, the rest follows in further
// encodings of at most the same length, each overlapping the one before by stride tokens of the text. It appends the
// ends of the encodings in dst to ends, so the k-th encoding is dst.IDs[ends[k-1]:ends[k]]. Where both texts are cut,
// every window of the text meets every window of the pair. A negative stride stands for the file's.
func (t *Tokenizer) AppendWindows(dst *Encoding, ends []int, text string, o Options, stride int) ([]int, error) {
	if stride < 0 {
		stride = 0
		if t.truncation != nil {
			stride = t.truncation.stride
		}
	}
	limit, err := t.prepare(dst, text, &o, true)
	if err != nil {
		return ends, err
	}
	var keep [2]Span
	if _, err = t.truncate(dst, &keep, limit, o); err != nil {
		return ends, err
	}
	if dst.cuts, err = t.windows(dst.cuts[:0], dst, keep, stride); err != nil {
		return ends, err
	}
	for _, c := range dst.cuts {
		t.assemble(dst, c, o)
		ends = append(ends, len(dst.IDs))
	}
	return ends, nil
}

// prepare tokenizes both texts into dst.seqs and returns how many of their tokens there is room for, -1 for all.
// Unless all are wanted, it stops where the others would be cut off anyway.
func (t *Tokenizer) prepare(dst *Encoding, text string, o *Options, all bool) (limit int, err error) {
	if !o.HasPair && o.Pair != "" {
		o.HasPair = true
	}
	if len(text) > math.MaxInt32 || len(o.Pair) > math.MaxInt32 {
		return 0, fmt.Errorf("tokenizer: a text of %d bytes is longer than the %d supported",
			max(len(text), len(o.Pair)), math.MaxInt32)
	}
	if o.Strict {
		if err := checkUTF8(text, false); err != nil {
			return 0, err
		}
		if err := checkUTF8(o.Pair, true); err != nil {
			return 0, err
		}
	}
	limit, left := -1, false
	if t.truncation != nil {
		limit, left = t.truncation.max, t.truncation.left
	}
	if o.MaxLen != 0 {
		limit = max(o.MaxLen, -1)
	}
	if limit >= 0 && !o.NoSpecial {
		special := t.template.count(o.HasPair)
		if limit < special {
			return 0, fmt.Errorf("tokenizer: %s: a length of %d is %w for %d special tokens",
				t.name, limit, ErrTooShort, special)
		}
		limit -= special
	}
	stop := math.MaxInt
	if limit >= 0 && !left && !all {
		stop = limit
	}
	if o.HasPair && t.strategy(o.Cut) == longestFirst && limit%2 == 1 {
		stop = math.MaxInt // the longer text gets the odd token, so both must be known whole
	}
	dst.work.err = nil
	t.tokenize(dst, &dst.seqs[0], text, o, stop)
	dst.seqs[1].reset()
	if o.HasPair {
		t.tokenize(dst, &dst.seqs[1], o.Pair, o, stop)
	}
	if dst.work.err != nil {
		return 0, fmt.Errorf("tokenizer: %s: %w", t.name, dst.work.err)
	}
	return limit, nil
}

// tokenize fills s with the tokens of a text; once there are more than stop it may stop.
func (t *Tokenizer) tokenize(dst *Encoding, s *sequence, in string, o *Options, stop int) {
	s.reset()
	s.in = in
	w := worker{t: t, x: &dst.text, ws: &dst.work, s: s, in: in, literal: o.Literal, stop: stop, scratch: dst.word}
	f := finder{m: t.raw, classes: t.classes, s: in, literal: o.Literal}
	for {
		m, ok := f.next()
		if !ok || len(s.tokens) > stop {
			break
		}
		if m.token != nil {
			w.addToken(m.token, in[m.a:m.b], Span{int32(m.a), int32(m.b)})
		} else {
			w.plain(m.a, m.b)
		}
	}
	dst.word = w.scratch
}

// worker tokenizes one text.
type worker struct {
	t       *Tokenizer
	x       *text
	ws      *workspace
	s       *sequence
	in      string
	literal bool
	words   int32 // so far
	stop    int
	scratch []byte
}

// addToken appends an added token that matched some letters.
func (w *worker) addToken(a *AddedToken, letters string, span Span) {
	if letters != a.Content {
		w.spell(len(w.s.tokens), unsafe.Slice(unsafe.StringData(letters), len(letters)))
	}
	w.s.tokens = append(w.s.tokens, token{a.ID, span, w.words})
	w.words++
}

// spell notes the text of token i, which is not that of its id.
func (w *worker) spell(i int, letters []byte) {
	start := len(w.s.letters)
	w.s.letters = append(w.s.letters, letters...)
	w.s.surfaces = append(w.s.surfaces, surface{i, start, len(w.s.letters)})
}

// plain tokenizes in[a:b], which holds no added token of the raw kind.
func (w *worker) plain(a, b int) {
	switch {
	case w.t.ascii.usable:
		w.fast(a, b)
	case w.t.bytes.takes(w.in[a:b]):
		w.bytes(a, b)
	default:
		w.general(a, b)
	}
}

// general tokenizes in[a:b] by the pipeline as it stands.
func (w *worker) general(a, b int) {
	x := w.x
	x.load(w.in[a:b], a)
	if w.t.normalizer != nil {
		w.t.normalizer.normalize(x)
	}
	x.parts = x.parts[:0]
	f := finder{m: w.t.cooked, classes: w.t.classes, s: unsafe.String(unsafe.SliceData(x.buf), len(x.buf)), literal: w.literal}
	for {
		p, ok := f.next()
		if !ok {
			break
		}
		x.parts = append(x.parts, p)
	}
	if w.t.pre != nil {
		w.t.pre.preTokenize(x)
	}
	for _, p := range x.parts {
		if p.token != nil {
			w.addToken(p.token, string(x.buf[p.a:p.b]), x.span(p.a, p.b))
			continue
		}
		first := len(w.s.tokens)
		w.s.tokens = w.t.model.tokenize(w.ws, w.s.tokens, x.buf[p.a:p.b])
		for i := first; i < len(w.s.tokens); i++ {
			k := &w.s.tokens[i]
			if w.t.marked && i > first && bytes.HasPrefix(x.buf[p.a+int(k.span.Start):], []byte(metaspace)) {
				w.words++
			}
			if k.id == w.t.spelled {
				w.spell(i, x.buf[p.a+int(k.span.Start):p.a+int(k.span.End)])
			}
			k.span = x.span(p.a+int(k.span.Start), p.a+int(k.span.End))
			k.word = w.words
		}
		w.words++
	}
}
