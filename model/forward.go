package model

import (
	"context"

	"github.com/ladon-ml/ladon/kernels"
)

// Forward runs the model on a batch and fills r with the outputs that it asks
// for. What it says about a sequence does not depend on the others, to the bit.
// It stops with the context's error soon after ctx is cancelled.
//
// An encoder-decoder first runs its encoder, on b.Source.
func (m *Model) Forward(ctx context.Context, b Batch, r *Result) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	return m.forward(ctx, b, r)
}

// forward is Forward of a model that is open.
func (m *Model) forward(ctx context.Context, b Batch, r *Result) error {
	if r.model != m {
		return inputError("the result belongs to another model")
	}
	if err := m.check(&b); err != nil {
		return err
	}
	for _, from := range [...]Rows{FirstToken, LastToken, SecondToken, EndToken} {
		if !r.needs(from) {
			continue
		}
		for s := range b.sequences() {
			if b.CuSeqlens[s] == b.CuSeqlens[s+1] {
				return inputError("sequence %d is empty, and %s reads its %v", s, m.spec.Class, from)
			}
		}
	}
	if b.Embeds != nil && r.needs(EndToken) {
		return inputError("embeddings in place of ids, but %s reads the %v", m.spec.Class, EndToken)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.needs(SourceEnd) || r.needs(GivenToken) {
		if err := m.findEnds(&b); err != nil {
			return err
		}
	}
	if b.Source != nil {
		if err := m.other.forward(ctx, *b.Source, r.encoder); err != nil {
			return err
		}
	}
	if err := r.checkSpans(&b); err != nil {
		return err
	}
	r.resize(&b)
	if err := r.prepareLooks(&b); err != nil {
		return err
	}

	w := m.workspaces.get(m)
	defer m.workspaces.put(w)
	w.Begin(ctx, m.threads)
	if b.Source != nil {
		b.states = w.bridge(r.encoder.last.Data, r.encoder.last.Rows)
	}
	w.keepDistances(&b)
	w.run(b, r)
	r.squares(&b)
	return w.End()
}

// group runs a group of sequences through the model.
func (w *workspace) group(b *Batch, g group, r *Result) {
	w.stream.set(b, g, w.model)
	w.resize()
	w.layers(r)
	if w.Cancelled() {
		return
	}
	if r.last != nil {
		copy(r.last.Data[w.stream.token*r.last.Cols:], w.x[:w.rows*r.last.Cols])
	}
	for i := range r.heads {
		w.head(&r.heads[i])
	}
}

// layers takes the stream from its ids to w.x, the last hidden states of w.rows
// rows. r, which may be nil, is given the hidden states and attentions that it
// wants, and says which rows do not matter.
func (w *workspace) layers(r *Result) {
	s := &w.model.spec
	w.embed()
	w.rows, w.owes = w.stream.tokens, false
	w.permute()
	w.keepHidden(0, r)
	for l := range s.Layers {
		if w.Cancelled() {
			return
		}
		w.attention(l, r)
		w.cross(l, r)
		w.feedForward(l)
		if l+1 < len(s.Layers) || s.LastUnnormed {
			w.keepHidden(l+1, r)
		}
		w.patches.between(l)
	}
	if s.FinalNorm {
		w.norm(w.x, w.x, w.owed(), w.rows, s.Hidden, &w.model.finalNorm)
	}
	w.settle()
	if s.OutWidth > 0 {
		w.MatMul(kernels.Out{C: w.y, LD: s.OutWidth}, w.x, w.rows, s.Hidden, w.model.narrow.w, kernels.Epilogue{})
		w.x, w.y = w.y, w.x
	}
	if !s.LastUnnormed {
		w.keepHidden(len(s.Layers), r)
	}
	w.seesTargets()
}

// attention: x = x + attention(x), with the norms where they stand. In a parallel
// layer it goes to y, and x stays for the feed-forward network to read.
func (w *workspace) attention(l int, r *Result) {
	s, p, tokens := &w.model.spec, w.model.layers[l], w.stream.tokens
	a, hidden := &s.Layers[l].Attention, s.Hidden
	width := a.Heads * a.HeadDim
	from := w.wanted(r)
	last := l == len(s.Layers)-1 && from != EveryToken

	in := w.x
	if s.Norm.Place != PostNorm {
		w.norm(w.y, w.x, w.owed(), tokens, hidden, &p.attnNorm)
		in = w.y
	}
	// The last layer need not go on with what nobody reads.
	if last && w.asksAlone(a, r) {
		w.attendLast(l, in, from)
	} else {
		w.toHeads(w.qkv, in, tokens, l, 0, a.qkv())
		w.prepare(l)
		w.attend(l, r)
		if last {
			w.keepRows(w.x, hidden, from)
			w.keepRows(w.o, width, from)
			w.rows = w.stream.sequences()
		}
	}
	w.project(width, &p.out, &p.attnNorm, &p.attnPostNorm)
}

// project adds what attention gave, w.o of some width, to x.
func (w *workspace) project(width int, by *linear, norm, post *norm) {
	s := &w.model.spec
	e := kernels.Epilogue{Bias: by.bias}
	if s.Norm.Place == ParallelNorm {
		e.Residual, e.LDR = w.x, s.Hidden
	}
	w.MatMul(kernels.Out{C: w.y, LD: s.Hidden}, w.o, w.rows, width, by.w, e)
	w.add(norm, post)
}

// add: x = x + y, with the norms where they stand. Before another norm x is left
// to be added to by that, which has its rows in cache: line by line, below each
// other, they are slow to come by.
func (w *workspace) add(norm, post *norm) {
	s := &w.model.spec
	switch s.Norm.Place {
	case PostNorm:
		w.norm(w.x, w.x, w.y, w.rows, s.Hidden, norm)
	case PreNorm:
		w.owes = true
	case SandwichNorm:
		w.norm(w.y, w.y, nil, w.rows, s.Hidden, post)
		w.owes = true
	}
}

// owed is what the next norm adds to x: y, or nil if there is nothing.
func (w *workspace) owed() []float32 {
	if !w.owes {
		return nil
	}
	w.owes = false
	return w.y
}

// settle adds to x what is owed to it, for those who read it without a norm.
func (w *workspace) settle() {
	if y := w.owed(); y != nil {
		n := w.rows * w.model.spec.Hidden
		kernels.Add(w.x[:n], w.x[:n], y[:n])
	}
}

// wanted is the row of each sequence that all reads which matters.
func (w *workspace) wanted(r *Result) Rows {
	if r == nil {
		return w.only
	}
	if w.stream.targets != nil {
		return EveryToken
	}
	return r.onlyRows()
}

// feedForward: x = x + down(act(up(x))), with the norms where they stand.
func (w *workspace) feedForward(l int) {
	s, p := &w.model.spec, w.model.layers[l]
	f, hidden, rows := &s.Layers[l].FeedForward, s.Hidden, w.rows

	in, to := w.x, w.y
	down := kernels.Epilogue{Bias: p.down.bias}
	switch s.Norm.Place {
	case PreNorm, SandwichNorm:
		w.norm(w.y, w.x, w.owed(), rows, hidden, &p.ffnNorm)
		in = w.y
	case ParallelNorm: // y is x + attention(x)
		w.norm(w.x, w.x, nil, rows, hidden, &p.ffnNorm)
		to = w.x
		down.Residual, down.LDR = w.y, hidden
	}
	h, ldh := w.h, kernels.Stride(f.Width)
	e := kernels.Epilogue{Bias: p.up.bias, Act: f.Act}
	if f.Gated {
		e = kernels.Epilogue{Bias: p.up.bias, Gate: kernels.Gate{W: p.gate.w, Bias: p.gate.bias, Act: f.Act}}
	}
	w.MatMul(kernels.Out{C: h, LD: ldh}, in, rows, hidden, p.up.w, e)
	if w.active != nil {
		w.active.add(w.model.spec.params(l), h, rows, ldh)
	}
	w.MatMul(kernels.Out{C: to, LD: hidden}, h, rows, ldh, p.down.w, down)
	w.add(&p.ffnNorm, &p.ffnPostNorm)
}

// norm normalises rows of x into dst, which may be x, after it has added more to
// x unless that is nil.
func (w *workspace) norm(dst, x, more []float32, rows, width int, n *norm) {
	if s := &w.model.spec; s.Norm.Kind == RMSNorm {
		w.RMSNorms(dst, x, more, rows, width, n.weight, s.Norm.Eps)
	} else {
		w.LayerNorms(dst, x, more, rows, width, n.weight, n.bias, s.Norm.Eps)
	}
}

// keepRows moves the one row that is read of each sequence to the front.
func (w *workspace) keepRows(x []float32, width int, from Rows) {
	for i := range w.stream.sequences() {
		copy(x[i*width:(i+1)*width], x[w.stream.row(i, from)*width:])
	}
}

// keepHidden copies the residual stream after l layers to the result that wants it.
func (w *workspace) keepHidden(l int, r *Result) {
	if r == nil || r.hidden == nil && r.memory == nil {
		return
	}
	w.settle()
	s, hidden := &w.stream, w.model.spec.Hidden
	if r.hidden != nil {
		hidden := r.hidden[l].Cols
		copy(r.hidden[l].Data[s.token*hidden:], w.x[:s.texts()*hidden])
		if s.targets != nil {
			copy(r.targetHidden[l].Data[s.target*hidden:], w.x[s.texts()*hidden:s.tokens*hidden])
		}
	}
	if l < len(r.memory) {
		copy(r.memory[l].Data[s.token*hidden:], w.x[:s.texts()*hidden])
	}
}
