package mha

import "math"

type float interface{ float32 | float64 }

func exp[T float](x T) T  { return T(math.Exp(float64(x))) }
func tanh[T float](x T) T { return T(math.Tanh(float64(x))) }

// reference is attention as the papers write it: in float64 what is right, in float32 what a naive program would give.
// It takes what Run takes, and gives the weights, row after row.
func reference[T float](p Params, b Batch, out []T, q, k, v View) (all []T) {
	p = p.withDefaults()
	eachRow(p, b, func(s, head, i, firstQ, firstK, keys int) {
		weights, _ := softmaxOf(scoreRow[T](p, b, s, head, i, q, k))
		all = append(all, weights...)
		row := out[((firstQ+i)*p.Heads+head)*p.ValueDim:][:p.ValueDim]
		for j, w := range weights {
			if w == 0 {
				continue
			}
			for d, value := range v.head(head*p.KVHeads/p.Heads, firstK+j)[:len(row)] {
				row[d] += T(w * T(value))
			}
		}
	})
	return all
}

// softmaxOf turns scores, beside that of a sink, into weights in place, and gives their log-sum-exp.
func softmaxOf[T float](scores []T, sink T) (weights []T, lse T) {
	top := sink
	for _, x := range scores {
		top = max(top, x)
	}
	if math.IsInf(float64(top), -1) {
		clear(scores)
		return scores, top
	}
	total := exp(sink - top)
	for j, x := range scores {
		scores[j] = exp(x - top)
		total += scores[j]
	}
	for j := range scores {
		scores[j] /= total
	}
	return scores, top + T(math.Log(float64(total)))
}

// scoreRow gives the scores of query i of a head of a sequence, and that of its sink.
func scoreRow[T float](p Params, b Batch, s, head, i int, q, k View) (scores []T, sink T) {
	firstQ, firstK := int(b.SeqQ[s]), int(b.SeqK[s])
	queries, keys := int(b.SeqQ[s+1])-firstQ, int(b.SeqK[s+1])-firstK
	place := i + p.Offset
	if !p.TopLeft {
		place += keys - queries
	}
	sink = T(math.Inf(-1))
	if p.Sinks != nil {
		sink = T(p.Sinks[head])
	}
	query := make([]T, p.HeadDim)
	for d := range query {
		query[d] = T(q.head(head, firstQ+i)[d])
		if p.Relative != nil {
			query[d] += T(p.Relative.Content[head*p.HeadDim+d])
		}
	}
	scores = make([]T, keys)
	var one [1]float32
	for j := range scores {
		sum := T(0)
		for d, x := range k.head(head*p.KVHeads/p.Heads, firstK+j)[:len(query)] {
			sum += T(query[d] * T(x))
		}
		sum *= T(p.Scale)
		if p.Cap > 0 {
			sum = T(p.Cap) * tanh(sum/T(p.Cap))
		}
		if r := p.Relative; r != nil {
			sum += T(relativeScore[T](p, s, head, firstQ+i, firstK+j, j-place, q.head(head, firstQ+i)) * T(p.Scale))
		}
		for _, bias := range p.Biases {
			one[0] = 0
			bias.Add(one[:], Row{Seq: s, Head: head, Query: i, Key: j, Place: place})
			sum += T(one[0])
		}
		if !visible(p, s, head, i, j, place) {
			sum = T(math.Inf(-1))
		}
		scores[j] = sum
	}
	return scores, sink
}

func visible(p Params, s, head, i, j, place int) bool {
	for _, m := range p.Masks {
		if (m.Data[s*m.Seq+head*m.Head+i*m.Query+j*m.Key] != 0) == m.Hides {
			return false
		}
	}
	if p.Prefix != nil && j < int(p.Prefix[s]) {
		return true
	}
	return !(p.Causal && j > place || p.Left > 0 && j <= place-p.Left || p.Right > 0 && j >= place+p.Right)
}

func eachRow(p Params, b Batch, row func(s, head, i, firstQ, firstK, keys int)) {
	for s := range len(b.SeqQ) - 1 {
		queries, keys := int(b.SeqQ[s+1]-b.SeqQ[s]), int(b.SeqK[s+1]-b.SeqK[s])
		for head := range p.Heads {
			for i := range queries {
				row(s, head, i, int(b.SeqQ[s]), int(b.SeqK[s]), keys)
			}
		}
	}
}
