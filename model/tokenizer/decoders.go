package tokenizer

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// plainDecoder puts blanks between tokens: for a tokenizer without decoder.
type plainDecoder struct{}

func (plainDecoder) joins() bool                    { return false }
func (plainDecoder) stage(next stage, _ bool) stage { return &plainStage{next: next} }

type plainStage struct {
	next stage
	any  bool
	held []byte
}

func (d *plainStage) token(s []byte, _ bool) {
	if d.any {
		d.held = append(append(d.held[:0], ' '), s...)
		s = d.held
	}
	d.any = true
	d.next.token(s, false)
}

func (d *plainStage) end()    { d.any = false; d.next.end() }
func (d *plainStage) settle() { d.next.settle() }

// wordPieceDecoder joins continuing tokens to the word before them and puts blanks between words; with cleanup it takes
// some blanks before English punctuation and clitics away again.
type wordPieceDecoder struct {
	prefix  string
	cleanup bool
}

func (wordPieceDecoder) joins() bool { return false }

func (d wordPieceDecoder) stage(next stage, joined bool) stage {
	return whole(&wordPieceStage{d: d, next: next}, joined)
}

type wordPieceStage struct {
	d    wordPieceDecoder
	next stage
	any  bool
	held []byte
}

func (d *wordPieceStage) token(s []byte, _ bool) {
	if d.any {
		if rest, ok := bytes.CutPrefix(s, []byte(d.d.prefix)); ok {
			s = rest
		} else {
			d.held = append(append(d.held[:0], ' '), s...)
			s = d.held
		}
	}
	d.any = true
	if d.d.cleanup && bytes.IndexByte(s, ' ') >= 0 {
		for _, r := range cleanups {
			if bytes.Contains(s, []byte(r[0])) {
				s = bytes.ReplaceAll(s, []byte(r[0]), []byte(r[1]))
			}
		}
	}
	d.next.token(s, false)
}

func (d *wordPieceStage) end()    { d.any = false; d.next.end() }
func (d *wordPieceStage) settle() { d.next.settle() }

// cleanups are applied to each token by itself, in this order.
var cleanups = [...][2]string{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

// byteLevelDecoder turns the characters of byte-level tokens into bytes; what is not UTF-8 then becomes U+FFFD.
type byteLevelDecoder struct{}

func (byteLevelDecoder) joins() bool { return true }

func (byteLevelDecoder) stage(next stage, joined bool) stage {
	return whole(&byteLevelStage{next: next}, joined)
}

type byteLevelStage struct {
	next stage
	held []byte // the beginning of a character
	text []byte
	more bool
}

func (d *byteLevelStage) token(s []byte, _ bool) {
	base := len(d.held)
	raw := d.held
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRune(s[i:])
		b := charByte(r)
		if b < 0 {
			raw = append(raw[:base], s...)
			break
		}
		raw = append(raw, byte(b))
		i += n
	}
	d.held = raw
	d.give(len(raw) - incompleteTail(raw))
}

// give gives the first n bytes of d.held on.
func (d *byteLevelStage) give(n int) {
	if n == 0 {
		return
	}
	d.text = appendLossy(d.text[:0], d.held[:n])
	d.held = d.held[:copy(d.held, d.held[n:])]
	d.next.token(d.text, d.more)
	d.more = true
}

func (d *byteLevelStage) end() {
	d.give(len(d.held))
	d.more = false
	d.next.end()
}

func (d *byteLevelStage) settle() { d.next.settle() }

// byteFallbackDecoder joins tokens like <0x0A>, which stand for bytes, to characters. A run of them that is not UTF-8
// gives U+FFFD for each of its bytes.
type byteFallbackDecoder struct{}

func (byteFallbackDecoder) joins() bool { return false }

func (byteFallbackDecoder) stage(next stage, joined bool) stage {
	return whole(&byteFallbackStage{next: next}, joined)
}

type byteFallbackStage struct {
	next stage
	run  []byte
	text []byte
}

func (d *byteFallbackStage) token(s []byte, _ bool) {
	if len(s) == 6 && string(s[:3]) == "<0x" && s[5] == '>' {
		if b, err := strconv.ParseUint(string(s[3:5]), 16, 8); err == nil {
			d.run = append(d.run, byte(b))
			return
		}
	}
	d.settle()
	d.next.token(s, false)
}

func (d *byteFallbackStage) end() {
	d.settle()
	d.next.end()
}

func (d *byteFallbackStage) settle() {
	if len(d.run) == 0 {
		return
	}
	if utf8.Valid(d.run) {
		d.next.token(d.run, false)
	} else {
		for range d.run {
			d.text = append(d.text[:0], "\uFFFD"...)
			d.next.token(d.text, false)
		}
	}
	d.run = d.run[:0]
}

