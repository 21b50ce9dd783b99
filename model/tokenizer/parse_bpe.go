package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

func (f *file) parseBPE() (model, error) {
	var s bpeSettings
	var dropout *float64
	var prefix, suffix *string
	for name, v := range map[string]any{
		"unk_token": &s.unk, "continuing_subword_prefix": &prefix, "end_of_word_suffix": &suffix, "fuse_unk": &s.fuseUnk,
		"byte_fallback": &s.byteFallback, "ignore_merges": &s.ignoreMerges, "dropout": &dropout,
	} {
		if err := f.field(name, v); err != nil {
			return nil, err
		}
	}
	if dropout != nil && *dropout != 0 {
		return nil, fmt.Errorf("dropout %g is %w", *dropout, ErrUnsupported)
	}
	if prefix != nil {
		s.prefix = *prefix
	}
	if suffix != nil {
		s.suffix = *suffix
	}
	v, err := f.parseVocab()
	if err != nil {
		return nil, err
	}
	m, err := newBPE(v, s)
	if err != nil {
		return nil, err
	}
	if f.model["merges"] == nil {
		return nil, errors.New("there are no merges")
	}
	list, err := parseMerges(f.model["merges"])
	if err != nil {
		return nil, fmt.Errorf("merges: %w", err)
	}
	return m, m.setMerges(len(list.places), list.merge)
}

// mergeList holds merges, their bytes in one slice.
type mergeList struct {
	text   []byte
	places []struct{ start, mid, end int }
}

func (l *mergeList) merge(i int) (left, right []byte) {
	p := l.places[i]
	return l.text[p.start:p.mid], l.text[p.mid:p.end]
}

func (l *mergeList) add(left, right []byte) {
	start := len(l.text)
	l.text = append(append(l.text, left...), right...)
	l.places = append(l.places, struct{ start, mid, end int }{start, start + len(left), len(l.text)})
}

// addLine adds a merge that is written with a blank in the middle.
func (l *mergeList) addLine(line []byte) error {
	if bytes.HasPrefix(line, []byte("#version")) {
		return nil
	}
	left, right, ok := bytes.Cut(line, []byte{' '})
	if !ok || bytes.IndexByte(right, ' ') >= 0 {
		return fmt.Errorf("merge %d: %s is not two tokens with a blank between them", len(l.places), quote(string(line)))
	}
	l.add(left, right)
	return nil
}

// parseMerges reads a list of merges, each "a b" or ["a", "b"].
func parseMerges(data []byte) (*mergeList, error) {
	l := &mergeList{text: make([]byte, 0, len(data)/2)}
	s := scanner{data: data}
	var left []byte
	err := s.array(func(int) error {
		if s.peek() == '"' {
			line, err := s.str()
			if err != nil {
				return err
			}
			return l.addLine(line)
		}
		n := 0
		err := s.array(func(i int) error {
			token, err := s.str()
			if i == 0 {
				left = append(left[:0], token...)
			} else if i == 1 && err == nil {
				l.add(left, token)
			}
			n++
			return err
		})
		if err == nil && n != 2 {
			err = s.errorf("a merge of %d tokens", n)
		}
		return err
	})
	return l, err
}

func (f *file) parseUnigram() (model, error) {
	var unk *int64
	var fallback bool
	if err := f.field("unk_id", &unk); err != nil {
		return nil, err
	}
	if err := f.field("byte_fallback", &fallback); err != nil {
		return nil, err
	}
	if f.model["vocab"] == nil {
		return nil, errors.New("there is no vocab, or it is not a list")
	}
	var list tokenList
	var scores []float64
	s := scanner{data: f.model["vocab"]}
	err := s.array(func(i int) error {
		n := 0
		err := s.array(func(k int) error {
			n++
			if k == 0 {
				token, err := s.str()
				if err == nil {
					list.add(token, int64(i))
				}
				return err
			}
			v, err := s.value()
			if err != nil || k > 1 {
				return err
			}
			x, err := strconv.ParseFloat(string(v), 64)
			if err != nil {
				return fmt.Errorf("the score of token %d is %s, not a number", i, quote(string(v)))
			}
			scores = append(scores, x)
			return nil
		})
		if err == nil && n != 2 {
			err = s.errorf("token %d has %d parts, not its text and score", i, n)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	v, err := newVocab(&list, keepAll)
	if err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	id := int32(-1)
	if unk != nil {
		if *unk < 0 || *unk >= int64(len(scores)) {
			return nil, fmt.Errorf("unk_id %d is out of range for %d tokens", *unk, len(scores))
		}
		id = int32(*unk)
	}
	return newUnigram(v, scores, id, fallback)
}
