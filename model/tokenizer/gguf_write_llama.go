package tokenizer

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// llama writes SentencePiece's BPE.
func (w *vocabularyWriter) llama(m *bpe) error {
	prefix, err := w.blanks(m)
	if err != nil {
		return err
	}
	for b := range 256 {
		id := m.vocab.findString(fmt.Sprintf("<0x%02X>", b))
		if !m.byteFallback || id < 0 {
			return fmt.Errorf("model: a BPE of neither ByteLevel nor byte_fallback with all bytes is %w", ErrUnsupported)
		}
		if w.v.Types[id] == typeNormal {
			w.v.Types[id] = typeByte
		}
	}
	if m.unk >= 0 {
		w.v.Roles["unk_token"], w.v.Types[m.unk] = m.unk, typeUnknown
	}
	if m.ignoreMerges && !w.t.mergesMakeAll(m) {
		return fmt.Errorf("model: ignore_merges is %w", ErrUnsupported)
	}
	w.v.Model, w.v.Pre, w.v.AddSpacePrefix = "llama", "default", &prefix
	if m.scores != nil {
		w.ownScores(m, prefix)
		return nil
	}
	return w.scores(m)
}

// ownScores takes over the scores that a tokenizer has.
func (w *vocabularyWriter) ownScores(m *bpe, prefix bool) {
	if m.fixed != nil {
		for _, a := range m.fixed.tokens {
			w.v.Types[a.ID] = typeUserDefined
		}
		if prefix {
			w.lose("model: what follows a user-defined token gets a blank before it")
		}
	}
	w.v.Scores = make([]float32, len(w.v.Tokens))
	for id := range w.v.Scores {
		switch {
		case w.v.Types[id] == typeUnused:
			w.v.Scores[id] = unusedScore
		case id < len(m.scores) && m.scores[id] != neverMerged:
			w.v.Scores[id] = scoreOf(m.scores[id])
		}
	}
}

// blanks finds out whether a blank goes before a text, and refuses what does not only turn blanks into U+2581.
func (w *vocabularyWriter) blanks(m *bpe) (prefix bool, err error) {
	list := flatPre(w.t.pre)
	var mark *metaspacePre
	for _, p := range list {
		switch p := p.(type) {
		case metaspacePre:
			mark = &p
		case split:
			// Gemma's, at the blanks that the normalizer has replaced.
			if blank, ok := p.match.(literal); !ok || string(blank) != " " || w.t.normalizer == nil {
				return false, fmt.Errorf("pre_tokenizer: cutting words is %w", ErrUnsupported)
			}
		default:
			return false, fmt.Errorf("pre_tokenizer: cutting words is %w", ErrUnsupported)
		}
	}
	var norms []normalizer
	switch n := w.t.normalizer.(type) {
	case nil:
	case *pieceNormalizer:
		if n.charsmap != nil || n.removeSpaces {
			return false, fmt.Errorf("normalizer: other than blanks becoming U+2581 is %w", ErrUnsupported)
		}
		if n.scheme == prependFirst {
			w.lose("normalizer: what follows a special token gets a blank before it")
		}
		return n.scheme != prependNever, nil
	case normalizers:
		norms = n
	default:
		norms = []normalizer{n}
	}
	if p, ok := first[prepend](norms); ok && p.content == metaspace {
		prefix, norms = true, norms[1:]
	}
	r, ok := first[replace](norms)
	blank, isLiteral := r.match.(literal)
	switch {
	case ok && len(norms) == 1 && isLiteral && string(blank) == " " && r.content == metaspace && mark == nil:
		return prefix, nil
	case len(norms) > 0 || mark == nil || prefix || mark.mark != metaspace:
		return false, fmt.Errorf("normalizer: other than blanks becoming U+2581 is %w", ErrUnsupported)
	}
	if mark.cut != nil && slices.Contains(m.joined[:], true) {
		return false, fmt.Errorf("pre_tokenizer: cutting within tokens is %w", ErrUnsupported)
	}
	switch mark.scheme {
	case prependNever:
		return false, nil
	case prependFirst:
		w.lose("pre_tokenizer: what follows a special token gets a blank before it, as does a text that begins with one")
	case prependAlways:
		w.lose("pre_tokenizer: a text that begins with a blank gets another one before it")
	}
	return true, nil
}

// first returns the first of a list as its type.
func first[T normalizer](list []normalizer) (x T, ok bool) {
	if len(list) > 0 {
		x, ok = list[0].(T)
	}
	return x, ok
}

// scores gives tokens scores in the order of the merges that make them. SentencePiece merges any two neighbours whose
// spelling is a token; a tokenizer that was not trained by it has some such pairs that its merges do not know. They
// seldom meet: what they would make, better merges have made before.
func (w *vocabularyWriter) scores(m *bpe) error {
	rank := make([]int64, len(w.v.Tokens)) // of the first merge that makes a token
	for id := range rank {
		rank[id] = math.MaxInt64
	}
	for _, s := range m.pairs.inOrder() {
		rank[s.id] = min(rank[s.id], int64(s.rank))
	}
	order := make([]int32, 0, len(rank))
	unknown, example := 0, ""
	for id := range rank {
		if rank[id] < math.MaxInt64 {
			order = append(order, int32(id))
		}
		token := w.v.Tokens[id]
		if w.v.Types[id] == typeByte || w.t.addedByID[int32(id)] != nil {
			continue
		}
		if len(token) > maxSpelled {
			return fmt.Errorf("model: token %s of %d bytes is %w", quote(token), len(token), ErrUnsupported)
		}
		for i := range token {
			if i == 0 {
				continue
			}
			left, right := token[:i], token[i:]
			l, r := m.vocab.findString(left), m.vocab.findString(right)
			if l < 0 && utf8.RuneCountInString(left) > 1 || r < 0 && utf8.RuneCountInString(right) > 1 {
				continue
			}
			if l < 0 || r < 0 || m.pairs.find(l, r) == noPair {
				unknown++
				example = quote(left) + " and " + quote(right)
			}
		}
	}
	if unknown > 0 {
		w.lose("merges: that %s, like %d other pairs of tokens which spell a token, do not merge", example, unknown-1)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(rank[a], rank[b]) })
	w.v.Scores = make([]float32, len(rank))
	for id := range w.v.Scores {
		w.v.Scores[id] = -float32(len(order)) // characters, which nothing is merged into
		if w.v.Types[id] == typeUnused {
			w.v.Scores[id] = unusedScore
		}
	}
	for i, id := range order {
		w.v.Scores[id] = -float32(i)
	}
	return nil
}
