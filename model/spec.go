package model

import "github.com/ladon-ml/ladon/kernels"

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

	Hidden int // width of the residual stream
	Layers int

	Embeddings  Embeddings
	Norm        Norm // of the embeddings and of every layer
	Attention   Attention
	FeedForward FeedForward
	Heads       []Head

	// Labels are the names of a classifier's classes, and Problem is what its
	// training called the task: "single_label_classification",
	// "multi_label_classification", "regression", or "" when it did not say.
	Labels  []string
	Problem string
}

// Embeddings: x = Norm(word + type + position).
type Embeddings struct {
	Vocab     int
	Positions int // rows of the learned position table: the longest sequence
	Types     int // rows of the token type table; 0: there is none
	Norm      bool
}

// NormKind is a way to bring a row to unit scale.
type NormKind uint8

const (
	LayerNorm NormKind = iota // (x-mean)/sqrt(var+eps)·weight + bias: Ba et al. 2016
)

// NormPlace says where a layer's norms stand.
type NormPlace uint8

const (
	PostNorm NormPlace = iota // x = Norm(x + sublayer(x)): Vaswani et al. 2017
)

// Norm is how rows are normalised.
type Norm struct {
	Kind  NormKind
	Place NormPlace
	Eps   float32
}

// Attention is the attention of every layer.
type Attention struct {
	Heads   int
	HeadDim int
	Scale   float32 // scores are q·k·Scale
	Causal  bool    // a token sees itself and those before it
	Bias    bool    // the projections have biases
}

// FeedForward: down(act(up(x))).
type FeedForward struct {
	Width int
	Act   Activation
	Bias  bool
}

// Rows says which rows of the last hidden state a head reads.
type Rows uint8

const (
	EveryToken Rows = iota // one output row a token
	FirstToken             // one output row a sequence, from its first token
)

// A Head gives one output, or one for each of its last layer's columns: a chain
// of dense layers over rows of the last hidden state.
type Head struct {
	// Outputs names the results as Hugging Face does. Several names share the
	// columns of the last layer, one each.
	Outputs []string
	From    Rows
	Layers  []Dense
	// Choices: sequences are alternatives, and their scores are the columns of
	// one row (multiple choice).
	Choices bool
	// Optional: a checkpoint may lack the head's tensors, and the model then
	// lacks the output (the pooler of sentence encoders).
	Optional bool
}

// A Dense is act(x·Wᵀ + b), and a norm after it where one is named.
type Dense struct {
	Name   string // tensors are Name.weight and Name.bias
	InBase bool   // the tensors belong to the base model and take its prefix
	Width  int    // outputs
	Act    Activation
	Norm   string   // name of the LayerNorm that follows; "" for none
	Tied   bool     // the weight is the word embeddings'
	Bias   []string // names of the bias tensor, the first present counts; nil: Name.bias
}

// names says what a checkpoint calls its tensors, without ".weight" and ".bias".
type names struct {
	Prefix string // of the base model's tensors when it is saved with a head: "bert."

	Words, Positions, Types, EmbeddingNorm string

	Layer                  string // of layer %d; the names below follow it
	Query, Key, Value, Out string
	AttentionNorm          string
	Up, Down               string
	FeedForwardNorm        string
}
