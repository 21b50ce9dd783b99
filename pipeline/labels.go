package pipeline

import (
	"cmp"
	"math"
	"slices"

	"github.com/ladon-ml/ladon/model"
)

// A Label is one of a classifier's classes with its score.
type Label struct {
	Label string
	Score float32
}

// labelsOf scores logits as transformers' pipelines do: each label by itself where
// several may hold or there is only one, as it is in a regression, and else as
// probabilities that add up to 1. The best come first, at most top of them where
// top is not 0.
func labelsOf(spec *model.Spec, logits []float32, top int) []Label {
	list := make([]Label, len(logits))
	most, sum := math.Inf(-1), 0.0
	for _, x := range logits {
		most = max(most, float64(x))
	}
	for _, x := range logits {
		sum += math.Exp(float64(x) - most)
	}
	for i, x := range logits {
		list[i].Label = spec.Labels[i]
		switch {
		case spec.Problem == "regression":
			list[i].Score = x
		case spec.Problem == "multi_label_classification" || len(logits) == 1:
			list[i].Score = float32(1 / (1 + math.Exp(-float64(x))))
		default:
			list[i].Score = float32(math.Exp(float64(x)-most) / sum)
		}
	}
	return best(list, top)
}

// best sorts labels, the best first, and keeps at most top of them; all if top is 0.
func best(list []Label, top int) []Label {
	slices.SortStableFunc(list, func(a, b Label) int { return cmp.Compare(b.Score, a.Score) })
	if top > 0 && top < len(list) {
		list = list[:top]
	}
	return list
}
