package model

import (
	"slices"
	"strconv"

	"github.com/ladon-ml/ladon/model/weights"
)

// permutedInputs are the arguments of a model with Permuted.
type permutedInputs struct {
	perm       []float32   // [batch, length, length]; nil: none
	targets    []float32   // [batch, places, length]; nil: none
	places     int         // targets of a row
	memory     [][]float32 // [layers][batch, remembered, hidden]; nil: none
	remembered int

	barred     []uint8 // [batch, length]; nil: nothing is
	noAnswerAt []int32 // [batch]; nil: the last
}

// maxBlocked is how large the masks of who sees whom may be, in bytes.
const maxBlocked = 1 << 30

// permutedNames lists what a model with Permuted takes beside others.
func (m *Model) permutedNames() []string {
	names := []string{"input_mask", "perm_mask", "target_mapping"}
	if m.spansHead() {
		names = append(names, "p_mask", "cls_index")
	}
	for i := range m.spec.Layers {
		names = append(names, Memory+"."+strconv.Itoa(i))
	}
	return names
}

// spansHead tells whether a head finds Spans.
func (m *Model) spansHead() bool {
	return slices.ContainsFunc(m.heads, func(h head) bool { return h.Spans != nil })
}

// readSpans reads the arguments of a head that finds Spans: p_mask [batch, length],
// where 1 marks what cannot be in an answer, and cls_index [batch].
func (p *padded) readSpans(byName map[string]*weights.Tensor) error {
	if t := byName["p_mask"]; t != nil {
		marks, err := floatsOf(t, p.rows, p.outputs())
		if err != nil {
			return err
		}
		p.barred = make([]uint8, len(marks))
		for i, m := range marks {
			if m != 0 && m != 1 {
				return inputError("input tensor %q: %v at %d is neither 0 nor 1", t.Name, m, i)
			}
			p.barred[i] = uint8(m)
		}
	}
	if t := byName["cls_index"]; t != nil {
		if !slices.Equal(t.Shape, []int{p.rows}) {
			return inputError("input tensor %q has shape %v, want %v", t.Name, t.Shape, []int{p.rows})
		}
		whole, err := wholeNumbers(t)
		if err != nil {
			return err
		}
		for i, v := range whole {
			if v < 0 || v >= int64(p.outputs()) {
				return inputError("input tensor %q: %d at %d is outside 0…%d", t.Name, v, i, p.outputs()-1)
			}
			p.noAnswerAt = append(p.noAnswerAt, int32(v))
		}
	}
	return nil
}

// readPermuted reads the arguments of Permuted: input_mask is attention_mask the
// other way round, perm_mask and target_mapping are [batch, …, length], and mems.N
// [remembered, batch, hidden], of all layers or of none.
func (p *padded) readPermuted(m *Model, byName map[string]*weights.Tensor) error {
	if t := byName["input_mask"]; t != nil {
		if p.mask != nil {
			return inputError("both input tensors %q and %q", "attention_mask", t.Name)
		}
		shape := []int{p.rows, p.length}
		if p.choices > 0 {
			shape = []int{p.rows / p.choices, p.choices, p.length}
		}
		hidden, err := p.read(t, shape, 2)
		if err != nil {
			return err
		}
		p.mask = hidden
		for i := range p.mask {
			p.mask[i] = 1 - hidden[i]
		}
	}
	var err error
	if t := byName["perm_mask"]; t != nil {
		if p.perm, err = floatsOf(t, p.rows, p.length, p.length); err != nil {
			return err
		}
	}
	if t := byName["target_mapping"]; t != nil {
		p.places = 1
		if len(t.Shape) == 3 {
			p.places = max(1, t.Shape[1])
		}
		if p.targets, err = floatsOf(t, p.rows, p.places, p.length); err != nil {
			return err
		}
	}
	if err := p.readSpans(byName); err != nil {
		return err
	}
	return p.readMemory(m, byName)
}

func (p *padded) readMemory(m *Model, byName map[string]*weights.Tensor) error {
	layers, hidden := len(m.spec.Layers), m.spec.Hidden
	for i := range layers {
		name := Memory + "." + strconv.Itoa(i)
		t := byName[name]
		switch {
		case t == nil && p.memory == nil && i > 0, t == nil && i == 0:
			continue
		case t == nil || p.memory == nil && i > 0:
			return inputError("input tensors %s.0 to %s.%d go together, and not all are there", Memory, Memory, layers-1)
		}
		if i == 0 && len(t.Shape) == 3 {
			p.remembered = t.Shape[0]
		}
		states, err := floatsOf(t, p.remembered, p.rows, hidden)
		if err != nil {
			return err
		}
		byRow := make([]float32, len(states))
		for n := range p.remembered {
			for row := range p.rows {
				copy(byRow[(row*p.remembered+n)*hidden:], states[(n*p.rows+row)*hidden:][:hidden])
			}
		}
		p.memory = append(p.memory, byRow)
	}
	if most := m.spec.Embeddings.Positions - p.length; p.remembered > most {
		return inputError("input tensor %q: a memory of %d tokens, but at most %d are supported beside %d", Memory+".0", p.remembered, most, p.length)
	}
	return nil
}

// floatsOf reads a tensor of that shape.
func floatsOf(t *weights.Tensor, shape ...int) ([]float32, error) {
	if !slices.Equal(t.Shape, shape) {
		return nil, inputError("input tensor %q has shape %v, want %v", t.Name, t.Shape, shape)
	}
	values, err := t.Float32s(nil)
	if err != nil {
		whole, failed := t.Int64s(nil)
		if failed != nil {
			return nil, inputError("input tensor %q: %v", t.Name, err)
		}
		values = make([]float32, len(whole))
		for i, v := range whole {
			values[i] = float32(v)
		}
	}
	return values, nil
}

