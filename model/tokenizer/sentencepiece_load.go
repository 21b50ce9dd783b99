package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// pieceFiles are the names that SentencePiece's file has in folders of transformers.
var pieceFiles = [...]string{"tokenizer.model", "spiece.model", "sentencepiece.bpe.model", marianFile}

// loadPieces reads the tokenizer of a folder that has SentencePiece's file; what transformers' class of the tokenizer
// adds to it is in a table. It returns fs.ErrNotExist if there is no such file, and an error that wraps that if the file
// is another kind's with the same name, or belongs to a class that is not in the table: the folder has no tokenizer then.
func loadPieces(fsys fs.FS, dir string, config Config) (*Tokenizer, error) {
	for _, base := range pieceFiles {
		name := path.Join(dir, base)
		data, err := fs.ReadFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
		modelType, class, err := readModelType(fsys, dir)
		if err != nil {
			return nil, err
		}
		if config.Class == "" {
			config.Class = class
		}
		if err := config.readAdded(fsys, dir); err != nil {
			return nil, err
		}
		t, err := fromPieces(fsys, dir, base, data, modelType, config)
		if errors.Is(err, ErrUnsupported) || errors.Is(err, errWire) || errors.Is(err, fs.ErrNotExist) {
			return nil, &noPieces{base, err}
		}
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
		}
		return t, nil
	}
	return nil, fs.ErrNotExist
}

// noPieces is why a folder's file is of no use.
type noPieces struct {
	base string
	err  error
}

func (e *noPieces) Error() string   { return e.base + " does not do in its place: " + e.err.Error() }
func (e *noPieces) Unwrap() []error { return []error{e.err, fs.ErrNotExist} }

func fromPieces(fsys fs.FS, dir, base string, data []byte, modelType string, config Config) (t *Tokenizer, err error) {
	if base == marianFile {
		t, err = loadMarian(fsys, dir, modelType, data, &config)
	} else {
		t, err = loadClass(modelType, data, &config)
	}
	if err != nil {
		return nil, err
	}
	t.name = path.Join(dir, base)
	t.finish()
	t.configure(config)
	return t, nil
}

// loadClass makes the tokenizer but for what all have, and completes config.
func loadClass(modelType string, data []byte, config *Config) (*Tokenizer, error) {
	c, err := pieceClassOf(pieceClasses(), config.Class, modelType)
	if err != nil {
		return nil, err
	}
	m, err := parsePieces(data)
	if err != nil {
		return nil, err
	}
	s := &config.pieces
	config.Roles = withRoles(c.roles, config.Roles)
	head, tail, err := c.around(s, config.Roles)
	if err != nil {
		return nil, err
	}
	extra, err := s.extra()
	if err != nil {
		return nil, err
	}
	v, err := newPieceVocabulary(m, head, c.drop, tail, config.Roles["unk_token"])
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{classes: newClasses(), spelled: v.unk, marked: true}
	if t.model, err = v.model(); err != nil {
		return nil, err
	}
	if c.quotes {
		if t.model, err = newCommas(v, t.model); err != nil {
			return nil, err
		}
	}
	n, err := v.normalizer()
	if err != nil {
		return nil, err
	}
	switch {
	case !says(s.AddPrefix, true):
		n.scheme = prependNever
	case n.scheme != prependNever && !says(s.Legacy, !c.first):
		n.scheme = prependFirst
	}
	t.normalizer = c.normalizer(s, n)
	t.decoder = pieceDecoder(m, n.scheme)
	if err := t.setAdded(c.added(v, config, slices.Concat(extra, head, tail))); err != nil {
		return nil, err
	}
	return t, t.surroundPieces(c, config)
}

// withRoles puts the tokens of roles that a folder names over the usual ones.
func withRoles(usual, named map[string]string) map[string]string {
	roles := make(map[string]string, len(usual))
	maps.Copy(roles, usual)
	maps.Copy(roles, named)
	return roles
}

