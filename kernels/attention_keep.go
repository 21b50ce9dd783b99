package kernels

import "math"

// KeptScores are the scores of a tile's queries for all keys that they meet, in
// memory for as many keys, to look into them when the tile is done: by then the
// sums of the softmax are known, and each weight is
//
//	weight = 2^(score-top)/sum
//
// Package mha strings its verbs together: Reset, Keep for every block, then Row
// for every lane, then Top, then Weigh, and after it the others. Rows that
// nobody asks about are made zero by Hide.
//
// Its zero value is ready; it belongs to one goroutine at a time.
type KeptScores struct {
	lanes  int
	s      []float32 // [kept keys][lanes]
	blocks []keptBlock

	row     [2][3][panelWidth]float32 // of each panel: maximum, 1/sum, log2(sum)
	entropy [2 * panelWidth]float32
	place   [2 * panelWidth]float32
	offset  [2 * panelWidth]float32
	sum     [2 * panelWidth]float32

	k      int
	best   []float32 // [panels][1+k][16]
	groups []float32 // [groups][16]
	index  []int32   // and the keys that they belong to; -1: none
}

// keptBlock is n keys from key on, whose scores begin at row at.
type keptBlock struct{ key, n, at int }

// Reset begins with the rows of a tile's queries and no scores.
func (r *KeptScores) Reset(rows int) {
	r.lanes, r.s, r.blocks = attention().lanes, r.s[:0], r.blocks[:0]
	if rows <= panelWidth {
		r.lanes = panelWidth
	}
}

// Keep copies the scores of a block of n keys, of which key is the first.
func (r *KeptScores) Keep(t *AttentionTile, key, n int) {
	r.blocks = append(r.blocks, keptBlock{key, n, len(r.s) / r.lanes})
	r.s = append(r.s, t.s[:n*t.lanes]...)
}

// Row says what the softmax of lane i came to: its maximum in units of log2, the
// sum of 2^(score-top), log2 of that, and the key beside which the query stands.
func (r *KeptScores) Row(i int, top, sum, bits float32, place int) {
	p, l := &r.row[i/panelWidth], i%panelWidth
	p[0][l], p[1][l], p[2][l] = top, 1/sum, bits
	if sum < minSum {
		p[1][l], p[2][l] = 0, 0
	}
	r.place[i] = float32(place)
}

// minSum is where a sum of weights is taken for none.
const minSum = 1e-30

// Hide makes all weights of lane i zero, which need not be a query.
func (r *KeptScores) Hide(i int) {
	p, l := &r.row[i/panelWidth], i%panelWidth
	p[0][l], p[1][l], p[2][l] = hiddenMax, 0, 0
	r.place[i] = 0
	for ; i < len(r.s); i += r.lanes {
		r.s[i] = float32(math.Inf(-1))
	}
}

// Lanes is how many rows must be told by Row or Hide.
func (r *KeptScores) Lanes() int { return r.lanes }

// Top finds the k keys of every lane whose scores are largest, the earlier of
// equals first. It comes before Weigh.
func (r *KeptScores) Top(k int) {
	cfg, panels := attention(), r.lanes/panelWidth
	n := (1 + k) * panelWidth
	r.k, r.best, r.index = k, grow(r.best, panels*n), grow(r.index, panels*n)
	for p := range panels {
		best, index := r.best[p*n:][:n], r.index[p*n:][:n]
		r.floor(p, best, index)
		for _, b := range r.blocks {
			cfg.topLanes(b.n, r.panel(b, p), 4*r.lanes, k, &best[0], &index[0], int32(b.key))
		}
		clear(r.sum[:])
		cfg.weighLanes(k, &best[panelWidth], 4*panelWidth, &r.row[p][0][0], &r.sum[0])
	}
}

// floor begins lists of the best scores with scores just below what k keys reach
// for certain: the k-th largest of the maxima of some groups of keys. Few keys
// then are candidates, where without a floor most of the first ones would be.
func (r *KeptScores) floor(p int, best []float32, index []int32) {
	const groupsEach = 4
	empty := func() {
		for i := range best {
			best[i], index[i] = hiddenMax, -1
		}
		for l := range panelWidth {
			best[l] = float32(math.Inf(1)) // stops what is inserted
		}
	}
	empty()
	groups := groupsEach * r.k
	size := len(r.s) / r.lanes / groups
	if size < 2 {
		return
	}
	cfg := attention()
	r.groups = grow(r.groups, groups*panelWidth)
	cfg.groupLanes(groups, size, &r.s[p*panelWidth], 4*r.lanes, &r.groups[0])
	cfg.topLanes(groups, &r.groups[0], 4*panelWidth, r.k, &best[0], &index[0], 0)
	var below [panelWidth]float32
	for l, x := range best[r.k*panelWidth:] {
		below[l] = max(hiddenMax, math.Nextafter32(x, float32(math.Inf(-1))))
	}
	empty()
	for i := panelWidth; i < len(best); i += panelWidth {
		copy(best[i:], below[:])
	}
}

