package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Keys of config.json that say what was pruned. The architecture's own keys then
// keep the sizes from before.
const (
	// prunedHeadsKey lists, by layer, the heads that are gone, by their numbers
	// from before any pruning. transformers wrote and read it up to version 4.
	prunedHeadsKey = "pruned_heads"
	// widthsKey lists the feed-forward width of every layer, where they differ.
	widthsKey = "pruned_intermediate_sizes"
	// otherKey goes before both where they are of a second model.
	otherKey = "other_"
)

// pruned takes what config.json says of pruning from layers whose sizes are those
// from before.
func (c *config) pruned(s *Spec) {
	c.prunedStack(&s.Stack, "")
	if s.Other != nil {
		c.prunedStack(&s.Other.Stack, otherKey)
	}
}

func (c *config) prunedStack(s *Stack, prefix string) {
	prunedHeadsKey, widthsKey := prefix+prunedHeadsKey, prefix+widthsKey
	if c.has(prunedHeadsKey) {
		gone, err := parsePrunedHeads(c.values[prunedHeadsKey])
		p := Pruning{Heads: gone}
		if err == nil {
			err = p.inside(s)
		}
		for l := 0; l < len(s.Layers) && err == nil; l++ {
			var left cut
			if left, err = p.cut(s, l); err == nil {
				left.apply(s, &s.Layers[l])
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

// prunedConfig is config.json for what remains of a model. The keys that
// transformers has for the sizes of layers that are all alike are tried first:
// they hold if reading them gives what is wanted.
func prunedConfig(file string, data []byte, before, after *Spec, cuts [][]cut) ([]byte, error) {
	w := configWriter{file: file}
	if err := json.Unmarshal(data, &w.values); err != nil {
		return nil, &ConfigError{file, []string{err.Error()}}
	}
	for s, left := before, after; s != nil; s, left = s.Other, left.Other {
		w.stacks = append(w.stacks, prunedStack{
			prefix: strings.Repeat(otherKey, len(w.stacks)), before: &s.Stack, cuts: cuts[len(w.stacks)],
			want: left.Layers, now: slices.Clone(s.Layers),
		})
	}
	for i := range w.stacks {
		s := &w.stacks[i]
		for l := range s.now {
			s.now[l].Attention = s.want[l].Attention
		}
		if !reflect.DeepEqual(s.now, s.before.Layers) && !w.plainHeads(s) {
			if err := w.pruneHeads(s); err != nil {
				return nil, err
			}
		}
	}
	changed := slices.ContainsFunc(w.stacks, func(s prunedStack) bool { return !reflect.DeepEqual(s.now, s.want) })
	if changed && !w.plainWidth() {
		for i := range w.stacks {
			w.listWidths(&w.stacks[i])
		}
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
	stacks []prunedStack // the model's, and its other's
}

// A prunedStack is one stack on its way from what the file said at first.
type prunedStack struct {
	prefix string // of our own keys
	before *Stack
	cuts   []cut
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

// holds says whether the file now describes the stacks as they are now.
func (w *configWriter) holds() bool {
	_, spec, err := parseSpec(w.file, w.encode(), false)
	if err != nil {
		return false
	}
	s := &spec
	for i := range w.stacks {
		if s == nil || !reflect.DeepEqual(s.Layers, w.stacks[i].now) {
			return false
		}
		s = s.Other
	}
	return true
}

// try makes changes, and takes them back if the file does not describe what it
// should then.
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
func (w *configWriter) plainHeads(s *prunedStack) bool {
	a := &s.want[0].Attention
	return w.try(func() {
		delete(w.values, s.prefix+prunedHeadsKey)
		w.set("num_attention_heads", a.Heads)
		w.set("num_key_value_heads", a.KVHeads)
		w.set("head_dim", a.HeadDim)
	})
}

// plainWidth says the widths that the layers of each stack have in the keys that
// have them: one for all stacks, or one for each.
func (w *configWriter) plainWidth() bool {
	before := make([][]Layer, len(w.stacks))
	for i := range w.stacks {
		s := &w.stacks[i]
		before[i], s.now = s.now, s.want
	}
	for _, keys := range [][]string{{"intermediate_size"}, {"hidden_dim"}, {"ffn_dim"}, {"n_inner"}, {"ffn_hidden_size"},
		{"d_ff"}, {"dim_feedforward"}, {"decoder_ffn_dim", "encoder_ffn_dim"}} {
		if w.try(func() {
			for i, s := range w.stacks {
				delete(w.values, s.prefix+widthsKey)
				w.set(keys[min(i, len(keys)-1)], s.want[0].FeedForward.Width)
			}
		}) {
			return true
		}
	}
	for i := range w.stacks {
		w.stacks[i].now = before[i]
	}
	return false
}

// listWidths says the width of every layer.
func (w *configWriter) listWidths(s *prunedStack) {
	changed := !reflect.DeepEqual(s.now, s.want)
	s.now = s.want
	if !changed {
		return
	}
	widths := make([]int, len(s.want))
	for l := range widths {
		widths[l] = s.want[l].FeedForward.Width
	}
	w.set(s.prefix+widthsKey, widths)
}

// pruneHeads adds to the heads that are gone, by the numbers that they had at
// first.
func (w *configWriter) pruneHeads(s *prunedStack) error {
	gone := map[int][]int{}
	key := s.prefix + prunedHeadsKey
	if old := w.values[key]; old != nil && !bytes.Equal(old, []byte("null")) {
		var err error
		if gone, err = parsePrunedHeads(old); err != nil {
			return &ConfigError{w.file, []string{key + ": " + err.Error()}}
		}
	}
	for l := range s.want {
		if s.cuts[l].heads == nil || s.before.params(l) != l {
			continue
		}
		left := s.before.Layers[l].Attention.Heads
		at := 0 // the number now of the head that was i
		var list []int
		for i := range left + len(gone[l]) {
			if slices.Contains(gone[l], i) {
				list = append(list, i)
				continue
			}
			if !slices.Contains(s.cuts[l].heads, at) {
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
	w.set(key, byName)
	return nil
}
