package model

import (
	"slices"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// permuting is what the sequences of a stream have for a model with Permuted.
type permuting struct {
	blocked [][]uint8   // as the batch's, of the stream's sequences; nil: none is
	targets [][]float32 // likewise
	memory  [][]float32 // [layers][sequences, remembered, hidden] of the stream's sequences; nil: none
	// remembered is how many tokens the memory of each sequence has.
	remembered int
	cuTargets  []int32 // [sequences+1], from 0
	target     int     // which of the batch's targets is the first
	allTargets int     // of the batch
	widest     int     // how long the longest sequence is
}

// setPermuted takes what the sequences of a group have, and room for the targets
// after the tokens of the texts.
func (s *stream) setPermuted(b *Batch, g group, hidden int) {
	p := &s.permuting
	*p = permuting{cuTargets: append(p.cuTargets[:0], 0), memory: p.memory[:0]}
	if b.Blocked != nil {
		p.blocked = b.Blocked[g.first:g.end]
	}
	for i := g.first; i < g.end; i++ {
		p.widest = max(p.widest, int(b.CuSeqlens[i+1]-b.CuSeqlens[i]))
	}
	if b.Targets != nil {
		p.targets = b.Targets[g.first:g.end]
		for i := range b.sequences() {
			n := b.targets(i)
			p.allTargets += n
			switch {
			case i < g.first:
				p.target += n
			case i < g.end:
				p.cuTargets = append(p.cuTargets, p.cuTargets[i-g.first]+int32(n))
			}
		}
		s.tokens += int(p.cuTargets[g.end-g.first])
	}
	if p.remembered = b.remembered(hidden); p.remembered == 0 {
		p.memory = nil
		return
	}
	for _, m := range b.Memory {
		each := p.remembered * hidden
		p.memory = append(p.memory, m[g.first*each:g.end*each])
	}
}

// permuted tells whether the stream has anything that only Permuted knows.
func (p *permuting) permuted() bool { return p.blocked != nil || p.targets != nil || p.remembered > 0 }

// permuted tells whether b has anything that only Permuted knows.
func (b *Batch) permuted() bool { return b.Blocked != nil || b.Targets != nil || b.Memory != nil }

// texts is how many rows of the residual stream are tokens of texts.
func (s *stream) texts() int {
	if s.targets == nil {
		return s.tokens
	}
	return s.tokens - int(s.cuTargets[s.sequences()])
}

// targets is how many targets sequence s has.
func (b *Batch) targets(s int) int {
	n := int(b.CuSeqlens[s+1] - b.CuSeqlens[s])
	if b.Targets == nil || n == 0 {
		return 0
	}
	return len(b.Targets[s]) / n
}

// outputs is how many rows the last hidden states have: tokens, or targets.
func (b *Batch) outputs() int {
	if b.Targets == nil {
		return b.tokens()
	}
	n := 0
	for s := range b.sequences() {
		n += b.targets(s)
	}
	return n
}

// remembered is how many tokens the memory of each sequence has.
func (b *Batch) remembered(hidden int) int {
	if len(b.Memory) == 0 || b.sequences() == 0 {
		return 0
	}
	return len(b.Memory[0]) / (b.sequences() * hidden)
}

// checkPermuted tells what of b's Blocked, Targets and Memory does not fit.
func (m *Model) checkPermuted(b *Batch) error {
	unseen := slices.ContainsFunc(b.Unseen, func(n int32) bool { return n > 0 })
	if m.spec.Distances != nil && unseen {
		return inputError("unseen tokens, but %s counts the distances that they make", m.spec.class())
	}
	if !b.permuted() {
		return nil
	}
	seqs := b.sequences()
	switch {
	case m.spec.Permuted == nil:
		return inputError("%s takes no masks of who sees whom, no targets and no memory", m.spec.class())
	case b.Policy != nil:
		return inputError("a policy of heads beside masks of who sees whom, targets or memory")
	case b.Blocked != nil && len(b.Blocked) != seqs:
		return inputError("%d masks of who sees whom for %d sequences", len(b.Blocked), seqs)
	case b.Targets != nil && len(b.Targets) != seqs:
		return inputError("targets of %d sequences for %d", len(b.Targets), seqs)
	case b.Memory != nil && len(b.Memory) != len(m.spec.Layers):
		return inputError("a memory of %d layers for a model of %d", len(b.Memory), len(m.spec.Layers))
	}
	for s := range seqs {
		n := int(b.CuSeqlens[s+1] - b.CuSeqlens[s])
		if b.Blocked != nil && b.Blocked[s] != nil && len(b.Blocked[s]) != n*n {
			return inputError("sequence %d has %d tokens, which a mask of %d is not for", s, n, len(b.Blocked[s]))
		}
		if most := m.spec.Embeddings.Positions; b.targets(s) > most {
			return inputError("sequence %d has %d targets, but at most %d are supported", s, b.targets(s), most)
		}
		if b.Targets != nil && len(b.Targets[s]) != b.targets(s)*n {
			return inputError("sequence %d has %d tokens, among which %d numbers place no targets", s, n, len(b.Targets[s]))
		}
	}
	for l, states := range b.Memory {
		if len(states) != seqs*b.remembered(m.spec.Hidden)*m.spec.Hidden {
			return inputError("the memory of layer %d has %d numbers, which are no states of %d for %d sequences, as many as of layer 0", l, len(states), m.spec.Hidden, seqs)
		}
	}
	return nil
}

// seesTargets makes the stream that of its targets, the states of which come
// first: what reads last hidden states reads theirs.
func (w *workspace) seesTargets() {
	s := &w.stream
	if s.targets == nil {
		return
	}
	hidden, n := w.model.spec.Hidden, s.tokens-s.texts()
	copy(w.x, w.x[s.texts()*hidden:s.tokens*hidden])
	s.cuSeqlens = append(s.cuSeqlens[:0], s.cuTargets...)
	s.token, s.tokens, s.of.tokens, s.ids = s.target, n, s.allTargets, nil
	w.rows = n
}

// permuted is a workspace's part of Permuted.
type permuted struct {
	masks    [2][]uint8 // who does not see whom, of tokens and of targets: [sequences, widest, remembered+widest]
	blind    []bool     // [texts]: who sees nothing as a target
	mask     [1]mha.Mask
	segments []int32   // of memory and tokens
	seqK     []int32   // [sequences+1], memory and tokens
	states   []float32 // of the memory [heads+2·kvHeads, sequences·remembered, headDim]
	queries  []float32 // of every place among the tokens [heads, texts, headDim]
	answers  []float32 // [texts, heads·headDim]
}

// permute prepares what is the same for all layers.
func (w *workspace) permute() {
	s, p := &w.stream, &w.permuted
	if !s.permuted() {
		return
	}
	p.seqK = grow(p.seqK, len(s.cuSeqlens))
	for i, at := range s.cuSeqlens {
		p.seqK[i] = at + int32(i*s.remembered)
	}
	if s.types != nil && s.remembered > 0 {
		p.segments = grow(p.segments, int(p.seqK[s.sequences()]))
		for i := range s.sequences() {
			to := p.segments[p.seqK[i]:p.seqK[i+1]]
			clear(to[:s.remembered])
			copy(to[s.remembered:], s.types[s.cuSeqlens[i]:s.cuSeqlens[i+1]])
		}
	}
	if s.blocked != nil {
		w.block()
	}
	if s.targets != nil {
		w.findBlind()
	}
}

// block writes the masks: as a target a token may be hidden from its own place.
func (w *workspace) block() {
	s, p := &w.stream, &w.permuted
	row := s.remembered + s.widest
	for of := range p.masks {
		p.masks[of] = grow(p.masks[of], s.sequences()*s.widest*row)
		clear(p.masks[of])
	}
	for i, blocked := range s.blocked {
		n := int(s.cuSeqlens[i+1] - s.cuSeqlens[i])
		for q := range n {
			if blocked == nil {
				break
			}
			at := (i*s.widest+q)*row + s.remembered
			copy(p.masks[1][at:], blocked[q*n:(q+1)*n])
			copy(p.masks[0][at:], blocked[q*n:(q+1)*n])
			p.masks[0][at+q] = 0
		}
	}
}

// findBlind finds the places from which a target sees nothing. It weighs all
// tokens alike then, hidden ones too: the models were trained with scores that are
// a large number less where a token is hidden.
func (w *workspace) findBlind() {
	s, p := &w.stream, &w.permuted
	a := &w.model.spec.Layers[0].Attention
	p.blind = grow(p.blind, s.texts())
	clear(p.blind)
	if s.blocked == nil || s.remembered > 0 {
		return
	}
	for i := range s.sequences() {
		n := int(s.cuSeqlens[i+1] - s.cuSeqlens[i])
		for q := range n {
			first, end := 0, n
			if a.Causal {
				end = q + 1
			}
			if a.Window > 0 {
				first = max(0, q-a.Window+1)
			}
			seen := p.masks[1][(i*s.widest+q)*s.widest:][first:end]
			p.blind[int(s.cuSeqlens[i])+q] = !slices.Contains(seen, 0)
		}
	}
}

// sight is the mask of tokens, or of targets.
func (w *workspace) sight(of int) []mha.Mask {
	s, p := &w.stream, &w.permuted
	if s.blocked == nil {
		return nil
	}
	row := s.remembered + s.widest
	p.mask[0] = mha.Mask{Data: p.masks[of], Seq: s.widest * row, Query: row, Key: 1, Hides: true}
	return p.mask[:]
}

// attendPermuted fills w.o for tokens and targets. w.params say what attention it
// is, and q, k and v lie as attend has them.
func (w *workspace) attendPermuted(l int, r *Result, out, q, k, v mha.View) {
	s, p, a := &w.stream, &w.permuted, &w.model.spec.Layers[l].Attention
	b := mha.Batch{SeqQ: s.cuSeqlens, SeqK: p.seqK}
	if s.remembered > 0 {
		k, v = w.recall(l, k, v)
	}
	if a.Window > 0 {
		w.params.Left = a.Window + s.remembered
	}
	if s.types != nil && s.remembered > 0 {
		w.params.Relative.SegmentsK = p.segments
	}
	w.params.Masks = w.sight(0)
	w.mha.Run(&w.Exec, w.params, b, out, q, k, v)
	if s.targets == nil {
		return
	}
	w.params.Masks = w.sight(1)
	if r != nil && r.probes != nil {
		w.params.Probe = w.look(r.targetProbes[l])
	}
	p.answers = grow(p.answers, s.texts()*a.Heads*a.HeadDim)
	answers := mha.PerToken(p.answers, a.Heads, a.HeadDim)
	w.mha.Run(&w.Exec, w.params, b, answers, w.place(a, q), k, v)
	w.answerBlind(a, answers, v)
	w.collect(a)
}

// recall puts the keys and values of the memory before those of every sequence.
func (w *workspace) recall(l int, k, v mha.View) (mha.View, mha.View) {
	s, p, a := &w.stream, &w.permuted, &w.model.spec.Layers[l].Attention
	d, rows, keys := a.HeadDim, s.sequences()*s.remembered, int(p.seqK[s.sequences()])
	p.states = grow(p.states, rows*a.qkv()*d)
	perHead := kernels.Out{C: p.states, LD: d, BlockCols: d, BlockStride: rows * d}
	for _, qkv := range w.model.layers[l].qkv {
		w.MatMul(perHead, s.memory[l], rows, w.model.spec.Hidden, qkv.w, kernels.Epilogue{Bias: qkv.bias})
		perHead.C = perHead.C[rows*qkv.w.N():]
	}
	w.keys = grow(w.keys, 2*a.KVHeads*keys*d)
	to := [2]mha.View{mha.PerHead(w.keys[:a.KVHeads*keys*d], keys, d), mha.PerHead(w.keys[a.KVHeads*keys*d:], keys, d)}
	for which, own := range [2]mha.View{k, v} {
		for h := range a.KVHeads {
			old := p.states[(a.Heads+which*a.KVHeads+h)*rows*d:]
			for i := range s.sequences() {
				dst := to[which].Data[h*keys*d+int(p.seqK[i])*d : h*keys*d+int(p.seqK[i+1])*d]
				n := copy(dst, old[i*s.remembered*d:(i+1)*s.remembered*d])
				copy(dst[n:], own.Data[h*own.Head+int(s.cuSeqlens[i])*d:])
			}
		}
	}
	return to[0], to[1]
}

// place gives every token's place the queries of the targets that are there.
func (w *workspace) place(a *Attention, q mha.View) mha.View {
	s, p, d := &w.stream, &w.permuted, a.HeadDim
	p.queries = grow(p.queries, a.Heads*s.texts()*d)
	clear(p.queries)
	w.eachTarget(func(target, token int, share float32) {
		for h := range a.Heads {
			from, to := q.Data[h*q.Head+(s.texts()+target)*d:][:d], p.queries[(h*s.texts()+token)*d:][:d]
			for i, x := range from {
				to[i] += float32(share * x)
			}
		}
	})
	return mha.PerHead(p.queries, s.texts(), d)
}

// collect gives the targets what their places got.
func (w *workspace) collect(a *Attention) {
	s, p, width := &w.stream, &w.permuted, a.Heads*a.HeadDim
	clear(w.o[s.texts()*width : s.tokens*width])
	w.eachTarget(func(target, token int, share float32) {
		to := w.o[(s.texts()+target)*width:][:width]
		for i, x := range p.answers[token*width:][:width] {
			to[i] += float32(share * x)
		}
	})
}

// eachTarget goes through the targets and the tokens in whose places they are.
func (w *workspace) eachTarget(at func(target, token int, share float32)) {
	s := &w.stream
	for i, shares := range s.targets {
		n := int(s.cuSeqlens[i+1] - s.cuSeqlens[i])
		for j, share := range shares {
			if share != 0 {
				at(int(s.cuTargets[i])+j/n, int(s.cuSeqlens[i])+j%n, share)
			}
		}
	}
}

// answerBlind gives those who see nothing the mean of the values.
func (w *workspace) answerBlind(a *Attention, out, v mha.View) {
	s, p, d := &w.stream, &w.permuted, a.HeadDim
	w.average = grow(w.average, d)
	for i := range s.sequences() {
		n := int(s.cuSeqlens[i+1] - s.cuSeqlens[i])
		blind := p.blind[s.cuSeqlens[i]:][:n]
		if !slices.Contains(blind, true) {
			continue
		}
		for h := range a.Heads {
			factor := w.factor(i, h) / float32(n)
			clear(w.average)
			for t := range n {
				kernels.Add(w.average, w.average, v.Data[h*a.KVHeads/a.Heads*v.Head+(int(s.cuSeqlens[i])+t)*v.Token:][:d])
			}
			kernels.Scale(w.average, w.average, factor)
			for q := range n {
				if !blind[q] {
					continue
				}
				copy(out.Data[(int(s.cuSeqlens[i])+q)*out.Token+h*out.Head:], w.average)
				if probe := w.params.Probe; probe != nil && len(probe.Weights) > 0 {
					weights, _, keys := probe.WeightsOf(i, h)
					for t := range n {
						weights[q*keys+t] = factor
					}
				}
			}
		}
	}
}

// factor is the head mask's.
func (w *workspace) factor(seq, head int) float32 {
	switch mask := w.params.HeadMask; len(mask) {
	case 0:
		return 1
	case w.params.Heads:
		return mask[head]
	default:
		return mask[seq*w.params.Heads+head]
	}
}
