package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

func (t *Tokenizer) parseDecoder(data []byte) error {
	d, err := newDecoder(data)
	if err == nil && d == nil {
		d = plainDecoder{}
	}
	t.decoder = d
	return err
}

// newDecoder returns nil for null.
func newDecoder(data []byte) (decoder, error) {
	kind, err := typed(data)
	if err != nil || kind == "" {
		return nil, err
	}
	var d decoder
	switch kind {
	case "WordPiece":
		v := struct {
			Prefix  string
			Cleanup bool
		}{defaultPrefix, true}
		err = unmarshal(data, &v)
		d = wordPieceDecoder{v.Prefix, v.Cleanup}
	case "ByteLevel":
		d = byteLevelDecoder{}
	case "ByteFallback":
		d = byteFallbackDecoder{}
	case "Fuse":
		d = fuseDecoder{}
	case "Strip":
		d, err = parseStripDecoder(data)
	case "Replace":
		var v struct {
			Pattern pattern
			Content string
		}
		if err = unmarshal(data, &v); err == nil {
			var match searcher
			match, err = v.Pattern.compile()
			d = replaceDecoder{match, v.Content}
		}
	case "Metaspace":
		var p metaspacePre
		p, err = parseMetaspace(data)
		d = metaspaceDecoder{p.mark, p.scheme != prependNever}
	case "BPEDecoder":
		v := struct{ Suffix string }{"</w>"}
		if err = unmarshal(data, &v); err == nil && v.Suffix == "" {
			err = errors.New("an empty suffix")
		}
		d = bpeDecoder{v.Suffix}
	case "Sequence":
		d, err = parseDecoderSequence(data)
	default:
		return nil, unsupported("type", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return d, nil
}

func parseDecoderSequence(data []byte) (decoder, error) {
	var v struct{ Decoders []rawMessage }
	if err := unmarshal(data, &v); err != nil {
		return nil, err
	}
	var all decoders
	for i, data := range v.Decoders {
		d, err := newDecoder(data)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		if d != nil {
			all = append(all, d)
		}
	}
	return all, nil
}

// maxStrip is far more than any decoder strips.
const maxStrip = 1 << 10

func parseStripDecoder(data []byte) (decoder, error) {
	var v struct {
		Content     string
		Start, Stop int64
	}
	if err := unmarshal(data, &v); err != nil {
		return nil, err
	}
	r, n := utf8.DecodeRuneInString(v.Content)
	if n == 0 || n != len(v.Content) {
		return nil, fmt.Errorf("content %s is not one character", quote(v.Content))
	}
	if v.Start < 0 || v.Stop < 0 || v.Start > maxStrip || v.Stop > maxStrip {
		return nil, fmt.Errorf("start %d or stop %d is out of range", v.Start, v.Stop)
	}
	return stripDecoder{r, int(v.Start), int(v.Stop)}, nil
}
