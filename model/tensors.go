package model

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/model/weights"
)

// ForwardTensors runs the model on padded tensors that are named and shaped as
// the arguments of Hugging Face's forward, and gives float32 tensors named and
// shaped as its results. The outputs are those of [Model.NewResult] with these
// names. Positions that attention_mask excludes are not computed, and zero.
// Windows and relative biases (of MPNet) count the distance of two tokens without
// those excluded between them: padding on either side changes nothing, holes do.
// Where a model counts all (XLNet), excluded positions are computed if that
// changes what is shown.
//
// Every model takes input_ids [batch, length], or inputs_embeds [batch, length,
// hidden] in its place, attention_mask and position_ids; those with token types
// take token_type_ids, and head_mask [layers, heads] or [heads] multiplies
// attention weights. A model of pictures takes pixel_values [pictures, channels,
// height, width], interpolate_pos_encoding and head_mask alone. Multiple choice has another
// dimension, choices, before the length, and where a head reads a GivenToken,
// mc_token_ids [batch, choices]. What is missing takes its default, and a first
// dimension of 1 serves every row. An unknown tensor is an error.
//
// A model with Permuted takes token_type_ids of any numbers, input_mask, perm_mask
// [batch, length, length], target_mapping [batch, targets, length] and mems.N
// [remembered, batch, hidden] too, and gives mems.N for a later pass; where its head
// finds Spans, it takes p_mask and cls_index. With target_mapping, hidden_states.N
// and attentions.N are the tokens' for even N and the targets' for odd N.
//
// An encoder-decoder takes those of its encoder, with decoder_input_ids and
// decoder_attention_mask (which may be missing where Spec.Target says what then is
// read), decoder_inputs_embeds, decoder_head_mask and cross_attn_head_mask, and no
// positions. Its results are listed at [EncoderLastHiddenState].
//
// A model that matches texts and pictures takes and gives what its two models do,
// whose results it calls text_model_output.… and vision_model_output.…, and gives
// logits_per_image, logits_per_text, text_embeds and image_embeds.
func (m *Model) ForwardTensors(ctx context.Context, inputs []weights.Tensor, outputs ...string) ([]weights.Tensor, error) {
	if m.spec.Matches {
		return m.forwardPair(ctx, inputs, outputs)
	}
	return m.forwardTensors(ctx, inputs, outputs...)
}

// forwardTensors is ForwardTensors of one model alone.
func (m *Model) forwardTensors(ctx context.Context, inputs []weights.Tensor, outputs ...string) ([]weights.Tensor, error) {
	r, err := m.NewResult(outputs...)
	if err != nil {
		return nil, err
	}
	if m.spec.Crosses() {
		return m.forwardFromSource(ctx, inputs, r)
	}
	byName, err := arguments(inputs, m.inputNames())
	if err != nil {
		return nil, err
	}
	p, b, err := m.read(byName, r)
	if err != nil {
		return nil, err
	}
	if err := m.Forward(ctx, b, r); err != nil {
		return nil, err
	}
	return p.results(m, r, &b), nil
}

// read makes a batch of the arguments, pictures or texts.
func (m *Model) read(byName map[string]*weights.Tensor, r *Result) (*padded, Batch, error) {
	if m.spec.Embeddings.Patches != nil {
		return m.readPictures(byName)
	}
	p, err := m.readPadded(byName)
	if err != nil {
		return nil, Batch{}, err
	}
	p.count(&m.spec.Embeddings)
	if m.spec.Permuted != nil {
		if err := p.readPermuted(m, byName); err != nil {
			return nil, Batch{}, err
		}
		if p.needsAll(r) {
			if p.rows*p.length > maxBlocked/p.length {
				return nil, Batch{}, inputError("%d rows of %d tokens, of which not all see all, but at most %d rows of so many are supported", p.rows, p.length, maxBlocked/p.length/p.length)
			}
			return p, p.whole(), nil
		}
		return p, p.batch(nil, false), nil
	}
	if p.given, err = p.readGiven(byName["mc_token_ids"]); err != nil {
		return nil, Batch{}, err
	}
	b := p.batch(p.readAnyhow(r), m.spec.far())
	if r.needs(GivenToken) {
		b.Ends = p.at
	}
	return p, b, nil
}

// readAnyhow gives the position of every row that outputs read even if it is masked;
// nil: there is none.
func (p *padded) readAnyhow(r *Result) []int {
	positions := make([]int, p.rows)
	switch {
	case r.needs(EndToken) && p.ids != nil:
		for row := range positions {
			positions[row] = endOf(p.ids[row*p.length:(row+1)*p.length], r.model.spec.Embeddings.End)
		}
	case r.needs(GivenToken):
		for row := range positions {
			positions[row] = int(p.given[row])
		}
	case !r.needs(FirstToken):
		return nil
	}
	return positions
}