// Best is what Top found for lane i at place n of k: a key, -1 where fewer are
// visible, and its weight.
func (r *KeptScores) Best(i, n int) (key int32, weight float32) {
	at := (i/panelWidth*(1+r.k)+1+n)*panelWidth + i%panelWidth
	return r.index[at], r.best[at]
}

func (r *KeptScores) panel(b keptBlock, p int) *float32 { return &r.s[b.at*r.lanes+p*panelWidth] }

// Weigh turns the scores into weights.
func (r *KeptScores) Weigh() {
	cfg := attention()
	clear(r.entropy[:])
	for _, b := range r.blocks {
		for p := range r.lanes / panelWidth {
			cfg.weighLanes(b.n, r.panel(b, p), 4*r.lanes, &r.row[p][0][0], &r.entropy[p*panelWidth])
		}
	}
}

// Entropy is -Σ weight·ln(weight) of lane i, known after Weigh.
func (r *KeptScores) Entropy(i int) float32 { return r.entropy[i] * math.Ln2 }

// Mass adds to mass[key] the weights of that key, those of lane i times u[i],
// sixteen lanes after sixteen.
func (r *KeptScores) Mass(mass, u []float32) {
	cfg := attention()
	if len(u) < r.lanes {
		panic(errShape)
	}
	for _, b := range r.blocks {
		part := mass[b.key:][:b.n]
		for p := range r.lanes / panelWidth {
			cfg.massLanes(b.n, r.panel(b, p), 4*r.lanes, &u[p*panelWidth], &part[0])
		}
	}
}

// Spread gives for every lane the sum of its weights times the distances of the
// keys from its place, good until the next call of Spread or Near.
func (r *KeptScores) Spread() []float32 {
	cfg := attention()
	clear(r.sum[:])
	for _, b := range r.blocks {
		r.offsets(b)
		for p := range r.lanes / panelWidth {
			cfg.spreadLanes(b.n, r.panel(b, p), 4*r.lanes, &r.offset[p*panelWidth], &r.sum[p*panelWidth])
		}
	}
	return r.sum[:r.lanes]
}

// Near gives for every lane the sum of its weights for keys at most reach away
// from its place.
func (r *KeptScores) Near(reach int) []float32 {
	cfg := attention()
	clear(r.sum[:])
	lo, hi := r.place[0], r.place[0]
	for _, x := range r.place[:r.lanes] {
		lo, hi = min(lo, x), max(hi, x)
	}
	for _, b := range r.blocks {
		if float32(b.key) > hi+float32(reach) || float32(b.key+b.n-1) < lo-float32(reach) {
			continue
		}
		r.offsets(b)
		for p := range r.lanes / panelWidth {
			cfg.nearLanes(b.n, r.panel(b, p), 4*r.lanes, &r.offset[p*panelWidth], &r.sum[p*panelWidth], float32(reach)+.5)
		}
	}
	return r.sum[:r.lanes]
}

func (r *KeptScores) offsets(b keptBlock) {
	for i, place := range r.place[:r.lanes] {
		r.offset[i] = float32(b.key) - place
	}
}

// Rows copies the weights of n lanes from first on, times factor, to rows of
// keys elements that are ld apart. Keys that no block has get 0.
func (r *KeptScores) Rows(dst []float32, ld, first, n, keys int, factor float32) {
	if n == 0 || keys == 0 {
		return
	}
	if len(dst) < (n-1)*ld+keys || first+n > r.lanes {
		panic(errShape)
	}
	done := 0
	for _, b := range r.blocks {
		for i := range n {
			clear(dst[i*ld+done : i*ld+b.key])
		}
		done = b.key + b.n
		r.block(b, dst, ld, first, n, factor)
	}
	for i := range n {
		clear(dst[i*ld+done : i*ld+keys])
	}
}

// block transposes a block, sixteen keys by sixteen lanes.
func (r *KeptScores) block(b keptBlock, dst []float32, ld, first, n int, factor float32) {
	cfg := attention()
	for p := first / panelWidth; p*panelWidth < first+n; p++ {
		from, to := max(first, p*panelWidth), min(first+n, (p+1)*panelWidth)
		for i := 0; i < b.n; i += panelWidth {
			src := r.s[(b.at+i)*r.lanes+p*panelWidth:]
			if to-from == panelWidth && i+panelWidth <= b.n {
				cfg.transpose(dst[(from-first)*ld+b.key+i:], ld, src, r.lanes, panelWidth, factor)
				continue
			}
			for lane := from; lane < to; lane++ {
				row := dst[(lane-first)*ld+b.key+i:][:min(panelWidth, b.n-i)]
				for key := range row {
					row[key] = src[key*r.lanes+lane-p*panelWidth] * factor
				}
			}
		}
	}
}

// ScaleRow makes the last block's Values multiply row i by factor. It comes
// after that block's Softmax.
func (t *AttentionTile) ScaleRow(i int, factor float32) { t.final[i] *= factor }
