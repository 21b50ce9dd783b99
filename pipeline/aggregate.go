package pipeline

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/model/tokenizer"
)

// newPiece finds the best label of a token: the first of equals.
func newPiece(logits []float32) piece {
	p := piece{logits: logits}
	p.most, p.sum = softmaxOf(logits)
	for i, x := range logits {
		if x > logits[p.label] {
			p.label = i
		}
	}
	p.score = 1 / p.sum
	return p
}

// continues guesses as transformers does whether a token goes on with the word of
// the one before: it is marked so, which makes it longer than what it stands for,
// or, without marks, there is no blank between them.
func (t *Tagger) continues(text string, id int32, span tokenizer.Span) bool {
	if t.m.tokenizer.MarksPieces() {
		token, _ := t.m.tokenizer.IDToToken(id)
		return utf8.RuneCountInString(token) != utf8.RuneCountInString(text[span.Start:span.End])
	}
	if span.Start == 0 {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(text[:span.Start])
	first, _ := utf8.DecodeRuneInString(text[span.Start:])
	return before != ' ' && first != ' '
}

// An aggregator makes entities of the tokens of one text after the other, window
// by window.
type aggregator struct {
	*Tagger
	how    Aggregation
	ignore []string

	pieces   []piece
	tagged   []tagged
	mean     []float64 // of scores, by label
	entities []Entity  // of the text so far
	windows  int       // of it
}

// add adds the entities of a window.
func (a *aggregator) add(text string, w window) {
	a.windows++
	a.pieces = a.Tagger.pieces(a.pieces[:0], text, w)
	a.tagged = a.tagged[:0]
	for first, next := 0, 0; first < len(a.pieces); first = next {
		next = first + 1
		for a.how > AggregateSimple && next < len(a.pieces) && a.pieces[next].continues {
			next++
		}
		a.tagged = append(a.tagged, a.word(a.pieces[first:next]))
	}
	for first, next := 0, 0; first < len(a.tagged); first = next {
		next = first + 1
		for a.how != AggregateNone && next < len(a.tagged) && a.joins(next) {
			next++
		}
		label := a.labels[a.tagged[first].label]
		if a.how != AggregateNone {
			_, rest, found := strings.Cut(label, "-")
			if found {
				label = rest
			}
		}
		if slices.Contains(a.ignore, label) {
			continue
		}
		e := Entity{Start: a.tagged[first].start, End: a.tagged[next-1].end}
		sum := 0.0
		for _, one := range a.tagged[first:next] {
			sum += one.score
		}
		e.Label = Label{label, float32(sum / float64(next-first))}
		a.entities = append(a.entities, e)
	}
}

// word is what the tokens of a word have together.
func (a *aggregator) word(pieces []piece) tagged {
	word := pieces[0].tagged
	word.end = pieces[len(pieces)-1].end
	switch a.how {
	case AggregateMax:
		for _, p := range pieces[1:] {
			if p.score > word.score {
				word.label, word.score = p.label, p.score
			}
		}
	case AggregateAverage:
		clear(a.mean)
		for _, p := range pieces {
			for i, x := range p.logits {
				a.mean[i] += math.Exp(float64(x)-p.most) / p.sum / float64(len(pieces))
			}
		}
		word.label = 0
		for i, x := range a.mean {
			if x > a.mean[word.label] {
				word.label = i
			}
		}
		word.score = a.mean[word.label]
	}
	return word
}

// joins says whether what is at i belongs to the entity before it.
func (a *aggregator) joins(i int) bool {
	begins, kind := tagOf(a.labels[a.tagged[i].label])
	_, last := tagOf(a.labels[a.tagged[i-1].label])
	return !begins && kind == last
}

// tagOf takes the B- or I- off a label; labels without them go on.
func tagOf(label string) (begins bool, kind string) {
	if kind, ok := strings.CutPrefix(label, "B-"); ok {
		return true, kind
	}
	return false, strings.TrimPrefix(label, "I-")
}

// finish gives the entities of the text, and begins the next.
func (a *aggregator) finish(text string) []Entity {
	if a.windows > 1 {
		a.entities = withoutOverlaps(text, a.entities)
	}
	list := make([]Entity, len(a.entities))
	for i, e := range a.entities {
		e.Text = text[e.Start:e.End]
		list[i] = e
	}
	a.entities, a.windows = a.entities[:0], 0
	return list
}

// withoutOverlaps sorts entities and keeps of those that overlap the longest, and
// of equals the surest, as transformers does with the entities of all windows.
func withoutOverlaps(text string, list []Entity) []Entity {
	slices.SortStableFunc(list, func(a, b Entity) int { return cmp.Compare(a.Start, b.Start) })
	length := func(e Entity) int { return utf8.RuneCountInString(text[e.Start:e.End]) }
	kept := list[:0]
	for _, e := range list {
		if len(kept) == 0 || e.Start >= kept[len(kept)-1].End {
			kept = append(kept, e)
			continue
		}
		last := &kept[len(kept)-1]
		if c := cmp.Compare(length(e), length(*last)); c > 0 || c == 0 && e.Score > last.Score {
			*last = e
		}
	}
	return kept
}
