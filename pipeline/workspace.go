package pipeline

import (
	"context"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// batchTokens is about how many tokens go to the model in one call: enough to
// keep many processors busy, few enough that memory does not grow with the
// number of texts.
const batchTokens = 4096

// A workspace is what one running call needs, kept for the next.
type workspace struct {
	m       *Model
	enc     tokenizer.Encoding // of all texts in the batch, one after the other
	ends    []int              // of windows in enc
	lengths []int32            // cumulative: [texts+1], from 0
	hidden  *model.Result      // with last_hidden_state, or what an Embedder reads in its place; made when first needed
	logits  *model.Result      // with logits; likewise
	spans   *model.Result      // with start_logits and end_logits
	masks   *model.Result      // with the logits of a masked language model

	exec           kernels.Exec
	pooled         []float32    // [texts, width]
	dense          [2][]float32 // what Dense modules give, in turns
	query, vectors []float32    // of a ranker: [dim], [texts, dim]
}

func (m *Model) newWorkspace() *workspace { return &workspace{m: m} }

// reset empties the batch.
func (w *workspace) reset() {
	w.enc.Reset()
	w.lengths = append(w.lengths[:0], 0)
}

// add adds a text to the batch, or with options a pair of texts, and says whether
// it was cut to the tokens that the model takes.
func (w *workspace) add(text string, o tokenizer.Options) (cut bool, err error) {
	o.MaxLen, o.IDsOnly = w.m.maxSeq, true
	cut, err = w.m.tokenizer.AppendEncode(&w.enc, text, o)
	if err != nil {
		return false, err
	}
	w.lengths = append(w.lengths, int32(w.enc.Len()))
	return cut, nil
}

// texts is the number of texts in the batch.
func (w *workspace) texts() int { return len(w.lengths) - 1 }

// span is where the tokens of a text lie in the batch.
func (w *workspace) span(text int) (from, to int) {
	return int(w.lengths[text]), int(w.lengths[text+1])
}

// full says whether the batch should run before another text is added.
func (w *workspace) full() bool { return w.enc.Len() >= batchTokens }

// run runs the model on the batch for one of its outputs, kept in *result.
func (w *workspace) run(ctx context.Context, result **model.Result, output string) (model.Output, error) {
	if *result == nil {
		r, err := w.m.model.NewResult(output)
		if err != nil {
			return model.Output{}, err
		}
		*result = r
	}
	if err := w.forward(ctx, 0, w.enc.Len(), *result); err != nil {
		return model.Output{}, err
	}
	return (*result).Get(output), nil
}

// takesTypes says whether the model is told the tokens of two texts apart. Others
// ignore what their tokenizer says of it; XLNet is told where tokenizer_config.json
// has it so, as transformers 5 does.
func (m *Model) takesTypes() bool {
	s := m.model.Spec()
	return s.Embeddings.Types > 0 || s.Distances != nil && m.tokenizer.GivesTypes(false)
}

// forward runs the model on tokens of enc, of which w.lengths says where texts
// end. An encoder-decoder reads them twice, as its kind wants to label them.
func (w *workspace) forward(ctx context.Context, from, to int, r *model.Result) (err error) {
	spec := w.m.model.Spec()
	b := model.Batch{IDs: w.enc.IDs[from:to], CuSeqlens: w.lengths}
	if w.m.takesTypes() {
		b.TypeIDs = w.enc.TypeIDs[from:to]
	}
	if readsSource(&spec) {
		if b, err = w.m.model.Shifted(b); err != nil {
			return err
		}
	}
	return w.m.model.Forward(ctx, b, r)
}

// project gives act(x·Wᵀ + b) for the rows of x, in one of the two buffers.
func (w *workspace) project(ctx context.Context, d *dense, x []float32, buffer int) ([]float32, error) {
	in, out := d.w.K(), d.w.N()
	rows := len(x) / in
	y := grow(w.dense[buffer], rows*out)
	w.dense[buffer] = y
	w.exec.Begin(ctx, w.m.settings.threads)
	w.exec.MatMul(kernels.Out{C: y, LD: out}, x, rows, in, d.w, kernels.Epilogue{Bias: d.bias, Act: d.act})
	return y, w.exec.End()
}

// grow gives a slice of n elements, in buf's memory where it is large enough.
func grow(buf []float32, n int) []float32 {
	if cap(buf) < n {
		return make([]float32, n, n+n/8)
	}
	return buf[:n]
}
