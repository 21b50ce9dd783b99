package model

import "github.com/ladon-ml/ladon/model/weights"

// results spreads the outputs over the padded shape.
func (p *padded) results(m *Model, r *Result, b *Batch) []weights.Tensor {
	var list []weights.Tensor
	add := func(name string, shape []int, data []float32) {
		list = append(list, weights.Of(name, shape, data))
	}
	if r.last != nil {
		add(r.last.Name, []int{p.rows, p.outputs(), r.last.Cols}, p.spreadOutputs(r.last))
	}
	if b.permuted() {
		p.permutedStates(m, r, b, add)
	} else {
		for i := range r.hidden {
			o := &r.hidden[i]
			add(o.Name, []int{p.rows, p.length, o.Cols}, p.spread(o))
		}
		for i := range r.attentions {
			o, heads := &r.attentions[i], m.spec.Layers[i].Attention.Heads
			add(o.Name, []int{p.rows, heads, p.length, p.length}, p.spreadWeights(o, heads, b, p, b))
		}
	}
	p.addMemory(m, r, add)
	for i := range r.heads {
		h := &m.heads[r.heads[i].head]
		for j := range r.heads[i].outputs {
			o := &r.heads[i].outputs[j]
			switch {
			case h.Spans != nil && j == len(h.Outputs)-1:
				add(o.Name, []int{p.rows}, o.Data)
			case h.Choices:
				add(o.Name, []int{p.rows / p.choices, p.choices}, o.Data)
			case h.From == DetectionTokens:
				add(o.Name, []int{p.rows, o.Rows / p.rows, o.Cols}, o.Data)
			case o.PerSequence:
				add(o.Name, []int{p.rows, o.Cols}, o.Data)
			case len(h.Outputs) > 1 || h.Squeezed:
				add(o.Name, []int{p.rows, p.outputs()}, p.spreadOutputs(o))
			case p.choices > 0:
				add(o.Name, []int{p.rows / p.choices, p.choices, p.outputs(), o.Cols}, p.spreadOutputs(o))
			default:
				add(o.Name, []int{p.rows, p.outputs(), o.Cols}, p.spreadOutputs(o))
			}
		}
	}
	return list
}

// spread puts rows of tokens in their places; the others are zero.
func (p *padded) spread(o *Output) []float32 {
	data := make([]float32, p.rows*p.length*o.Cols)
	for t, at := range p.kept {
		if at >= 0 {
			copy(data[int(at)*o.Cols:], o.Data[t*o.Cols:(t+1)*o.Cols])
		}
	}
	return data
}

// spreadWeights does so with attention weights, the columns of which are the
// positions of keys.
func (p *padded) spreadWeights(o *Output, heads int, b *Batch, keys *padded, keyBatch *Batch) []float32 {
	data := make([]float32, p.rows*heads*p.length*keys.length)
	from := o.Data
	for s := range p.rows {
		kept := p.kept[b.CuSeqlens[s]:b.CuSeqlens[s+1]]
		cols := keys.kept[keyBatch.CuSeqlens[s]:keyBatch.CuSeqlens[s+1]]
		for h := range heads {
			square := data[(s*heads+h)*p.length*keys.length:]
			for _, i := range kept {
				if i >= 0 {
					row := square[(int(i)%p.length)*keys.length:]
					for n, j := range cols {
						if j >= 0 {
							row[int(j)%keys.length] = from[n]
						}
					}
				}
				from = from[len(cols):]
			}
		}
	}
	return data
}
