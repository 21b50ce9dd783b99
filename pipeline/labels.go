package pipeline

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/ladon-ml/ladon/model"
)

// A Label is one of a classifier's classes with its score.
type Label struct {
	Label string
	Score float32
}

// A Scoring makes scores of a classifier's logits.
type Scoring uint8

const (
	// ScoreDefault is what the model was trained for, as its config.json says:
	// ScoreNone in a regression, ScoreSigmoid where several labels may hold or
	// there is only one, and else ScoreSoftmax.
	ScoreDefault Scoring = iota
	// ScoreSoftmax gives probabilities that add up to 1.
	ScoreSoftmax
	// ScoreSigmoid gives each label a probability by itself.
	ScoreSigmoid
	// ScoreNone gives the logits.
	ScoreNone
)

var scorings = [...]string{"default", "softmax", "sigmoid", "none"}

func (s Scoring) String() string { return scorings[s] }

// ParseScoring reads the name of a Scoring: "default", "softmax", "sigmoid" or "none".
func ParseScoring(name string) (Scoring, error) {
	i := slices.Index(scorings[:], name)
	if i < 0 {
		return 0, fmt.Errorf("pipeline: no scores %q; one of %q", name, scorings)
	}
	return Scoring(i), nil
}

// of is the scoring that the default stands for.
func (s Scoring) of(spec *model.Spec, labels int) Scoring {
	switch {
	case s != ScoreDefault:
		return s
	case spec.Problem == "regression":
		return ScoreNone
	case spec.Problem == "multi_label_classification" || labels == 1:
		return ScoreSigmoid
	}
	return ScoreSoftmax
}

// labelsOf scores logits as the model was trained for, which is what transformers'
// pipelines do. The best come first, at most top of them where top is not 0.
func labelsOf(spec *model.Spec, logits []float32, top int) []Label {
	return ScoreDefault.labels(spec, logits, top)
}

func (s Scoring) labels(spec *model.Spec, logits []float32, top int) []Label {
	list := make([]Label, len(logits))
	how := s.of(spec, len(logits))
	most, sum := softmaxOf(logits)
	for i, x := range logits {
		list[i] = Label{spec.Labels[i], x}
		switch how {
		case ScoreSigmoid:
			list[i].Score = float32(1 / (1 + math.Exp(-float64(x))))
		case ScoreSoftmax:
			list[i].Score = float32(math.Exp(float64(x)-most) / sum)
		}
	}
	return best(list, top)
}

// softmaxOf gives what makes the softmax of x: exp(x[i]-most)/sum.
func softmaxOf(x []float32) (most, sum float64) {
	most = math.Inf(-1)
	for _, v := range x {
		most = max(most, float64(v))
	}
	for _, v := range x {
		sum += math.Exp(float64(v) - most)
	}
	return most, sum
}

// best sorts labels, the best first, and keeps at most top of them; all if top is 0.
func best(list []Label, top int) []Label {
	slices.SortStableFunc(list, func(a, b Label) int { return cmp.Compare(b.Score, a.Score) })
	if top > 0 && top < len(list) {
		list = list[:top]
	}
	return list
}
