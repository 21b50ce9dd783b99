package model

import "github.com/ladon-ml/ladon/kernels"

// Rows says which rows of the last hidden state a head reads.
type Rows uint8

const (
	EveryToken      Rows = iota // one output row a token
	FirstToken                  // one output row a sequence, from its first token
	LastToken                   // one output row a sequence, from its last token that is not Embeddings.Pad
	EndToken                    // one output row a sequence, from the first token that Embeddings.End names
	SecondToken                 // one output row a sequence, from its second token: DeiT's distillation token
	FirstAndMean                // one output row a sequence, from its first token and, beside it, the mean of the others
	MeanAfterFirst              // one output row a sequence, the mean of all tokens but the first
	SourceEnd                   // one output row a sequence, from the token beside the last that ends the source: see Batch.Ends
	MeanToken                   // one output row a sequence, the mean of its tokens
	GivenToken                  // one output row a sequence, from the token that Batch.Ends says, or its last
	DetectionTokens             // one output row for each of a picture's detection tokens
)

// A Head gives one output, or one for each of its last layer's columns: a chain
// of dense layers over rows of the last hidden state, or without any, those rows.
type Head struct {
	// Outputs names the results as Hugging Face does. Several names share the
	// columns of the last layer, one each.
	Outputs []string
	From    Rows
	Norm    string     // name of a norm of the base model that the rows pass first; "" for none
	Act     Activation // of the rows, after the norm; None for none
	Layers  []Dense
	// Choices: sequences are alternatives, and their scores are the columns of
	// one row (multiple choice).
	Choices bool
	// Squeezed: the one column is no dimension of the output.
	Squeezed bool
	// Optional: a checkpoint may lack the head's tensors, and the model then
	// lacks the output (the pooler of sentence encoders).
	Optional bool
	// Spans, unless nil, says how the layers are used and what the outputs are.
	Spans *Spans
	// Mean: the output, of no layers of its own, is the mean of these heads'.
	Mean []int
}

// A Dense is act(x·Wᵀ + b), and a norm after it where one is named.
type Dense struct {
	Name   string // tensors are Name.weight and Name.bias
	InBase bool   // the tensors belong to the base model and take its prefix
	In     int    // inputs, where they are not what comes before; 0: they are
	Width  int    // outputs
	Act    Activation
	Norm   string // name of the LayerNorm that follows; "" for none
	Tied   bool   // the weight is the word embeddings'
	NoBias bool
	Bias   []string // names of the bias tensor, the first present counts; nil: Name.bias
	// BiasOptional: there is no bias where a file has none.
	BiasOptional bool
	Scale        float32 // outputs are multiplied by it, before Act; 0: they are not
	Cap          float32 // outputs are bounded by Cap·tanh(output/Cap); 0: they are not
	// Sigmoid: outputs are 1/(1+e^-output). It cannot be with Act, Cap or Scale.
	Sigmoid bool
}

func (r Rows) String() string {
	switch r {
	case FirstToken:
		return "first token"
	case LastToken:
		return "last token"
	case SecondToken:
		return "second token"
	case EndToken:
		return "end token"
	case SourceEnd:
		return "token beside the source's end"
	case FirstAndMean:
		return "first token and the mean of the others"
	case MeanAfterFirst:
		return "tokens after the first"
	case MeanToken:
		return "mean of its tokens"
	case GivenToken:
		return "given token"
	case DetectionTokens:
		return "detection tokens"
	}
	return "every token"
}

// single says whether one row of a sequence is all that is read.
func (r Rows) single() bool {
	return r == FirstToken || r == LastToken || r == SecondToken || r == EndToken || r == SourceEnd || r == GivenToken
}

// states is how many hidden states are beside each other in a row.
func (r Rows) states() int {
	if r == FirstAndMean {
		return 2
	}
	return 1
}

// of is how many rows a sequence gives, other than one for every token.
func (r Rows) of(s *Stack) int {
	if r == DetectionTokens {
		return s.Embeddings.Patches.Detection
	}
	return 1
}

// head runs a head on the group's last hidden states.
func (w *workspace) head(r *headResult) {
	h := &w.model.heads[r.head]
	if h.Spans != nil {
		w.findSpans(h, r)
		return
	}
	if h.Mean == nil {
		w.headTo(h, r.data)
		return
	}
	cols := r.outputs[0].Cols
	mean := r.data[w.stream.sequence*cols:][:w.stream.sequences()*cols]
	clear(mean)
	w.mean = grow(w.mean, len(mean))
	for _, i := range h.Mean {
		of := &w.model.heads[i]
		w.headOn(of, w.headRows(of.From), w.stream.sequences(), w.mean, 0, w.stream.sequences())
		kernels.Add(mean, mean, w.mean)
	}
	kernels.Scale(mean, mean, 1/float32(len(h.Mean)))
}

