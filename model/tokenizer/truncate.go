package tokenizer

import "fmt"

type strategy uint8

const (
	longestFirst strategy = iota
	onlyFirst
	onlySecond
)

// truncation is how texts that are too long are cut.
type truncation struct {
	max      int // tokens, those of the template included
	stride   int // tokens that windows share
	strategy strategy
	left     bool // cut at the beginning
}

// strategy is how a call cuts.
func (t *Tokenizer) strategy(c Cut) strategy {
	switch {
	case c == CutFirst:
		return onlyFirst
	case c == CutSecond:
		return onlySecond
	case c == CutAsFile && t.truncation != nil:
		return t.truncation.strategy
	}
	return longestFirst
}

// truncate says which tokens of both sequences to keep so that no more than limit are left, negative for all.
func (t *Tokenizer) truncate(e *Encoding, keep *[2]Span, limit int, o Options) (truncated bool, err error) {
	n := [2]int{len(e.seqs[0].tokens), len(e.seqs[1].tokens)}
	want := n
	how, left := t.strategy(o.Cut), t.truncation != nil && t.truncation.left
	if limit >= 0 && n[0]+n[1] > limit {
		truncated = true
		switch {
		case limit == 0:
			want = [2]int{}
		case how == longestFirst && o.HasPair:
			want[0], want[1] = longestFirstLengths(n[0], n[1], limit)
		case how == longestFirst:
			want[0] = limit
		default:
			cut, other := 0, 1
			if how == onlySecond {
				if !o.HasPair {
					return false, fmt.Errorf("tokenizer: %s: only the second text may be cut, and there is none", t.name)
				}
				cut, other = 1, 0
			}
			if n[other] >= limit {
				return false, fmt.Errorf("tokenizer: %s: the text that may be cut is %w to leave room for the other one, "+
					"which has at least %d tokens of %d", t.name, ErrTooShort, n[other], limit)
			}
			want[cut] = limit - n[other]
		}
	}
	for i := range keep {
		from := 0
		if left {
			from = n[i] - want[i]
		}
		keep[i] = Span{int32(from), int32(from + want[i])}
	}
	return truncated, nil
}

// longestFirstLengths shares limit between sequences of a and b tokens, a+b > limit: the shorter one is cut only where
// both are longer than half, and then the second, or the longer, gets the odd token.
func longestFirstLengths(a, b, limit int) (int, int) {
	short, long := min(a, b), max(a, b)
	if short > limit {
		long = short
	} else {
		long = max(short, limit-short)
	}
	if short+long > limit {
		short = limit / 2
		long = short + limit%2
	}
	if a > b {
		return long, short
	}
	return short, long
}

// windows appends the pairs of ranges that cover both sequences: keep itself first, then what it leaves out.
func (t *Tokenizer) windows(dst [][2]Span, e *Encoding, keep [2]Span, stride int) ([][2]Span, error) {
	left := t.truncation != nil && t.truncation.left
	var more [2][]Span
	for i := range keep {
		size, n := int(keep[i].End-keep[i].Start), len(e.seqs[i].tokens)
		if size == n {
			continue
		}
		if size == 0 {
			return dst, fmt.Errorf("tokenizer: %s: windows without room for any text: the length is %w", t.name, ErrTooShort)
		}
		if stride >= size {
			return dst, fmt.Errorf("tokenizer: %s: a stride of %d is not less than the %d tokens of a window", t.name, stride, size)
		}
		for k := keep[i]; ; {
			if left && k.Start == 0 || !left && int(k.End) == n {
				break
			}
			step := int32(size - stride)
			if left {
				k.End -= step
				k.Start = max(0, k.End-int32(size))
			} else {
				k.Start += step
				k.End = min(int32(n), k.Start+int32(size))
			}
			more[i] = append(more[i], k)
		}
	}
	dst = append(dst, keep)
	for _, a := range more[0] {
		dst = append(dst, [2]Span{a, keep[1]})
		for _, b := range more[1] {
			dst = append(dst, [2]Span{a, b})
		}
	}
	for _, b := range more[1] {
		dst = append(dst, [2]Span{keep[0], b})
	}
	return dst, nil
}
