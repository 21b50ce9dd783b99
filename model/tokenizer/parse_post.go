package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

type rawMessage = json.RawMessage

func (t *Tokenizer) parsePost(data []byte) error {
	p, err := t.newTemplate(data)
	if err != nil {
		return err
	}
	t.template = plainTemplate
	if p != nil && p.single != nil {
		t.template = *p
	} else if p != nil {
		t.template.trims, t.template.spares = p.trims, p.spares
	}
	return nil
}

// then puts a template after another; only one of them may be more than a trimming of offsets.
func (t *template) then(next *template) (*template, error) {
	switch {
	case t == nil:
		return next, nil
	case next == nil:
		return t, nil
	case t.single != nil && next.single != nil, t.trims && next.trims:
		return nil, fmt.Errorf("a second template is %w", ErrUnsupported)
	}
	both := *t
	if next.single != nil {
		both.single, both.pair = next.single, next.pair
	}
	if next.trims {
		both.trims, both.spares = true, next.spares
	}
	return &both, nil
}

// newTemplate returns nil for null.
func (t *Tokenizer) newTemplate(data []byte) (*template, error) {
	kind, err := typed(data)
	if err != nil || kind == "" {
		return nil, err
	}
	switch kind {
	case "TemplateProcessing":
		p, err := t.parseTemplate(data)
		if err != nil {
			return nil, fmt.Errorf("TemplateProcessing: %w", err)
		}
		return p, nil
	case "BertProcessing", "RobertaProcessing":
		v := struct {
			Sep, CLS  namedID
			Trim      bool `json:"trim_offsets"`
			AddPrefix bool `json:"add_prefix_space"`
		}{Trim: true, AddPrefix: true}
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		sep, err := t.specialStep([]int64{v.Sep.id}, []string{v.Sep.name})
		if err != nil {
			return nil, fmt.Errorf("%s: sep: %w", kind, err)
		}
		cls, err := t.specialStep([]int64{v.CLS.id}, []string{v.CLS.name})
		if err != nil {
			return nil, fmt.Errorf("%s: cls: %w", kind, err)
		}
		p := &template{single: []step{cls, {sequence: 0}, sep}}
		if kind == "RobertaProcessing" {
			p.trims, p.spares = v.Trim, v.AddPrefix
			p.pair = []step{cls, {sequence: 0}, sep, sep, {sequence: 1}, sep}
		} else {
			second := sep
			second.typeID = 1
			p.pair = []step{cls, {sequence: 0}, sep, {sequence: 1, typeID: 1}, second}
		}
		return p, nil
	case "ByteLevel":
		v := struct {
			Trim      bool `json:"trim_offsets"`
			AddPrefix bool `json:"add_prefix_space"`
		}{true, true}
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("ByteLevel: %w", err)
		}
		return &template{trims: v.Trim, spares: v.AddPrefix}, nil
	case "Sequence":
		var v struct{ Processors []rawMessage }
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("Sequence: %w", err)
		}
		var p *template
		for i, data := range v.Processors {
			next, err := t.newTemplate(data)
			if err != nil {
				return nil, fmt.Errorf("Sequence[%d]: %w", i, err)
			}
			if p, err = p.then(next); err != nil {
				return nil, fmt.Errorf("Sequence[%d]: %w", i, err)
			}
		}
		return p, nil
	}
	return nil, unsupported("type", kind)
}

// namedID is a JSON list of a token and its id.
type namedID struct {
	name string
	id   int64
}

func (n *namedID) UnmarshalJSON(data []byte) error {
	var list []rawMessage
	if err := unmarshal(data, &list); err != nil {
		return err
	}
	if len(list) != 2 {
		return errors.New("a token and its id are expected")
	}
	if err := unmarshal(list[0], &n.name); err != nil {
		return err
	}
	return unmarshal(list[1], &n.id)
}

// maxTemplate is the most tokens that a template may add.
const maxTemplate = 1 << 12

// templatePiece is one of {"Sequence": …} and {"SpecialToken": …}.
type templatePiece struct {
	Sequence, SpecialToken *struct {
		ID     string
		TypeID int64 `json:"type_id"`
	}
}

func (t *Tokenizer) parseTemplate(data []byte) (*template, error) {
	var v struct {
		Single, Pair []templatePiece
		Special      map[string]struct {
			IDs    []int64
			Tokens []string
		} `json:"special_tokens"`
	}
	if err := unmarshal(data, &v); err != nil {
		return nil, err
	}
	special := make(map[string]step, len(v.Special))
	for name, s := range v.Special {
		if len(s.IDs) != len(s.Tokens) {
			return nil, fmt.Errorf("special token %s has %d ids and %d tokens", quote(name), len(s.IDs), len(s.Tokens))
		}
		st, err := t.specialStep(s.IDs, s.Tokens)
		if err != nil {
			return nil, fmt.Errorf("special token %s: %w", quote(name), err)
		}
		special[name] = st
	}
	var p template
	var err error
	if p.single, err = templateSteps(v.Single, special, 1); err != nil {
		return nil, fmt.Errorf("single: %w", err)
	}
	if p.pair, err = templateSteps(v.Pair, special, 2); err != nil {
		return nil, fmt.Errorf("pair: %w", err)
	}
	return &p, nil
}

func templateSteps(pieces []templatePiece, special map[string]step, sequences int) ([]step, error) {
	var steps []step
	total := 0
	for i, piece := range pieces {
		var s step
		var typeID int64
		switch {
		case piece.Sequence != nil && piece.SpecialToken == nil:
			switch piece.Sequence.ID {
			case "A":
			case "B":
				s.sequence = 1
			default:
				return nil, fmt.Errorf("piece %d: sequence %s is neither A nor B", i, quote(piece.Sequence.ID))
			}
			if int(s.sequence) >= sequences {
				return nil, fmt.Errorf("piece %d: there is no sequence B", i)
			}
			typeID = piece.Sequence.TypeID
		case piece.SpecialToken != nil && piece.Sequence == nil:
			var ok bool
			if s, ok = special[piece.SpecialToken.ID]; !ok {
				return nil, fmt.Errorf("piece %d: %s is not in special_tokens", i, quote(piece.SpecialToken.ID))
			}
			typeID = piece.SpecialToken.TypeID
		default:
			return nil, fmt.Errorf("piece %d is neither a Sequence nor a SpecialToken", i)
		}
		var err error
		if s.typeID, err = checkID(typeID); err != nil {
			return nil, fmt.Errorf("piece %d: type %w", i, err)
		}
		if total += len(s.ids) + 1; total > maxTemplate {
			return nil, fmt.Errorf("more than %d tokens", maxTemplate)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// specialStep checks the ids of special tokens, and notes their names if they are not the vocabulary's.
func (t *Tokenizer) specialStep(ids []int64, names []string) (step, error) {
	s := step{sequence: -1}
	if len(ids) > maxTemplate {
		return s, fmt.Errorf("more than %d ids", maxTemplate)
	}
	for i, v := range ids {
		id, err := checkID(v)
		if err != nil {
			return s, err
		}
		token, ok := t.IDToToken(id)
		if !ok {
			return s, fmt.Errorf("id %d is not in the vocabulary", id)
		}
		if token != names[i] {
			s.names = names
		}
		s.ids = append(s.ids, id)
	}
	return s, nil
}
