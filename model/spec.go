package model

import (
	"math"
	"slices"

	"github.com/ladon-ml/ladon/kernels"
)

// Activation is an element-wise function between two matrix products.
type Activation = kernels.Activation

// activations are the names that transformers gives them (ACT2FN).
var activations = map[string]Activation{
	"gelu":              kernels.GELU,
	"gelu_python":       kernels.GELU,
	"gelu_new":          kernels.GELUTanh,
	"gelu_fast":         kernels.GELUTanh,
	"gelu_accurate":     kernels.GELUTanh,
	"gelu_pytorch_tanh": kernels.GELUTanh,
	"gelu_python_tanh":  kernels.GELUTanh,
	"quick_gelu":        kernels.QuickGELU,
	"relu":              kernels.ReLU,
	"silu":              kernels.SiLU,
	"swish":             kernels.SiLU,
	"tanh":              kernels.Tanh,
	"linear":            kernels.None,
}

// A Spec describes a transformer, and all that the forward pass knows of it.
type Spec struct {
	Architecture string // model_type: "bert"
	Class        string // the class in architectures whose heads these are: "BertForMaskedLM"; "" without heads

	Stack
	Heads []Head

	// Other is a second model of the same checkpoint; nil: there is none. Where
	// layers have cross-attention it is the encoder, whose last hidden states they
	// attend to. Otherwise the two stand beside each other.
	Other *Spec

	// Matches: the one output of this model's heads and that of Other's are vectors
	// of one space, whose cosines, times a learned factor, say how well a text and
	// a picture match.
	Matches bool

	// Bridged: what Other gives is first projected to the width of this model.
	Bridged bool
	// Writer is the model_type of this model without Other, where the two have
	// architectures of their own.
	Writer string

	// Target says how what a decoder reads begins, where an encoder has read
	// something before.
	Target Target

	// Labels are the names of a classifier's classes, and Problem is what its
	// training called the task: "single_label_classification",
	// "multi_label_classification", "regression", or "" when it did not say.
	Labels  []string
	Problem string
}

// Target is how the text begins that a decoder of an encoder-decoder reads.
type Target struct {
	Start int32 // the token that it begins with; -1: nobody says
	Shift Shift
}

// Shift is what a decoder reads where nobody says it.
type Shift uint8

const (
	NoShift    Shift = iota // somebody has to say it
	ShiftStart              // Start, then the source less its last position
	ShiftLast               // the last token of the source before its padding, then likewise
)

// A Stack is layers one above the other, over embeddings.
type Stack struct {
	Hidden     int // width of the residual stream
	OutWidth   int // that of the last hidden states, which are projected to it; 0: Hidden
	Embeddings Embeddings
	Norm       Norm
	FinalNorm  bool // after the last layer, where the layers' own norms stand before their work
	LayerScale bool // what a layer adds is multiplied by learned factors, one a channel: Touvron et al. 2021
	// LastUnnormed: the last of hidden_states is what the final norm takes, not
	// what it gives.
	LastUnnormed bool
	Layers       []Layer

	// SharedWith[i] is the layer whose parameters layer i uses: itself or one
	// before it. nil: every layer has its own.
	SharedWith []int

	Relative  Relative
	Distances *Distances // nil: queries meet keys alone
	Permuted  *Permuted  // nil: what Batch has for it does not fit the model
}

// Relative is a bias of scores by head and distance, the same in every layer:
// Raffel et al. 2019. No Buckets: there is none.
type Relative struct {
	Heads       int // that there were before any was taken out
	Buckets     int // that distances share
	MaxDistance int // from which on all share one
}

// Distances is attention to how far a key is and to whose segment it is of: every
// layer makes keys of sinusoids of the distances and keys of "the same segment" and
// "another", which queries meet with biases of their own (Dai et al. 2019, Yang et
// al. 2019). Token types are the segments, any numbers.
type Distances struct {
	Clamp    int  // farther keys count as so far away; 0: no limit
	Backward bool // the second half of a batch counts distances the other way round
}

// Permuted is what a model has that learned to guess the words of a text in any
// order (Yang et al. 2019): masks of who sees whom, a second stream of targets, which
// know where they are and not what, and as a memory the states of earlier texts. A
// layer's Window, if any, begins with the memory.
type Permuted struct {
	Remembered int  // so many of the last states are remembered; 0: all
	Reused     int  // and of each pass so many of the first; 0: all
	Forgets    bool // memory is read, and not made
}

// A Layer is attention and a feed-forward network, and where there is a source,
// attention to it between them. It is whole in itself: layers of a stack may differ
// in everything but the norms.
type Layer struct {
	Attention   Attention
	Cross       *Attention // of tokens to the last hidden states of Spec.Other; nil: none
	FeedForward FeedForward
}

func (l *Layer) heads() int { return l.Attention.Heads }

// crossLike adds attention to a source, like that to the text but for the order.
func (l *Layer) crossLike() {
	cross := l.Attention
	cross.Causal = false
	l.Cross = &cross
}

// crossHeads is how many heads attend to a source.
func (l *Layer) crossHeads() int {
	if l.Cross == nil {
		return 0
	}
	return l.Cross.Heads
}

// types is how many token types there are.
func (s *Stack) types() int {
	if s.Distances != nil {
		return math.MaxInt32
	}
	if s.Embeddings.WordTypes {
		return s.Embeddings.Vocab
	}
	return max(s.Embeddings.Types, 1)
}

// repeat makes n layers that are all the same.
func repeat(n int, l Layer) []Layer {
	layers := make([]Layer, n)
	for i := range layers {
		layers[i] = l
	}
	return layers
}

