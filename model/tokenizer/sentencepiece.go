package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// pieceModel is SentencePiece's file: a protocol buffer, ModelProto of
// https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto. The fields that encoding and
// decoding need are few, and read here: a dependency would bring more code than it saves.
type pieceModel struct {
	pieces       []piece
	unk          int // index of the unknown piece
	kind         uint64
	byteFallback bool

	// How a text is brought into the form that the pieces spell.
	charsmap     []byte // nil: characters stay what they are
	prefix       bool   // a blank goes before the text
	removeSpaces bool   // blanks at the ends go, and all but one in a row
}

// piece is a token; its type has the numbers that GGUF has taken over.
type piece struct {
	text  []byte // of the file
	score float32
	kind  int32
}

// The kinds of models.
const (
	piecesUnigram = iota + 1
	piecesBPE
	piecesWord
	piecesChar
)

// parsePieces reads the file. The model holds on to data.
func parsePieces(data []byte) (*pieceModel, error) {
	if isTiktoken(data) {
		return nil, errTiktoken
	}
	m := &pieceModel{kind: piecesUnigram, prefix: true, removeSpaces: true, unk: -1}
	err := eachField(data, func(f wireField) error {
		switch f.number {
		case 1:
			p, err := parsePiece(f)
			if err != nil {
				return fmt.Errorf("piece %d: %w", len(m.pieces), err)
			}
			m.pieces = append(m.pieces, p)
		case 2:
			return f.message("trainer_spec", m.parseTrainer)
		case 3:
			return f.message("normalizer_spec", m.parseNormalizer)
		case 5:
			return f.message("denormalizer_spec", func(f wireField) error {
				if f.number == 2 && len(f.body) > 0 {
					return unsupported("field", "precompiled_charsmap")
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, m.check()
}

func parsePiece(f wireField) (piece, error) {
	p := piece{kind: typeNormal}
	err := f.message("piece", func(f wireField) error {
		switch f.number {
		case 1:
			p.text = f.body
			return f.expect(wireBytes)
		case 2:
			p.score = math.Float32frombits(uint32(f.value))
			return f.expect(wire32)
		case 3:
			if f.value < typeNormal || f.value > typeByte {
				return fmt.Errorf("type %d is none", f.value)
			}
			p.kind = int32(f.value)
			return f.expect(wireVarint)
		}
		return nil
	})
	switch {
	case err != nil:
		return p, err
	case len(p.text) == 0:
		return p, errors.New("it is empty")
	case !utf8.Valid(p.text):
		return p, errors.New("it is not valid UTF-8")
	case p.score-p.score != 0:
		return p, fmt.Errorf("%s has score %g, which is not a finite number", quote(string(p.text)), p.score)
	}
	return p, nil
}

func (m *pieceModel) parseTrainer(f wireField) error {
	switch f.number {
	case 3:
		m.kind = f.value
		return f.expect(wireVarint)
	case 24:
		if f.value != 0 {
			return unsupported("setting", "treat_whitespace_as_suffix")
		}
		return f.expect(wireVarint)
	case 35:
		m.byteFallback = f.value != 0
		return f.expect(wireVarint)
	}
	return nil
}

func (m *pieceModel) parseNormalizer(f wireField) error {
	switch f.number {
	case 2:
		m.charsmap = f.body
		return f.expect(wireBytes)
	case 3:
		m.prefix = f.value != 0
		return f.expect(wireVarint)
	case 4:
		m.removeSpaces = f.value != 0
		return f.expect(wireVarint)
	case 5:
		if f.value == 0 {
			return unsupported("setting", "escape_whitespaces false")
		}
		return f.expect(wireVarint)
	}
	return nil
}

// check is what SentencePiece asks of its own files, but for pieces that are there twice, which newVocabulary sees.
func (m *pieceModel) check() error {
	switch m.kind {
	case piecesUnigram, piecesBPE:
	case piecesWord:
		return unsupported("model_type", "WORD")
	case piecesChar:
		return unsupported("model_type", "CHAR")
	default:
		return fmt.Errorf("model_type %d is none", m.kind)
	}
	if len(m.pieces) == 0 {
		return errWire
	}
	ofBytes := 0
	for i, p := range m.pieces {
		switch p.kind {
		case typeUnknown:
			if m.unk >= 0 {
				return fmt.Errorf("pieces %d and %d both stand for what is unknown", m.unk, i)
			}
			m.unk = i
		case typeByte:
			if _, ok := byteOf(p.text); !ok {
				return fmt.Errorf("piece %d, %s, stands for no byte", i, quote(string(p.text)))
			}
			ofBytes++
		}
	}
	if m.unk < 0 {
		return errors.New("no piece stands for what is unknown")
	}
	if m.byteFallback && ofBytes != 256 {
		return fmt.Errorf("byte_fallback with %d pieces of the 256 bytes", ofBytes)
	}
	if !m.byteFallback && ofBytes > 0 {
		return errors.New("pieces of bytes without byte_fallback")
	}
	return nil
}

// What follows a field's number, of protocol buffers' wire format, https://protobuf.dev/programming-guides/encoding/.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// wireField is a field with its value, which is a number or bytes.
type wireField struct {
	number uint64
	kind   uint64
	value  uint64
	body   []byte
}

var errTiktoken = fmt.Errorf("it is tiktoken's, which is %w", ErrUnsupported)

// isTiktoken recognizes the other kind of file that is called tokenizer.model: a token in base64 and its id on each line.
func isTiktoken(data []byte) bool {
	line, _, _ := bytes.Cut(data[:min(len(data), 1<<10)], []byte{'\n'})
	token, id, ok := bytes.Cut(line, []byte{' '})
	if !ok || len(token) == 0 || len(bytes.Trim(bytes.TrimSuffix(id, []byte{'\r'}), "0123456789")) > 0 {
		return false
	}
	_, err := base64.StdEncoding.Decode(make([]byte, len(token)), token)
	return err == nil
}

var errWire = errors.New("it is no SentencePiece model, or cut off")

// eachField gives the fields of a message to f, in their order.
func eachField(data []byte, f func(wireField) error) error {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 || tag>>3 == 0 {
			return errWire
		}
		data = data[n:]
		field := wireField{number: tag >> 3, kind: tag & 7}
		switch field.kind {
		case wireVarint:
			if field.value, n = binary.Uvarint(data); n <= 0 {
				return errWire
			}
		case wire64:
			if n = 8; len(data) < n {
				return errWire
			}
			field.value = binary.LittleEndian.Uint64(data)
		case wire32:
			if n = 4; len(data) < n {
				return errWire
			}
			field.value = uint64(binary.LittleEndian.Uint32(data))
		case wireBytes:
			size, k := binary.Uvarint(data)
			if k <= 0 || size > uint64(len(data)-k) {
				return errWire
			}
			n = k + int(size)
			field.body = data[k:n:n]
		default:
			return errWire
		}
		data = data[n:]
		if err := f(field); err != nil {
			return err
		}
	}
	return nil
}

// message gives the fields of a field that is a message to each.
func (f wireField) message(name string, each func(wireField) error) error {
	err := f.expect(wireBytes)
	if err == nil {
		err = eachField(f.body, each)
	}
	if err != nil && name != "piece" {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return err
}

func (f wireField) expect(kind uint64) error {
	if f.kind != kind {
		return fmt.Errorf("field %d has wire type %d where %d is expected", f.number, f.kind, kind)
	}
	return nil
}

// byteOf reads a piece like <0x0A>.
func byteOf(s []byte) (byte, bool) {
	var b byte
	if len(s) != 6 || string(s[:3]) != "<0x" || s[5] != '>' {
		return 0, false
	}
	for _, c := range s[3:5] {
		switch {
		case '0' <= c && c <= '9':
			b = b<<4 | c - '0'
		case 'A' <= c && c <= 'F':
			b = b<<4 | c - 'A' + 10
		default:
			return 0, false
		}
	}
	return b, true
}
