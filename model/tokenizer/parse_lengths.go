package tokenizer

import (
	"errors"
	"fmt"
)

// maxLength is the longest that truncation and padding may ask for; some files say 2^63 and mean no limit.
const maxLength = 1 << 30

func (t *Tokenizer) parseTruncation(data []byte) error {
	var v *struct {
		MaxLength *uint64 `json:"max_length"`
		Stride    uint64
		Strategy  string
		Direction string
	}
	if err := unmarshal(data, &v); err != nil || v == nil {
		return err
	}
	if v.MaxLength == nil {
		return errors.New("max_length is missing")
	}
	tr := &truncation{max: int(min(*v.MaxLength, maxLength)), stride: int(min(v.Stride, maxLength))}
	switch v.Strategy {
	case "LongestFirst":
	case "OnlyFirst":
		tr.strategy = onlyFirst
	case "OnlySecond":
		tr.strategy = onlySecond
	default:
		return unsupported("strategy", v.Strategy)
	}
	var err error
	if tr.left, err = parseDirection(v.Direction); err != nil {
		return err
	}
	t.truncation = tr
	return nil
}

func parseDirection(name string) (left bool, err error) {
	switch name {
	case "", "Right":
		return false, nil
	case "Left":
		return true, nil
	}
	return false, unsupported("direction", name)
}

func (t *Tokenizer) parsePadding(data []byte) error {
	var v *struct {
		Strategy   any
		Direction  string
		MultipleOf *uint64 `json:"pad_to_multiple_of"`
		ID         int64   `json:"pad_id"`
		TypeID     int64   `json:"pad_type_id"`
		Token      string  `json:"pad_token"`
	}
	if err := unmarshal(data, &v); err != nil || v == nil {
		return err
	}
	p := &Padding{Token: v.Token}
	var err error
	if p.ID, err = checkID(v.ID); err != nil {
		return fmt.Errorf("pad_id: %w", err)
	}
	if p.TypeID, err = checkID(v.TypeID); err != nil {
		return fmt.Errorf("pad_type_id: %w", err)
	}
	if p.Left, err = parseDirection(v.Direction); err != nil {
		return err
	}
	if v.MultipleOf != nil {
		p.MultipleOf = int(min(*v.MultipleOf, maxLength))
	}
	switch s := v.Strategy.(type) {
	case string:
		if s != "BatchLongest" {
			return unsupported("strategy", s)
		}
	case map[string]any:
		n, ok := s["Fixed"].(float64)
		if !ok || n < 0 || len(s) != 1 {
			return errors.New(`strategy is not {"Fixed": length}`)
		}
		p.Fixed = int(min(n, maxLength))
	default:
		return errors.New("strategy is missing")
	}
	t.padding = p
	return nil
}
