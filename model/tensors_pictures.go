package model

import "github.com/ladon-ml/ladon/model/weights"

// readPictures reads pixel_values, [pictures, channels, height, width].
func (m *Model) readPictures(byName map[string]*weights.Tensor) (*padded, Batch, error) {
	t := byName["pixel_values"]
	if t == nil {
		return nil, Batch{}, inputError("input tensor %q is missing", "pixel_values")
	}
	p := m.spec.Embeddings.Patches
	if len(t.Shape) != 4 || t.Shape[0] == 0 || t.Shape[1] != p.Channels {
		return nil, Batch{}, inputError("input tensor %q has shape %v, want [pictures, %d, height, width]", t.Name, t.Shape, p.Channels)
	}
	values, err := t.Float32s(nil)
	if err != nil {
		return nil, Batch{}, inputError("input tensor %q: %v", t.Name, err)
	}
	list := make([]Pixels, t.Shape[0])
	for i := range list {
		n := len(values) / len(list)
		list[i] = Pixels{Data: values[i*n : (i+1)*n], Height: t.Shape[2], Width: t.Shape[3]}
	}
	b := m.Pictures(list...)
	if t := byName["interpolate_pos_encoding"]; t != nil {
		flag, err := wholeNumbers(t)
		if err != nil {
			return nil, Batch{}, err
		}
		if len(flag) != 1 {
			return nil, Batch{}, inputError("input tensor %q has shape %v, want one value", t.Name, t.Shape)
		}
		b.Interpolate = flag[0] != 0
	}
	if b.HeadMask, err = m.readHeadMask(byName["head_mask"], (*Layer).heads); err != nil {
		return nil, Batch{}, err
	}
	if err := m.check(&b); err != nil {
		return nil, Batch{}, err
	}
	shown := &padded{rows: len(list), length: int(b.CuSeqlens[1])}
	for at := range shown.rows * shown.length {
		shown.kept = append(shown.kept, int32(at))
	}
	return shown, b, nil
}