// headTo runs a head and puts its outputs in their places among the batch's.
func (w *workspace) headTo(h *head, data []float32) {
	s := &w.stream
	if h.From == EveryToken {
		w.headOn(h, w.x, s.tokens, data, s.token, s.of.tokens)
		return
	}
	n := h.From.of(&w.model.spec.Stack)
	w.headOn(h, w.headRows(h.From), n*s.sequences(), data, n*s.sequence, n*s.of.sequences)
}

// headRows are the rows of each sequence that a head reads.
func (w *workspace) headRows(from Rows) []float32 {
	s := &w.stream
	if w.rows != s.tokens { // they are all that is left
		return w.x
	}
	switch from {
	case FirstAndMean, MeanAfterFirst, MeanToken:
		return w.means(from)
	}
	n := from.of(&w.model.spec.Stack)
	w.picked = w.picked[:0]
	for i := range s.sequences() {
		for j := range n {
			at := int(s.cuSeqlens[i+1]) - n + j
			if from != DetectionTokens {
				at = s.row(i, from)
			}
			w.picked = append(w.picked, int32(at))
		}
	}
	return w.gatherRows(w.picked)
}

// means finds the mean of each sequence's states, or of all but the first, and
// where that is read too, puts it before.
func (w *workspace) means(of Rows) []float32 {
	hidden, s := w.model.spec.outWidth(), &w.stream
	width := hidden * of.states()
	w.first = grow(w.first, width*s.sequences())
	for i := range s.sequences() {
		from, to := int(s.cuSeqlens[i]), int(s.cuSeqlens[i+1])
		dst := w.first[width*i:][:width]
		mean := dst[width-hidden:]
		if of == FirstAndMean {
			copy(dst, w.x[from*hidden:(from+1)*hidden])
		}
		if of != MeanToken {
			from++
		}
		clear(mean)
		for t := from; t < to; t++ {
			kernels.Add(mean, mean, w.x[t*hidden:(t+1)*hidden])
		}
		kernels.Scale(mean, mean, 1/float32(max(to-from, 1)))
	}
	return w.first
}

// gatherRows copies rows of the last hidden states together.
func (w *workspace) gatherRows(rows []int32) []float32 {
	hidden := w.model.spec.outWidth()
	w.first = grow(w.first, len(rows)*hidden)
	for i, t := range rows {
		copy(w.first[i*hidden:(i+1)*hidden], w.x[int(t)*hidden:])
	}
	return w.first
}

// headOn runs a head on rows of last hidden states. Its outputs, each [total,
// columns], lie one after the other in data and get the rows from at on.
func (w *workspace) headOn(h *head, a []float32, rows int, data []float32, at, total int) {
	width := w.model.spec.outWidth() * h.From.states()
	if h.norm.weight != nil {
		w.normed = grow(w.normed, rows*width)
		w.norm(w.normed, a, nil, rows, width, &h.norm)
		a = w.normed
	}
	if h.Act != kernels.None {
		w.normed = grow(w.normed, rows*width)
		copy(w.normed, a[:rows*width])
		kernels.Activate(h.Act, w.normed)
		a = w.normed
	}
	if len(h.layers) == 0 {
		copy(data[at*width:], a[:rows*width])
	}
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
		e := kernels.Epilogue{Bias: d.bias, Act: d.Act, Scale: d.Scale}
		if d.Cap != 0 {
			e.Act, e.Scale = kernels.Tanh, 1/d.Cap
		}
		if d.Sigmoid { // it is (1+tanh(output/2))/2
			e.Act, e.Scale = kernels.Tanh, 0.5
		}
		w.MatMul(out, a, rows, width, d.w, e)
		a, width = out.C, d.Width
		if d.Cap != 0 {
			w.scaled.rows, w.scaled.width, w.scaled.by = a, width, d.Cap
			w.Do(rows, &w.scaled)
		}
		if d.Sigmoid {
			for i, v := range a[:rows*width] {
				a[i] = 0.5*v + 0.5
			}
		}
		if d.Norm != "" {
			w.norm(a, a, nil, rows, width, &d.norm)
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
