package model

import (
	"fmt"
	"strings"
)

// names says what a checkpoint calls its tensors, without ".weight" and ".bias", or
// where a name ends in "_", without "weight" and "bias".
// What a Spec does not have needs no name.
type names struct {
	// Root begins all names, those of heads too.
	Root string

	// Prefix is that of the base model's tensors when it is saved with a head:
	// "bert.". OtherPrefix is what a class that calls its base otherwise has.
	Prefix, OtherPrefix string

	// WordsToo are names that files may have in the place of Words, of shared ones.
	WordsToo []string
	// WordsOfHead is the head's layer that shares them, under whose name alone some
	// files have them.
	WordsOfHead string

	Words, Positions, Types, EmbeddingNorm, FinalNorm string

	// In pictures' place: the matrix of a patch, the learned tokens one after the
	// other, their positions and those between layers.
	Patches                          string
	LearnedTokens                    []stored
	PatchPositions, PositionsBetween stored

	// The factors of LayerScale, whole names.
	AttentionScale, FeedForwardScale string

	EmbeddingProject string // to the width of the layers
	OutProject       string // from it, of the last hidden states
	Relative         string // the table of relative biases

	Layer string // of layer %d; the names below follow it

	Query, Key, Value string
	QKV               string // in their place: one tensor of all three, one after the other
	Out               string
	QueryNorm         string
	KeyNorm           string

	// Of attention to a source. CrossKeyValue is in the place of its keys and values.
	CrossQuery, CrossKey, CrossValue string
	CrossKeyValue                    string
	CrossQKV                         string // in the place of all three
	CrossOut                         string
	Target                           string // the state that targets begin with, a whole name

	// Of Distances: the matrix of the sinusoids, and whole names of the biases that
	// queries have for keys, distances and segments, and of the segments.
	Distance                           string
	KeyBias, DistanceBias, SegmentBias string
	Segments                           string

	Gate, Up, Down string
	GateUp         string // in place of Gate and Up: one tensor of both, one after the other

	// The norms of the two parts of a layer: the one that it has, or the one
	// before, and where it has two, the one after.
	AttentionNorm, FeedForwardNorm         string
	CrossNorm                              string
	AttentionPostNorm, FeedForwardPostNorm string

	// Transposed: the layers' matrices are stored [inputs, outputs].
	Transposed bool
	// HeadShaped: the matrices of attention are stored under their names alone, with
	// heads and headDim as dimensions of their own and inputs before outputs.
	HeadShaped bool
	// NormLessOne: the norms' weights are stored less 1.
	NormLessOne bool

	// QKVByHead: QKV is each head's queries, keys and values, head after head.
	QKVByHead bool

	// PairedQK: of each head's queries and keys, elements i and i+headDim/2 are
	// stored next to each other.
	PairedQK bool

	// Heads renames the layers of heads, whose Dense.Name is Hugging Face's.
	Heads map[string]string

	Other      *names // of a second model
	Bridge     string // the projection of what it gives, a whole name
	MatchScale string // the logarithm of the factor of Spec.Matches, a whole name
}

// anchors are tensors of which every checkpoint of the architecture has one.
func (n *names) anchors(prefix string) []string {
	if n.Patches != "" {
		return []string{prefix + n.Patches + ".weight"}
	}
	if n.AttentionNorm == "" {
		return n.words(prefix)
	}
	return append(n.words(prefix), prefix+n.layer(0)+n.AttentionNorm+".weight")
}

// words are what the word embeddings may be called.
func (n *names) words(prefix string) []string {
	list := []string{prefix + n.Words + ".weight"}
	for _, name := range n.WordsToo {
		list = append(list, prefix+name+".weight")
	}
	return list
}

// biases are the names that the bias of a layer of a head may have.
func (n *names) biases(d *Dense, prefix string) []string {
	if d.Bias == nil {
		return []string{n.dense(d, prefix) + ".bias"}
	}
	list := make([]string, len(d.Bias))
	for i, name := range d.Bias {
		list[i] = n.Root + name
	}
	return list
}

// weightOf and biasOf are the tensors of that name.
func weightOf(name string) string { return dotted(name) + "weight" }
func biasOf(name string) string   { return dotted(name) + "bias" }

func dotted(name string) string {
	if strings.HasSuffix(name, "_") {
		return name
	}
	return name + "."
}

// layer is what the names of the i-th layer with parameters of its own begin with.
func (n *names) layer(i int) string { return fmt.Sprintf(n.Layer, i) }

// other are the names of a second model.
func (n *names) other() *names {
	if n.Other == nil {
		return new(names)
	}
	return n.Other
}

// dense is what the checkpoint calls a layer of a head, where the tensors of the
// base model begin with prefix.
func (n *names) dense(d *Dense, prefix string) string {
	name := d.Name
	if renamed, ok := n.Heads[name]; ok {
		name = renamed
	}
	if d.InBase {
		return prefix + name
	}
	return n.Root + name
}
