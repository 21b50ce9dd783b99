package kernels

import "math"

// Begin makes query i begin its softmax as if it had seen scores of maximum top,
// in units of log2, whose weights, relative to it, add up to sum, and whose
// values were zeros: an attention sink. It comes after Queries.
func (t *AttentionTile) Begin(i int, top, sum float32) {
	if top < hiddenMax {
		return
	}
	t.max[i], t.sum[i] = top, sum
}

// RowMax and RowSum are the running softmax of query i: the maximum of its scores
// in units of log2 and the sum of 2^(score-max); log2 of the sum plus the maximum
// is the row's log-sum-exp.
func (t *AttentionTile) RowMax(i int) float32 { return t.max[i] }

// RowSum is explained at RowMax.
func (t *AttentionTile) RowSum(i int) float32 { return t.sum[i] }

// Partial is what Values has gathered for query i, not yet divided by RowSum.
func (t *AttentionTile) Partial(i int) []float32 {
	return t.o[i*roundUp(t.valueDim, panelWidth):][:t.valueDim]
}

// Cap bounds the scores of n keys softly: limit·tanh(score/limit), limit > 0 in
// natural units (Gemma 2).
func (t *AttentionTile) Cap(n int, limit float32) {
	s := t.s[:n*t.lanes]
	limit *= math.Log2E
	Scale(s, s, 1/limit)
	Activate(Tanh, s)
	Scale(s, s, limit)
}

// Bias is where the caller puts the biases of query i for the n keys of a block,
// in natural units, before AddBias.
func (t *AttentionTile) Bias(i, n int) []float32 {
	ld := biasStride(n)
	t.row = grow(t.row, t.lanes*ld)
	return t.row[i*ld:][:n]
}

// biasStride is a whole number of blocks and one line more, so that the rows of
// a block do not fall on the same cache sets.
func biasStride(n int) int { return roundUp(n, panelWidth) + panelWidth }

// AddBias adds the biases of n keys to their scores.
func (t *AttentionTile) AddBias(n int) {
	cfg, ld, wide := attention(), biasStride(n), roundUp(n, panelWidth)
	t.row = grow(t.row, t.lanes*ld)
	t.b = grow(t.b, wide*t.lanes)
	for p := 0; p < t.lanes; p += panelWidth {
		cfg.transpose(t.b[p:], t.lanes, t.row[p*ld:], ld, wide, math.Log2E)
	}
	Add(t.s[:n*t.lanes], t.s[:n*t.lanes], t.b[:n*t.lanes])
}

// ValuesHidden is Values where keys from … to-1 are hidden from some queries.
// Where V is not finite there, a weight of 0 would give NaN: such elements reach
// only the queries that have a weight for them, and change no bit of the others.
func (t *AttentionTile) ValuesHidden(v []float32, ld, n, from, to int, last bool, out []float32, ldo int) {
	if from >= to || finite(v[from*ld:], ld, to-from, t.valueDim) {
		t.Values(v, ld, n, last, out, ldo)
		return
	}
	clean := make([]float32, n*t.valueDim) // so rare that it is not kept
	for i := range n {
		for d, x := range v[i*ld:][:t.valueDim] {
			if i < from || i >= to || x-x == 0 {
				clean[i*t.valueDim+d] = x
			}
		}
	}
	t.Values(clean, t.valueDim, n, last, out, ldo)
	for i := from; i < to; i++ {
		weights := t.Score(i)
		for d, x := range v[i*ld:][:t.valueDim] {
			if x-x == 0 {
				continue
			}
			for r, w := range weights {
				switch {
				case w == 0:
				case last:
					out[r*ldo+d] += w * x
				default:
					t.Partial(r)[d] += w * x
				}
			}
		}
	}
}

// finite tells whether n rows of dim, ld apart, are certainly without NaN and
// infinities.
func finite(v []float32, ld, n, dim int) bool {
	if ld == dim {
		n, dim = 1, n*dim
	}
	for i := range n {
		row := v[i*ld:][:dim]
		if s := Dot(row, row); s-s != 0 {
			return false
		}
	}
	return true
}
