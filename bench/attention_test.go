package bench

import (
	"fmt"
	"testing"

	"github.com/ladon-ml/ladon/internal/peak"
	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// BenchmarkAttention runs self-attention. GFLOP/s counts the scores that a query
// may see and the sums over values.
func BenchmarkAttention(b *testing.B) {
	for _, s := range []struct {
		batch, heads, seq, dim int
		causal                 bool
	}{
		{1, 12, 16, 32, false}, {1, 12, 128, 32, false}, {32, 12, 128, 32, false},
		{1, 12, 128, 64, false}, {1, 12, 512, 64, false}, {1, 12, 512, 64, true}, {1, 12, 2048, 64, false},
	} {
		name := fmt.Sprintf("batch=%d/heads=%d/seq=%d/dim=%d/causal=%t", s.batch, s.heads, s.seq, s.dim, s.causal)
		b.Run(name, func(b *testing.B) {
			tokens := s.batch * s.seq
			view := func() mha.View { return mha.PerHead(floats(s.heads*tokens*s.dim), tokens, s.dim) }
			q, k, v := view(), view(), view()
			out := mha.PerToken(make([]float32, tokens*s.heads*s.dim), s.heads, s.dim)
			offsets := make([]int32, s.batch+1)
			for i := range offsets {
				offsets[i] = int32(i * s.seq)
			}
			pairs := float64(s.seq) * float64(s.seq)
			if s.causal {
				pairs = float64(s.seq) * float64(s.seq+1) / 2
			}
			var x kernels.Exec
			var a mha.Attention
			params := mha.Params{Heads: s.heads, HeadDim: s.dim, Causal: s.causal}
			rate(b, peak.F32, 1, 4*float64(s.batch*s.heads*s.dim)*pairs, func() {
				x.Begin(b.Context(), 1)
				a.Run(&x, params, mha.Batch{SeqQ: offsets}, out, q, k, v)
				if err := x.End(); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
