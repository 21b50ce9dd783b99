package model

import "slices"

// A stream is the part of a batch that goes through the layers together.
type stream struct {
	ids, types, positions []int32     // [tokens]; types and positions may be nil
	embeds                []float32   // [tokens, embedWidth]; nil where ids select them
	cuSeqlens             []int32     // [sequences+1], from 0
	pictures              []Pixels    // [sequences], of a model of pictures
	unseen                []int32     // [sequences] or nil: none
	hidden                []uint8     // [tokens] or nil: see Batch
	source                []float32   // [source tokens, width]: the last hidden states of the source
	sourceSeqlens         []int32     // [sequences+1], from 0
	ends                  []int32     // [sequences] the token beside the end of the source; nil: nobody asks
	seqK                  []int32     // [sequences+1]: cuSeqlens of the seen tokens alone, where some are unseen
	counted               []int32     // positions that nobody gave
	totals                []int32     // [sequences] the length that each counts as, or nil: as far as its positions reach
	pad                   int32       // the id that a last token is not
	end                   int32       // the id that ends a text
	tokens                int         // rows of the residual stream: texts, then targets
	headMask, crossMask   [][]float32 // as the batch's
	policy                HeadPolicy

	permuting

	barred     []uint8 // as the batch's, of all of it
	noAnswerAt []int32

	token, sequence int // where in the batch it begins
	square          int // the squares of the lengths of all sequences before
	of              struct{ tokens, sequences int }
}

// set takes the sequences of a group of a batch.
func (s *stream) set(b *Batch, g group, m *Model) {
	width := m.spec.embedWidth()
	first, end := g.first, g.end
	begin, stop := int(b.CuSeqlens[first]), int(b.CuSeqlens[end])
	s.square = g.square
	s.token, s.sequence, s.tokens = begin, first, stop-begin
	s.of.tokens, s.of.sequences = b.tokens(), b.sequences()
	s.release()
	s.pad, s.end = m.spec.Embeddings.Pad, m.spec.Embeddings.End
	if b.Pictures != nil {
		s.pictures = b.Pictures[first:end]
	} else if b.Embeds != nil {
		s.embeds = b.Embeds[begin*width : stop*width]
	} else {
		s.ids = b.IDs[begin:stop]
	}
	if b.TypeIDs != nil {
		s.types = b.TypeIDs[begin:stop]
	}
	if b.Positions != nil {
		s.positions = b.Positions[begin:stop]
	}
	if b.Ends != nil {
		s.ends = b.Ends[first:end]
	}
	if b.Unseen != nil && slices.Max(b.Unseen[first:end]) > 0 {
		s.unseen = b.Unseen[first:end]
	}
	if b.hidden != nil && slices.Max(b.hidden[begin:stop]) > 0 {
		s.hidden = b.hidden[begin:stop]
	}
	s.headMask, s.policy = b.HeadMask, b.Policy
	s.sourceSeqlens = s.sourceSeqlens[:0]
	if b.Source != nil {
		from := b.Source.CuSeqlens[first]
		for _, at := range b.Source.CuSeqlens[first : end+1] {
			s.sourceSeqlens = append(s.sourceSeqlens, at-from)
		}
		s.source, s.crossMask = b.states[int(from)*m.spec.sourceWidth():], b.CrossHeadMask
	}
	s.cuSeqlens = grow(s.cuSeqlens, end-first+1)
	for i := range s.cuSeqlens {
		s.cuSeqlens[i] = b.CuSeqlens[first+i] - b.CuSeqlens[first]
	}
	s.barred, s.noAnswerAt = b.Barred, b.NoAnswerAt
	if m.spec.Permuted != nil {
		s.setPermuted(b, g, m.spec.Hidden)
	}
	if e := &m.spec.Embeddings; s.positions == nil && (m.rotary || e.First > 0) {
		s.counted = grow(s.counted, s.tokens)
		s.positions = s.counted
		for i := range s.sequences() {
			at, end := s.cuSeqlens[i], s.cuSeqlens[i+1]
			var ids []int32
			if s.ids != nil {
				ids = s.ids[at:end]
			}
			e.count(s.counted[at:end], ids)
		}
	}
}

// count sets the positions of a sequence; ids may be nil.
func (e *Embeddings) count(positions, ids []int32) {
	next := int32(e.First)
	for t := range positions {
		if e.SkipPad && ids != nil && ids[t] == e.Pad {
			positions[t] = int32(e.First) - 1
			continue
		}
		positions[t] = next
		next++
	}
}

// row is the token of sequence i that a head reads.
func (s *stream) row(i int, from Rows) int {
	begin, end := int(s.cuSeqlens[i]), int(s.cuSeqlens[i+1])
	switch from {
	case FirstToken:
		return begin
	case SecondToken:
		return begin + 1
	case SourceEnd, GivenToken:
		return begin + int(s.ends[i])
	}
	if s.ids == nil {
		return end - 1
	}
	if from == EndToken {
		return begin + endOf(s.ids[begin:end], s.end)
	}
	for t := end - 1; t > begin; t-- {
		if s.ids[t] != s.pad {
			return t
		}
	}
	return begin
}

// endOf is where a text ends, of which there is some: at the first of the id that
// says so, or where end is negative, of the highest. Without it that is the first.
func endOf(ids []int32, end int32) int {
	if end < 0 {
		end = slices.Max(ids)
	}
	return max(slices.Index(ids, end), 0)
}

// release lets go of the caller's slices.
func (s *stream) release() {
	s.ids, s.types, s.positions, s.totals, s.unseen, s.hidden, s.embeds, s.pictures = nil, nil, nil, nil, nil, nil, nil, nil
	s.headMask, s.crossMask, s.policy, s.source, s.ends = nil, nil, nil, nil, nil
	s.blocked, s.targets, s.barred, s.noAnswerAt = nil, nil, nil, nil
	clear(s.memory)
}

func (s *stream) sequences() int { return len(s.cuSeqlens) - 1 }
