package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

func (t *Tokenizer) parseNormalizer(data []byte) error {
	n, err := newNormalizer(data, t.classes)
	t.normalizer = n
	return err
}

// newNormalizer returns nil for null.
func newNormalizer(data []byte, classes classes) (normalizer, error) {
	kind, err := typed(data)
	if err != nil || kind == "" {
		return nil, err
	}
	switch kind {
	case "BertNormalizer":
		return newBertNormalizer(data, classes)
	case "Lowercase":
		return lowercase{}, nil
	case "NFC":
		return formNFC, nil
	case "NFD":
		return formNFD, nil
	case "NFKC":
		return formNFKC, nil
	case "NFKD":
		return formNFKD, nil
	case "Nmt":
		return nmt{}, nil
	case "StripAccents":
		return stripAccents{classes}, nil
	case "Precompiled":
		var v struct {
			Map string `json:"precompiled_charsmap"`
		}
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("Precompiled: %w", err)
		}
		n, err := decodeCharsmap(v.Map)
		if err != nil {
			return nil, fmt.Errorf("Precompiled: %w", err)
		}
		return n, nil
	case "Strip":
		var v struct {
			Left  *bool `json:"strip_left"`
			Right *bool `json:"strip_right"`
		}
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("Strip: %w", err)
		}
		if v.Left == nil || v.Right == nil {
			return nil, errors.New("Strip: strip_left or strip_right is missing")
		}
		return strip{classes, *v.Left, *v.Right}, nil
	case "Prepend":
		var v struct{ Prepend string }
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("Prepend: %w", err)
		}
		return prepend{v.Prepend}, nil
	case "Replace":
		var v struct {
			Pattern pattern
			Content string
		}
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("Replace: %w", err)
		}
		n := replace{content: v.Content}
		if n.match, err = v.Pattern.compile(); err != nil {
			return nil, fmt.Errorf("Replace: %w", err)
		}
		return n, nil
	case "Sequence":
		var v struct{ Normalizers []rawMessage }
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("Sequence: %w", err)
		}
		var ns normalizers
		for i, data := range v.Normalizers {
			n, err := newNormalizer(data, classes)
			if err != nil {
				return nil, fmt.Errorf("Sequence[%d]: %w", i, err)
			}
			if n != nil {
				ns = append(ns, n)
			}
		}
		return ns, nil
	}
	return nil, unsupported("type", kind)
}

func newBertNormalizer(data []byte, classes classes) (normalizer, error) {
	var v struct {
		CleanText    bool  `json:"clean_text"`
		CJK          bool  `json:"handle_chinese_chars"`
		StripAccents *bool `json:"strip_accents"` // null: as lowercase
		Lowercase    bool
	}
	v.CleanText, v.CJK, v.Lowercase = true, true, true
	if err := unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("BertNormalizer: %w", err)
	}
	n := &bertNormalizer{classes, v.CleanText, v.CJK, v.Lowercase, v.Lowercase}
	if v.StripAccents != nil {
		n.stripAccents = *v.StripAccents
	}
	return n, nil
}

func (t *Tokenizer) parsePreTokenizer(data []byte) error {
	p, err := newPreTokenizer(data, t.classes)
	t.pre = p
	return err
}

