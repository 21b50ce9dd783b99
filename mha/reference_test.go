package mha

import "math"

// reference is attention as the paper writes it, in float64; naive the same in float32. Both take what Run takes.
func reference(p Params, b Batch, out []float64, q, k, v View) {
	p = p.withDefaults()
	eachRow(p, b, func(head, kvHead, query, firstKey, sees int) {
		scores := make([]float64, sees)
		top := math.Inf(-1)
		for j := range scores {
			for d := range p.HeadDim {
				scores[j] += float64(q.head(head, query)[d]) * float64(k.head(kvHead, firstKey+j)[d])
			}
			scores[j] *= float64(p.Scale)
			top = math.Max(top, scores[j])
		}
		sum := 0.0
		row := out[(query*p.Heads+head)*p.ValueDim:][:p.ValueDim]
		for j, s := range scores {
			w := math.Exp(s - top)
			sum += w
			for d := range row {
				row[d] += w * float64(v.head(kvHead, firstKey+j)[d])
			}
		}
		for d := range row {
			if sees > 0 {
				row[d] /= sum
			}
		}
	})
}

func naive(p Params, b Batch, out []float32, q, k, v View) {
	p = p.withDefaults()
	eachRow(p, b, func(head, kvHead, query, firstKey, sees int) {
		scores := make([]float32, sees)
		top := float32(math.Inf(-1))
		for j := range scores {
			for d := range p.HeadDim {
				scores[j] += float32(q.head(head, query)[d] * k.head(kvHead, firstKey+j)[d])
			}
			scores[j] *= p.Scale
			top = max(top, scores[j])
		}
		sum := float32(0)
		for j, s := range scores {
			scores[j] = float32(math.Exp(float64(s - top)))
			sum += scores[j]
		}
		row := out[(query*p.Heads+head)*p.ValueDim:][:p.ValueDim]
		for j, w := range scores {
			for d := range row {
				row[d] += float32(w / sum * v.head(kvHead, firstKey+j)[d])
			}
		}
	})
}

func eachRow(p Params, b Batch, row func(head, kvHead, query, firstKey, sees int)) {
	if b.SeqK == nil {
		b.SeqK = b.SeqQ
	}
	for s := range len(b.SeqQ) - 1 {
		queries, keys := int(b.SeqQ[s+1]-b.SeqQ[s]), int(b.SeqK[s+1]-b.SeqK[s])
		for head := range p.Heads {
			for i := range queries {
				sees := keys
				if p.Causal {
					sees = max(0, min(keys, i+1+keys-queries))
				}
				row(head, head*p.KVHeads/p.Heads, int(b.SeqQ[s])+i, int(b.SeqK[s]), sees)
			}
		}
	}
}
