package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
	"github.com/ladon-ml/ladon/model/weights"
)

var mhaCommand = command{
	name:    "mha",
	summary: "multi-head attention on tensors from a file",
	help: `
Raw attention takes q [B,H,Lq,D], k [B,Hkv,Lk,D] and v [B,Hkv,Lk,Dv], and as they
please mask (bool or uint8, nonzero is visible) and bias (float32), which
broadcast to [B,H,Lq,Lk]. It writes out [B,H,Lq,Dv] and weights [B,H,Lq,Lk].

With -heads it is torch.nn.MultiheadAttention: query, key and value [B,L,E], of
which key defaults to query and value to key; its state_dict as param.*; and as
they please key_padding_mask [B,Lk] and attn_mask [Lq,Lk] or [B*H,Lq,Lk], where
nonzero hides, or which are added if they are float32. It writes out [B,Lq,E] and
weights [B,H,Lq,Lk].

Queries that see no key give zeros.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		var f mhaFlags
		fs.StringVar(&f.in, "in", "", "the safetensors `FILE` to read")
		fs.StringVar(&f.out, "out", "", "the safetensors `FILE` to write")
		fs.BoolVar(&f.causal, "causal", false, "hide keys past the query, counted from the first of each as torch does")
		fs.Func("scale", "`factor` of the scores (default 1/√D)", f.setScale)
		fs.Var(countValue{&f.heads, 1}, "heads", "`heads` of the module torch.nn.MultiheadAttention")
		fs.BoolVar(&f.zeroKey, "add-zero-attn", false, "with -heads: append a key and a value of zeros")
		return func(c *call) error { return f.run(c) }
	},
}

type mhaFlags struct {
	in, out         string
	causal, zeroKey bool
	scale           float32 // 0: the default
	heads           int     // 0: raw attention
}

func (f *mhaFlags) setScale(s string) error {
	x, err := strconv.ParseFloat(s, 32)
	if err != nil || !(math.Abs(x) <= math.MaxFloat32) {
		return errors.New("a number")
	}
	if f.scale = float32(x); f.scale == 0 {
		f.scale = math.SmallestNonzeroFloat32 // 0 stands for the default
	}
	return nil
}

func (f *mhaFlags) run(c *call) error {
	if err := c.noArgs(); err != nil {
		return err
	}
	if f.in == "" || f.out == "" {
		return errors.New("mha: -in and -out are needed")
	}
	if c.dtype == "int8" {
		return errors.New("mha: -dtype int8: attention is computed in f32")
	}
	list, err := readTensors(f.in)
	if err != nil {
		return err
	}
	in := make(mhaInputs, len(list))
	for _, t := range list {
		in[t.Name] = t
	}
	compute := f.raw
	if f.heads > 0 {
		compute = f.module
	}
	results, err := compute(c, in)
	if err != nil {
		return inFile(f.in, err)
	}
	return weights.Write(f.out, results, nil)
}

// mhaInputs are the tensors of the file that have not been taken.
type mhaInputs map[string]weights.Tensor

// floats takes a tensor of numbers; ok is false if there is none of that name. A size of -1 may be anything.
func (in mhaInputs) floats(name string, shape ...int) (data []float32, got []int, ok bool, err error) {
	t, ok := in[name]
	if !ok {
		return nil, nil, false, nil
	}
	delete(in, name)
	fits := len(t.Shape) == len(shape)
	for i := 0; fits && i < len(shape); i++ {
		fits = shape[i] == -1 || shape[i] == t.Shape[i]
	}
	if !fits {
		return nil, nil, true, fmt.Errorf("tensor %q has shape %v, not %s", name, t.Shape, shapeText(shape))
	}
	data, err = t.Float32s(nil)
	return data, t.Shape, true, err
}

// need is floats for a tensor that must be there.
func (in mhaInputs) need(name string, shape ...int) ([]float32, []int, error) {
	data, got, ok, err := in.floats(name, shape...)
	if err == nil && !ok {
		err = fmt.Errorf("no tensor %q", name)
	}
	return data, got, err
}

func shapeText(shape []int) string {
	text := make([]string, len(shape))
	for i, n := range shape {
		if text[i] = fmt.Sprint(n); n == -1 {
			text[i] = "·"
		}
	}
	return "[" + strings.Join(text, " ") + "]"
}

// unknown is an error if tensors are left.
func (in mhaInputs) unknown() error {
	if len(in) == 0 {
		return nil
	}
	names := make([]string, 0, len(in))
	for name := range in {
		names = append(names, name)
	}
	return fmt.Errorf("tensor %q: not one that is taken", slices.Min(names))
}

// isMask tells whether a tensor says what is visible rather than what is added.
func isMask(t weights.Tensor) bool { return t.DType == weights.Bool || t.DType == weights.U8 }

// broadcast gives the strides with which shape becomes [b, h, q, k].
func broadcast(name string, shape []int, to [4]int) (strides [4]int, err error) {
	step := 1
	for i := range shape {
		at := len(shape) - 1 - i
		if d := 3 - i; d < 0 || shape[at] != 1 && shape[at] != to[d] {
			return strides, fmt.Errorf("tensor %q of shape %v does not broadcast to %v", name, shape, to)
		} else if shape[at] > 1 {
			strides[d] = step
		}
		step *= shape[at]
	}
	return strides, nil
}

// hideOrAdd turns the tensor of a name, if there is one, into a mask or a bias of p.
func (in mhaInputs) hideOrAdd(p *mha.Params, name string, hides bool, shape []int, to [4]int) error {
	t, ok := in[name]
	if !ok {
		return nil
	}
	if shape == nil {
		shape = t.Shape
	}
	s, err := broadcast(name, shape, to)
	if err != nil {
		return err
	}
	delete(in, name)
	if isMask(t) {
		p.Masks = append(p.Masks, mha.Mask{Data: t.Data, Seq: s[0], Head: s[1], Query: s[2], Key: s[3], Hides: hides})
		return nil
	}
	data, err := t.Float32s(nil)
	if err != nil {
		return err
	}
	p.Biases = append(p.Biases, &mha.Table{Data: data, Seq: s[0], Head: s[1], Query: s[2], Key: s[3]})
	return nil
}

// maxResult is how many elements of a result may have: 8 GiB.
const maxResult = 1 << 31

func checkResult(shape ...int) error {
	n := 1.0
	for _, d := range shape {
		n *= float64(d)
	}
	if n > maxResult {
		return fmt.Errorf("a result of shape %v is too large", shape)
	}
	return nil
}

// raw is attention alone.
func (f *mhaFlags) raw(c *call, in mhaInputs) ([]weights.Tensor, error) {
	if f.zeroKey {
		return nil, errors.New("-add-zero-attn needs -heads")
	}
	q, qs, err := in.need("q", -1, -1, -1, -1)
	if err != nil {
		return nil, err
	}
	b, heads, lq, d := qs[0], qs[1], qs[2], qs[3]
	k, ks, err := in.need("k", b, -1, -1, d)
	if err != nil {
		return nil, err
	}
	kvHeads, lk := ks[1], ks[2]
	v, vs, err := in.need("v", b, kvHeads, lk, -1)
	if err != nil {
		return nil, err
	}
	dv := vs[3]
	switch {
	case heads < 1 || kvHeads < 1 || heads%kvHeads != 0:
		return nil, fmt.Errorf("tensor %q has %d heads, no multiple of the %d of %q", "q", heads, kvHeads, "k")
	case d < 1 || d > mha.MaxDim || dv < 1 || dv > mha.MaxDim:
		return nil, fmt.Errorf("heads of size %d and %d: 1 to %d are supported", d, dv, mha.MaxDim)
	}
	p := mha.Params{Heads: heads, KVHeads: kvHeads, HeadDim: d, ValueDim: dv, Scale: f.scale, Causal: f.causal, TopLeft: true}
	to := [4]int{b, heads, lq, lk}
	if t, ok := in["mask"]; ok && !isMask(t) {
		return nil, fmt.Errorf("tensor %q is %v, not bool or uint8", "mask", t.DType)
	}
	if t, ok := in["bias"]; ok && isMask(t) {
		return nil, fmt.Errorf("tensor %q is %v, not float32", "bias", t.DType)
	}
	for _, name := range []string{"mask", "bias"} {
		if err := in.hideOrAdd(&p, name, false, nil, to); err != nil {
			return nil, err
		}
	}
	if err := in.unknown(); err != nil {
		return nil, err
	}
	if err := errors.Join(checkResult(to[:]...), checkResult(b, heads, lq, dv)); err != nil {
		return nil, err
	}
	out, w := make([]float32, b*heads*lq*dv), make([]float32, b*heads*lq*lk)
	var x kernels.Exec
	var a mha.Attention
	x.Begin(c.ctx, c.threads)
	for i := range b {
		one := mha.Batch{SeqQ: []int32{0, int32(lq)}, SeqK: []int32{0, int32(lk)}}
		p := inBatch(p, i)
		queries, keys := mha.PerHead(q[i*heads*lq*d:], lq, d), mha.PerHead(k[i*kvHeads*lk*d:], lk, d)
		a.Run(&x, p, one, mha.PerHead(out[i*heads*lq*dv:], lq, dv), queries, keys, mha.PerHead(v[i*kvHeads*lk*dv:], lk, dv))
		a.Weights(&x, p, one, mha.Map{Data: w[i*heads*lq*lk:], Head: lq * lk, Query: lk}, queries, keys)
	}
	if err := x.End(); err != nil {
		return nil, err
	}
	return []weights.Tensor{
		weights.Of("out", []int{b, heads, lq, dv}, out),
		weights.Of("weights", to[:], w),
	}, nil
}

// inBatch is p for entry i of a batch that runs alone.
func inBatch(p mha.Params, i int) mha.Params {
	p.Masks, p.Biases = slices.Clone(p.Masks), slices.Clone(p.Biases)
	for m := range p.Masks {
		p.Masks[m].Data = p.Masks[m].Data[i*p.Masks[m].Seq:]
	}
	for b := range p.Biases {
		t := *p.Biases[b].(*mha.Table)
		t.Data = t.Data[i*t.Seq:]
		p.Biases[b] = &t
	}
	return p
}
