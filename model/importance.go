package model

import (
	"context"
	"fmt"
	"math"

	"github.com/ladon-ml/ladon/mha"
)

// Importance says what heads and neurons do for a sample of texts.
type Importance struct {
	Heads   []HeadImportance
	Neurons [][]float64 // by layer: see [Model.Importance]; nil for a layer with another's parameters
}

// HeadImportance is one head's.
type HeadImportance struct {
	Layer, Head int
	// Drift is what leaving the head out does to the output: 1 less the mean
	// cosine between its rows with and without it. Heads that share keys and
	// values are left out together, and have the same.
	Drift float64
	// Confidence is the largest weight of a token, and Entropy that of its
	// weights, in nats; both are means over tokens (Voita et al. 2019).
	Confidence, Entropy float64
}

// ImportanceOptions say what Importance finds out.
type ImportanceOptions struct {
	NoDrift  bool // it takes a forward pass for every head
	Progress func(done, passes int)
}

// Importance runs the model on a sample, and once more without each head. The
// output whose drift counts is that of the model's first head, else
// last_hidden_state; so it is too where a head gives every token a number for
// every word.
//
// Of an encoder-decoder it studies the decoder; the encoder is a model of its own,
// [Model.Other].
//
// A neuron's importance is how much it moves the residual stream: the root mean
// square of what it gives, times the length of the column of the down projection
// that reads it (Sun et al. 2023 score single weights so).
func (m *Model) Importance(ctx context.Context, b Batch, o ImportanceOptions) (*Importance, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	if err := m.check(&b); err != nil {
		return nil, err
	}
	if b.Unseen != nil || b.tokens() == 0 {
		return nil, inputError("a sample needs tokens, all of them seen")
	}
	for i := range b.sequences() {
		if b.CuSeqlens[i] == b.CuSeqlens[i+1] {
			return nil, inputError("text %d of the sample has no tokens", i)
		}
	}
	if err := m.encode(ctx, &b); err != nil {
		return nil, err
	}
	s := &study{model: m, batch: b, passes: 1, progress: o.Progress}
	if !o.NoDrift {
		for l := range m.spec.Layers {
			if m.spec.params(l) == l {
				s.passes += m.spec.Layers[l].Attention.KVHeads
			}
		}
	}
	if err := s.look(ctx); err != nil {
		return nil, err
	}
	if !o.NoDrift {
		if err := s.leaveOut(ctx); err != nil {
			return nil, err
		}
	}
	return s.found(), nil
}

// A study is the forward passes of Importance.
type study struct {
	model    *Model
	batch    Batch
	listener listener
	outputs  [2]Output // as it is, and with something left out

	heads        [][]HeadImportance // by layer; nil for one with another's parameters
	neurons      [][]float64
	passes, done int
	progress     func(done, passes int)
}

// output names what the drift of counts.
func (s *study) output() string {
	for _, h := range s.model.heads {
		if h.Spans != nil {
			continue
		}
		width := h.Layers[len(h.Layers)-1].Width
		if len(h.Outputs) == 1 && (h.From != EveryToken || width <= s.model.spec.Hidden) {
			return h.Outputs[0]
		}
	}
	return LastHiddenState
}

// run runs the model with the listener in its place.
func (s *study) run(ctx context.Context, to *Output) error {
	r, err := s.model.newResult(s.output())
	if err != nil {
		return err
	}
	r.resize(&s.batch)
	w := newWorkspace(s.model)
	w.attender, w.active = &s.listener, s.listener.active
	w.Begin(ctx, s.model.threads)
	w.split(&s.batch, groupTokens*w.Width())
	for _, g := range w.groups {
		w.group(&s.batch, g, r)
		if w.Cancelled() {
			break
		}
	}
	*to = r.Get(s.output())
	s.done++
	if s.progress != nil {
		s.progress(s.done, s.passes)
	}
	return w.End()
}

// look is the pass that measures everything but drift.
func (s *study) look(ctx context.Context) error {
	m, layers := s.model, s.model.spec.Layers
	l := &s.listener
	l.probe = &mha.Probe{Look: mha.Look{TopK: 1, Entropy: true}}
	l.active = &activity{squares: make([][]float64, len(layers)), rows: make([]float64, len(layers))}
	s.heads = make([][]HeadImportance, len(layers))
	uses := make([]float64, len(layers)) // of a layer's parameters
	for i := range layers {
		uses[m.spec.params(i)]++
		if m.spec.params(i) != i {
			continue
		}
		for h := range layers[i].Attention.Heads {
			s.heads[i] = append(s.heads[i], HeadImportance{Layer: i, Head: h})
		}
		l.active.squares[i] = make([]float64, layers[i].FeedForward.Width)
	}
	l.heads = s.heads
	if err := s.run(ctx, &s.outputs[0]); err != nil {
		return err
	}
	for i, heads := range s.heads {
		n := uses[i] * float64(s.batch.tokens())
		for h := range heads {
			heads[h].Confidence /= n
			heads[h].Entropy /= n
		}
		if heads != nil {
			s.weighNeurons(l.active.squares[i], i, l.active.rows[i])
		}
	}
	s.neurons = l.active.squares
	l.probe, l.active = nil, nil
	return nil
}