// newPreTokenizer returns nil for null.
func newPreTokenizer(data []byte, classes classes) (preTokenizer, error) {
	kind, err := typed(data)
	if err != nil || kind == "" {
		return nil, err
	}
	switch kind {
	case "BertPreTokenizer":
		return bertPreTokenizer{classes}, nil
	case "Whitespace":
		return whitespace{classes}, nil
	case "WhitespaceSplit":
		return whitespaceSplit{classes}, nil
	case "Punctuation":
		v := struct{ Behavior string }{"Isolated"}
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("Punctuation: %w", err)
		}
		how, err := parseBehavior(v.Behavior)
		if err != nil {
			return nil, fmt.Errorf("Punctuation: %w", err)
		}
		return punctuation{classes, how}, nil
	case "Digits":
		var v struct {
			Individual bool `json:"individual_digits"`
		}
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("Digits: %w", err)
		}
		if v.Individual {
			return digits{classes, isolated}, nil
		}
		return digits{classes, contiguous}, nil
	case "CharDelimiterSplit":
		var v struct{ Delimiter string }
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("CharDelimiterSplit: %w", err)
		}
		if len([]rune(v.Delimiter)) != 1 {
			return nil, fmt.Errorf("CharDelimiterSplit: %s is not one character", quote(v.Delimiter))
		}
		return delimiterSplit{[]byte(v.Delimiter)}, nil
	case "Split":
		return newSplit(data)
	case "ByteLevel":
		v := struct {
			AddPrefix bool `json:"add_prefix_space"`
			UseRegex  bool `json:"use_regex"`
		}{true, true}
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("ByteLevel: %w", err)
		}
		p := byteLevel{addPrefix: v.AddPrefix}
		if v.UseRegex {
			p.match = scannerOf(patternGPT2)
		}
		return p, nil
	case "Metaspace":
		p, err := parseMetaspace(data)
		if err != nil {
			return nil, fmt.Errorf("Metaspace: %w", err)
		}
		return p, nil
	case "Sequence":
		var v struct {
			PreTokenizers []rawMessage `json:"pretokenizers"`
		}
		if err := unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("Sequence: %w", err)
		}
		var ps preTokenizers
		for i, data := range v.PreTokenizers {
			p, err := newPreTokenizer(data, classes)
			if err != nil {
				return nil, fmt.Errorf("Sequence[%d]: %w", i, err)
			}
			if p != nil {
				ps = append(ps, p)
			}
		}
		return ps, nil
	}
	return nil, unsupported("type", kind)
}

// parseMetaspace reads what the pre-tokenizer and the decoder have in common.
func parseMetaspace(data []byte) (metaspacePre, error) {
	v := struct {
		Mark      string  `json:"replacement"`
		Scheme    *string `json:"prepend_scheme"`
		Split     *bool
		AddPrefix *bool `json:"add_prefix_space"` // of older files, for the scheme
	}{Mark: metaspace}
	var p metaspacePre
	if err := unmarshal(data, &v); err != nil {
		return p, err
	}
	if r, n := utf8.DecodeRuneInString(v.Mark); n == 0 || n != len(v.Mark) || r == ' ' {
		return p, fmt.Errorf("replacement %s is not one character other than the blank", quote(v.Mark))
	}
	p.mark = v.Mark
	if v.Split == nil || *v.Split {
		p.cut = cutBefore(p.mark)
	}
	if v.AddPrefix != nil && !*v.AddPrefix {
		p.scheme = prependNever
	}
	if v.Scheme != nil {
		scheme, ok := prependSchemes[*v.Scheme]
		if !ok {
			return p, unsupported("prepend_scheme", *v.Scheme)
		}
		if v.AddPrefix != nil && !*v.AddPrefix && scheme != prependNever {
			return p, errors.New("add_prefix_space and prepend_scheme contradict each other")
		}
		p.scheme = scheme
	}
	return p, nil
}

func newSplit(data []byte) (preTokenizer, error) {
	var v struct {
		Pattern  pattern
		Behavior string
		Invert   bool
	}
	err := unmarshal(data, &v)
	p := split{invert: v.Invert}
	if err == nil {
		p.behavior, err = parseBehavior(v.Behavior)
	}
	if err == nil {
		p.match, err = v.Pattern.compile()
	}
	if err != nil {
		return nil, fmt.Errorf("Split: %w", err)
	}
	return p, nil
}

func parseBehavior(name string) (behavior, error) {
	how, ok := behaviors[name]
	if !ok {
		return 0, unsupported("behavior", name)
	}
	return how, nil
}

// pattern is {"String": …} or {"Regex": …}.
type pattern struct{ String, Regex *string }

func (p pattern) compile() (searcher, error) {
	switch {
	case p.String != nil && p.Regex == nil:
		if *p.String == "" {
			return nil, errors.New("an empty pattern")
		}
		return literal(*p.String), nil
	case p.Regex != nil && p.String == nil:
		if s := scannerOf(*p.Regex); s != nil {
			return s, nil
		}
		re, err := compileRegex(*p.Regex)
		if err != nil {
			return nil, err
		}
		return expression{re}, nil
	}
	return nil, errors.New("a pattern is either a String or a Regex")
}
