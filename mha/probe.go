package mha

// Look says what a [Probe] keeps. A row is one query of one head.
type Look struct {
	Heads    []int // query heads, rising; nil: all
	From, To int   // queries of every sequence, counted from its beginning; To 0: to the end

	TopK     int   // of each row so many keys of the largest weights
	Entropy  bool  // of each row
	Distance bool  // of each row, the mean distance of what it sees
	Near     []int // of each row, the weight of keys at most so far away; 0: the key beside which the query stands
	Mass     bool  // of each head, the sum of weights that every key gets
	Weights  bool  // the weights themselves: memory of queries × keys
}

// Probe looks into the softmax of a Run that gets it by [Params], which changes nothing else, and holds what it found
// until the next one. Memory is rows × what is kept of each, and a tile's scores for each worker; length² only for
// Weights. Its slices are kept from call to call and made where they are too small.
//
// Rows are ordered by sequence, then by head of those looked at, then by query: see [Probe.Row]. Weights, and what is
// made of them, are those that act, multiplied by HeadMask, but LogSumExp, Entropy and Distance, which describe the
// softmax before that. A row that sees nothing, and that of a masked head, has zeros, a LogSumExp of -Inf and -1 for
// keys; a row that a NaN score has spoilt has NaN, and -1 for keys.
//
// The same bits come out for any number of workers and any place in a batch.
type Probe struct {
	Look Look

	LogSumExp  []float32 // [rows] ln Σ e^score, sinks included
	TopKeys    []int32   // [rows, TopK] counted from the sequence's first; largest weight first, of equals the lower key; -1: no more
	TopWeights []float32 // [rows, TopK]
	Entropy    []float32 // [rows] -Σ w·ln w
	Distance   []float32 // [rows] Σ w·|key-place|, see Params.TopLeft
	Near       []float32 // [rows, len(Look.Near)] Σ w over the keys with |key-place| ≤ Look.Near[n]
	Mass       []float32 // of every sequence [heads, keys]: Σ w over the queries looked at; see MassOf
	Weights    []float32 // of every sequence [heads, queries, keys]; see WeightsOf

	index []int32 // of every head among those looked at, -1: not
	heads int     // how many those are
	seqs  []probed
}

// probed is what a probe keeps of a sequence: its first row, and where its masses and weights begin.
type probed struct{ row, queries, keys, mass, weights int }

const errProbe = "mha: a probe must look at rising heads and at queries that exist, and at no negative number of anything"

// Row is where the results of a query are: that of head Look.Heads[head] of sequence seq, counted from the beginning
// of the sequence.
func (p *Probe) Row(seq, head, query int) int {
	s := &p.seqs[seq]
	return s.row + head*s.queries + query - p.Look.From
}

// Sequences is how many there were, and Size how many queries and keys of one were looked at.
func (p *Probe) Sequences() int { return len(p.seqs) }

// Size is explained at Sequences.
func (p *Probe) Size(seq int) (queries, keys int) { return p.seqs[seq].queries, p.seqs[seq].keys }

// MassOf is the part of Mass that belongs to head Look.Heads[head] of sequence seq. [keys]
func (p *Probe) MassOf(seq, head int) []float32 {
	s := &p.seqs[seq]
	return p.Mass[s.mass+head*s.keys:][:s.keys]
}

// WeightsOf is the part of Weights that belongs to head Look.Heads[head] of sequence seq. [queries, keys]
func (p *Probe) WeightsOf(seq, head int) (weights []float32, queries, keys int) {
	s := &p.seqs[seq]
	n := s.queries * s.keys
	return p.Weights[s.weights+head*n:][:n], s.queries, s.keys
}

// Prepare makes room for the results of a whole batch, the sequences of which then run in several calls, each with a
// [Probe.Part]. Of params only the heads are looked at. It panics as Run does if Look does not fit.
func (p *Probe) Prepare(params Params, b Batch) {
	if b.SeqK == nil {
		b.SeqK = b.SeqQ
	}
	p.Look.check(&params, b)
	p.prepare(&params, b, false)
}

