package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// unigram takes the split of a word into tokens that has the greatest sum of scores, by Viterbi's algorithm (Kudo 2018).
// A character that no token of its own covers is unknown, at a score below all others.
type unigram struct {
	vocab    *vocab
	trie     trie
	scores   []float64 // by id
	unk      int32     // -1: an unknown character is an error
	unkScore float64
	bytes    [256]int32 // tokens of bytes, for unknown stretches; used if hasBytes
	fallback bool
	exact    bool // as SentencePiece itself: sums are float32, and what is unknown is no token of its own
}

// unknownPenalty is how much less an unknown character scores than the worst token.
const unknownPenalty = 10

// pathNode is the best way to get to a byte of a word.
type pathNode struct {
	score float64
	start int32 // of its last token; -1: there is no way
	id    int32
}

func newUnigram(v *vocab, scores []float64, unk int32, byteFallback bool) (*unigram, error) {
	m := &unigram{vocab: v, scores: scores, unk: unk}
	worst := math.Inf(1)
	for id, s := range scores {
		if s != s || math.IsInf(s, 0) {
			return nil, fmt.Errorf("the score of token %d is not a finite number", id)
		}
		worst = min(worst, s)
	}
	m.unkScore = worst - unknownPenalty
	for b := range m.bytes {
		m.bytes[b] = v.findString(fmt.Sprintf("<0x%02X>", b))
	}
	m.fallback = byteFallback
	m.trie = newTrie(v, nil)
	return m, nil
}

func (m *unigram) vocabulary() *vocab { return m.vocab }

var errNoUnk = errors.New("a character is unknown and the model has no unk_id")

func (m *unigram) tokenize(ws *workspace, dst []token, word []byte) []token {
	path := ws.path[:0]
	for range len(word) + 1 {
		path = append(path, pathNode{start: -1})
	}
	ws.path = path
	path[0].start = 0
	for i := 0; i < len(word); {
		n := 1
		if word[i] >= utf8.RuneSelf {
			_, n = utf8.DecodeRune(word[i:])
		}
		here, single := path[i].score, false
		node := m.trie.root(word[i])
		for k := i + 1; node != 0; k++ {
			if id := m.trie.tokens[node]; id >= 0 {
				if p, score := &path[k], m.sum(here+m.scores[id]); p.start < 0 || score > p.score {
					*p = pathNode{score, int32(i), id}
				}
				single = single || k == i+n
			}
			if k == len(word) {
				break
			}
			node = m.trie.child(node, word[k])
		}
		if !single {
			if p, score := &path[i+n], m.sum(here+m.unkScore); p.start < 0 || score > p.score {
				if m.unk < 0 {
					if ws.err == nil {
						ws.err = errNoUnk
					}
					return dst
				}
				*p = pathNode{score, int32(i), m.unk}
			}
		}
		i += n
	}
	return m.emit(dst, word, path)
}

// sum rounds a sum of scores.
func (m *unigram) sum(s float64) float64 {
	if m.exact {
		return float64(float32(s))
	}
	return s
}

// emit walks the path back and appends its tokens, neighbouring unknown ones as one.
func (m *unigram) emit(dst []token, word []byte, path []pathNode) []token {
	first := len(dst)
	for end := int32(len(word)); end > 0; {
		start, id := path[end].start, path[end].id
		if id == m.unk {
			for start > 0 && path[start].id == m.unk {
				start = path[start].start
			}
			if id = -1; !m.exact {
				id = m.vocab.find(&m.vocab.whole, 0, word[start:end])
			}
		}
		switch {
		case id >= 0:
			dst = append(dst, token{id: id, span: Span{start, end}})
		case m.fallback && m.haveBytes(word[start:end]):
			for k := end - 1; k >= start; k-- {
				dst = append(dst, token{id: m.bytes[word[k]], span: Span{start, end}})
			}
		default:
			dst = append(dst, token{id: m.unk, span: Span{start, end}})
		}
		end = start
	}
	for i, j := first, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

func (m *unigram) haveBytes(s []byte) bool {
	for _, c := range s {
		if m.bytes[c] < 0 {
			return false
		}
	}
	return true
}
