package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/ladon-ml/ladon/model"
)

// writeImportance prints what every head does, and in JSON every neuron too: of the
// model, and of an encoder.
func writeImportance(c *call, found []*model.Importance) error {
	if !c.json {
		w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "layer\thead\tdrift\tconfidence\tentropy\t")
		for i, prefix := range []string{"", encoderLayer}[:len(found)] {
			for _, h := range found[i].Heads {
				fmt.Fprintf(w, "%s%d\t%d\t%.6f\t%.3f\t%.3f\t\n", prefix, h.Layer, h.Head, h.Drift, h.Confidence, h.Entropy)
			}
		}
		return w.Flush()
	}
	var out struct {
		importance
		Encoder *importance `json:"encoder,omitempty"`
	}
	out.importance = importanceOf(found[0])
	if len(found) > 1 {
		encoder := importanceOf(found[1])
		out.Encoder = &encoder
	}
	data, err := json.Marshal(out)
	if err != nil { // NaN, of a model that gives it
		return fmt.Errorf("prune: %w", err)
	}
	_, err = c.stdout.Write(append(data, '\n'))
	return err
}

// importance is a model.Importance in JSON.
type importance struct {
	Heads   []headImportance `json:"heads"`
	Neurons [][]float64      `json:"neurons"`
}

type headImportance struct {
	Layer      int     `json:"layer"`
	Head       int     `json:"head"`
	Drift      float64 `json:"drift"`
	Confidence float64 `json:"confidence"`
	Entropy    float64 `json:"entropy"`
}

func importanceOf(found *model.Importance) importance {
	out := importance{Neurons: found.Neurons}
	for _, h := range found.Heads {
		out.Heads = append(out.Heads, headImportance(h))
	}
	return out
}