// normalizer is that of the file.
func (v *pieceVocabulary) normalizer() (*pieceNormalizer, error) {
	n := &pieceNormalizer{user: v.userDefined(), removeSpaces: v.file.removeSpaces}
	if !v.file.prefix {
		n.scheme = prependNever
	}
	if len(v.file.charsmap) > 0 {
		var err error
		if n.charsmap, err = newPrecompiled(v.file.charsmap); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// normalizer puts what the class does to a text before what the file says.
func (c *pieceClass) normalizer(s *pieceSettings, n *pieceNormalizer) normalizer {
	var list normalizers
	if c.quotes {
		list = append(list, replace{literal("``"), `"`}, replace{literal("''"), `"`})
		if !says(s.KeepAccents, false) {
			list = append(list, formNFKD, stripCombining{})
		}
		if says(s.LowerCase, c.lower) {
			list = append(list, lowercase{})
		}
	}
	if len(list) == 0 {
		return n
	}
	return append(list, n)
}

// pieceDecoder turns U+2581 into blanks, but for the one that goes before a text.
func pieceDecoder(m *pieceModel, scheme prependScheme) decoder {
	if m.kind == piecesUnigram && !m.byteFallback {
		return metaspaceDecoder{metaspace, scheme != prependNever}
	}
	d := decoders{replaceDecoder{literal(metaspace), " "}, byteFallbackDecoder{}, fuseDecoder{}}
	if scheme != prependNever {
		d = append(d, stripDecoder{' ', 1, 0})
	}
	return d
}

// added lists the tokens that are found in a text: those that the folder lists, those with a role, and those that are
// no text by the class or by the file, which may be nil. Ones that the vocabulary lacks get the ids after it, in this order.
func (c *pieceClass) added(v *pieceVocabulary, config *Config, beside []string) []AddedToken {
	var list []AddedToken
	known := map[string]bool{}
	add := func(a AddedToken) {
		if !known[a.Content] && a.Content != "" {
			known[a.Content] = true
			list = append(list, a)
		}
	}
	for _, a := range config.Added {
		add(a)
	}
	for _, role := range pieceRoles {
		token := config.Roles[role]
		a, ok := config.flags[role]
		if !ok || a.Content != token {
			a = AddedToken{Content: token, Special: true, LStrip: role == "mask_token" && c.unused == 0}
		}
		add(a)
	}
	for _, token := range slices.Concat(c.special, beside) {
		add(AddedToken{Content: token, Special: true})
	}
	if v == nil {
		return list
	}
	for i, p := range v.file.pieces {
		if p.kind == typeControl && i >= v.drop {
			add(AddedToken{Content: string(p.text), Special: true})
		}
	}
	return list
}

// pieceRoles are the roles in the order in which tokens without an id get one.
var pieceRoles = [...]string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// surroundPieces sets the template.
func (t *Tokenizer) surroundPieces(c *pieceClass, config *Config) error {
	single, pair := c.single, c.pair
	if single == "" {
		s := &config.pieces
		words := func(sequence, typeID string) string {
			if says(s.AddBOS, c.bos) {
				sequence = "bos" + typeID + " " + sequence
			}
			if says(s.AddEOS, false) {
				sequence += " eos" + typeID
			}
			return sequence
		}
		single = words("A", "")
		pair = single + " " + words("B:1", ":1")
	}
	source := "en_XX"
	if config.pieces.Source != nil {
		source = *config.pieces.Source
	}
	var err error
	if t.template.single, err = t.pieceSteps(single, config.Roles, source); err == nil {
		t.template.pair, err = t.pieceSteps(pair, config.Roles, source)
	}
	return err
}

// pieceSteps reads a template: A and B are the texts, source is the language of the text, and other words are roles; a
// type other than 0 follows a colon.
func (t *Tokenizer) pieceSteps(words string, roles map[string]string, source string) ([]step, error) {
	var steps []step
	for _, word := range strings.Fields(words) {
		word, typeID, _ := strings.Cut(word, ":")
		n, _ := strconv.Atoi(typeID)
		s := step{sequence: -1, typeID: int32(n)}
		switch word {
		case "A":
			s.sequence = 0
		case "B":
			s.sequence = 1
		default:
			what, token := word+"_token", roles[word+"_token"]
			if word == "source" {
				what, token = "src_lang", source
			}
			id, ok := t.TokenToID(token)
			if !ok {
				return nil, fmt.Errorf("%s %s is not in the vocabulary", what, quote(token))
			}
			s.ids = []int32{id}
		}
		steps = append(steps, s)
	}
	return steps, nil
}
