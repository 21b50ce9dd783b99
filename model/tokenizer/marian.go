package tokenizer

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"unicode"
	"unicode/utf8"
)

// Marian's folders cut the source with one SentencePiece model and have the ids of its pieces, and of those of the
// target's model, in vocab.json. The target's model is for training: it takes no model to put pieces together.

const (
	marianFile   = "source.spm"
	marianMaxLen = 512 // model_max_length, where tokenizer_config.json does not say
)

// marianClass says which folders are Marian's, and which tokens have a role.
func marianClass() *pieceClass {
	return &pieceClass{
		classes: []string{"Marian"}, types: []string{"marian"},
		roles:  map[string]string{"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
		single: "A eos", pair: "A B eos",
	}
}

func loadMarian(fsys fs.FS, dir, modelType string, data []byte, config *Config) (*Tokenizer, error) {
	c, err := pieceClassOf([]*pieceClass{marianClass()}, config.Class, modelType)
	if err != nil {
		return nil, err
	}
	file, err := parsePieces(data)
	if err != nil {
		return nil, err
	}
	v, err := newPieceVocabulary(file, nil, 0, nil, "")
	if err != nil {
		return nil, err
	}
	config.Roles = withRoles(c.roles, config.Roles)
	m := &renumbered{pieces: v}
	if m.model, err = v.model(); err != nil {
		return nil, err
	}
	if m.words, err = readVocabJSON(fsys, dir, "vocab.json"); err != nil {
		return nil, err
	}
	if m.unk = m.words.findString(config.Roles["unk_token"]); m.unk < 0 {
		return nil, fmt.Errorf("vocab.json has no unk_token %s", quote(config.Roles["unk_token"]))
	}
	m.ids = make([]int32, len(v.places))
	for id := range m.ids {
		token, _ := v.token(int32(id))
		if m.ids[id] = m.words.findString(token); m.ids[id] < 0 {
			m.ids[id] = m.unk
		}
	}
	t := &Tokenizer{classes: newClasses(), spelled: m.unk, marked: true, model: m}
	if config.pieces.Separate {
		if t.target, err = readVocabJSON(fsys, dir, "target_vocab.json"); err != nil {
			return nil, err
		}
	}
	n, err := v.normalizer()
	if err != nil {
		return nil, err
	}
	n.codes = true
	t.normalizer = n
	extra, err := config.pieces.extra()
	if err != nil {
		return nil, err
	}
	if err := t.setAdded(c.added(nil, config, extra)); err != nil {
		return nil, err
	}
	t.decoder = marianDecoder{t.special}
	if file.byteFallback {
		t.decoder = decoders{byteFallbackDecoder{}, t.decoder}
	}
	if config.MaxLen == 0 {
		config.MaxLen = marianMaxLen
	}
	return t, t.surroundPieces(c, config)
}

// readVocabJSON reads tokens and their ids.
func readVocabJSON(fsys fs.FS, dir, base string) (*vocab, error) {
	data, err := fs.ReadFile(fsys, path.Join(dir, base))
	if err != nil {
		return nil, err
	}
	var list tokenList
	s := &scanner{data: data}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%s is not valid UTF-8", base)
	}
	err = s.object(func(key []byte) error {
		list.add(key, 0) // now: reading on may overwrite it
		last := &list.entries[len(list.entries)-1]
		last.id, err = s.id()
		return err
	})
	if err == nil && s.peek() != 0 {
		err = s.errorf("something follows the JSON object")
	}
	var v *vocab
	if err == nil {
		v, err = newVocab(&list, keepLast)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", base, err)
	}
	return v, nil
}

// renumbered is a model of pieces whose ids are those that another vocabulary has for their spelling.
type renumbered struct {
	model
	pieces *pieceVocabulary
	ids    []int32 // by the model's ids
	words  *vocab
	unk    int32
}

func (m *renumbered) vocabulary() *vocab { return m.words }

func (m *renumbered) tokenize(ws *workspace, dst []token, word []byte) []token {
	code := languageCode(word)
	if code > 0 {
		dst = append(dst, token{id: m.wordID(word[:code]), span: Span{0, int32(code)}})
	}
	first := len(dst)
	dst = m.model.tokenize(ws, dst, word[code:])
	for i := first; i < len(dst); i++ {
		k := &dst[i]
		k.span.Start, k.span.End = k.span.Start+int32(code), k.span.End+int32(code)
		if k.id == m.pieces.unk {
			// It is spelled as in the text, and the other vocabulary may know that.
			k.id = m.wordID(word[k.span.Start:k.span.End])
		} else {
			k.id = m.ids[k.id]
		}
	}
	return dst
}

func (m *renumbered) wordID(s []byte) int32 {
	if id := m.words.find(&m.words.whole, 0, s); id >= 0 {
		return id
	}
	return m.unk
}

// marianDecoder turns U+2581 into blanks. Special tokens get a blank after them, what follows begins a text, and white
// space at both ends of all is lost.
type marianDecoder struct{ special map[string]bool }

func (marianDecoder) joins() bool { return false }

func (d marianDecoder) stage(next stage, joined bool) stage {
	return whole(&marianStage{d: d, next: next, begins: true, first: true}, joined)
}

type marianStage struct {
	d      marianDecoder
	next   stage
	begins bool   // a text, where blanks are lost
	first  bool   // nothing was given on
	held   []byte // white space that may be the last
	text   []byte
}

func (d *marianStage) token(s []byte, _ bool) {
	if d.d.special[string(s)] {
		d.give(append(append(d.text[:0], s...), ' '))
		d.begins = true
		return
	}
	if d.begins {
		for bytes.HasPrefix(s, []byte(metaspace)) {
			s = s[len(metaspace):]
		}
		d.begins = len(s) == 0
	}
	d.text = d.text[:0]
	for found := true; found; {
		var before []byte
		before, s, found = bytes.Cut(s, []byte(metaspace))
		if d.text = append(d.text, before...); found {
			d.text = append(d.text, ' ')
		}
	}
	d.give(d.text)
}

// give gives on what is held and s, but for white space at its end.
func (d *marianStage) give(s []byte) {
	if d.first {
		s = bytes.TrimLeftFunc(s, unicode.IsSpace)
	}
	rest := bytes.TrimRightFunc(s, unicode.IsSpace)
	if len(rest) == 0 {
		d.held = append(d.held, s...)
		return
	}
	if len(d.held) > 0 {
		d.next.token(d.held, false)
	}
	d.next.token(rest, false)
	d.held, d.first = append(d.held[:0], s[len(rest):]...), false
}

func (d *marianStage) end() {
	d.held, d.begins, d.first = d.held[:0], true, true
	d.next.end()
}

func (d *marianStage) settle() { d.next.settle() }
