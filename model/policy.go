package model

import (
	"math"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// A HeadPolicy chooses, layer by layer and while a batch runs, the heads that each
// of its sequences needs. It is told about a sample of queries. A head that it
// leaves out gives all queries what those of the sample get on average, and its
// tiles are not computed. Attention must see both ways.
//
// It is called from several goroutines at once, and must say of a sequence the
// same whatever is beside it.
type HeadPolicy interface {
	// Sample says what Choose must know of a layer: about all heads, and best about
	// few queries; false leaves all heads in. A sequence may have fewer queries
	// than are asked for.
	Sample(layer int) (mha.Look, bool)
	// Choose sets elements of mask [sequences, heads] to 0 to leave heads out. It
	// begins with the batch's head mask.
	Choose(layer int, found *mha.Probe, mask []float32)
}

// choose asks the stream's policy about a layer, and tells whether it knows one.
func (w *workspace) choose(l int, b mha.Batch, q, k mha.View) bool {
	policy := w.stream.policy
	look, ok := policy.Sample(l)
	if !ok {
		return false
	}
	look.Heads, look.Mass = nil, true
	longest := 0
	for s := range w.stream.sequences() {
		longest = max(longest, int(b.SeqQ[s+1]-b.SeqQ[s]))
	}
	if look.To > longest {
		look.To = 0
	}
	heads, seqs := w.params.Heads, w.stream.sequences()
	w.sample.Look = look
	w.params.Probe = &w.sample
	w.mha.Look(&w.Exec, w.params, b, q, k)
	w.params.Probe = nil
	w.mask, w.given = grow(w.mask, seqs*heads), grow(w.given, seqs*heads)
	for i := range w.given {
		w.given[i] = 1
		switch given := w.params.HeadMask; len(given) {
		case 0:
		case heads:
			w.given[i] = given[i%heads]
		default:
			w.given[i] = given[i]
		}
	}
	copy(w.mask, w.given)
	policy.Choose(l, &w.sample, w.mask)
	w.params.HeadMask = w.mask
	return true
}

// standIn gives the queries of heads that a policy left out the average of what
// those of the sample get: values, weighted by their masses.
func (w *workspace) standIn(b mha.Batch, out, v mha.View) {
	a := &w.params
	w.average = grow(w.average, 2*a.HeadDim)
	sum, term := w.average[:a.HeadDim], w.average[a.HeadDim:]
	for i, f := range w.mask {
		seq, head := i/a.Heads, i%a.Heads
		queries, keys := w.sample.Size(seq)
		if f != 0 || w.given[i] == 0 || queries == 0 {
			continue
		}
		mass, kvHead := w.sample.MassOf(seq, head), head*a.KVHeads/a.Heads
		clear(sum)
		for j := range keys {
			kernels.Scale(term, v.Data[kvHead*v.Head+(int(b.SeqK[seq])+j)*v.Token:][:a.HeadDim], mass[j]/float32(queries))
			kernels.Add(sum, sum, term)
		}
		for t := b.SeqQ[seq]; t < b.SeqQ[seq+1]; t++ {
			copy(out.Data[head*out.Head+int(t)*out.Token:][:a.HeadDim], sum)
		}
	}
}

// An EntropyBudget leaves out the heads that look everywhere alike: those whose
// entropy, averaged over the first queries of a sequence, is above Most times that
// of even weights, ln(keys). Sequences of fewer than Least tokens keep all heads.
type EntropyBudget struct {
	Most    float32
	Least   int
	Queries int // that are sampled; 0: 32, the largest tile
}

// Sample implements HeadPolicy.
func (e *EntropyBudget) Sample(int) (mha.Look, bool) {
	return mha.Look{To: sampled(e.Queries), Entropy: true}, true
}

// Choose implements HeadPolicy.
func (e *EntropyBudget) Choose(_ int, found *mha.Probe, mask []float32) {
	eachHead(found, mask, func(seq, head, queries, keys int) bool {
		sum := float32(0)
		for i := range queries {
			sum += found.Entropy[found.Row(seq, head, i)]
		}
		return keys >= e.Least && sum > e.Most*float32(queries)*float32(math.Log(float64(keys)))
	})
}

// A MassBudget leaves out the heads that rest: those that give, averaged over the
// first queries of a sequence, more than Most of their weight to its first and last
// key, which are special tokens in BERT and hold what a head looks at that has
// found nothing (Clark et al. 2019). Sequences of fewer than Least tokens keep all
// heads.
type MassBudget struct {
	Most    float32
	Least   int
	Queries int // that are sampled; 0: 32, the largest tile
}

// Sample implements HeadPolicy.
func (m *MassBudget) Sample(int) (mha.Look, bool) {
	return mha.Look{To: sampled(m.Queries)}, true
}

// Choose implements HeadPolicy.
func (m *MassBudget) Choose(_ int, found *mha.Probe, mask []float32) {
	eachHead(found, mask, func(seq, head, queries, keys int) bool {
		mass := found.MassOf(seq, head)
		return keys >= max(2, m.Least) && mass[0]+mass[keys-1] > m.Most*float32(queries)
	})
}

func sampled(queries int) int {
	if queries == 0 {
		return 32
	}
	return queries
}

// eachHead masks the heads that are idle.
func eachHead(found *mha.Probe, mask []float32, idle func(seq, head, queries, keys int) bool) {
	heads := len(mask) / max(1, found.Sequences())
	for i := range mask {
		queries, keys := found.Size(i / heads)
		if queries > 0 && idle(i/heads, i%heads, queries, keys) {
			mask[i] = 0
		}
	}
}
