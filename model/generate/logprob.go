package generate

import (
	"math"
	"slices"

	"github.com/ladon-ml/ladon/kernels"
)

// logSumExp gives the logarithm of the sum of exponentials of xs; scratch is
// grown and returned.
func logSumExp(scratch, xs []float32) ([]float32, float64) {
	m := negInf
	for _, x := range xs {
		m = max(m, x)
	}
	if math.IsInf(float64(m), 0) || m != m {
		return scratch, float64(m)
	}
	scratch = scratch[:0]
	for _, x := range xs {
		scratch = append(scratch, x-m)
	}
	kernels.Exp(scratch, scratch)
	sum := 0.0
	for _, e := range scratch {
		sum += float64(e)
	}
	return scratch, float64(m) + math.Log(sum)
}

// logProbs remember what the model said before the Config changed it.
type logProbs struct {
	raw     []float32
	scratch []float32
	lse     float64
	top     []LogProb
}

func (l *logProbs) take(logits []float32, top int) {
	l.raw = append(l.raw[:0], logits...)
	l.scratch, l.lse = logSumExp(l.scratch, logits)
	l.top = l.top[:0]
	if top = min(top, len(logits)); top == 0 {
		return
	}
	l.scratch = kthLargest(l.scratch, logits, top)
	floor := l.scratch[0]
	ties := 0 // of the least, which may have more equals than there is room for
	for _, x := range l.scratch {
		if x == floor {
			ties++
		}
	}
	for i, x := range logits {
		if x > floor || x == floor && ties > 0 {
			if x == floor {
				ties--
			}
			l.top = append(l.top, LogProb{int32(i), l.of(int32(i))})
		}
	}
	slices.SortFunc(l.top, func(a, b LogProb) int {
		switch {
		case a.LogProb > b.LogProb:
			return -1
		case a.LogProb < b.LogProb:
			return 1
		}
		return int(a.ID - b.ID)
	})
}

func (l *logProbs) of(id int32) float32 { return float32(float64(l.raw[id]) - l.lse) }