// Crosses says whether layers attend to a source, all of them or none: then this is
// the decoder of an encoder-decoder.
func (s *Stack) Crosses() bool { return len(s.Layers) > 0 && s.Layers[0].Cross != nil }

// far says whether scores depend on how many tokens are between two.
func (s *Spec) far() bool {
	return s.Relative.Buckets > 0 || slices.ContainsFunc(s.Layers, func(l Layer) bool { return l.Attention.Window > 0 })
}

// sourceWidth is the width of what layers attend to that attend to a source.
func (s *Spec) sourceWidth() int {
	if s.Bridged {
		return s.Hidden
	}
	return s.Other.Hidden
}

// params is the layer whose parameters layer i uses.
func (s *Stack) params(i int) int {
	if s.SharedWith == nil {
		return i
	}
	return s.SharedWith[i]
}

// Embeddings: x = Norm(word·Scale + type + position), projected where Width is
// not the stack's; or those of a picture.
type Embeddings struct {
	Patches *Patches // of a picture, in place of all but the norm; nil: of text

	Vocab     int
	Shared    bool    // the words are the model's that has this one as its Other
	Width     int     // 0: the stack's
	WordsOnly bool    // words alone have that width; projected, without a bias, before the rest is added
	Projected bool    // to the stack's width, also where Width is just that
	Scale     float32 // 0: 1
	Types     int     // rows of the token type table; 0: there is none
	WordTypes bool    // token types are words, whose embeddings are added where there are any
	Norm      bool
	Positions int   // the longest sequence
	Pad       int32 // the id that fills rows up; -1: none. Heads that read a last token pass over it
	End       int32 // the id that ends a text, for heads that read that token; -1: the highest of the text

	// Waves are added for positions. A file that has a table of them, of so many
	// rows, counts.
	Waves Waves

	// A table of positions is added, of so many rows, of which that of position p
	// is p+Offset. 0: there is none.
	Rows, Offset int

	// Where nobody gives positions, a sequence begins with First. With CountVisible
	// positions pass over what an attention mask hides; with SkipPad over Pad, each
	// of which has the position before First.
	First        int
	CountVisible bool
	SkipPad      bool
}

// positions is how many positions there are.
func (e *Embeddings) positions() int {
	if e.Rows > 0 {
		return e.Rows - e.Offset
	}
	return e.Positions
}

// embedWidth is the width of the embedding tables.
func (s *Stack) embedWidth() int {
	if s.Embeddings.Width > 0 {
		return s.Embeddings.Width
	}
	return s.Hidden
}

// outWidth is the width of the last hidden states.
func (s *Stack) outWidth() int {
	if s.OutWidth > 0 {
		return s.OutWidth
	}
	return s.Hidden
}

// projected says whether embeddings go through a matrix to get the stack's width.
func (e *Embeddings) projected(hidden int) bool {
	return e.Projected || e.Width > 0 && e.Width != hidden
}

// NormKind is a way to bring a row to unit scale.
type NormKind uint8

const (
	LayerNorm NormKind = iota // (x-mean)/sqrt(var+eps)·weight + bias: Ba et al. 2016
	RMSNorm                   // x/sqrt(mean(x²)+eps)·weight: Zhang and Sennrich 2019
)

// NormPlace says where a layer's norms stand.
type NormPlace uint8

const (
	PostNorm     NormPlace = iota // x = Norm(x + sublayer(x)): Vaswani et al. 2017
	PreNorm                       // x = x + sublayer(Norm(x)): Radford et al. 2019
	SandwichNorm                  // x = x + Norm(sublayer(Norm(x))): Ding et al. 2021, Gemma 2
	ParallelNorm                  // x = x + attention(Norm(x)) + feedForward(Norm'(x)): Black et al. 2022
)

// Norm is how rows are normalised: those of the embeddings and of every layer,
// and where a layer normalises queries and keys, those.
type Norm struct {
	Kind   NormKind
	Place  NormPlace
	Eps    float32
	NoBias bool // LayerNorm without a shift; RMSNorm never has one
}

// Attention is the attention of a layer.
type Attention struct {
	Heads   int
	KVHeads int // of keys and values, each for Heads/KVHeads query heads: Ainslie et al. 2023
	HeadDim int
	Scale   float32 // scores are q·k·Scale
	Cap     float32 // scores are bounded by Cap·tanh(score/Cap): Gemma 2; 0: they are not
	Causal  bool    // a token sees itself and those before it
	Window  int     // a token sees so many up to itself and, unless Causal, from itself on; 0: all
	QKVBias bool    // queries, keys and values have biases
	OutBias bool    // the projection after attention has one
	QKNorm  bool    // each head's queries and keys are normalised: Henry et al. 2020
	ALiBi   bool    // scores fall with the distance: Press et al. 2021
	Kept    *Kept   // of heads whose scores have biases by head, those that are left; nil: all
	Rotary  *Rotary // nil: positions do not turn queries and keys
}

// Kept are what is left of heads after some were taken out.
type Kept struct {
	Of    int   // heads that there were
	Heads []int // their numbers then, rising
}

// qkv is how many heads queries, keys and values have together.
func (a *Attention) qkv() int { return a.Heads + 2*a.KVHeads }

// FeedForward: down(act(up(x))), or where it is gated, down(act(gate(x))·up(x)):
// Shazeer 2020.
type FeedForward struct {
	Width int
	Act   Activation
	Gated bool
	Bias  bool
}