// fuseDecoder makes one token of all.
type fuseDecoder struct{}

func (fuseDecoder) joins() bool { return true }

func (fuseDecoder) stage(next stage, joined bool) stage {
	if joined {
		return next
	}
	return &fuseStage{next: next}
}

type fuseStage struct {
	next stage
	more bool
}

func (d *fuseStage) token(s []byte, _ bool) {
	d.next.token(s, d.more)
	d.more = true
}

func (d *fuseStage) end()    { d.more = false; d.next.end() }
func (d *fuseStage) settle() { d.next.settle() }

// stripDecoder takes up to so many of one character from both ends of every token.
type stripDecoder struct {
	content     rune
	start, stop int
}

func (stripDecoder) joins() bool { return false }

func (d stripDecoder) stage(next stage, joined bool) stage {
	return whole(&stripStage{d: d, next: next}, joined && d.stop > 0)
}

type stripStage struct {
	d    stripDecoder
	next stage
	left int // characters that may still be taken from the beginning
}

func (d *stripStage) token(s []byte, more bool) {
	if !more {
		d.left = d.d.start
	}
	for d.left > 0 && len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r != d.d.content {
			d.left = 0
			break
		}
		s = s[n:]
		d.left--
	}
	for range d.d.stop {
		r, n := utf8.DecodeLastRune(s)
		if n == 0 || r != d.d.content {
			break
		}
		s = s[:len(s)-n]
	}
	d.next.token(s, more)
}

func (d *stripStage) end()    { d.next.end() }
func (d *stripStage) settle() { d.next.settle() }

// replaceDecoder is replace for every token.
type replaceDecoder struct {
	match   searcher
	content string
}

func (replaceDecoder) joins() bool { return false }

func (d replaceDecoder) stage(next stage, joined bool) stage {
	return whole(&replaceStage{d: d, next: next}, joined)
}

type replaceStage struct {
	d    replaceDecoder
	next stage
	text []byte
}

func (d *replaceStage) token(s []byte, _ bool) {
	from := 0
	d.text = d.text[:0]
	for {
		a, b := d.d.match.next(s, from)
		if a < 0 {
			break
		}
		d.text = append(append(d.text, s[from:a]...), d.d.content...)
		from = b
	}
	d.text = append(d.text, s[from:]...)
	d.next.token(d.text, false)
}

func (d *replaceStage) end()    { d.next.end() }
func (d *replaceStage) settle() { d.next.settle() }

// metaspaceDecoder turns marks into blanks, and drops those of the first token if they were put there.
type metaspaceDecoder struct {
	mark  string
	drops bool
}

func (metaspaceDecoder) joins() bool { return false }

func (d metaspaceDecoder) stage(next stage, joined bool) stage {
	return whole(&metaspaceStage{d: d, next: next}, joined)
}

type metaspaceStage struct {
	d    metaspaceDecoder
	next stage
	any  bool
	text []byte
}

func (d *metaspaceStage) token(s []byte, _ bool) {
	d.text = d.text[:0]
	for {
		before, after, found := bytes.Cut(s, []byte(d.d.mark))
		d.text = append(d.text, before...)
		if !found {
			break
		}
		if d.any || !d.d.drops {
			d.text = append(d.text, ' ')
		}
		s = after
	}
	d.any = true
	d.next.token(d.text, false)
}

func (d *metaspaceStage) end()    { d.any = false; d.next.end() }
func (d *metaspaceStage) settle() { d.next.settle() }

// bpeDecoder turns the suffix of words into blanks, but for the last token.
type bpeDecoder struct{ suffix string }

func (bpeDecoder) joins() bool { return false }

func (d bpeDecoder) stage(next stage, joined bool) stage {
	return whole(&bpeStage{d: d, next: next}, joined)
}

type bpeStage struct {
	d    bpeDecoder
	next stage
	held []byte // the last token from its first suffix on
	text []byte
}

func (d *bpeStage) token(s []byte, _ bool) {
	d.give(" ")
	if at := bytes.Index(s, []byte(d.d.suffix)); at >= 0 {
		d.held = append(d.held, s[at:]...)
		s = s[:at]
	}
	d.next.token(s, false)
}

func (d *bpeStage) give(blank string) {
	if len(d.held) == 0 {
		return
	}
	d.text = d.text[:0]
	for s, found := d.held, true; found; {
		var before []byte
		before, s, found = bytes.Cut(s, []byte(d.d.suffix))
		d.text = append(d.text, before...)
		if found {
			d.text = append(d.text, blank...)
		}
	}
	d.held = d.held[:0]
	d.next.token(d.text, true)
}

func (d *bpeStage) end() {
	d.give("")
	d.next.end()
}

func (d *bpeStage) settle() { d.next.settle() }
