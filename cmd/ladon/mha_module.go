package main

import (
	"fmt"
	"math"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
	"github.com/ladon-ml/ladon/model/weights"
)

// module is torch.nn.MultiheadAttention, with batch_first.
func (f *mhaFlags) module(c *call, in mhaInputs) ([]weights.Tensor, error) {
	query, qs, err := in.need("query", -1, -1, -1)
	if err != nil {
		return nil, err
	}
	b, lq, dim := qs[0], qs[1], qs[2]
	key, ks, ok, err := in.floats("key", b, -1, -1)
	if err != nil {
		return nil, err
	} else if !ok {
		key, ks = query, qs
	}
	lk := ks[1]
	value, vs, ok, err := in.floats("value", b, lk, -1)
	if err != nil {
		return nil, err
	} else if !ok {
		value, vs = key, ks
	}
	m, err := f.projections(in, dim, ks[2], vs[2])
	if err != nil {
		return nil, err
	}
	extra := 0
	if m.ExtraKey != nil {
		extra++
	}
	if m.ZeroKey {
		extra++
	}
	p := mha.Params{Scale: f.scale, Causal: f.causal, TopLeft: true}
	to := [4]int{b, f.heads, lq, lk}
	if err := f.moduleMasks(in, &p, to); err != nil {
		return nil, err
	}
	if err := in.unknown(); err != nil {
		return nil, err
	}
	to[3] += extra
	if err := checkResult(to[:]...); err != nil {
		return nil, err
	}
	if max(b*lq, b*(lk+extra)) > math.MaxInt32 {
		return nil, fmt.Errorf("batches of %d×%d tokens are too large", b, max(lq, lk))
	}
	batch := mha.Batch{SeqQ: make([]int32, b+1), SeqK: make([]int32, b+1)}
	for i := range b + 1 {
		batch.SeqQ[i], batch.SeqK[i] = int32(i*lq), int32(i*lk)
	}
	out, w := make([]float32, b*lq*dim), make([]float32, to[0]*to[1]*to[2]*to[3])
	var x kernels.Exec
	var ws mha.Workspace
	x.Begin(c.ctx, c.threads)
	m.Run(&x, &ws, p, batch, out, query, key, value, mha.Map{Data: w, Seq: to[1] * to[2] * to[3], Head: to[2] * to[3], Query: to[3]})
	if err := x.End(); err != nil {
		return nil, err
	}
	return []weights.Tensor{weights.Of("out", []int{b, lq, dim}, out), weights.Of("weights", to[:], w)}, nil
}

// projections takes the state_dict.
func (f *mhaFlags) projections(in mhaInputs, dim, keyDim, valueDim int) (*mha.MultiHeadAttention, error) {
	p := mha.Projections{Dim: dim, Heads: f.heads, KeyDim: keyDim, ValueDim: valueDim, ZeroKey: f.zeroKey}
	if dim < 1 || keyDim < 1 || valueDim < 1 {
		return nil, fmt.Errorf("vectors of size %d, %d and %d: sizes must be positive", dim, keyDim, valueDim)
	}
	fused, _, ok, err := in.floats("param.in_proj_weight", 3*dim, dim)
	switch {
	case err != nil:
		return nil, err
	case ok && (keyDim != dim || valueDim != dim):
		return nil, fmt.Errorf("tensor %q is for keys and values of size %d, not %d and %d", "param.in_proj_weight", dim, keyDim, valueDim)
	case ok:
		p.Query, p.Key, p.Value = fused[:dim*dim], fused[dim*dim:2*dim*dim], fused[2*dim*dim:]
	default:
		for _, w := range []struct {
			to   *[]float32
			name string
			k    int
		}{{&p.Query, "q", dim}, {&p.Key, "k", keyDim}, {&p.Value, "v", valueDim}} {
			if *w.to, _, err = in.need("param."+w.name+"_proj_weight", dim, w.k); err != nil {
				return nil, err
			}
		}
	}
	if p.Out, _, err = in.need("param.out_proj.weight", dim, dim); err != nil {
		return nil, err
	}
	bias, _, ok, err := in.floats("param.in_proj_bias", 3*dim)
	if err != nil {
		return nil, err
	}
	if ok {
		p.QueryBias, p.KeyBias, p.ValueBias = bias[:dim], bias[dim:2*dim], bias[2*dim:]
	}
	if p.OutBias, _, _, err = in.floats("param.out_proj.bias", dim); err != nil {
		return nil, err
	}
	if p.ExtraKey, _, _, err = in.floats("param.bias_k", 1, 1, dim); err != nil {
		return nil, err
	}
	if p.ExtraValue, _, _, err = in.floats("param.bias_v", 1, 1, dim); err != nil {
		return nil, err
	}
	return mha.NewMultiHeadAttention(p)
}

// moduleMasks takes key_padding_mask [B,Lk] and attn_mask.
func (f *mhaFlags) moduleMasks(in mhaInputs, p *mha.Params, to [4]int) error {
	if t, ok := in["key_padding_mask"]; ok {
		if len(t.Shape) != 2 || t.Shape[0] != to[0] || t.Shape[1] != to[3] {
			return fmt.Errorf("tensor %q has shape %v, not [%d %d]", "key_padding_mask", t.Shape, to[0], to[3])
		}
		if err := in.hideOrAdd(p, "key_padding_mask", true, []int{to[0], 1, 1, to[3]}, to); err != nil {
			return err
		}
	}
	t, ok := in["attn_mask"]
	if !ok {
		return nil
	}
	shape := t.Shape
	if len(shape) == 3 {
		if shape[0] != to[0]*to[1] {
			return fmt.Errorf("tensor %q has shape %v: its first size is not %d times %d heads", "attn_mask", shape, to[0], to[1])
		}
		shape = []int{to[0], to[1], shape[1], shape[2]}
	}
	return in.hideOrAdd(p, "attn_mask", true, shape, to)
}
