package main

import (
	"flag"
	"fmt"
	"strings"

	"github.com/ladon-ml/ladon/mha"
)

// lookFlag registers what a probe keeps. The Look is nil until the flag is given.
func lookFlag(fs *flag.FlagSet) **mha.Look {
	var look *mha.Look
	usage := "what a probe keeps of every row: a list of `lse,topk,entropy,distance,near,mass,weights`; topk is 8 keys"
	fs.Func("probe", usage, func(list string) error {
		l := mha.Look{}
		for name := range strings.SplitSeq(list, ",") {
			switch name {
			case "lse":
			case "topk":
				l.TopK = 8
			case "entropy":
				l.Entropy = true
			case "distance":
				l.Distance = true
			case "near":
				l.Near = []int{0, 1, 2, 4, 8, 16, 32}
			case "mass":
				l.Mass = true
			case "weights":
				l.Weights = true
			default:
				return fmt.Errorf("%q; a probe keeps lse, topk, entropy, distance, near, mass, weights", name)
			}
		}
		look = &l
		return nil
	})
	return &look
}

// kept names what a probe keeps.
func kept(l *mha.Look) string {
	names := []string{"lse"}
	for _, k := range []struct {
		name string
		is   bool
	}{{"topk", l.TopK > 0}, {"entropy", l.Entropy}, {"distance", l.Distance}, {"near", l.Near != nil}, {"mass", l.Mass}, {"weights", l.Weights}} {
		if k.is {
			names = append(names, k.name)
		}
	}
	return strings.Join(names, ",")
}
