package mha

import "github.com/ladon-ml/ladon/kernels"

const errRollout = "mha: a rollout needs self-attention and, for every row, a number for each query"

// Rollout carries rows of the attention rollout (Abnar and Zuidema 2020) back through one layer of self-attention:
//
//	dst[r][j] = ½·src[r][j] + ½·Σ_h Σ_i src[r][i]·weight[h][i][j] / Heads
//
// for tokens i and j of the same sequence. src and dst are rows times the tokens of the stream. From the last layer to
// the first, beginning with a row that is 1 at a token, this gives what the token's last hidden state is made of;
// the second half stands for the residual path. It needs one reading of q and k for each layer and no more memory than
// a few rows. What p.Probe asks for is not looked at.
func (a *Attention) Rollout(x *kernels.Exec, p Params, b Batch, rows int, dst, src []float32, q, k View) {
	if b.SeqK == nil {
		b.SeqK = b.SeqQ
	}
	a.own.Look, p.Probe = Look{Mass: true}, &a.own
	j := a.onlyLook(p, b, q, k)
	tokens := int(b.SeqQ[len(b.SeqQ)-1])
	for s := range b.SeqQ {
		if b.SeqQ[s] != b.SeqK[s] {
			panic(errRollout)
		}
	}
	if rows < 1 || len(src) < rows*tokens || len(dst) < rows*tokens {
		panic(errRollout)
	}
	j.rows, j.rowCount = src, rows
	j.run(x)
	for s := range len(b.SeqQ) - 1 {
		from, keys := int(b.SeqK[s]), int(b.SeqK[s+1]-b.SeqK[s])
		sum := j.sumMass(s, 0)
		for h := 1; h < p.Heads; h++ {
			kernels.Add(sum, sum, j.sumMass(s, h))
		}
		kernels.Scale(sum, sum, 1/float32(p.Heads))
		for r := range rows {
			to := dst[r*tokens+from:][:keys]
			kernels.Add(to, sum[r*keys:][:keys], src[r*tokens+from:][:keys])
			kernels.Scale(to, to, .5)
		}
	}
	j.forget()
}
