package model

import "slices"

// A stream is the part of a batch that goes through the layers together.
type stream struct {
	ids, types, positions []int32   // [tokens]; types and positions may be nil
	embeds                []float32 // [tokens, hidden]; nil where ids select them
	cuSeqlens             []int32   // [sequences+1], from 0
	unseen                []int32   // [sequences] or nil: none
	seqK                  []int32   // [sequences+1]: cuSeqlens of the seen tokens alone, where some are unseen
	tokens                int

	token, sequence int // where in the batch it begins
	square          int // the squares of the lengths of all sequences before
	of              struct{ tokens, sequences int }
}

// set takes the sequences of a group of a batch whose embeddings are hidden wide.
func (s *stream) set(b *Batch, g group, hidden int) {
	first, end := g.first, g.end
	begin, stop := int(b.CuSeqlens[first]), int(b.CuSeqlens[end])
	s.square = g.square
	s.token, s.sequence, s.tokens = begin, first, stop-begin
	s.of.tokens, s.of.sequences = b.tokens(), b.sequences()
	s.release()
	if b.Embeds != nil {
		s.embeds = b.Embeds[begin*hidden : stop*hidden]
	} else {
		s.ids = b.IDs[begin:stop]
	}
	if b.TypeIDs != nil {
		s.types = b.TypeIDs[begin:stop]
	}
	if b.Positions != nil {
		s.positions = b.Positions[begin:stop]
	}
	if b.Unseen != nil && slices.Max(b.Unseen[first:end]) > 0 {
		s.unseen = b.Unseen[first:end]
	}
	s.cuSeqlens = grow(s.cuSeqlens, end-first+1)
	for i := range s.cuSeqlens {
		s.cuSeqlens[i] = b.CuSeqlens[first+i] - b.CuSeqlens[first]
	}
}

// release lets go of the caller's slices.
func (s *stream) release() {
	s.ids, s.types, s.positions, s.unseen, s.embeds = nil, nil, nil, nil, nil
}

func (s *stream) sequences() int { return len(s.cuSeqlens) - 1 }
