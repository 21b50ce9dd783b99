package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Criterion is what decides which heads matter least.
type Criterion uint8

const (
	ByDrift      Criterion = iota // those whose absence changes the output least
	ByConfidence                  // those whose largest weights are smallest
	ByEntropy                     // those whose weights are spread most
)

var criteria = [...]string{"drift", "confidence", "entropy"}

func (c Criterion) String() string { return criteria[c] }

// ParseCriterion reads "drift", "confidence" or "entropy".
func ParseCriterion(s string) (Criterion, error) {
	if i := slices.Index(criteria[:], s); i >= 0 {
		return Criterion(i), nil
	}
	return 0, fmt.Errorf("model: criterion %q is not one of %s", s, strings.Join(criteria[:], ", "))
}

// score is larger for what matters more.
func (c Criterion) score(h *HeadImportance) float64 {
	switch c {
	case ByConfidence:
		return h.Confidence
	case ByEntropy:
		return -h.Entropy
	default:
		return h.Drift
	}
}

// LeastHeads chooses the given share of all heads, rounded down to whole groups,
// of those that matter least. Every layer keeps some.
func (i *Importance) LeastHeads(s Spec, share float64, by Criterion) map[int][]int {
	type group struct {
		heads []int
		layer int
		score float64
	}
	var groups []group
	for at := 0; at < len(i.Heads); {
		a := &s.Layers[i.Heads[at].Layer].Attention
		g := group{layer: i.Heads[at].Layer}
		for range a.Heads / a.KVHeads {
			g.heads = append(g.heads, i.Heads[at].Head)
			g.score += by.score(&i.Heads[at]) / float64(a.Heads/a.KVHeads)
			at++
		}
		groups = append(groups, g)
	}
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(a.score, b.score) })
	gone, left := map[int][]int{}, int(share*float64(len(i.Heads))+1e-9)
	for _, g := range groups {
		full := s.Layers[g.layer].Attention.Heads - len(gone[g.layer]) - len(g.heads)
		if len(g.heads) > left || full < 1 {
			continue
		}
		gone[g.layer] = append(gone[g.layer], g.heads...)
		left -= len(g.heads)
	}
	for _, heads := range gone {
		slices.Sort(heads)
	}
	return gone
}

// LeastNeurons chooses the neurons that matter least, so that of a layer with
// width of them keep(width) stay, at least one.
func (i *Importance) LeastNeurons(keep func(width int) int) map[int][]int {
	gone := map[int][]int{}
	for l, scores := range i.Neurons {
		stay := min(max(keep(len(scores)), 1), len(scores))
		order := make([]int, len(scores))
		for j := range order {
			order[j] = j
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
		if list := order[:len(scores)-stay]; len(list) > 0 {
			slices.Sort(list)
			gone[l] = list
		}
	}
	return gone
}

// KeepShare keeps a share of neurons, rounded up to a multiple of 16 where there
// are that many: the kernels work by 16.
func KeepShare(share float64) func(width int) int {
	return func(width int) int {
		stay := int(math.Ceil(float64(width)*share - 1e-9))
		if width >= 16 {
			stay = (stay + 15) / 16 * 16
		}
		return min(stay, width)
	}
}
