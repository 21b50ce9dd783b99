package model

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrClosed is what a Model answers after Close.
var ErrClosed = errors.New("model: closed")

// ErrBusy is what a Session answers while another goroutine uses it.
var ErrBusy = errors.New("model: the session is in use by another goroutine")

// ErrNoTokenizer is what [Tokenizer] answers for a GGUF file without a vocabulary.
var ErrNoTokenizer = errors.New("the file has no tokenizer")

// A ContextError says that a session has no room for more tokens.
type ContextError struct {
	Len, Add int // tokens that it has, and that were to come
	Max      int // and that it may have
}

func (e *ContextError) Error() string {
	return fmt.Sprintf("model: %d tokens after %d do not fit into a context of %d", e.Add, e.Len, e.Max)
}

// A ConfigError lists everything that is wrong with a configuration file.
type ConfigError struct {
	File     string
	Problems []string // "key: what is wrong with it"
}

func (e *ConfigError) Error() string {
	return "model: " + e.File + ": " + strings.Join(e.Problems, "; ")
}

// An UnsupportedError says that a checkpoint is of a kind that this package
// cannot run, and what it can run instead.
type UnsupportedError struct {
	File      string
	What      string   // "model_type", "architectures"
	Got       string   // what the file says
	Supported []string // what would do
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("model: %s: %s %q is not supported; supported: %s", e.File, e.What, e.Got, strings.Join(e.Supported, ", "))
}

// A WeightsError lists every tensor that a model needs and a checkpoint does
// not have in the right form.
type WeightsError struct {
	File     string
	Problems []string // `tensor "x" is missing`, `tensor "x" has shape [2 3], want [4 3]`

	// Headless is the class of config.json if tensors of its head are missing and
	// all others are there: without a head ([WithoutHeads]) the weights load.
	Headless string
	// Others are tensors of the checkpoint that the model does not take.
	Others []string
}

// maxProblems bounds the length of a message about a checkpoint that has
// nothing in common with its config.json.
const maxProblems = 40

// maxOthers bounds how many of a checkpoint's other tensors are named.
const maxOthers = 3

func (e *WeightsError) Error() string {
	p := e.Problems
	if len(p) > maxProblems {
		p = append(p[:maxProblems:maxProblems], fmt.Sprintf("and %d more", len(e.Problems)-maxProblems))
	}
	text := "model: " + e.File + ": " + strings.Join(p, "; ")
	if n := len(e.Others); n > 0 {
		text += fmt.Sprintf("; not taken, but there: %s", quoted(e.Others[:min(n, maxOthers)]))
		if n > maxOthers {
			text += fmt.Sprintf(" and %d more", n-maxOthers)
		}
	}
	if e.Headless != "" {
		text += fmt.Sprintf("; only the head of %s is missing: without it the weights can be used", e.Headless)
	}
	return text
}

// quoted lists names.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strconv.Quote(name)
	}
	return strings.Join(list, ", ")
}

// An InputError says what is wrong with the input of a Forward: a token id
// outside the vocabulary, a sequence longer than the model.
type InputError struct{ Problem string }

func (e *InputError) Error() string { return "model: " + e.Problem }

func inputError(format string, args ...any) error {
	return &InputError{Problem: fmt.Sprintf(format, args...)}
}