// weighNeurons turns sums of squares over n tokens into importance.
func (s *study) weighNeurons(squares []float64, layer int, n float64) {
	down := s.model.layers[layer].down.w
	columns, row := make([]float64, len(squares)), make([]float32, down.K())
	for i := range down.N() {
		down.Row(row, i)
		for j, w := range row {
			columns[j] += float64(w) * float64(w)
		}
	}
	for j := range squares {
		squares[j] = math.Sqrt(squares[j] / n * columns[j])
	}
}

// leaveOut runs the model without each group of heads.
func (s *study) leaveOut(ctx context.Context) error {
	for l := range s.model.spec.Layers {
		if s.model.spec.params(l) != l {
			continue
		}
		a := &s.model.spec.Layers[l].Attention
		group := a.Heads / a.KVHeads
		mask := make([]float32, a.Heads)
		s.listener.masked, s.listener.mask = l, mask
		for kv := range a.KVHeads {
			for h := range mask {
				mask[h] = 1
				if h/group == kv {
					mask[h] = 0
				}
			}
			if err := s.run(ctx, &s.outputs[1]); err != nil {
				return err
			}
			d, err := CompareRows(s.outputs[0].Data, s.outputs[1].Data, s.outputs[0].Cols)
			if err != nil {
				return err
			}
			for h := kv * group; h < (kv+1)*group; h++ {
				s.heads[l][h].Drift = 1 - d.Cosine
			}
		}
	}
	return nil
}

func (s *study) found() *Importance {
	f := &Importance{Neurons: s.neurons}
	for _, list := range s.heads {
		f.Heads = append(f.Heads, list...)
	}
	return f
}

// A listener stands where a forward pass computes attention. It leaves heads of
// one layer out, and looks at the weights of all.
type listener struct {
	mask   []float32 // [heads] of the layer masked and of those that share its parameters; nil: none
	masked int

	probe  *mha.Probe
	heads  [][]HeadImportance // where confidence and entropy are summed up
	active *activity
}

func (l *listener) attend(w *workspace, layer int, p *mha.Params, out, q, k, v mha.View) {
	params, seq := *p, w.stream.cuSeqlens
	if l.mask != nil && w.model.spec.params(layer) == l.masked {
		params.HeadMask = l.mask
	}
	params.Probe = l.probe
	w.mha.Run(&w.Exec, params, mha.Batch{SeqQ: seq, SeqK: seq}, out, q, k, v)
	if l.probe == nil || w.Cancelled() {
		return
	}
	heads := l.heads[w.model.spec.params(layer)]
	for s := range w.stream.sequences() {
		for h := range heads {
			for i := range int(seq[s+1] - seq[s]) {
				row := l.probe.Row(s, h, i)
				heads[h].Confidence += float64(l.probe.TopWeights[row])
				heads[h].Entropy += float64(l.probe.Entropy[row])
			}
		}
	}
}

// attendSource only computes: the heads that attend to a source stay.
func (l *listener) attendSource(w *workspace, layer int, _ *mha.Params, out, q mha.View) {
	w.attendSource(layer, nil, out, q)
}

// activity sums the squares of what the neurons of each layer give, by the layer
// whose parameters they are.
type activity struct {
	squares [][]float64
	rows    []float64 // of which the sums are
}

func (a *activity) add(layer int, h []float32, rows, stride int) {
	if a.squares == nil {
		return
	}
	sums := a.squares[layer]
	a.rows[layer] += float64(rows)
	for i := range rows {
		for j, x := range h[i*stride : i*stride+len(sums)] {
			sums[j] += float64(x) * float64(x)
		}
	}
}

// Drift says how far rows of numbers have moved.
type Drift struct {
	Cosine, CosineMin float64 // between rows, on average and at least
	MaxAbs            float64 // of the differences
	Top1              float64 // the share of rows whose largest element is the same one
}

// CompareRows compares rows of cols numbers.
func CompareRows(before, after []float32, cols int) (Drift, error) {
	if len(before) != len(after) || cols < 1 || len(before)%cols != 0 || len(before) == 0 {
		return Drift{}, fmt.Errorf("model: %d and %d numbers are not the same rows of %d", len(before), len(after), cols)
	}
	d, rows := Drift{CosineMin: 1}, float64(len(before)/cols)
	for at := 0; at < len(before); at += cols {
		var xy, xx, yy float64
		topX, topY := 0, 0
		x, y := before[at:at+cols], after[at:at+cols]
		for i := range x {
			a, b := float64(x[i]), float64(y[i])
			xy, xx, yy = xy+a*b, xx+a*a, yy+b*b
			d.MaxAbs = max(d.MaxAbs, math.Abs(a-b)) // NaN stays
			if x[i] > x[topX] {
				topX = i
			}
			if y[i] > y[topY] {
				topY = i
			}
		}
		cosine := 1.0
		if xx != yy || xy != xx { // equal rows are, zeros included
			cosine = xy / math.Sqrt(xx*yy)
			if xx == 0 || yy == 0 {
				cosine = 0
			}
		}
		d.Cosine += cosine / rows
		d.CosineMin = min(d.CosineMin, cosine)
		if topX == topY {
			d.Top1 += 1 / rows
		}
	}
	return d, nil
}
