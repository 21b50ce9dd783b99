package peak

import "github.com/ladon-ml/ladon/model"

// ForwardOps counts the operations, two for a multiply-add, of a forward pass
// over one sequence of n tokens, up to its last hidden state: the products with
// the layers' matrices, and the scores and sums of attention.
func ForwardOps(s model.Spec, n int) float64 {
	width := float64(s.Attention.Heads * s.Attention.HeadDim)
	hidden, ffn, tokens := float64(s.Hidden), float64(s.FeedForward.Width), float64(n)
	matrices := 4*hidden*width + 2*hidden*ffn
	return float64(s.Layers) * (2*tokens*matrices + 4*tokens*tokens*width)
}
