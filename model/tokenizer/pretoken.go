package tokenizer

import "bytes"

// preTokenizer cuts a text into words.
type preTokenizer interface {
	// preTokenize cuts each of x.parts that is text further; it may also rewrite x.buf.
	preTokenize(x *text)
	// asciiClass says what a normalized ASCII character does to the text around it.
	// ok is false when that depends on more than the character.
	asciiClass(c byte) (class asciiClass, ok bool)
}

// cut gives every part that is text to f, which appends the pieces of it to x.nextParts by x.piece.
func (x *text) cut(f func(a, b int)) {
	x.nextParts = x.nextParts[:0]
	for _, p := range x.parts {
		if p.token != nil {
			x.nextParts = append(x.nextParts, p)
		} else {
			f(p.a, p.b)
		}
	}
	x.parts, x.nextParts = x.nextParts, x.parts
}

func (x *text) piece(a, b int) {
	if a < b {
		x.nextParts = append(x.nextParts, part{a: a, b: b})
	}
}

type preTokenizers []preTokenizer

func (ps preTokenizers) preTokenize(x *text) {
	for _, p := range ps {
		p.preTokenize(x)
	}
}

func (ps preTokenizers) asciiClass(byte) (asciiClass, bool) { return 0, false }

// bertPreTokenizer drops white space and makes every punctuation character a word.
type bertPreTokenizer struct{ classes classes }

func (p bertPreTokenizer) preTokenize(x *text) {
	x.cut(func(a, b int) {
		start := a
		for i := a; i < b; {
			r, w := decode(x.buf, i)
			if class := p.classes.of(r) & (classSpace | classPunct); class != 0 {
				x.piece(start, i)
				start = i + w
				if class == classPunct {
					x.piece(i, start)
				}
			}
			i += w
		}
		x.piece(start, b)
	})
}

func (p bertPreTokenizer) asciiClass(c byte) (asciiClass, bool) {
	switch class := p.classes.of(rune(c)); {
	case class&classSpace != 0:
		return asciiSpace, true
	case class&classPunct != 0:
		return asciiSingle, true
	}
	return asciiWord, true
}

// whitespace drops white space and separates runs of word characters from runs of others: \w+|[^\w\s]+.
type whitespace struct{ classes classes }

func (p whitespace) preTokenize(x *text) {
	x.cut(func(a, b int) {
		start, last := a, uint8(classSpace)
		for i := a; i < b; {
			r, w := decode(x.buf, i)
			if class := p.classes.of(r) & (classSpace | classWord); class != last {
				if last != classSpace {
					x.piece(start, i)
				}
				start, last = i, class
			}
			i += w
		}
		if last != classSpace {
			x.piece(start, b)
		}
	})
}

func (p whitespace) asciiClass(c byte) (asciiClass, bool) {
	switch class := p.classes.of(rune(c)); {
	case class&classSpace != 0:
		return asciiSpace, true
	case class&classWord != 0:
		return asciiWord, true
	}
	return asciiOther, true
}

// whitespaceSplit drops white space.
type whitespaceSplit struct{ classes classes }

func (p whitespaceSplit) preTokenize(x *text) {
	splitClass(x, p.classes, classSpace, removed)
}

func (p whitespaceSplit) asciiClass(c byte) (asciiClass, bool) {
	if p.classes.of(rune(c))&classSpace != 0 {
		return asciiSpace, true
	}
	return asciiWord, true
}

// behavior says what becomes of the delimiters that a text is split at.
type behavior uint8

const (
	removed behavior = iota
	isolated
	mergedWithPrevious
	mergedWithNext
	contiguous
)

var behaviors = map[string]behavior{
	"Removed": removed, "Isolated": isolated, "MergedWithPrevious": mergedWithPrevious,
	"MergedWithNext": mergedWithNext, "Contiguous": contiguous,
}

// splitter puts the pieces of one part together while delimiters and the text between them come in order.
type splitter struct {
	x        *text
	behavior behavior
	a, b     int  // a piece that the next stretch may still join
	kind     bool // whether the last stretch was a delimiter
}

// begin starts a part.
func (s *splitter) begin() { s.a, s.b, s.kind = 0, 0, false }

// next takes the stretch [a, b), which may be empty.
func (s *splitter) next(a, b int, delimiter bool) {
	if a == b {
		return
	}
	join := false
	switch s.behavior {
	case removed:
		if !delimiter {
			s.x.piece(a, b)
		}
		return
	case mergedWithPrevious:
		join = delimiter && !s.kind
	case mergedWithNext:
		join = !delimiter && s.kind
	case contiguous:
		join = delimiter == s.kind
	}
	if join && s.a < s.b {
		s.b = b
	} else {
		s.x.piece(s.a, s.b)
		s.a, s.b = a, b
	}
	s.kind = delimiter
}

func (s *splitter) end() {
	if s.behavior != removed {
		s.x.piece(s.a, s.b)
	}
}

// splitClass splits at every character that has a bit of class.
func splitClass(x *text, classes classes, class uint8, how behavior) {
	s := splitter{x: x, behavior: how}
	x.cut(func(a, b int) {
		s.begin()
		start := a
		for i := a; i < b; {
			r, w := decode(x.buf, i)
			if classes.of(r)&class != 0 {
				s.next(start, i, false)
				s.next(i, i+w, true)
				start = i + w
			}
			i += w
		}
		s.next(start, b, false)
		s.end()
	})
}

type punctuation struct {
	classes  classes
	behavior behavior
}

func (p punctuation) preTokenize(x *text)              { splitClass(x, p.classes, classPunct, p.behavior) }
func (punctuation) asciiClass(byte) (asciiClass, bool) { return 0, false }

type digits struct {
	classes  classes
	behavior behavior
}

func (p digits) preTokenize(x *text)              { splitClass(x, p.classes, classDigit, p.behavior) }
func (digits) asciiClass(byte) (asciiClass, bool) { return 0, false }

// split splits at every match or, inverted, between the matches.
type split struct {
	match    searcher
	behavior behavior
	invert   bool
}

func (p split) preTokenize(x *text) {
	s := splitter{x: x, behavior: p.behavior}
	x.cut(func(a, b int) {
		s.begin()
		for a < b {
			from, to := p.match.next(x.buf[:b], a)
			if from < 0 {
				break
			}
			s.next(a, from, p.invert)
			s.next(from, to, !p.invert)
			a = to
		}
		s.next(a, b, p.invert)
		s.end()
	})
}

func (p split) asciiClass(byte) (asciiClass, bool) { return 0, false }

// delimiterSplit drops every occurrence of one character.
type delimiterSplit struct{ delimiter []byte }

func (p delimiterSplit) preTokenize(x *text) {
	x.cut(func(a, b int) {
		for {
			i := bytes.Index(x.buf[a:b], p.delimiter)
			if i < 0 {
				break
			}
			x.piece(a, a+i)
			a += i + len(p.delimiter)
		}
		x.piece(a, b)
	})
}

func (p delimiterSplit) asciiClass(byte) (asciiClass, bool) { return 0, false }
