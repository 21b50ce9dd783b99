package pipeline

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// A tokenSpan is a candidate: tokens of a window, the last included.
type tokenSpan struct{ start, end int }

// window finds the best spans of a window and adds them to the list. The score of
// a span is the product of the probabilities that the answer starts and ends
// there, each over the tokens of the document and the one that stands for no
// answer.
func (r *reader) window(list *answerList, win window) {
	n, enc := win.to-win.from, win.enc
	document := int8(1)
	if r.a.documentFirst {
		document = 0
	}
	inside := make([]bool, n)
	counted := make([]bool, n)
	null := -1
	for i := range n {
		inside[i] = enc.Sequences[win.from+i] == document
		isCLS := r.a.cls >= 0 && enc.IDs[win.from+i] == r.a.cls
		counted[i] = inside[i] || isCLS
		if isCLS && null < 0 {
			null = i
		}
	}
	starts, ends := win.result.Get(startLogits).Data, win.result.Get(endLogits).Data
	pStart := probabilities(starts[win.row:win.row+n], counted)
	pEnd := probabilities(ends[win.row:win.row+n], counted)
	if null >= 0 {
		list.null = min(list.null, pStart[null]*pEnd[null])
	} else {
		list.null = 0
	}
	// Spans may fall together once they are stretched to whole words.
	most := r.cfg.Top
	if !r.cfg.InsideWords {
		most = 2*r.cfg.Top + 10
	}
	for _, s := range bestSpans(pStart, pEnd, inside, r.cfg.MaxAnswer, most) {
		from, till := r.bytes(win, win.from+s.value.start, win.from+s.value.end)
		if from < till {
			list.add(r.text, from, till, s.score)
		}
	}
}

// probabilities is the softmax of logits over some of them; the others get 0.
func probabilities(logits []float32, counted []bool) []float64 {
	most, sum := math.Inf(-1), 0.0
	for i, x := range logits {
		if counted[i] {
			most = max(most, float64(x))
		}
	}
	p := make([]float64, len(logits))
	for i, x := range logits {
		if counted[i] {
			p[i] = math.Exp(float64(x) - most)
			sum += p[i]
		}
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// bestSpans gives the spans of at most longest tokens that have the greatest
// products, best first, at most top of them. Of equal ones the first counts.
func bestSpans(start, end []float64, inside []bool, longest, top int) []scored[tokenSpan] {
	b := topOf[tokenSpan]{top: top}
	for s := range start {
		if !inside[s] {
			continue
		}
		for e := s; e-s < longest && e < len(end) && inside[e]; e++ {
			if p := start[s] * end[e]; p > 0 {
				b.add(tokenSpan{s, e}, p)
			}
		}
	}
	return b.sort()
}

// bytes are those of the document for tokens start to end of a window, stretched
// to whole words as far as the window has them.
func (r *reader) bytes(win window, start, end int) (from, till int) {
	enc := win.enc
	if !r.cfg.InsideWords {
		same := func(i, j int) bool { return enc.Words[i] == enc.Words[j] && enc.Sequences[i] == enc.Sequences[j] }
		for start > win.from && same(start-1, start) {
			start--
		}
		for end < win.to-1 && same(end+1, end) {
			end++
		}
	}
	return int(enc.Offsets[start].Start), int(enc.Offsets[end].End)
}

// An answerList gathers a question's answers over the windows.
type answerList struct {
	answers []foundAnswer
	byText  map[string]int // in lower case: the answer with these words
	null    float64        // of the windows, the least probability that there is no answer
}

type foundAnswer struct {
	from, till int
	text       string
	score      float64
}

func (l *answerList) reset() {
	l.answers, l.byText, l.null = l.answers[:0], map[string]int{}, 1
}

// add adds an answer. The same words found again add to the score of the first.
func (l *answerList) add(document string, from, till int, score float64) {
	text := document[from:till]
	key := strings.ToLower(text)
	if i, ok := l.byText[key]; ok {
		l.answers[i].score += score
		return
	}
	l.byText[key] = len(l.answers)
	l.answers = append(l.answers, foundAnswer{from, till, text, score})
}

// best gives the best answers, the empty one among them where there may be none.
func (l *answerList) best(cfg AnswerConfig) []Answer {
	all := l.answers
	if cfg.Impossible {
		all = append(all, foundAnswer{score: l.null})
	} else if len(all) == 0 {
		all = append(all, foundAnswer{})
	}
	slices.SortStableFunc(all, func(x, y foundAnswer) int { return cmp.Compare(y.score, x.score) })
	list := make([]Answer, min(cfg.Top, len(all)))
	for i := range list {
		f := all[i]
		list[i] = Answer{Text: strings.Clone(f.text), Score: float32(f.score), Start: f.from, End: f.till}
	}
	return list
}