// padded is a batch of rows of equal length, some positions of which are masked.
type padded struct {
	rows, length int
	choices      int // rows that are choices of one question; 0: rows are no choices

	ids, types, positions, mask []int32   // [batch, length]; nil: default
	embeds                      []float32 // [batch, length, hidden]; nil: ids select them

	headMask [][]float32

	permutedInputs

	given []int32 // [batch]: what heads read that read a given token
	at    []int32 // [batch]: where that is among what is kept of a row

	kept []int32 // [tokens] of the batch made of it: where each comes from; -1: compute, but do not show
}

// readPadded checks the inputs.
func (m *Model) readPadded(byName map[string]*weights.Tensor) (_ *padded, err error) {
	p := &padded{}
	first, hidden := byName["input_ids"], m.spec.embedWidth()
	if embeds := byName["inputs_embeds"]; embeds != nil {
		if first != nil {
			return nil, inputError("both input tensors %q and %q", first.Name, embeds.Name)
		}
		n := len(embeds.Shape) - 1
		if n < 0 || embeds.Shape[n] != hidden {
			return nil, inputError("input tensor %q has shape %v, want one that ends with %d", embeds.Name, embeds.Shape, hidden)
		}
		if p.embeds, err = embeds.Float32s(nil); err != nil {
			return nil, inputError("input tensor %q: %v", embeds.Name, err)
		}
		first = &weights.Tensor{Name: embeds.Name, Shape: embeds.Shape[:n]}
	}
	if first == nil {
		return nil, inputError("input tensor %q is missing", "input_ids")
	}
	shape := first.Shape
	want := []string{"batch", "length"}
	if m.choices() {
		want = []string{"batch", "choices", "length"}
	}
	if len(shape) != len(want) || slices.Contains(shape, 0) {
		return nil, inputError("input tensor %q has shape %v, want %v", first.Name, first.Shape, want)
	}
	p.rows, p.length = shape[0], shape[len(shape)-1]
	if m.choices() {
		p.choices = shape[1]
		p.rows *= p.choices
	}
	if n := m.spec.Embeddings.Positions; p.length > n {
		return nil, inputError("input tensor %q has rows of %d tokens, but the model takes at most %d", first.Name, p.length, n)
	}
	for _, in := range []struct {
		name  string
		to    *[]int32
		limit int
	}{
		{"input_ids", &p.ids, m.spec.Embeddings.Vocab},
		{"token_type_ids", &p.types, m.spec.types()},
		{"position_ids", &p.positions, m.spec.Embeddings.positions()},
		{"attention_mask", &p.mask, math.MaxInt32},
	} {
		t := byName[in.name]
		if t == nil {
			continue
		}
		values, err := p.read(t, shape, in.limit)
		if err != nil {
			return nil, err
		}
		*in.to = values
	}
	p.headMask, err = m.readHeadMask(byName["head_mask"], (*Layer).heads)
	return p, err
}

// readHeadMask reads factors of every layer's heads, [layers, heads], or of the
// heads of all layers, [heads].
func (m *Model) readHeadMask(t *weights.Tensor, headsOf func(l *Layer) int) ([][]float32, error) {
	if t == nil {
		return nil, nil
	}
	layers := m.spec.Layers
	heads := headsOf(&layers[0])
	for i := range layers {
		if n := headsOf(&layers[i]); n != heads {
			return nil, inputError("input tensor %q, but the layers have %d heads and %d", t.Name, heads, n)
		}
	}
	if !slices.Equal(t.Shape, []int{heads}) && !slices.Equal(t.Shape, []int{len(layers), heads}) {
		return nil, inputError("input tensor %q has shape %v, want %v or %v", t.Name, t.Shape, []int{len(layers), heads}, []int{heads})
	}
	factors, err := t.Float32s(nil)
	if err != nil {
		return nil, inputError("input tensor %q: %v", t.Name, err)
	}
	mask := make([][]float32, len(layers))
	for i := range mask {
		mask[i] = factors[:heads]
		if len(t.Shape) == 2 {
			mask[i] = factors[i*heads : (i+1)*heads]
		}
	}
	return mask, nil
}

// arguments sorts tensors by name, all of which must be known.
func arguments(list []weights.Tensor, known []string) (map[string]*weights.Tensor, error) {
	byName := map[string]*weights.Tensor{}
	for i := range list {
		name := list[i].Name
		if !slices.Contains(known, name) {
			return nil, inputError("unknown input tensor %q; this model takes %s", name, strings.Join(known, ", "))
		}
		byName[name] = &list[i]
	}
	return byName, nil
}

// inputNames lists the tensors that the model takes.
func (m *Model) inputNames() []string {
	if m.spec.Embeddings.Patches != nil {
		return []string{"pixel_values", "interpolate_pos_encoding", "head_mask"}
	}
	known := []string{"input_ids", "inputs_embeds", "attention_mask", "position_ids", "head_mask"}
	if slices.ContainsFunc(m.heads, func(h head) bool { return h.From == GivenToken }) {
		known = append(known, "mc_token_ids")
	}
	if m.spec.Embeddings.Types > 0 || m.spec.Embeddings.WordTypes || m.spec.Distances != nil {
		known = append(known, "token_type_ids")
	}
	if m.spec.Permuted != nil {
		known = append(known, m.permutedNames()...)
	}
	return known
}

