package tokenizer

import (
	"slices"
	"strings"
)

// Tokenizer is a loaded tokenizer. It is immutable and safe for concurrent use.
type Tokenizer struct {
	name       string // of the file, for messages
	classes    classes
	normalizer normalizer   // may be nil
	pre        preTokenizer // may be nil
	model      model
	added      []AddedToken
	addedByID  map[int32]*AddedToken
	addedIDs   map[string]int32
	special    map[string]bool // content of the special ones
	raw        *matcher        // added tokens sought in the text as given
	cooked     *matcher        // those sought in the normalized text
	template   template
	truncation *truncation // nil for none
	padding    *Padding
	decoder    decoder // nil: tokens with blanks between
	target     *vocab  // what ids that a model writes stand for, if not the same as in what it reads; may be nil
	ascii      asciiTable
	bytes      byteTable
	spelled    int32             // an id whose tokens are given as they are spelled in the text, or -1
	marked     bool              // a word begins at each U+2581 of a part, whether it is cut there or not
	roles      map[string]string // "cls_token" → "[CLS]"
	side       string            // "left" or "right": padding_side of tokenizer_config.json; "" if it does not say
	class      string            // tokenizer_class of tokenizer_config.json
	inputs     []string          // model_input_names of tokenizer_config.json; nil if it does not say
	modelMax   int
	size       int
}

// finish prepares what follows from all the parts.
func (t *Tokenizer) finish() {
	t.ascii = newASCIITable(t)
	t.bytes = newByteTable(t)
}

// VocabSize is the number of different ids, those of added tokens included.
func (t *Tokenizer) VocabSize() int { return t.size }

// TokenToID returns the id of a token.
func (t *Tokenizer) TokenToID(token string) (int32, bool) {
	if id, ok := t.addedIDs[token]; ok {
		return id, true
	}
	id := t.model.vocabulary().findString(token)
	return id, id >= 0
}

// IDToToken returns the token of an id.
func (t *Tokenizer) IDToToken(id int32) (string, bool) {
	if a, ok := t.addedByID[id]; ok {
		return a.Content, true
	}
	return t.model.vocabulary().token(id)
}

// AddedTokens returns the added tokens in the order of the file.
func (t *Tokenizer) AddedTokens() []AddedToken { return slices.Clone(t.added) }

// SpecialTokens returns the added tokens that are special, in the order of the file.
func (t *Tokenizer) SpecialTokens() []AddedToken {
	return slices.DeleteFunc(slices.Clone(t.added), func(a AddedToken) bool { return !a.Special })
}

// RoleID returns the id of the token that has a role by tokenizer_config.json or special_tokens_map.json: "cls_token",
// "sep_token", "pad_token", "mask_token", "unk_token", "bos_token", "eos_token". Old checkpoints do not say: then the first
// three and the mask are what BERT, XLNet or RoBERTa call them, if the file has such tokens.
func (t *Tokenizer) RoleID(role string) (int32, bool) {
	token, ok := t.roles[role]
	if !ok {
		return 0, false
	}
	return t.TokenToID(token)
}

// UnknownID is the token of what the vocabulary cannot spell: the one with the role "unk_token", else the model's own.
func (t *Tokenizer) UnknownID() (int32, bool) {
	if id, ok := t.RoleID("unk_token"); ok {
		return id, true
	}
	id := int32(-1)
	switch m := t.model.(type) {
	case *wordPiece:
		id = m.unk
	case *wordLevel:
		id = m.unk
	case *bpe:
		id = m.unk
	case *unigram:
		id = m.unk
	case *renumbered:
		id = m.unk
	case *commas:
		id = m.unk
	}
	return id, id >= 0
}

// MarksPieces says whether tokens that go on with a word are marked as such, as WordPiece does with "##".
func (t *Tokenizer) MarksPieces() bool {
	switch m := t.model.(type) {
	case *wordPiece:
		return m.prefix > 0
	case *bpe:
		return m.prefix != ""
	}
	return false
}

// MaxLen is the length that the tokenizer's file cuts texts to, special tokens included; 0 if it does not.
func (t *Tokenizer) MaxLen() int {
	if t.truncation == nil {
		return 0
	}
	return t.truncation.max
}

// ModelMaxLen is model_max_length of tokenizer_config.json, 0 if unknown or unlimited. Nothing is cut to it unless
// Options.MaxLen asks.
func (t *Tokenizer) ModelMaxLen() int { return t.modelMax }

// Padding is how a tokenizer's file would pad batches. Encodings here are ragged and never padded.
type Padding struct {
	ID         int32
	TypeID     int32
	Token      string
	Left       bool // before the text, not after it
	Fixed      int  // pad to this length; 0: to the longest of the batch
	MultipleOf int  // and on to a multiple of this, if positive
}

// Padding returns the padding section of the file, false if there is none.
func (t *Tokenizer) Padding() (Padding, bool) {
	if t.padding == nil {
		return Padding{}, false
	}
	return *t.padding, true
}

// PadsLeft says whether batches are padded before their texts, which also tells how pairs are put together for some
// tasks: by tokenizer_config.json, else by tokenizer.json, else by what transformers does for the class of the tokenizer
// or, where that is not known either, for a model_type.
func (t *Tokenizer) PadsLeft(modelType string) bool {
	switch {
	case t.side != "":
		return t.side == "left"
	case t.padding != nil:
		return t.padding.Left
	}
	class := strings.TrimSuffix(t.class, "Fast")
	if class == "" {
		return slices.Contains([]string{"xlnet", "llama", "code_llama", "mistral", "gemma", "gemma2", "gemma3", "gemma3_text", "cohere"}, modelType)
	}
	return slices.Contains([]string{"XLNetTokenizer", "LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "CohereTokenizer"}, class)
}

// GivesTypes says whether a model is told which text a token belongs to: by model_input_names of tokenizer_config.json,
// else as is usual.
func (t *Tokenizer) GivesTypes(usual bool) bool {
	if t.inputs == nil {
		return usual
	}
	return slices.Contains(t.inputs, "token_type_ids")
}

// SpecialCount is the number of tokens that the template adds to a text, or to a pair.
func (t *Tokenizer) SpecialCount(pair bool) int { return t.template.count(pair) }

// AppendTokens appends the tokens of an encoding as text: the vocabulary's, but for added tokens what they matched.
func (t *Tokenizer) AppendTokens(dst []string, e *Encoding) []string {
	base := len(dst)
	for _, id := range e.IDs {
		token, _ := t.IDToToken(id)
		dst = append(dst, token)
	}
	for _, s := range e.surfaces {
		dst[base+s.index] = string(e.letters[s.start:s.end])
	}
	return dst
}
