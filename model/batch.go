package model

import "fmt"

// A Batch is several sequences in one stream of tokens. Nothing in it is
// changed or kept.
type Batch struct {
	IDs       []int32 // [tokens]; nil where Embeds is set
	TypeIDs   []int32 // [tokens]; nil: all 0
	Positions []int32 // [tokens]; nil: 0, 1, 2 … in each sequence, or as the model counts

	// Embeds takes the place of the word embeddings that IDs select: types and
	// positions are added to it. [tokens, hidden], or as wide as the embeddings are
	Embeds []float32

	// Pictures are what a model of pictures looks at, each a sequence of its
	// patches: [Model.Pictures] makes such a batch. Interpolate lets them have
	// other sizes than the model was trained on where it does not by itself.
	Pictures    []Pixels
	Interpolate bool

	// Source is what the encoder of an encoder-decoder reads: as many sequences,
	// each of which those here attend to. nil for all other models.
	Source *Batch

	// Ends is the token of every sequence that heads read which look where the
	// source ends, or at a token that is given; nil: where the source has its last
	// Embeddings.End, or the last token.
	Ends []int32

	// CuSeqlens marks the sequences: sequence s is the tokens from
	// CuSeqlens[s] to CuSeqlens[s+1]. [sequences+1], from 0 to tokens.
	CuSeqlens []int32

	// Unseen[s] tokens at the start of sequence s are computed but seen by no
	// token, themselves included. nil: none. It serves padding on the left,
	// where a pooler reads a first token that the attention mask hides.
	Unseen []int32

	// What follows is for models with Permuted.
	//
	// Blocked says of sequence s who does not see whom: where Blocked[s][i·length+j]
	// is not zero, token i does not see token j, except that every token sees itself.
	// A target in the place of token i has no such exception.
	// nil, for all or for a sequence: all see all.
	Blocked [][]uint8
	// Targets are places of sequence s that are guessed, [targets, length]: the
	// shares of a target in its tokens' places, of which one is 1 as a rule. Then
	// last hidden states are the targets', one after the other.
	Targets [][]float32
	// Memory is, of every layer, the states that it took in for texts before these,
	// the same number for each sequence: [sequences, remembered, hidden].
	Memory [][]float32

	// Of models whose head finds Spans: nonzero marks tokens that cannot be in an
	// answer, [tokens], and the token of every sequence that speaks of whether there
	// is one, counted from its first, [sequences]; nil: none, and the last one.
	Barred     []uint8
	NoAnswerAt []int32

	// HeadMask multiplies the attention weights of heads; a head whose factor is
	// 0 is not computed. For every layer it has [heads], or [sequences, heads],
	// or nil: all 1. nil: all layers are nil.
	HeadMask [][]float32

	// CrossHeadMask likewise multiplies the weights of attention to the source.
	CrossHeadMask [][]float32

	// Policy, unless nil, leaves out further heads while the batch runs.
	Policy HeadPolicy

	hidden []uint8   // [tokens]: nonzero: no token sees it, itself included, wherever it stands. nil: there is none
	states []float32 // [tokens of the source, hidden]: what the encoder gave
}

// tokens is how many there are in all, by a batch that was checked.
func (b *Batch) tokens() int { return int(b.CuSeqlens[b.sequences()]) }

func (b *Batch) sequences() int { return max(0, len(b.CuSeqlens)-1) }

