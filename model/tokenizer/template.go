package tokenizer

// template says where the texts and the special tokens around them go. A nil list of steps leaves texts as they are.
type template struct {
	single, pair []step

	trims  bool // tokens do not stand for the white space at their ends
	spares bool // but for one blank where a text begins, which the pre-tokenizer may have added
}

// step is one piece of a template: a text, or special tokens.
type step struct {
	sequence int8 // 0 the text, 1 the pair, -1 special tokens
	typeID   int32
	ids      []int32
	names    []string // of the ids, where the file gives other names than the vocabulary; else nil
}

// plainTemplate joins the texts and adds nothing.
var plainTemplate = template{
	single: []step{{sequence: 0}},
	pair:   []step{{sequence: 0}, {sequence: 1, typeID: 1}},
}

// count is the number of special tokens.
func (t *template) count(pair bool) int {
	steps, n := t.single, 0
	if pair {
		steps = t.pair
	}
	for _, s := range steps {
		n += len(s.ids)
	}
	return n
}

// assemble appends the kept ranges of both sequences to e as the template says.
func (t *Tokenizer) assemble(e *Encoding, keep [2]Span, o Options) {
	steps := t.template.single
	if o.HasPair {
		steps = t.template.pair
	}
	for _, s := range steps {
		switch {
		case s.sequence >= 0:
			t.appendTokens(e, keep[s.sequence], s, o)
		case !o.NoSpecial:
			e.appendSpecial(s, o.IDsOnly)
		}
	}
}

func (t *Tokenizer) appendTokens(e *Encoding, keep Span, s step, o Options) {
	q := &e.seqs[s.sequence]
	base := len(e.IDs) - int(keep.Start)
	tokens := q.tokens[keep.Start:keep.End]
	for i := range tokens {
		e.IDs = append(e.IDs, tokens[i].id)
		e.TypeIDs = append(e.TypeIDs, s.typeID)
	}
	if o.IDsOnly {
		return
	}
	first := len(e.Offsets)
	for i := range tokens {
		e.Offsets = append(e.Offsets, tokens[i].span)
		e.Words = append(e.Words, tokens[i].word)
		e.Sequences = append(e.Sequences, s.sequence)
	}
	for _, f := range q.surfaces {
		if int(keep.Start) <= f.index && f.index < int(keep.End) {
			start := len(e.letters)
			e.letters = append(e.letters, q.letters[f.start:f.end]...)
			e.surfaces = append(e.surfaces, surface{base + f.index, start, len(e.letters)})
		}
	}
	if t.template.trims {
		t.trim(e, first, q, keep)
	}
}

func (e *Encoding) appendSpecial(s step, idsOnly bool) {
	for i, id := range s.ids {
		if s.names != nil && !idsOnly {
			start := len(e.letters)
			e.letters = append(e.letters, s.names[i]...)
			e.surfaces = append(e.surfaces, surface{len(e.IDs), start, len(e.letters)})
		}
		e.IDs = append(e.IDs, id)
		e.TypeIDs = append(e.TypeIDs, s.typeID)
		if !idsOnly {
			e.Offsets = append(e.Offsets, Span{})
			e.Words = append(e.Words, -1)
			e.Sequences = append(e.Sequences, -1)
		}
	}
}
