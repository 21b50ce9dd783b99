package tokenizer

import "strings"

// decoder joins tokens to text.
type decoder interface {
	decode(dst []byte, tokens []string) []byte
}

// Decode turns ids back into text, as the decoder section says; without one, tokens are joined by blanks. Ids that no
// token has are left out, with skipSpecial special tokens too.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	return string(t.AppendDecode(nil, ids, skipSpecial))
}

// AppendDecode appends to dst what Decode returns.
func (t *Tokenizer) AppendDecode(dst []byte, ids []int32, skipSpecial bool) []byte {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		token, ok := t.IDToToken(id)
		if ok && !(skipSpecial && t.special[token]) {
			tokens = append(tokens, token)
		}
	}
	if t.decoder != nil {
		return t.decoder.decode(dst, tokens)
	}
	for i, token := range tokens {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, token...)
	}
	return dst
}

// wordPieceDecoder joins continuing tokens to the word before them and puts blanks between words; with cleanup it takes
// some blanks before English punctuation and clitics away again.
type wordPieceDecoder struct {
	prefix  string
	cleanup bool
}

func (d wordPieceDecoder) decode(dst []byte, tokens []string) []byte {
	for i, token := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(token, d.prefix); ok {
				token = rest
			} else {
				token = " " + token
			}
		}
		if d.cleanup && strings.IndexByte(token, ' ') >= 0 {
			for _, r := range cleanups {
				token = strings.ReplaceAll(token, r[0], r[1])
			}
		}
		dst = append(dst, token...)
	}
	return dst
}

// cleanups are applied to each token by itself, in this order.
var cleanups = [...][2]string{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}
