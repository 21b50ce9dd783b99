package model

import (
	"context"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/model/weights"
)

// What begins the names of a decoder's arguments, where there is an encoder.
const decoderArgument = "decoder_"

// forwardFromSource is ForwardTensors of an encoder-decoder.
func (m *Model) forwardFromSource(ctx context.Context, inputs []weights.Tensor, r *Result) ([]weights.Tensor, error) {
	theirs, ours, err := m.sortInputs(inputs)
	if err != nil {
		return nil, err
	}
	source, from, err := m.other.read(theirs, r.encoder)
	if err != nil {
		return nil, err
	}
	if err := from.wholeSource(); err != nil {
		return nil, err
	}
	if ours["input_ids"] == nil && ours["inputs_embeds"] == nil {
		shifted, err := m.shifted(source)
		if err != nil {
			return nil, err
		}
		ours["input_ids"] = &shifted
	}
	p, b, err := m.read(ours, r)
	if err != nil {
		return nil, err
	}
	if p.rows != source.rows {
		return nil, inputError("input tensor %q has %d rows, but the source has %d", decoderArgument+"input_ids", p.rows, source.rows)
	}
	b.Unseen, from.Unseen, b.Source = nil, nil, &from
	if b.CrossHeadMask, err = m.readHeadMask(theirs[crossHeadMask], (*Layer).crossHeads); err != nil {
		return nil, err
	}
	if r.needs(SourceEnd) {
		if b.Ends, err = source.ends(m.spec.Embeddings.End, p, &b); err != nil {
			return nil, err
		}
	}
	if err := m.Forward(ctx, b, r); err != nil {
		return nil, err
	}
	list := p.results(m, r, &b)
	for i := range r.cross {
		o, heads := &r.cross[i], m.spec.Layers[i].crossHeads()
		list = append(list, weights.Of(o.Name, []int{p.rows, heads, p.length, source.length}, p.spreadWeights(o, heads, &b, source, &from)))
	}
	for _, t := range source.results(m.other, r.encoder, &from) {
		if t.Name != EncoderLastHiddenState || r.showEncoder {
			list = append(list, t)
		}
	}
	return list, nil
}

// sortInputs tells what the encoder takes from what the decoder takes, less what
// begins the names of that.
func (m *Model) sortInputs(inputs []weights.Tensor) (theirs, ours map[string]*weights.Tensor, err error) {
	noPositions := func(name string) bool { return name == "position_ids" }
	known := slices.DeleteFunc(m.other.inputNames(), noPositions)
	for _, name := range slices.DeleteFunc(m.inputNames(), noPositions) {
		known = append(known, decoderArgument+name)
	}
	if theirs, err = arguments(inputs, append(known, crossHeadMask)); err != nil {
		return nil, nil, err
	}
	ours = map[string]*weights.Tensor{}
	for name, t := range theirs {
		if own, ok := strings.CutPrefix(name, decoderArgument); ok {
			ours[own] = t
			delete(theirs, name)
		}
	}
	return theirs, ours, nil
}

// ReadSource makes the batch that [Model.Encode] takes of tensors named and shaped
// as the arguments of Hugging Face's generate, and gives back those that are the
// decoder's: decoder_input_ids and decoder_attention_mask.
func (m *Model) ReadSource(inputs []weights.Tensor) (source Batch, rest []weights.Tensor, err error) {
	if !m.spec.Crosses() {
		return Batch{}, nil, inputError("%s is no encoder-decoder, and reads no source", m.spec.class())
	}
	theirs, ours, err := m.sortInputs(inputs)
	if err != nil {
		return Batch{}, nil, err
	}
	r, err := m.other.NewResult(LastHiddenState)
	if err != nil {
		return Batch{}, nil, err
	}
	p, source, err := m.other.read(theirs, r)
	if err != nil {
		return Batch{}, nil, err
	}
	if err := source.wholeSource(); err != nil {
		return Batch{}, nil, err
	}
	source.Unseen = nil
	for s := range p.rows {
		if source.CuSeqlens[s] == source.CuSeqlens[s+1] {
			return Batch{}, nil, inputError("input tensor %q: row %d is nothing but padding", "attention_mask", s)
		}
	}
	for _, t := range ours {
		rest = append(rest, *t)
	}
	return source, rest, nil
}

// wholeSource refuses hidden tokens between others: the decoder would see them.
func (b *Batch) wholeSource() error {
	if b.hidden != nil {
		return inputError("input tensor %q: masked positions between others are not supported where scores depend on distances", "attention_mask")
	}
	return nil
}

// crossHeadMask multiplies the weights of attention to a source.
const crossHeadMask = "cross_attn_head_mask"

// shifted is what a decoder reads where nobody says it.
func (m *Model) shifted(source *padded) (weights.Tensor, error) {
	t := &m.spec.Target
	name := decoderArgument + "input_ids"
	switch {
	case t.Shift == NoShift:
		return weights.Tensor{}, inputError("input tensor %q is missing, which %s needs", name, m.spec.class())
	case source.ids == nil:
		return weights.Tensor{}, inputError("input tensor %q is missing, and there are no input_ids to make it of", name)
	case t.Shift == ShiftStart && t.Start < 0:
		return weights.Tensor{}, inputError("input tensor %q is missing, and config.json has no decoder_start_token_id to make it of", name)
	}
	ids := make([]int32, 0, len(source.ids))
	for row := range source.rows {
		text := source.ids[row*source.length : (row+1)*source.length]
		first := t.Start
		if t.Shift == ShiftLast {
			last := -1 // of the text, if its padding stands behind it
			for _, id := range text {
				if id != m.spec.Embeddings.Pad {
					last++
				}
			}
			first = text[max(last, 0)]
		}
		ids = append(append(ids, first), text[:len(text)-1]...)
	}
	return weights.Of(name, []int{source.rows, source.length}, ids), nil
}

// ends finds the last end token of every row, as a token of b, which is of target.
func (p *padded) ends(end int32, target *padded, b *Batch) ([]int32, error) {
	if p.ids == nil {
		return nil, inputError("inputs_embeds in place of input_ids, the end of which is read")
	}
	list := make([]int32, p.rows)
	for row := range list {
		at := -1
		for i, id := range p.ids[row*p.length : (row+1)*p.length] {
			if id == end {
				at = i
			}
		}
		if at < 0 {
			return nil, inputError("input tensor %q: row %d has no token %d, which ends a text", "input_ids", row, end)
		}
		kept := target.kept[b.CuSeqlens[row]:b.CuSeqlens[row+1]]
		list[row] = int32(slices.Index(kept, int32(row*target.length+at)))
		if at >= target.length || list[row] < 0 {
			return nil, inputError("row %d ends at %d, where the decoder reads nothing", row, at)
		}
	}
	return list, nil
}
