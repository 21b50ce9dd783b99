package model

import (
	"context"
	"math"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// Append reads tokens, after which Logits are those after the last. Without any,
// nothing changes. When ctx is cancelled or memory runs out the session keeps the
// whole chunks that it has read, as Len says, and has no logits.
func (s *Session) Append(ctx context.Context, ids []int32) error {
	return s.append(ctx, ids, len(ids), nil)
}

// AppendRows is Append which also gives the logits after ids[i], those that
// predict ids[i+1], for every i from from on: row is called for each in order, and
// may change what it gets but not keep it.
func (s *Session) AppendRows(ctx context.Context, ids []int32, from int, row func(i int, logits []float32)) error {
	return s.append(ctx, ids, max(from, 0), row)
}

func (s *Session) append(ctx context.Context, ids []int32, from int, row func(i int, logits []float32)) error {
	if err := s.take(); err != nil {
		return err
	}
	defer s.give()
	s.self[0], s.ids[0] = s, ids
	err := appendAll(ctx, s.self[:], s.ids[:], from, row)
	s.self[0], s.ids[0] = nil, nil
	return err
}

// AppendAll is Append for several sessions of one model at once: sessions[i]
// reads ids[i], of which there may be any number. The weights are read once for
// all of them, which is worth most where each has one token to read.
func AppendAll(ctx context.Context, sessions []*Session, ids [][]int32) error {
	if len(sessions) != len(ids) {
		return inputError("%d texts for %d sessions", len(ids), len(sessions))
	}
	for i, s := range sessions {
		if err := s.take(); err != nil {
			for _, taken := range sessions[:i] {
				taken.give()
			}
			return err
		}
	}
	defer func() {
		for _, s := range sessions {
			s.give()
		}
	}()
	return appendAll(ctx, sessions, ids, math.MaxInt, nil)
}

// appendAll reads ids into sessions that the caller has taken. With row there is
// one session, whose logits it gets from from on.
func appendAll(ctx context.Context, sessions []*Session, ids [][]int32, from int, row func(i int, logits []float32)) error {
	if len(sessions) == 0 {
		return nil
	}
	m := sessions[0].model
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	for i, s := range sessions {
		if s.model != m {
			return inputError("session %d belongs to another model", i)
		}
		if s.limit-s.n < len(ids[i]) {
			return &ContextError{Len: s.n, Add: len(ids[i]), Max: s.limit}
		}
		if at := outside(ids[i], m.spec.Embeddings.Vocab); at >= 0 {
			return inputError("token id %d at %d is outside the vocabulary of %d", ids[i][at], at, m.spec.Embeddings.Vocab)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := m.workspaces.get(m)
	defer m.workspaces.put(w)
	w.Begin(ctx, m.threads)
	a := &w.appending
	a.begin(sessions, ids, from, row)
	w.attender = a
	w.only = LastToken
	if row != nil {
		w.only = EveryToken
	}
	for a.next(w) && !w.Cancelled() {
		w.resize()
		w.layers(nil)
		if w.Cancelled() || a.err != nil {
			a.undo()
			break
		}
		a.advance(w)
	}
	w.attender, w.only = nil, EveryToken
	err := a.err
	a.release()
	if cancelled := w.End(); cancelled != nil {
		return cancelled
	}
	return err
}

// appending is tokens on their way into sessions, a chunk after the other: the
// attention of each layer appends to its caches and attends to them.
type appending struct {
	sessions []*Session
	ids      [][]int32
	from     int // row gets the logits from this one on
	row      func(i int, logits []float32)

	done   []int // tokens of each that have been read
	in     []int // index of the sessions in the chunk
	caches []*mha.Cache
	stream []int32 // the ids of the chunk, where it has several sessions
	totals []int32 // how long each will be in the end
	places []int32 // [tokens] positions
	rows   []int32 // of the chunk whose logits are wanted
	logits []float32
	err    error
}

func (a *appending) begin(sessions []*Session, ids [][]int32, from int, row func(i int, logits []float32)) {
	a.sessions, a.ids, a.from, a.row, a.err = sessions, ids, from, row, nil
	a.done = grow(a.done, len(sessions))
	clear(a.done)
	for i, s := range sessions {
		s.valid = s.valid && len(ids[i]) == 0
	}
}

// release lets go of the caller's slices and of the sessions.
func (a *appending) release() {
	clear(a.caches[:cap(a.caches)])
	a.sessions, a.ids, a.row = nil, nil, nil
}

// next fills w's stream with the next chunk: as many tokens of every session as
// there is room for. It is false when there are none left.
func (a *appending) next(w *workspace) bool {
	st := &w.stream
	st.release()
	a.in, a.stream, a.places, a.totals = a.in[:0], a.stream[:0], a.places[:0], a.totals[:0]
	st.cuSeqlens = append(st.cuSeqlens[:0], 0)
	room := a.sessions[0].chunk
	for i, s := range a.sessions {
		n := min(room, len(a.ids[i])-a.done[i])
		if n == 0 {
			continue
		}
		room -= n
		a.in = append(a.in, i)
		a.stream = append(a.stream, a.ids[i][a.done[i]:a.done[i]+n]...)
		a.place(s, i, n)
		a.totals = append(a.totals, int32(s.n+len(a.ids[i])-a.done[i]))
		st.cuSeqlens = append(st.cuSeqlens, int32(len(a.stream)))
	}
	st.pad = -1 // no last token is passed over
	st.ids, st.positions, st.totals, st.tokens = a.stream, a.places, a.totals, len(a.stream)
	return len(a.stream) > 0
}

// place counts the positions of the next n tokens of session i. Padding, where it
// counts for none, is passed over as in a text of its own: among the tokens that
// are appended, not those before.
func (a *appending) place(s *Session, i, n int) {
	e, done := &s.model.spec.Embeddings, a.done[i]
	next := e.First + s.n
	for t, id := range a.ids[i][:done+n] {
		padding := e.SkipPad && id == e.Pad
		switch {
		case t < done && padding:
			next--
		case t < done:
		case padding:
			a.places = append(a.places, int32(e.First-1))
		default:
			a.places = append(a.places, int32(next))
			next++
		}
	}
}

// attend implements attender.
func (a *appending) attend(w *workspace, l int, p *mha.Params, out, q, k, v mha.View) {
	if a.err != nil {
		return
	}
	a.caches = a.caches[:0]
	for _, i := range a.in {
		a.caches = append(a.caches, a.sessions[i].caches[l])
	}
	if a.err = w.mha.Append(&w.Exec, mha.Batch{SeqQ: w.stream.cuSeqlens}, a.caches, k, v); a.err == nil {
		w.mha.RunCached(&w.Exec, *p, mha.Batch{SeqQ: w.rowSeqlens()}, out, q, a.caches)
	}
}

// attendSource implements attender.
func (a *appending) attendSource(w *workspace, l int, p *mha.Params, out, q mha.View) {
	a.caches = a.caches[:0]
	for _, i := range a.in {
		a.caches = append(a.caches, a.sessions[i].source[l])
	}
	w.mha.RunCached(&w.Exec, *p, mha.Batch{SeqQ: w.rowSeqlens()}, out, q, a.caches)
}

// undo takes a chunk back of which some layers have not seen all.
func (a *appending) undo() {
	for _, i := range a.in {
		a.sessions[i].cut(a.sessions[i].n)
	}
}

// advance counts a chunk that has gone through all layers, and computes the
// logits that are wanted.
func (a *appending) advance(w *workspace) {
	a.rows = a.rows[:0]
	for j, i := range a.in {
		begin, end := w.stream.cuSeqlens[j], w.stream.cuSeqlens[j+1]
		first := a.done[i]
		a.done[i] += int(end - begin)
		a.sessions[i].n += int(end - begin)
		switch {
		case a.row != nil:
			for t := max(first, a.from); t < a.done[i]; t++ {
				a.rows = append(a.rows, begin+int32(t-first))
			}
			a.hand(w, a.sessions[i], a.done[i]-len(a.rows), a.done[i] == len(a.ids[i]), end-1)
			return
		case a.done[i] == len(a.ids[i]):
			a.rows = append(a.rows, int32(j)) // the last rows are all that is left
		}
	}
	if len(a.rows) == 0 {
		return
	}
	vocab := w.model.spec.Embeddings.Vocab
	var to []float32
	if len(a.rows) == 1 && len(a.in) == 1 {
		s := a.sessions[a.in[0]]
		s.logits = grow(s.logits, vocab)
		to = s.logits
	} else {
		a.logits = grow(a.logits, len(a.rows)*vocab)
		to = a.logits
	}
	w.headOn(a.sessions[0].head, w.gatherRows(a.rows), len(a.rows), to, 0, len(a.rows))
	if w.Cancelled() {
		return
	}
	row := 0
	for _, i := range a.in {
		s := a.sessions[i]
		if a.done[i] < len(a.ids[i]) {
			continue
		}
		if len(a.in) > 1 {
			s.logits = grow(s.logits, vocab)
			copy(s.logits, to[row*vocab:])
		}
		s.valid = true
		row++
	}
}

// rowFloats bounds the logits that are computed together for AppendRows.
const rowFloats = 4 << 20

// hand gives out the logits of a.rows, which are those after ids[first] and so
// on, and with last keeps those after token end.
func (a *appending) hand(w *workspace, s *Session, first int, last bool, end int32) {
	vocab := w.model.spec.Embeddings.Vocab
	if last {
		s.logits = grow(s.logits, vocab)
		w.one[0] = end
		w.headOn(s.head, w.gatherRows(w.one[:1]), 1, s.logits, 0, 1)
		s.valid = !w.Cancelled()
	}
	for rows := a.rows; len(rows) > 0 && !w.Cancelled(); {
		n := min(len(rows), max(1, rowFloats/vocab))
		a.logits = grow(a.logits, n*vocab)
		w.headOn(s.head, w.gatherRows(rows[:n]), n, a.logits, 0, n)
		for i := range n {
			if w.Cancelled() {
				return
			}
			a.row(first+i, a.logits[i*vocab:(i+1)*vocab])
		}
		rows, first = rows[n:], first+n
	}
}

// LogProb is log(softmax(logits)[id]), the sum in float64.
func LogProb(logits []float32, id int32) float64 {
	top := float32(math.Inf(-1))
	for _, x := range logits {
		top = max(top, x)
	}
	var piece [512]float32
	sum := 0.0
	for rest := logits; len(rest) > 0; {
		n := min(len(rest), len(piece))
		for i, x := range rest[:n] {
			piece[i] = x - top
		}
		kernels.Exp(piece[:n], piece[:n])
		part := float32(0)
		for _, x := range piece[:n] {
			part += x
		}
		sum += float64(part)
		rest = rest[n:]
	}
	return float64(logits[id]) - float64(top) - math.Log(sum)
}
