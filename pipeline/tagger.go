package pipeline

import (
	"context"
	"fmt"
	"slices"
)

// A Tagger labels the words of texts: it recognises named entities, parts of
// speech and the like. It is safe for concurrent use, and ends with its Model.
type Tagger struct {
	m      *Model
	labels []string
	unk    int32 // the id of what the vocabulary cannot spell, -1: there is none
}

// Tagger gives the model's token classification. Only models with a head for it
// have it.
func (m *Model) Tagger() (*Tagger, error) {
	if err := m.can("tag"); err != nil {
		return nil, err
	}
	t := &Tagger{m: m, labels: m.model.Spec().Labels, unk: -1}
	if id, ok := m.tokenizer.UnknownID(); ok {
		t.unk = id
	}
	return t, nil
}

// An Aggregation makes entities of the labels of tokens. All but the default are
// the strategies that transformers defines under these names.
type Aggregation uint8

const (
	// AggregateDefault is AggregateFirst where the tokenizer marks the tokens that
	// go on with a word, as BERT's do, so that no word is torn; models are trained
	// to label the first token of a word. Elsewhere it is AggregateSimple: without
	// marks, words could only be guessed by their blanks, which takes a comma for
	// a part of the word before it.
	AggregateDefault Aggregation = iota
	// AggregateNone gives every token with its own label, B- and I- included.
	AggregateNone
	// AggregateSimple joins neighbours of one label. A B- begins an entity, an I-
	// goes on with one; the score is the average of the tokens'.
	AggregateSimple
	// AggregateFirst is AggregateSimple of words, which have the label and the
	// score of their first token.
	AggregateFirst
	// AggregateAverage is AggregateSimple of words, which have the best label of
	// their tokens' average scores.
	AggregateAverage
	// AggregateMax is AggregateSimple of words, which have the label and the score
	// of their surest token.
	AggregateMax
)

var aggregations = [...]string{"default", "none", "simple", "first", "average", "max"}

func (a Aggregation) String() string { return aggregations[a] }

// ParseAggregation reads the name of an Aggregation: "default", "none", "simple",
// "first", "average" or "max".
func ParseAggregation(name string) (Aggregation, error) {
	i := slices.Index(aggregations[:], name)
	if i < 0 {
		return 0, fmt.Errorf("pipeline: no aggregation %q; one of %q", name, aggregations)
	}
	return Aggregation(i), nil
}

// An Entity is a part of a text with a label.
type Entity struct {
	Label
	Start, End int    // bytes of the text
	Text       string // text[Start:End]
}

// TagConfig changes one call. Its zero value is the default.
type TagConfig struct {
	Aggregation Aggregation
	// Ignore are labels that are not given. nil: "O", which stands for no entity.
	Ignore []string
	// Stride is how many tokens two neighbouring windows of a text longer than the
	// model have in common. 0: a quarter of a window; below 0: none.
	Stride int
	// Progress is called now and then with the number of texts that are done.
	Progress func(done int)
}

// Tag gives the entities of each text in their order. Texts that are longer than the
// model are read in overlapping windows. Where windows disagree, the longer one
// of two entities that overlap is given, and of equals the surer.
//
// It stops soon after ctx is cancelled.
func (t *Tagger) Tag(ctx context.Context, cfg TagConfig, texts ...string) ([][]Entity, error) {
	how, err := t.windowing(cfg.Stride)
	if err != nil {
		return nil, err
	}
	w, err := t.m.gate.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	defer t.m.gate.leave(w)
	a := t.aggregator(cfg)
	answers := make([][]Entity, 0, len(texts))
	doc := func(i int) document { return document{text: texts[i]} }
	err = t.m.eachWindow(ctx, w, &w.logits, []string{logits}, how, len(texts), doc, func(win window) {
		a.add(texts[win.document], win)
		if !win.last {
			return
		}
		answers = append(answers, a.finish(texts[win.document]))
		if cfg.Progress != nil {
			cfg.Progress(len(answers))
		}
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

// windowing is how texts become windows.
func (t *Tagger) windowing(stride int) (windowing, error) {
	room := t.m.maxSeq - t.m.tokenizer.SpecialCount(false)
	switch {
	case stride >= room:
		return windowing{}, fmt.Errorf("pipeline: windows of %d tokens cannot have %d in common", room, stride)
	case stride == 0:
		stride = room / 4
	}
	return windowing{stride: max(stride, 0)}, nil
}

func (t *Tagger) aggregator(cfg TagConfig) *aggregator {
	a := &aggregator{Tagger: t, how: cfg.Aggregation, ignore: cfg.Ignore}
	if a.how == AggregateDefault {
		a.how = AggregateSimple
		if t.m.tokenizer.MarksPieces() {
			a.how = AggregateFirst
		}
	}
	if a.ignore == nil {
		a.ignore = []string{"O"}
	}
	if a.how == AggregateAverage {
		a.mean = make([]float64, len(t.labels))
	}
	return a
}

// A tagged is a token, or a word of several, with its label.
type tagged struct {
	label      int
	score      float64
	start, end int
}

// A piece is a token with the scores of all labels.
type piece struct {
	tagged
	logits    []float32
	most, sum float64 // of softmax: the score of label i is exp(logits[i]-most)/sum
	continues bool    // the word of the token before
}

// pieces appends the tokens of a window, without those of the template.
func (t *Tagger) pieces(dst []piece, text string, w window) []piece {
	out := w.result.Get(logits)
	for i := w.from; i < w.to; i++ {
		if w.enc.Sequences[i] < 0 {
			continue
		}
		row := w.row + i - w.from
		p := newPiece(out.Data[row*out.Cols : (row+1)*out.Cols])
		span := w.enc.Offsets[i]
		p.start, p.end = int(span.Start), int(span.End)
		p.continues = w.enc.IDs[i] != t.unk && t.continues(text, w.enc.IDs[i], span)
		dst = append(dst, p)
	}
	return dst
}