// Part makes dst a probe for a Run of the sequences first to end-1 of the batch that p was prepared for, the results of
// which are p's. Parts may run at the same time.
func (p *Probe) Part(dst *Probe, first, end int) {
	dst.Look = p.Look
	var from, to probed
	longest := 0
	for i, s := range p.seqs[:end] {
		if i < first {
			from = s.after(p.heads)
		} else {
			longest = max(longest, s.queries)
		}
		to = s.after(p.heads)
	}
	if p.Look.To > 0 && p.Look.From+longest < p.Look.To {
		dst.Look.To = 0 // all of these sequences end before
	}
	l := &p.Look
	rows := func(s []float32, n int) []float32 { return part(s, from.row*n, to.row*n) }
	dst.LogSumExp, dst.TopWeights = rows(p.LogSumExp, 1), rows(p.TopWeights, l.TopK)
	dst.TopKeys = part(p.TopKeys, from.row*l.TopK, to.row*l.TopK)
	dst.Entropy, dst.Distance, dst.Near = rows(p.Entropy, 1), rows(p.Distance, 1), rows(p.Near, len(l.Near))
	dst.Mass, dst.Weights = part(p.Mass, from.mass, to.mass), part(p.Weights, from.weights, to.weights)
}

// part is s[from:to], or nothing where there is nothing.
func part[T any](s []T, from, to int) []T {
	if len(s) == 0 {
		return nil
	}
	return s[from:to:to]
}

// after is where the next sequence begins.
func (s probed) after(heads int) probed {
	s.row += heads * s.queries
	s.mass += heads * s.keys
	s.weights += heads * s.queries * s.keys
	return s
}

// wantsWeights tells whether anything is kept that needs the scores to become weights.
func (l *Look) wantsWeights() bool {
	return l.Entropy || l.Distance || len(l.Near) > 0 || l.Mass || l.Weights
}

// wantsScores tells whether anything is kept that the softmax does not leave behind by itself.
func (l *Look) wantsScores() bool { return l.TopK > 0 || l.wantsWeights() }

func (l *Look) check(p *Params, b Batch) {
	longest := 0
	for s := range len(b.SeqQ) - 1 {
		longest = max(longest, int(b.SeqQ[s+1]-b.SeqQ[s]))
	}
	if l.From < 0 || l.To < 0 || l.To > longest || l.To > 0 && l.From > l.To || l.TopK < 0 {
		panic(errProbe)
	}
	last := -1
	for _, h := range l.Heads {
		if h <= last || h >= p.Heads {
			panic(errProbe)
		}
		last = h
	}
	for _, n := range l.Near {
		if n < 0 {
			panic(errProbe)
		}
	}
}

// prepare makes room for what will be found; the weights may have a place of their own.
func (p *Probe) prepare(params *Params, b Batch, placed bool) {
	l := &p.Look
	p.index = grow(p.index, params.Heads)
	p.heads = params.Heads
	for h := range p.index {
		p.index[h] = int32(h)
		if l.Heads != nil {
			p.index[h] = -1
		}
	}
	if l.Heads != nil {
		p.heads = len(l.Heads)
	}
	for i, h := range l.Heads {
		p.index[h] = int32(i)
	}
	p.seqs = p.seqs[:0]
	var at probed
	for s := range len(b.SeqQ) - 1 {
		at.queries, at.keys = int(b.SeqQ[s+1]-b.SeqQ[s]), int(b.SeqK[s+1]-b.SeqK[s])
		if l.To > 0 {
			at.queries = min(at.queries, l.To)
		}
		at.queries = max(0, at.queries-l.From)
		p.seqs = append(p.seqs, at)
		at = at.after(p.heads)
	}
	rows := at.row
	want := func(is bool, n int) int {
		if is {
			return n
		}
		return 0
	}
	p.LogSumExp = grow(p.LogSumExp, rows)
	p.TopKeys, p.TopWeights = grow(p.TopKeys, rows*l.TopK), grow(p.TopWeights, rows*l.TopK)
	p.Entropy = grow(p.Entropy, want(l.Entropy, rows))
	p.Distance = grow(p.Distance, want(l.Distance, rows))
	p.Near = grow(p.Near, rows*len(l.Near))
	p.Mass = grow(p.Mass, want(l.Mass, at.mass))
	p.Weights = grow(p.Weights, want(l.Weights && !placed, at.weights))
}

// row is where the results of a lane of a span are, -1 if it is not looked at.
func (p *Probe) row(sp *span, lane int) int {
	head, query := p.index[sp.head+lane/sp.queries], sp.query+lane%sp.queries-p.Look.From
	s := &p.seqs[sp.seq]
	if head < 0 || query < 0 || query >= s.queries {
		return -1
	}
	return s.row + int(head)*s.queries + query
}

// sees tells whether any row of a span is looked at.
func (p *Probe) sees(sp *span) bool {
	if sp.query+sp.queries <= p.Look.From || sp.query >= p.Look.From+p.seqs[sp.seq].queries {
		return false
	}
	for h := range sp.heads {
		if p.index[sp.head+h] >= 0 {
			return true
		}
	}
	return false
}
