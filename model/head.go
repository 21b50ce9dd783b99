package model

import "github.com/ladon-ml/ladon/kernels"

// Rows says which rows of the last hidden state a head reads.
type Rows uint8

const (
	EveryToken Rows = iota // one output row a token
	FirstToken             // one output row a sequence, from its first token
	LastToken              // one output row a sequence, from its last token that is not Embeddings.Pad
)

// A Head gives one output, or one for each of its last layer's columns: a chain
// of dense layers over rows of the last hidden state.
type Head struct {
	// Outputs names the results as Hugging Face does. Several names share the
	// columns of the last layer, one each.
	Outputs []string
	From    Rows
	Layers  []Dense
	// Choices: sequences are alternatives, and their scores are the columns of
	// one row (multiple choice).
	Choices bool
	// Optional: a checkpoint may lack the head's tensors, and the model then
	// lacks the output (the pooler of sentence encoders).
	Optional bool
}

// A Dense is act(x·Wᵀ + b), and a norm after it where one is named.
type Dense struct {
	Name   string // tensors are Name.weight and Name.bias
	InBase bool   // the tensors belong to the base model and take its prefix
	Width  int    // outputs
	Act    Activation
	Norm   string // name of the LayerNorm that follows; "" for none
	Tied   bool   // the weight is the word embeddings'
	NoBias bool
	Bias   []string // names of the bias tensor, the first present counts; nil: Name.bias
	Cap    float32  // outputs are bounded by Cap·tanh(output/Cap); 0: they are not
}

func (r Rows) String() string {
	switch r {
	case FirstToken:
		return "first token"
	case LastToken:
		return "last token"
	}
	return "every token"
}

// head runs a head on the group's last hidden states.
func (w *workspace) head(r *headResult) {
	h, s := &w.model.heads[r.head], &w.stream
	if h.From == EveryToken {
		w.headOn(h, w.x, s.tokens, r.data, s.token, s.of.tokens)
		return
	}
	a := w.x
	if w.rows == s.tokens { // else they are all that is left
		w.picked = grow(w.picked, s.sequences())
		for i := range w.picked {
			w.picked[i] = int32(s.row(i, h.From))
		}
		a = w.gatherRows(w.picked)
	}
	w.headOn(h, a, s.sequences(), r.data, s.sequence, s.of.sequences)
}

// gatherRows copies rows of the last hidden states together.
func (w *workspace) gatherRows(rows []int32) []float32 {
	hidden := w.model.spec.Hidden
	w.first = grow(w.first, len(rows)*hidden)
	for i, t := range rows {
		copy(w.first[i*hidden:(i+1)*hidden], w.x[int(t)*hidden:])
	}
	return w.first
}

// headOn runs a head on rows of last hidden states. Its outputs, each [total,
// columns], lie one after the other in data and get the rows from at on.
func (w *workspace) headOn(h *head, a []float32, rows int, data []float32, at, total int) {
	width := w.model.spec.Hidden
	for i := range h.layers {
		d := &h.layers[i]
		out := kernels.Out{LD: d.Width}
		switch {
		case i < len(h.layers)-1:
			w.dense[i%2] = grow(w.dense[i%2], rows*d.Width)
			out.C = w.dense[i%2]
		case len(h.Outputs) > 1:
			out = kernels.Out{C: data[at:], LD: 1, BlockCols: 1, BlockStride: total}
		default:
			out.C = data[at*d.Width:]
		}
		e := kernels.Epilogue{Bias: d.bias, Act: d.Act}
		if d.Cap != 0 {
			e.Act, e.Scale = kernels.Tanh, 1/d.Cap
		}
		w.MatMul(out, a, rows, width, d.w, e)
		a, width = out.C, d.Width
		if d.Cap != 0 {
			w.scaled.rows, w.scaled.width, w.scaled.by = a, width, d.Cap
			w.Do(rows, &w.scaled)
		}
		if d.Norm != "" {
			w.norm(a, a, rows, width, &d.norm)
		}
	}
}

// scaled multiplies rows by a number.
type scaled struct {
	rows  []float32
	width int
	by    float32
}

func (s *scaled) Run(_, i int) {
	row := s.rows[i*s.width : (i+1)*s.width]
	kernels.Scale(row, row, s.by)
}
