package generate

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/ladon-ml/ladon/model/weights"
)

// A Batch is a set of prompts as Hugging Face's generate takes them: rows of
// equal length, the gaps of which a mask says.
type Batch struct {
	Prompts []Prompt
	// RightPadded says that a row's padding stands at its end. It goes on after
	// its last token all the same, as transformers does only with padding on the
	// left.
	RightPadded bool

	rows  [][]int32 // as given, [batch, length]
	width int
}

// ReadBatch reads the tensors input_ids [batch, length] and attention_mask, which
// may be missing, has that shape or one row for all, and is 0 where there is no
// token. Other tensors are errors.
func ReadBatch(inputs []weights.Tensor, vocab int) (*Batch, error) {
	return readBatch(inputs, "", vocab)
}

// ReadTargets reads how the texts of an encoder-decoder begin, of which there are
// so many: decoder_input_ids and decoder_attention_mask, as ReadBatch does, or
// without them start alone: one token for all rows or one for each. As in
// transformers, start comes before all rows unless one of them begins with it; none
// comes before none.
func ReadTargets(inputs []weights.Tensor, rows int, start []int32, vocab int) (*Batch, error) {
	switch {
	case len(start) == 1:
		start = slices.Repeat(start, rows)
	case len(start) > 1 && len(start) != rows:
		return nil, fmt.Errorf("generate: decoder_start_token_id: %d tokens for %d sources", len(start), rows)
	}
	if len(inputs) == 0 {
		if len(start) == 0 {
			return nil, errors.New("generate: there is no decoder_start_token_id, and no decoder_input_ids in its place")
		}
		inputs = []weights.Tensor{weights.Of("decoder_input_ids", []int{rows, 1}, start)}
	}
	b, err := readBatch(inputs, "decoder_", vocab)
	if err != nil {
		return nil, err
	}
	if len(b.rows) != rows {
		return nil, fmt.Errorf("generate: input tensor %q has %d rows for %d sources", "decoder_input_ids", len(b.rows), rows)
	}
	begins := len(start) == 0
	for i, first := range start {
		begins = begins || b.rows[i][0] == first
	}
	if !begins {
		b.begin(start)
	}
	return b, nil
}

// begin puts a token before every row.
func (b *Batch) begin(start []int32) {
	b.width++
	for i := range b.rows {
		b.rows[i] = slices.Insert(b.rows[i], 0, start[i])
		b.Prompts[i].IDs = slices.Insert(b.Prompts[i].IDs, 0, start[i])
	}
}

func readBatch(inputs []weights.Tensor, prefix string, vocab int) (*Batch, error) {
	var ids, mask *weights.Tensor
	idsName, maskName := prefix+"input_ids", prefix+"attention_mask"
	for i := range inputs {
		switch t := &inputs[i]; t.Name {
		case idsName:
			ids = t
		case maskName:
			mask = t
		default:
			return nil, fmt.Errorf("generate: unknown input tensor %q; known: %s, %s", t.Name, idsName, maskName)
		}
	}
	if ids == nil {
		return nil, fmt.Errorf("generate: input tensor %q is missing", idsName)
	}
	if len(ids.Shape) != 2 || slices.Contains(ids.Shape, 0) {
		return nil, fmt.Errorf("generate: input tensor %q has shape %v, want [batch length]", ids.Name, ids.Shape)
	}
	b := &Batch{width: ids.Shape[1]}
	values, err := wholeNumbers(ids)
	if err != nil {
		return nil, err
	}
	seen, err := readMask(mask, ids.Shape)
	if err != nil {
		return nil, err
	}
	for row := range ids.Shape[0] {
		if err := b.add(values[row*b.width:(row+1)*b.width], seen[row%(len(seen)/b.width)*b.width:], row, vocab, prefix); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// add adds a row. What its mask hides may be any number.
func (b *Batch) add(values, seen []int64, row, vocab int, prefix string) error {
	given, p := make([]int32, b.width), Prompt{}
	for i, v := range values {
		if seen[i] != 0 {
			if v < 0 || v >= int64(vocab) {
				return fmt.Errorf("generate: input tensor %q: token %d at [%d %d] is not in the vocabulary of %d", prefix+"input_ids", v, row, i, vocab)
			}
			p.IDs = append(p.IDs, int32(v))
		}
		given[i] = int32(v)
	}
	if len(p.IDs) == 0 {
		return fmt.Errorf("generate: input tensor %q: row %d is nothing but padding", prefix+"attention_mask", row)
	}
	p.Pad = b.width - len(p.IDs)
	b.RightPadded = b.RightPadded || seen[b.width-1] == 0
	b.Prompts, b.rows = append(b.Prompts, p), append(b.rows, given)
	return nil
}

// readMask reads the mask of ids of some shape: all ones where there is none.
func readMask(mask *weights.Tensor, shape []int) ([]int64, error) {
	if mask == nil {
		return slices.Repeat([]int64{1}, shape[1]), nil
	}
	if len(mask.Shape) != 2 || mask.Shape[1] != shape[1] || mask.Shape[0] != shape[0] && mask.Shape[0] != 1 {
		return nil, fmt.Errorf("generate: input tensor %q has shape %v, want %v", mask.Name, mask.Shape, shape)
	}
	return wholeNumbers(mask)
}

// wholeNumbers reads integers, also where they are stored as floats.
func wholeNumbers(t *weights.Tensor) ([]int64, error) {
	whole, err := t.Int64s(nil)
	if err == nil {
		return whole, nil
	}
	floats, ferr := t.Float32s(nil)
	if ferr != nil {
		return nil, fmt.Errorf("generate: input tensor %q: %w", t.Name, err)
	}
	whole = make([]int64, len(floats))
	for i, v := range floats {
		if whole[i] = int64(v); float32(whole[i]) != v || !(math.Abs(float64(v)) < 1<<53) {
			return nil, fmt.Errorf("generate: input tensor %q: %v at %d is not a whole number", t.Name, v, i)
		}
	}
	return whole, nil
}

// Tensor gives the tensor sequences, int64: the rows as they were given, each as
// often as it has sequences, what was generated, and fill up to the width of the
// longest.
func (b *Batch) Tensor(list []Sequence, fill int32) weights.Tensor {
	width := 0
	for _, s := range list {
		width = max(width, b.width+len(s.IDs)-s.Prompt)
	}
	ids := make([]int64, 0, len(list)*width)
	each := max(len(list)/max(len(b.rows), 1), 1)
	for i, s := range list {
		for _, id := range b.rows[i/each] {
			ids = append(ids, int64(id))
		}
		for _, id := range s.IDs[s.Prompt:] {
			ids = append(ids, int64(id))
		}
		for len(ids) < (i+1)*width {
			ids = append(ids, int64(fill))
		}
	}
	return weights.Of("sequences", []int{len(list), width}, ids)
}