// choices says whether the model answers multiple choice questions.
func (m *Model) choices() bool {
	return slices.ContainsFunc(m.heads, func(h head) bool { return h.Choices })
}

// read reads a tensor of whole numbers in [0, limit), of the given shape or with
// one row for all.
func (p *padded) read(t *weights.Tensor, shape []int, limit int) ([]int32, error) {
	if len(t.Shape) != len(shape) || !slices.Equal(t.Shape[1:], shape[1:]) || t.Shape[0] != shape[0] && t.Shape[0] != 1 {
		return nil, inputError("input tensor %q has shape %v, want %v", t.Name, t.Shape, shape)
	}
	wide, err := wholeNumbers(t)
	if err != nil {
		return nil, err
	}
	values := make([]int32, 0, p.rows*p.length)
	for i, v := range wide {
		if v < 0 || v >= int64(limit) {
			return nil, inputError("input tensor %q: %d at %d is outside 0…%d", t.Name, v, i, limit-1)
		}
		values = append(values, int32(v))
	}
	for n := len(values); len(values) < p.rows*p.length; {
		values = append(values, values[:n]...)
	}
	return values, nil
}

// wholeNumbers reads integers, also where they are stored as floats.
func wholeNumbers(t *weights.Tensor) ([]int64, error) {
	switch t.DType {
	case weights.F32, weights.F16, weights.BF16, weights.F64:
		floats, err := t.Float32s(nil)
		if err != nil {
			return nil, inputError("input tensor %q: %v", t.Name, err)
		}
		whole := make([]int64, len(floats))
		for i, v := range floats {
			whole[i] = int64(v)
			if float32(whole[i]) != v || !(math.Abs(float64(v)) < 1<<53) {
				return nil, inputError("input tensor %q: %v at %d is not a whole number", t.Name, v, i)
			}
		}
		return whole, nil
	}
	whole, err := t.Int64s(nil)
	if err != nil {
		return nil, inputError("input tensor %q: %v", t.Name, err)
	}
	return whole, nil
}

// count sets the positions of rows where they were not given.
func (p *padded) count(e *Embeddings) {
	if p.positions != nil {
		return
	}
	p.positions = make([]int32, p.rows*p.length)
	for row := range p.rows {
		from, to := row*p.length, (row+1)*p.length
		positions, ids := p.positions[from:to], []int32(nil)
		if p.ids != nil {
			ids = p.ids[from:to]
		}
		e.count(positions, ids)
		if e.CountVisible && p.mask != nil {
			next := int32(e.First)
			for i, visible := range p.mask[from:to] {
				positions[i] = next
				if visible != 0 {
					next++
				}
			}
		}
	}
}

// batch leaves the masked positions out, but for one of each row that outputs
// read, though no token sees it, and with far, for those between others: they make
// the distances that scores depend on.
func (p *padded) batch(read []int, far bool) Batch {
	b := Batch{CuSeqlens: []int32{0}, HeadMask: p.headMask}
	width := len(p.embeds) / (p.rows * p.length)
	p.at = make([]int32, p.rows)
	for row := range p.rows {
		first, last := p.span(row, read)
		unseen := int32(0)
		for i := range p.length {
			at := row*p.length + i
			visible := p.mask == nil || p.mask[at] != 0
			isRead := read != nil && read[row] == i
			if !visible && !isRead && !(far && first < i && i < last) {
				continue
			}
			if isRead {
				p.at[row] = int32(len(p.kept)) - b.CuSeqlens[row]
			}
			keep, hide := int32(at), uint8(0)
			if !visible {
				keep = -1
				if !far && len(p.kept) == int(b.CuSeqlens[row]) {
					unseen = 1
				} else {
					hide = 1
				}
			}
			p.kept = append(p.kept, keep)
			b.hidden = append(b.hidden, hide)
			if p.embeds != nil {
				b.Embeds = append(b.Embeds, p.embeds[at*width:(at+1)*width]...)
			} else {
				b.IDs = append(b.IDs, p.ids[at])
			}
			if p.types != nil {
				b.TypeIDs = append(b.TypeIDs, p.types[at])
			}
			b.Positions = append(b.Positions, p.positions[at])
		}
		b.CuSeqlens = append(b.CuSeqlens, int32(len(p.kept)))
		b.Unseen = append(b.Unseen, unseen)
	}
	if !slices.Contains(b.hidden, 1) {
		b.hidden = nil
	}
	return b
}

// span is from where to where a row has positions that are visible or read.
func (p *padded) span(row int, read []int) (first, last int) {
	first, last = p.length, -1
	for i := range p.length {
		if p.mask == nil || p.mask[row*p.length+i] != 0 || read != nil && read[row] == i {
			first, last = min(first, i), i
		}
	}
	return first, last
}
