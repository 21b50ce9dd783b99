package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/ladon-ml/ladon/model"
)

// writeImportance prints what every head does, and in JSON every neuron too.
func writeImportance(c *call, found *model.Importance) error {
	if !c.json {
		w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "layer\thead\tdrift\tconfidence\tentropy\t")
		for _, h := range found.Heads {
			fmt.Fprintf(w, "%d\t%d\t%.6f\t%.3f\t%.3f\t\n", h.Layer, h.Head, h.Drift, h.Confidence, h.Entropy)
		}
		return w.Flush()
	}
	type head struct {
		Layer      int     `json:"layer"`
		Head       int     `json:"head"`
		Drift      float64 `json:"drift"`
		Confidence float64 `json:"confidence"`
		Entropy    float64 `json:"entropy"`
	}
	out := struct {
		Heads   []head      `json:"heads"`
		Neurons [][]float64 `json:"neurons"`
	}{Neurons: found.Neurons}
	for _, h := range found.Heads {
		out.Heads = append(out.Heads, head(h))
	}
	data, err := json.Marshal(out)
	if err != nil { // NaN, of a model that gives it
		return fmt.Errorf("prune: %w", err)
	}
	_, err = c.stdout.Write(append(data, '\n'))
	return err
}
