package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/ladon-ml/ladon/mha"
)

// attentionVariant is what a case of attention adds to the plain one.
type attentionVariant struct {
	mask, bias string
	cap        float64
	live       int // heads that the head mask leaves; -1: no mask
	look       **mha.Look
}

var maskKinds, biasKinds = []string{"none", "keys", "full"}, []string{"none", "table", "alibi", "t5"}

func (v *attentionVariant) flags(fs *flag.FlagSet) {
	v.live, v.mask, v.bias = -1, "none", "none"
	choice := func(to *string, kinds []string) func(string) error {
		return func(s string) error {
			if !slices.Contains(kinds, s) {
				return fmt.Errorf("%q is none of %v", s, kinds)
			}
			*to = s
			return nil
		}
	}
	fs.Func("mask", "a mask of `none|keys|full`: the last tenth of the keys, or a tenth of all pairs", choice(&v.mask, maskKinds))
	fs.Func("bias", "a bias of `none|table|alibi|t5`: a table is [queries, keys]", choice(&v.bias, biasKinds))
	fs.Float64Var(&v.cap, "cap", 0, "bound scores softly by this `X`; 0: no bound")
	fs.Var(countValue{&v.live, 0}, "live-heads", "`heads` that a head mask leaves; by default there is no mask")
	v.look = lookFlag(fs)
}

// params adds the variant to p, for sequences of at most so many queries and keys.
func (v *attentionVariant) params(p *mha.Params, rng *rand.Rand, queries, keys int) error {
	switch v.mask {
	case "keys":
		m := mha.Mask{Data: make([]uint8, keys), Key: 1}
		for i := range keys - keys/10 {
			m.Data[i] = 1
		}
		p.Masks = append(p.Masks, m)
	case "full":
		if err := checkSize(queries, keys); err != nil {
			return err
		}
		m := mha.Mask{Data: make([]uint8, queries*keys), Query: keys, Key: 1}
		for i := range m.Data {
			m.Data[i] = uint8(rng.IntN(10))
		}
		p.Masks = append(p.Masks, m)
	}
	switch v.bias {
	case "table":
		if err := checkSize(queries, keys); err != nil {
			return err
		}
		p.Biases = append(p.Biases, &mha.Table{Data: randomFloats(rng, queries*keys), Query: keys, Key: 1})
	case "alibi":
		p.Biases = append(p.Biases, mha.NewALiBi(p.Heads))
	case "t5":
		const buckets, far = 32, 128
		p.Biases = append(p.Biases, mha.NewBuckets(randomFloats(rng, buckets*p.Heads), buckets, p.Heads, far, true))
	}
	p.Cap = float32(v.cap)
	if !(p.Cap >= 0) {
		return fmt.Errorf("bench attention: -cap %v", v.cap)
	}
	if v.live > p.Heads {
		return fmt.Errorf("bench attention: %d heads of %d cannot be left", v.live, p.Heads)
	}
	if v.live >= 0 {
		p.HeadMask = make([]float32, p.Heads)
		for h := range v.live {
			p.HeadMask[h] = 1
		}
	}
	if *v.look != nil {
		p.Probe = &mha.Probe{Look: **v.look}
	}
	return nil
}

// share is the part of the heads that is computed.
func (v *attentionVariant) share(heads int) float64 {
	if v.live < 0 {
		return 1
	}
	return float64(v.live) / float64(heads)
}

// record writes what was asked for beyond the plain case.
func (v *attentionVariant) record(r *record) {
	if v.mask != "none" {
		r.string("mask", v.mask)
	}
	if v.bias != "none" {
		r.string("bias", v.bias)
	}
	if v.cap > 0 {
		r.float("cap", v.cap, 6)
	}
	if v.live >= 0 {
		r.int("live_heads", v.live)
	}
	if *v.look != nil {
		r.string("probe", kept(*v.look))
	}
}
