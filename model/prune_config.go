package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
)

// Keys of config.json that say what was pruned. The architecture's own keys then
// keep the sizes from before.
const (
	// prunedHeadsKey lists, by layer, the heads that are gone, by their numbers
	// from before any pruning. transformers wrote and read it up to version 4.
	prunedHeadsKey = "pruned_heads"
	// widthsKey lists the feed-forward width of every layer, where they differ.
	widthsKey = "pruned_intermediate_sizes"
)

// pruned takes what config.json says of pruning from layers whose sizes are those
// from before.
func (c *config) pruned(s *Stack) {
	if c.has(prunedHeadsKey) {
		gone, err := parsePrunedHeads(c.values[prunedHeadsKey])
		p := Pruning{Heads: gone}
		if err == nil {
			err = p.inside(s)
		}
		for l := 0; l < len(s.Layers) && err == nil; l++ {
			var left cut
			if left, err = p.cut(s, l); err == nil {
				left.apply(&s.Layers[l])
			}
		}
		if err != nil {
			c.problem(prunedHeadsKey, "%v", err)
		}
	}
	if c.has(widthsKey) {
		var widths []int
		if json.Unmarshal(c.values[widthsKey], &widths) != nil || len(widths) != len(s.Layers) {
			c.problem(widthsKey, "%s is not a list of %d widths", shown(c.values[widthsKey]), len(s.Layers))
			return
		}
		for l, w := range widths {
			f := &s.Layers[l].FeedForward
			if w < 1 || w > f.Width || w != widths[s.params(l)] {
				c.problem(widthsKey, "layer %d: %d of %d", l, w, f.Width)
				return
			}
			f.Width = w
		}
	}
}

// parsePrunedHeads reads {"0": [1, 3]}.
func parsePrunedHeads(data []byte) (map[int][]int, error) {
	var byName map[string][]int
	if err := json.Unmarshal(data, &byName); err != nil {
		return nil, fmt.Errorf("%s is not an object of lists of heads", shown(data))
	}
	byLayer := map[int][]int{}
	for name, heads := range byName {
		l, err := strconv.Atoi(name)
		if err != nil || l < 0 {
			return nil, fmt.Errorf("%q is no layer", name)
		}
		byLayer[l] = heads
	}
	if len(byLayer) != len(byName) {
		return nil, fmt.Errorf("a layer is named twice")
	}
	return byLayer, nil
}

// prunedConfig is config.json for what the cuts leave of s. Where all layers are
// left alike, the keys that transformers has for the sizes are tried first: they
// hold if reading them gives what is wanted.
func prunedConfig(file string, data []byte, s Spec, cuts []cut) ([]byte, error) {
	w := configWriter{file: file, want: applyCuts(s.Layers, cuts)}
	if err := json.Unmarshal(data, &w.values); err != nil {
		return nil, &ConfigError{file, []string{err.Error()}}
	}
	w.now = slices.Clone(s.Layers)
	for l := range w.now {
		w.now[l].Attention = w.want[l].Attention
	}
	if !reflect.DeepEqual(w.now, s.Layers) && !w.plainHeads() {
		if err := w.pruneHeads(s, cuts); err != nil {
			return nil, err
		}
	}
	changed := !reflect.DeepEqual(w.now, w.want)
	w.now = w.want
	if changed && !w.plainWidth() {
		widths := make([]int, len(w.want))
		for l := range widths {
			widths[l] = w.want[l].FeedForward.Width
		}
		w.set(widthsKey, widths)
	}
	if !w.holds() {
		return nil, fmt.Errorf("model: %s: a model of these sizes cannot be described", file)
	}
	return append(w.encode(), '\n'), nil
}

// A configWriter changes a config.json, and reads it again to see what it says.
type configWriter struct {
	file   string
	values map[string]json.RawMessage
	want   []Layer // in the end
	now    []Layer // after this step
}

func (w *configWriter) set(key string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic("model: a size that JSON cannot hold")
	}
	w.values[key] = data
}

func (w *configWriter) encode() []byte {
	data, err := json.MarshalIndent(w.values, "", "  ")
	if err != nil {
		panic("model: a config.json that was read cannot be written")
	}
	return data
}

// holds says whether the file now describes w.now.
func (w *configWriter) holds() bool {
	_, spec, err := parseSpec(w.file, w.encode(), false)
	return err == nil && reflect.DeepEqual(spec.Layers, w.now)
}

// try makes changes, and takes them back if the file does not describe w.now then.
func (w *configWriter) try(change func()) bool {
	before := make(map[string]json.RawMessage, len(w.values))
	for key, value := range w.values {
		before[key] = value
	}
	change()
	if w.holds() {
		return true
	}
	w.values = before
	return false
}

// plainHeads says the heads that every layer has in the keys of architectures
// whose head size has one of its own.
func (w *configWriter) plainHeads() bool {
	a := &w.want[0].Attention
	return w.try(func() {
		delete(w.values, prunedHeadsKey)
		w.set("num_attention_heads", a.Heads)
		w.set("num_key_value_heads", a.KVHeads)
		w.set("head_dim", a.HeadDim)
	})
}

// plainWidth says the width that every layer has in the key that has it.
func (w *configWriter) plainWidth() bool {
	for _, key := range []string{"intermediate_size", "hidden_dim", "ffn_dim", "n_inner", "ffn_hidden_size"} {
		if w.try(func() {
			delete(w.values, widthsKey)
			w.set(key, w.want[0].FeedForward.Width)
		}) {
			return true
		}
	}
	return false
}

// pruneHeads adds to the heads that are gone, by the numbers that they had at
// first.
func (w *configWriter) pruneHeads(s Spec, cuts []cut) error {
	gone := map[int][]int{}
	if old := w.values[prunedHeadsKey]; old != nil && !bytes.Equal(old, []byte("null")) {
		var err error
		if gone, err = parsePrunedHeads(old); err != nil {
			return &ConfigError{w.file, []string{prunedHeadsKey + ": " + err.Error()}}
		}
	}
	for l, c := range cuts {
		if c.heads == nil || s.params(l) != l {
			continue
		}
		left := s.Layers[l].Attention.Heads
		at := 0 // the number now of the head that was i
		var list []int
		for i := range left + len(gone[l]) {
			if slices.Contains(gone[l], i) {
				list = append(list, i)
				continue
			}
			if !slices.Contains(c.heads, at) {
				list = append(list, i)
			}
			at++
		}
		gone[l] = list
	}
	byName := map[string][]int{}
	for l, list := range gone {
		byName[strconv.Itoa(l)] = list
	}
	w.set(prunedHeadsKey, byName)
	return nil
}
