package model

import (
	"slices"
	"sort"
	"strings"

	"github.com/ladon-ml/ladon/mha"
)

// An architecture is a table: from config.json to a Spec, and the names of the
// tensors. It has no forward pass of its own.
type architecture struct {
	modelType string // config.json's model_type
	base      string // class without a head, which a config.json that names no class means
	inside    string // the key of config.json under which spec finds it; "": it is all of the file

	spec  func(c *config) Spec // all but Class and Heads
	names func(s *Spec) names

	// heads gives, by class, the heads of Hugging Face's class of that name.
	heads map[string]func(c *config, s *Spec) []Head
}

// architectures is the one list of what this package runs. It is made when the
// tables are there, since those of models made of two others look them up in it.
var architectures []*architecture

func init() {
	architectures = []*architecture{&bert, &distilBERT,
		&openAIGPT, &gpt2, &llama, &mistral, &qwen2, &qwen3, &gemma2, &gemma3, &gemma3Pictures,
		&vit, &deit, &dinov2, &yolos,
		&gptNeo, &gptNeoX, &opt, &bloom, &phi3,
		&roberta, &xlmRoberta, &albert, &electra, &mpnet, &xlnet,
		&clip, &clipText, &clipVision,
		&t5, &bart, &mbart, &marian, &pegasus, &transformer,
		&visionEncoderDecoder, &trocr,
	}
}

// SupportedArchitectures lists the values of model_type that Load understands.
func SupportedArchitectures() []string {
	types := make([]string, len(architectures))
	for i, a := range architectures {
		types[i] = a.modelType
	}
	sort.Strings(types)
	return types
}

// SupportedClasses lists the classes of one architecture that Load understands,
// as config.json's architectures names them; nil for an unknown architecture.
func SupportedClasses(modelType string) []string {
	if a := architectureOf(modelType); a != nil {
		return a.classes()
	}
	return nil
}

// architectureOf is the architecture of that model_type, or nil.
func architectureOf(modelType string) *architecture {
	for _, a := range architectures {
		if a.modelType == modelType {
			return a
		}
	}
	return nil
}

func (a *architecture) classes() []string {
	classes := make([]string, 0, len(a.heads))
	for class := range a.heads {
		classes = append(classes, class)
	}
	sort.Strings(classes)
	return classes
}

// class names the class that s describes in config.json's architectures.
func (s *Spec) class() string {
	if s.Class != "" {
		return s.Class
	}
	if a := architectureOf(s.Architecture); a != nil {
		return a.base
	}
	return ""
}

// ParseConfig reads a config.json into the Spec it describes, with the heads
// that its architectures names. file names it in errors.
func ParseConfig(file string, data []byte) (Spec, error) {
	_, spec, err := parseSpec(file, data, true)
	return spec, err
}

func parseSpec(file string, data []byte, heads bool) (*architecture, Spec, error) {
	c, err := parseConfig(file, data)
	if err != nil {
		return nil, Spec{}, err
	}
	arch, class, err := findArchitecture(c, heads)
	if err != nil {
		return nil, Spec{}, err
	}
	s := arch.spec(arch.of(c))
	s.Architecture = arch.modelType
	c.pruned(&s)
	if heads {
		s.Class = class
		s.Heads = arch.heads[class](c, &s)
	}
	if s.Crosses() && s.Other == nil {
		c.problem("add_cross_attention", "cross-attention to an encoder, which is not there")
	}
	if err := c.err(); err != nil {
		return nil, Spec{}, err
	}
	return arch, s, nil
}

// of is the part of a config.json that tells of the architecture.
func (a *architecture) of(c *config) *config {
	if a.inside == "" {
		return c
	}
	return c.object(a.inside)
}

// nested reads the config of a whole model under a key, by its model_type. The
// architecture is nil where that is not supported, which is noted.
func (c *config) nested(key string) (*architecture, Spec) {
	o := c.object(key)
	own, name := c.string("model_type", ""), o.string("model_type", "")
	a := architectureOf(name)
	if a == nil || name == own { // nothing is nested twice
		others := slices.DeleteFunc(SupportedArchitectures(), func(s string) bool { return s == own })
		c.problem(key+".model_type", "%q is not supported; supported: %s", name, strings.Join(others, ", "))
		return nil, Spec{}
	}
	s := a.spec(o)
	s.Architecture = a.modelType
	return a, s
}

// findArchitecture goes by model_type, or where a file has none (before
// transformers 2.6), by the class that architectures names. Without heads, any
// class of a known model_type will do: sentence encoders have some of their own.
func findArchitecture(c *config, heads bool) (*architecture, string, error) {
	modelType, classes := c.string("model_type", ""), c.strings("architectures")
	if err := c.err(); err != nil {
		return nil, "", err
	}
	class := ""
	if len(classes) > 0 {
		class = classes[0]
	}
	for _, a := range architectures {
		if modelType != "" && modelType != a.modelType {
			continue
		}
		if modelType != "" && (class == "" || !heads) {
			return a, a.base, nil
		}
		if _, ok := a.heads[class]; ok {
			return a, class, nil
		}
		if modelType != "" {
			return nil, "", &UnsupportedError{c.file, "architectures", class, a.classes()}
		}
	}
	if modelType == "" && class == "" {
		return nil, "", &ConfigError{c.file, []string{"model_type: missing; supported: " + strings.Join(SupportedArchitectures(), ", ")}}
	}
	if modelType == "" {
		return nil, "", &UnsupportedError{c.file, "architectures", class, SupportedArchitectures()}
	}
	return nil, "", &UnsupportedError{c.file, "model_type", modelType, SupportedArchitectures()}
}

// headDim is the width of one of heads that share hidden evenly.
func (c *config) headDim(hiddenKey string, hidden int, headsKey string, heads int) int {
	if heads > 0 && hidden%heads != 0 {
		c.problem(headsKey, "%d does not divide %s %d", heads, hiddenKey, hidden)
		return 1
	}
	d := hidden / max(heads, 1)
	if d > mha.MaxDim {
		c.problem(headsKey, "%d heads of %s %d have size %d, but at most %d is supported", heads, hiddenKey, hidden, d, mha.MaxDim)
	}
	return d
}