// check tells what in b does not fit the model: after it, the forward pass has
// no way to fail.
func (m *Model) check(b *Batch) error {
	if err := m.checkSource(b); err != nil {
		return err
	}
	if m.spec.Embeddings.Patches != nil {
		if err := m.checkPictures(b); err != nil {
			return err
		}
		return m.checkHeadMask(b)
	}
	if b.Pictures != nil {
		return inputError("the model does not look at pictures")
	}
	if len(b.CuSeqlens) == 0 || b.CuSeqlens[0] != 0 {
		return inputError("cuSeqlens does not begin with 0")
	}
	tokens, seqs := len(b.IDs), b.sequences()
	if b.Embeds != nil {
		if b.IDs != nil {
			return inputError("both ids and embeddings")
		}
		if tokens = len(b.Embeds) / m.spec.embedWidth(); tokens*m.spec.embedWidth() != len(b.Embeds) {
			return inputError("%d numbers do not make embeddings of %d", len(b.Embeds), m.spec.embedWidth())
		}
	}
	if n := b.CuSeqlens[seqs]; int(n) != tokens {
		return inputError("cuSeqlens ends with %d, but there are %d tokens", n, tokens)
	}
	if b.TypeIDs != nil && len(b.TypeIDs) != tokens {
		return inputError("%d token types for %d tokens", len(b.TypeIDs), tokens)
	}
	if b.Positions != nil && len(b.Positions) != tokens {
		return inputError("%d positions for %d tokens", len(b.Positions), tokens)
	}
	if b.Unseen != nil && len(b.Unseen) != seqs {
		return inputError("%d counts of unseen tokens for %d sequences", len(b.Unseen), seqs)
	}
	e := &m.spec.Embeddings
	for s := range seqs {
		n := int(b.CuSeqlens[s+1]) - int(b.CuSeqlens[s])
		if n < 0 {
			return inputError("cuSeqlens decreases after sequence %d", s)
		}
		if b.Positions == nil && n > e.Positions {
			return inputError("sequence %d has %d tokens, but the model takes at most %d", s, n, e.Positions)
		}
		if b.Unseen != nil && (b.Unseen[s] < 0 || int(b.Unseen[s]) > n) {
			return inputError("sequence %d has %d tokens, of which %d cannot be unseen", s, n, b.Unseen[s])
		}
	}
	if i := outside(b.IDs, e.Vocab); i >= 0 {
		return inputError("token id %d at %d is outside the vocabulary of %d", b.IDs[i], i, e.Vocab)
	}
	if i := outside(b.TypeIDs, m.spec.types()); i >= 0 {
		return inputError("token type %d at %d is outside the %d of the model", b.TypeIDs[i], i, m.spec.types())
	}
	if i := outside(b.Positions, e.positions()); i >= 0 {
		return inputError("position %d at %d is outside the %d of the model", b.Positions[i], i, e.positions())
	}
	if err := m.checkPermuted(b); err != nil {
		return err
	}
	return m.checkHeadMask(b)
}

// checkSource tells what in the source does not fit the encoder.
func (m *Model) checkSource(b *Batch) error {
	switch crosses := m.spec.Crosses(); {
	case !crosses && b.Source != nil:
		return inputError("the model is no encoder-decoder, and reads no source")
	case !crosses:
		return nil
	case b.Source == nil:
		return inputError("the model is an encoder-decoder, and there is no source")
	case b.Source.sequences() != b.sequences():
		return inputError("%d sources for %d sequences", b.Source.sequences(), b.sequences())
	}
	if b.Source.Unseen != nil {
		return inputError("a source of which tokens are not seen")
	}
	if err := m.other.check(b.Source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	return nil
}

// checkHeadMask tells what in the head mask, or in asking for a policy, does not
// fit the model.
func (m *Model) checkHeadMask(b *Batch) error {
	for _, masks := range []struct {
		name  string
		mask  [][]float32
		heads func(l *Layer) int
	}{
		{"head mask", b.HeadMask, (*Layer).heads},
		{"head mask of the source", b.CrossHeadMask, (*Layer).crossHeads},
	} {
		if masks.mask != nil && len(masks.mask) != len(m.spec.Layers) {
			return inputError("a %s of %d layers for a model of %d", masks.name, len(masks.mask), len(m.spec.Layers))
		}
		for l, mask := range masks.mask {
			if heads := masks.heads(&m.spec.Layers[l]); mask != nil && len(mask) != heads && len(mask) != b.sequences()*heads {
				return inputError("a %s of %d factors for the %d heads of layer %d", masks.name, len(mask), heads, l)
			}
		}
	}
	for l := range m.spec.Layers {
		if b.Policy != nil && m.spec.Layers[l].Attention.Causal {
			return inputError("a policy of heads, but layer %d sees one way only", l)
		}
	}
	return nil
}

// outside returns the index of the first value that is not in [0, n), or -1.
func outside(values []int32, n int) int {
	for i, v := range values {
		if v < 0 || int(v) >= n {
			return i
		}
	}
	return -1
}