// needsAll tells whether positions that the mask hides must be computed, or be
// counted in distances: by what is asked for, or because they stand among others.
func (p *padded) needsAll(r *Result) bool {
	if p.perm != nil || p.targets != nil || p.memory != nil || p.barred != nil || p.noAnswerAt != nil {
		return true
	}
	if p.mask == nil {
		return false
	}
	for row := range p.rows {
		mask := p.mask[row*p.length:][:p.length]
		first, last := slices.IndexFunc(mask, seen), p.length-1
		for last >= 0 && mask[last] == 0 {
			last--
		}
		holes := first < 0 || slices.Contains(mask[first:last+1], 0)
		if holes || (first > 0 || last < p.length-1) && (r.memory != nil || r.needs(MeanToken) || r.model.spansHead()) ||
			first > 0 && r.needs(FirstToken) || last < p.length-1 && r.needs(LastToken) {
			return true
		}
	}
	return false
}

func seen(mask int32) bool { return mask != 0 }

// whole keeps all positions, with masks for those that are hidden.
func (p *padded) whole() Batch {
	b := Batch{IDs: p.ids, Embeds: p.embeds, TypeIDs: p.types, Positions: p.positions, HeadMask: p.headMask, CuSeqlens: []int32{0}, Memory: p.memory, Barred: p.barred, NoAnswerAt: p.noAnswerAt}
	n := p.length
	for row := range p.rows {
		blocked := make([]uint8, n*n)
		for i := range blocked {
			hidden := p.mask != nil && p.mask[row*n+i%n] == 0
			if hidden || p.perm != nil && p.perm[row*n*n+i] > 0 {
				blocked[i] = 1
			}
		}
		b.Blocked = append(b.Blocked, blocked)
		if p.targets != nil {
			b.Targets = append(b.Targets, p.targets[row*p.places*n:(row+1)*p.places*n])
		}
		for i := range n {
			keep := int32(row*n + i)
			if p.mask != nil && p.mask[keep] == 0 {
				keep = -1
			}
			p.kept = append(p.kept, keep)
		}
		b.CuSeqlens = append(b.CuSeqlens, int32(len(p.kept)))
	}
	return b
}

// outputs is how many rows of last hidden states each row has.
func (p *padded) outputs() int {
	if p.targets != nil {
		return p.places
	}
	return p.length
}

// spreadOutputs puts rows of last hidden states in their places: targets have no
// others.
func (p *padded) spreadOutputs(o *Output) []float32 {
	if p.targets != nil {
		return o.Data
	}
	return p.spread(o)
}

// permutedStates adds hidden states and attention weights, the keys of which are
// the memory's and the tokens'. With targets transformers numbers the hidden states
// of tokens and targets by turns; so are attention weights here, which it has in
// pairs.
func (p *padded) permutedStates(m *Model, r *Result, b *Batch, add func(name string, shape []int, data []float32)) {
	streams := 1
	if p.targets != nil {
		streams = 2
	}
	for i := range r.hidden {
		o := &r.hidden[i]
		add(HiddenStates+"."+strconv.Itoa(i*streams), []int{p.rows, p.length, o.Cols}, p.spread(o))
		if streams == 2 {
			add(HiddenStates+"."+strconv.Itoa(i*streams+1), []int{p.rows, p.places, o.Cols}, r.targetHidden[i].Data)
		}
	}
	for i := range r.attentions {
		heads := m.spec.Layers[i].Attention.Heads
		shape := []int{p.rows, heads, p.length, p.remembered + p.length}
		add(Attentions+"."+strconv.Itoa(i*streams), shape, p.shownWeights(r.attentions[i].Data, heads))
		if streams == 2 {
			add(Attentions+"."+strconv.Itoa(i*streams+1), shape, p.shownWeights(r.targetWeights[i].Data, heads))
		}
	}
}

// shownWeights leaves out the rows and columns of hidden positions, in place.
func (p *padded) shownWeights(data []float32, heads int) []float32 {
	keys := p.remembered + p.length
	for i := range p.rows * heads * p.length {
		row, own := data[i*keys:(i+1)*keys], i/p.length/heads*p.length
		if p.kept[own+i%p.length] < 0 {
			clear(row)
			continue
		}
		for j := range p.length {
			if p.kept[own+j] < 0 {
				row[p.remembered+j] = 0
			}
		}
	}
	return data
}

// addMemory adds what a later pass remembers: of what was remembered and of the
// first tokens of this pass, the last.
func (p *padded) addMemory(m *Model, r *Result, add func(name string, shape []int, data []float32)) {
	if r.memory == nil {
		return
	}
	hidden, tokens := m.spec.Hidden, p.length
	if n := m.spec.Permuted.Reused; n > 0 {
		tokens = min(n, tokens)
	}
	left := p.remembered + tokens
	if n := m.spec.Permuted.Remembered; n > 0 {
		left = min(n, left)
	}
	for l := range r.memory {
		data := make([]float32, left*p.rows*hidden)
		for i := range left {
			at := p.remembered + tokens - left + i
			for row := range p.rows {
				to := data[(i*p.rows+row)*hidden:][:hidden]
				if at < p.remembered {
					copy(to, p.memory[l][(row*p.remembered+at)*hidden:])
				} else {
					copy(to, r.memory[l].Data[(row*p.length+at-p.remembered)*hidden:])
				}
			}
		}
		add(r.memory[l].Name, []int{left, p.rows, hidden}, data)
	}
}
