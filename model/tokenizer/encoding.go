package tokenizer

import "errors"

// Encoding is what texts become, token by token; AppendEncode appends to it. Its zero value is ready for use. It also
// holds the workspace of the calls, so using it again saves allocations; one goroutine at a time.
type Encoding struct {
	IDs     []int32
	TypeIDs []int32 // token_type_ids, also called segment ids

	// Empty with Options.IDsOnly.
	Offsets   []Span  // bytes of the text, or of the pair, that a token stands for; empty for those of the template
	Words     []int32 // the word within its text that a token belongs to, -1 for those of the template
	Sequences []int8  // 0 for the text, 1 for the pair, -1 for the template's, which are the special tokens mask

	surfaces []surface // tokens whose text is not that of their id, by index
	letters  []byte    // that text

	seqs [2]sequence
	text text
	cuts [][2]Span
	word []byte
	work workspace
}

// workspace is what models need for a word.
type workspace struct {
	key, char []byte
	symbols   []symbol
	spelled   []symbol
	links     []link
	heap      []uint64
	path      []pathNode
	uncut     []token
	err       error // the first that tokenize met
}

// surface is the text of a token where it is not the vocabulary's, such as white space that an added token took along.
type surface struct {
	index      int
	start, end int // of letters
}

// sequence is one of the two texts of a call, before truncation and template.
type sequence struct {
	in       string
	tokens   []token
	surfaces []surface
	letters  []byte
}

func (s *sequence) reset() {
	s.in, s.tokens, s.surfaces, s.letters = "", s.tokens[:0], s.surfaces[:0], s.letters[:0]
}

// Reset empties the encoding and keeps its memory.
func (e *Encoding) Reset() {
	e.IDs, e.TypeIDs = e.IDs[:0], e.TypeIDs[:0]
	e.Offsets, e.Words, e.Sequences = e.Offsets[:0], e.Words[:0], e.Sequences[:0]
	e.surfaces, e.letters = e.surfaces[:0], e.letters[:0]
}

// Len is the number of tokens.
func (e *Encoding) Len() int { return len(e.IDs) }

// A Cut says which of two texts becomes shorter where both together are too long.
type Cut uint8

const (
	CutAsFile  Cut = iota // what the tokenizer's file says, and else CutLongest
	CutLongest            // the longer one, as long as it is
	CutFirst              // the text
	CutSecond             // the pair
)

// Options of a call. The zero value encodes as the tokenizer's file says.
type Options struct {
	Pair    string // a second text
	HasPair bool   // there is one, be it empty

	NoSpecial bool // leave the template's special tokens out
	Literal   bool // special tokens that the text spells are text like any other

	// MaxLen is the most tokens to give, special ones included; more are cut off. 0 stands for what the file says,
	// which may be no limit; negative for no limit.
	MaxLen int

	// Cut says which of the two texts gives way to MaxLen.
	Cut Cut

	IDsOnly bool // fill in IDs and TypeIDs alone
	Strict  bool // refuse text that is not valid UTF-8, with an InvalidUTF8Error
}

var (
	// ErrUnsupported is wrapped by errors about sections and settings that this package does not implement.
	ErrUnsupported = errors.New("not supported")
	// ErrTooShort is wrapped by errors about a limit of length that cannot be kept.
	ErrTooShort = errors.New("too short")
)
