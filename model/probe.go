package model

import (
	"slices"

	"github.com/ladon-ml/ladon/mha"
)

// Look asks for a probe of the attention of a layer, beside the other outputs, in
// place of what an earlier call asked for. A Result with [Attentions] has the
// weights of every layer already, and takes no other.
func (r *Result) Look(layer int, l mha.Look) error {
	return r.addLook(&r.probes, (*Layer).heads, layer, l)
}

// LookAtSource is Look for the attention of a layer to the source, whose keys are
// the source's tokens.
func (r *Result) LookAtSource(layer int, l mha.Look) error {
	if !r.model.spec.Crosses() {
		return inputError("%s is no encoder-decoder: its layers attend to no source", r.model.spec.class())
	}
	return r.addLook(&r.crossProbes, (*Layer).crossHeads, layer, l)
}

// Encoder is what the encoder of an encoder-decoder gives: for Look and Probe. It
// is nil for other models.
func (r *Result) Encoder() *Result { return r.encoder }

func (r *Result) addLook(probes *[]*mha.Probe, headsOf func(l *Layer) int, layer int, l mha.Look) error {
	layers := r.model.spec.Layers
	if layer < 0 || layer >= len(layers) {
		return inputError("no layer %d; this model has %d", layer, len(layers))
	}
	if r.attentions != nil {
		return inputError("layer %d is looked into for %s", layer, Attentions)
	}
	last, heads := -1, headsOf(&layers[layer])
	for _, h := range l.Heads {
		if h <= last || h >= heads {
			return inputError("heads %d of layer %d do not rise within its %d", l.Heads, layer, heads)
		}
		last = h
	}
	if l.From < 0 || l.To < 0 || l.To > 0 && l.To < l.From {
		return inputError("no tokens from %d to %d", l.From, l.To)
	}
	if l.TopK < 0 || slices.ContainsFunc(l.Near, func(n int) bool { return n < 0 }) {
		return inputError("a negative number of keys to look for")
	}
	if *probes == nil {
		*probes = make([]*mha.Probe, len(layers))
	}
	(*probes)[layer] = &mha.Probe{Look: l}
	return nil
}

// Probe is what was found in a layer by the last Forward, nil if nobody looked.
// Rows are the batch's: sequence after sequence [heads, tokens]. Keys are counted
// among those that are not Unseen.
func (r *Result) Probe(layer int) *mha.Probe { return probeOf(r.probes, layer) }

// SourceProbe is likewise what was found in a layer's attention to the source.
func (r *Result) SourceProbe(layer int) *mha.Probe { return probeOf(r.crossProbes, layer) }

func probeOf(probes []*mha.Probe, layer int) *mha.Probe {
	if probes == nil {
		return nil
	}
	return probes[layer]
}

// prepareLooks makes room for what the probes find in a batch.
func (r *Result) prepareLooks(b *Batch) error {
	if r.probes == nil && r.crossProbes == nil {
		return nil
	}
	longest := int32(0)
	r.seqK = append(r.seqK[:0], 0)
	for s := range b.sequences() {
		n := b.CuSeqlens[s+1] - b.CuSeqlens[s]
		longest = max(longest, n)
		if b.Unseen != nil {
			n -= b.Unseen[s]
		}
		n += int32(b.remembered(r.model.spec.Hidden))
		r.seqK = append(r.seqK, r.seqK[s]+n)
	}
	prepare := func(probes []*mha.Probe, heads func(l *Layer) int, seqK []int32) error {
		for l, p := range probes {
			if p == nil {
				continue
			}
			if p.Look.To > int(longest) || p.Look.From > int(longest) {
				return inputError("a look at the tokens from %d to %d of sequences of at most %d", p.Look.From, p.Look.To, longest)
			}
			p.Prepare(mha.Params{Heads: heads(&r.model.spec.Layers[l])}, mha.Batch{SeqQ: b.CuSeqlens, SeqK: seqK})
		}
		return nil
	}
	if err := prepare(r.probes, (*Layer).heads, r.seqK); err != nil {
		return err
	}
	if b.Targets != nil {
		return prepare(r.targetProbes, (*Layer).heads, r.seqK)
	}
	if b.Source == nil {
		return nil
	}
	return prepare(r.crossProbes, (*Layer).crossHeads, b.Source.CuSeqlens)
}

// look gives the probe for the stream's part of the batch.
func (w *workspace) look(p *mha.Probe) *mha.Probe {
	if p == nil {
		return nil
	}
	p.Part(&w.probe, w.stream.sequence, w.stream.sequence+w.stream.sequences())
	return &w.probe
}

// squares gives the attention outputs the weights that were found, wider by the
// columns of the tokens that are not seen.
func (r *Result) squares(b *Batch) {
	for l := range r.cross {
		o, p := &r.cross[l], r.crossProbes[l]
		o.Data, o.Rows = p.Weights, len(p.Weights)
	}
	for l := 0; r.targeted && l < len(r.targetWeights); l++ {
		r.targetWeights[l].Data, r.targetWeights[l].Rows = r.targetProbes[l].Weights, len(r.targetProbes[l].Weights)
	}
	for l := range r.attentions {
		o, p := &r.attentions[l], r.probes[l]
		heads := r.model.spec.Layers[l].Attention.Heads
		if r.seqK[b.sequences()] >= b.CuSeqlens[b.sequences()] {
			o.Data, o.Rows = p.Weights, len(p.Weights)
			continue
		}
		squares := 0
		for s := range b.sequences() {
			n := int(b.CuSeqlens[s+1] - b.CuSeqlens[s])
			squares += n * n
		}
		data := make([]float32, 0, squares*heads)
		for s := range b.sequences() {
			for h := range heads {
				weights, rows, keys := p.WeightsOf(s, h)
				for i := range rows {
					data = append(data, make([]float32, rows-keys)...)
					data = append(data, weights[i*keys:(i+1)*keys]...)
				}
			}
		}
		o.Data, o.Rows = data, len(data)
	}
}

// factors is a layer's part of a head mask for the stream.
func (s *stream) factors(mask [][]float32, l, heads int) []float32 {
	if mask == nil {
		return nil
	}
	if len(mask[l]) <= heads {
		return mask[l]
	}
	return mask[l][s.sequence*heads : (s.sequence+s.sequences())*heads]
}
