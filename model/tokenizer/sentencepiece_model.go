package tokenizer

import (
	"fmt"
	"math"
)

// pieceVocabulary is the pieces of a file with the ids that a class of tokenizers gives them: some first ones may have
// given way to others, and tokens that the file does not know follow.
type pieceVocabulary struct {
	*vocab
	file *pieceModel
	unk  int32
	base int32 // the id of the piece with the index 0, if it were there
	drop int   // pieces of the file that are not
}

// newPieceVocabulary puts head in the place of the first drop pieces, and tail behind them all.
func newPieceVocabulary(m *pieceModel, head []string, drop int, tail []string, unkToken string) (*pieceVocabulary, error) {
	drop = min(drop, len(m.pieces))
	v := &pieceVocabulary{file: m, base: int32(len(head) - drop), drop: drop}
	var list tokenList
	size := 0
	for _, p := range m.pieces {
		size += len(p.text)
	}
	list.grow(len(head)+len(m.pieces)+len(tail), size)
	for _, token := range head {
		list.add([]byte(token), int64(len(list.entries)))
	}
	for _, p := range m.pieces[drop:] {
		list.add(p.text, int64(len(list.entries)))
	}
	for _, token := range tail {
		list.add([]byte(token), int64(len(list.entries)))
	}
	var err error
	if v.vocab, err = newVocab(&list, keepAll); err != nil {
		return nil, err
	}
	for i, p := range m.pieces {
		if id := v.findString(string(p.text)); v.piece(id) != nil && id != v.id(i) && i >= drop {
			return nil, fmt.Errorf("piece %s is there twice, with the indices %d and %d", quote(string(p.text)), i, id-v.base)
		}
	}
	if v.unk = v.id(m.unk); m.unk < drop {
		if v.unk = v.findString(unkToken); v.unk < 0 {
			return nil, fmt.Errorf("unk_token %s is not in the vocabulary", quote(unkToken))
		}
	}
	return v, nil
}

// id is that of the piece with an index.
func (v *pieceVocabulary) id(index int) int32 { return int32(index) + v.base }

// piece returns that of an id; nil for a token that the file does not have.
func (v *pieceVocabulary) piece(id int32) *piece {
	if i := int(id - v.base); i >= v.drop && i < len(v.file.pieces) {
		return &v.file.pieces[i]
	}
	return nil
}

// kind is typeControl for a token that the file does not have.
func (v *pieceVocabulary) kind(id int32) int32 {
	if p := v.piece(id); p != nil {
		return p.kind
	}
	return typeControl
}

// userDefined finds the pieces that stay whole wherever they are; nil if there are none.
func (v *pieceVocabulary) userDefined() *matcher {
	var patterns []string
	var tokens []*AddedToken
	for i, p := range v.file.pieces {
		if p.kind == typeUserDefined && i >= v.drop {
			patterns = append(patterns, string(p.text))
			tokens = append(tokens, &AddedToken{ID: v.id(i), Content: string(p.text)})
		}
	}
	return newMatcher(patterns, tokens)
}

// model makes the model.
func (v *pieceVocabulary) model() (model, error) {
	if v.file.kind == piecesBPE {
		return v.bpe()
	}
	return v.unigram(), nil
}

func (v *pieceVocabulary) unigram() model {
	// A piece that the user has defined scores more than any other does for each of its bytes.
	worst, best := float32(math.MaxFloat32), float32(0.1)
	for _, p := range v.file.pieces {
		if p.kind == typeNormal {
			worst, best = min(worst, p.score), max(best, p.score)
		}
	}
	scores := make([]float64, len(v.places))
	for id := range scores {
		p := v.piece(int32(id))
		switch {
		case p == nil:
		case p.kind == typeUserDefined:
			scores[id] = float64(float32(len(p.text))*best) - 0.1
		default:
			scores[id] = float64(p.score)
		}
	}
	m := &unigram{vocab: v.vocab, scores: scores, unk: v.unk, unkScore: float64(worst - unknownPenalty), fallback: v.file.byteFallback, exact: true}
	for b := range m.bytes {
		m.bytes[b] = v.findString(fmt.Sprintf("<0x%02X>", b))
	}
	m.trie = newTrie(v.vocab, func(id int32) bool {
		kind := v.kind(id)
		return kind == typeNormal || kind == typeUserDefined
	})
	return m
}

func (v *pieceVocabulary) bpe() (model, error) {
	m, err := newBPE(v.vocab, bpeSettings{fuseUnk: true, byteFallback: v.file.byteFallback})
	if err != nil {
		return nil, err
	}
	m.unk, m.fixed = v.unk, v.userDefined()
	scores := make([]float32, len(v.places))
	for id := range scores {
		if p := v.piece(int32(id)); p != nil {
			scores[id] = p.score
		}
	}
	if err := m.setScores(scores); err != nil {
		return nil, err
	}
	for id := range m.scores {
		if kind := v.kind(int32(id)); kind != typeNormal && kind != typeUserDefined {
			m.scores[id] = neverMerged
		}
	}
	return m, nil
}
