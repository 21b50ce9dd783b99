package tokenizer

import (
	"errors"
	"fmt"
)

func (t *Tokenizer) parseAdded(data []byte) error {
	var list []struct {
		ID         *int64
		Content    *string
		Special    bool
		SingleWord bool `json:"single_word"`
		LStrip     bool
		RStrip     bool
		Normalized bool
	}
	if err := unmarshal(data, &list); err != nil {
		return err
	}
	added := make([]AddedToken, 0, len(list))
	for i, v := range list {
		if v.Content == nil || v.ID == nil {
			return fmt.Errorf("token %d has no id or no content", i)
		}
		id, err := checkID(*v.ID)
		if err != nil {
			return fmt.Errorf("token %s: %w", quote(*v.Content), err)
		}
		added = append(added, AddedToken{id, *v.Content, v.Special, v.SingleWord, v.LStrip, v.RStrip, v.Normalized})
	}
	return t.setAdded(added)
}

// setAdded takes the added tokens in order. A token that the model has keeps the model's id, and any other gets the
// next free one: that is what the reference library does, whatever the file says.
func (t *Tokenizer) setAdded(added []AddedToken) error {
	v := t.model.vocabulary()
	t.addedByID = make(map[int32]*AddedToken, len(added))
	t.addedIDs = make(map[string]int32, len(added))
	t.special = make(map[string]bool)
	t.size = v.count
	next := int32(v.count)
	for _, a := range added {
		if a.Content == "" {
			continue
		}
		if a.Special {
			t.special[a.Content] = true
		}
		id, known := t.addedIDs[a.Content]
		if !known {
			if id = v.findString(a.Content); id < 0 {
				id = next
				t.size++
			}
			next = max(next, id+1)
		}
		a.ID = id
		t.addedIDs[a.Content] = id
		t.added = append(t.added, a)
	}
	for i := range t.added {
		t.addedByID[t.added[i].ID] = &t.added[i]
	}
	return t.setMatchers()
}

// setMatchers prepares the search: special tokens come first, then the others, and an id has one set of flags.
func (t *Tokenizer) setMatchers() error {
	var raw, cooked struct {
		patterns []string
		tokens   []*AddedToken
	}
	var x text
	for _, special := range []bool{true, false} {
		for i := range t.added {
			a := &t.added[i]
			if t.special[a.Content] != special {
				continue
			}
			flags := t.addedByID[a.ID]
			if !a.Normalized {
				raw.patterns = append(raw.patterns, a.Content)
				raw.tokens = append(raw.tokens, flags)
				continue
			}
			x.load(a.Content, 0)
			if t.normalizer != nil {
				t.normalizer.normalize(&x)
			}
			if len(x.buf) == 0 {
				return fmt.Errorf("token %s: %w", quote(a.Content), errors.New("nothing is left of it after normalization"))
			}
			cooked.patterns = append(cooked.patterns, string(x.buf))
			cooked.tokens = append(cooked.tokens, flags)
		}
	}
	t.raw = newMatcher(raw.patterns, raw.tokens)
	t.cooked = newMatcher(cooked.patterns, cooked.tokens)
	return nil
}
