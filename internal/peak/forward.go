package peak

import "github.com/ladon-ml/ladon/model"

// ForwardOps counts the operations, two for a multiply-add, of a forward pass
// over one sequence of n tokens, up to its last hidden state: the products with
// the layers' matrices, and the scores and sums of attention. An encoder-decoder
// reads n tokens with each of its two.
func ForwardOps(s model.Spec, n int) float64 {
	hidden, tokens, sum := float64(s.Hidden), float64(n), 0.0
	for _, l := range s.Layers {
		a, f := l.Attention, l.FeedForward
		heads, products := float64(a.Heads*a.HeadDim), 2.0
		if f.Gated {
			products = 3
		}
		matrices := hidden * (2*heads + 2*float64(a.KVHeads*a.HeadDim) + products*float64(f.Width))
		sum += 2*tokens*matrices + 4*tokens*tokens*heads
		if c := l.Cross; c != nil {
			heads, kv := float64(c.Heads*c.HeadDim), float64(2*c.KVHeads*c.HeadDim)
			sum += 2*tokens*(2*hidden*heads+float64(s.Other.Hidden)*kv) + 4*tokens*tokens*heads
		}
	}
	if s.Crosses() {
		sum += ForwardOps(*s.Other, n)
	}
	if p := s.Embeddings.Patches; p != nil {
		sum += 2 * float64(n-p.Class-p.Detection) * float64(p.Channels*p.Patch[0]*p.Patch[1]) * hidden
	}
	return sum
}
