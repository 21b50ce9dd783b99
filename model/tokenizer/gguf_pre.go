package tokenizer

import (
	"fmt"
	"slices"
)

// A namedPre is a way to cut byte-level texts into words, and the names that llama.cpp gives it in tokenizer.ggml.pre.
type namedPre struct {
	names        []string // the first is the one to write
	patterns     []string // each cuts the words of the one before
	ignoreMerges bool
	addBOS       bool
}

// Where two rows differ in nothing but bos, which a file states, the first is written.
var namedPres = [...]namedPre{
	{names: []string{"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "jina-es", "jina-de", "jina-v2-es",
		"jina-v2-de", "jina-v1-en", "jina-v2-code", "roberta-bpe", "exaone4", "a.x-4.0", "mellum", "modern-bert", "gigachat"},
		patterns: []string{patternGPT2}},
	{names: []string{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"},
		patterns: []string{patternNumber, patternGPT2}},
	{names: []string{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"},
		patterns: []string{patternCL100K}, ignoreMerges: true, addBOS: true},
	{names: []string{"glm4", "glm5"}, patterns: []string{patternCL100K}, ignoreMerges: true},
	{names: []string{"dbrx", "smaug-bpe", "chatglm-bpe"}, patterns: []string{patternCL100K}},
	{names: []string{"qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "stablelm2", "megrez", "hunyuan", "solar-open", "grok-2"},
		patterns: []string{patternQwen2}},
	{names: []string{"qwen35"}, patterns: []string{patternQwen35}},
	{names: []string{"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, patterns: []string{patternO200K}},
	{names: []string{"tekken"}, patterns: []string{patternTekken}, ignoreMerges: true, addBOS: true},
	{names: []string{"bloom", "poro-chat", "gpt3-finnish"}, patterns: []string{patternBloom}},
	{names: []string{"viking"}, patterns: []string{patternBloom, patternNumber}},
	{names: []string{"default", ""}, patterns: []string{`[\p{P}\$\+<=>\^~\|]+`, patternGPT2, `\p{N}+`, `[0-9][0-9][0-9]`}},
}

// patternBloom has no scanner: it looks at nothing but what it matches.
const patternBloom = ` ?[^(\s|.,!?…。，、।۔،)]+`

// preTokenizerNamed looks a name up.
func preTokenizerNamed(name string) (*namedPre, error) {
	for i := range namedPres {
		if slices.Contains(namedPres[i].names, name) {
			return &namedPres[i], nil
		}
	}
	return nil, unsupported("pre-tokenizer", name)
}

// cuts compiles the patterns.
func (p *namedPre) cuts() ([]searcher, error) {
	list := make([]searcher, len(p.patterns))
	for i := range p.patterns {
		var err error
		if list[i], err = (pattern{Regex: &p.patterns[i]}).compile(); err != nil {
			return nil, fmt.Errorf("pre-tokenizer %s: %w", quote(p.names[0]), err)
		}
	}
	return list, nil
}

// preTokenizerThat finds the name of what cuts as a tokenizer does; ignores, where it is not nil, says whether words
// that are tokens are not merged.
func preTokenizerThat(cuts []searcher, ignores *bool) (*namedPre, error) {
	for i := range namedPres {
		p := &namedPres[i]
		theirs, err := p.cuts()
		if err != nil {
			return nil, err
		}
		if slices.EqualFunc(cuts, theirs, sameSearcher) && (ignores == nil || *ignores == p.ignoreMerges) {
			return p, nil
		}
	}
	return nil, fmt.Errorf("pre_tokenizer: llama.cpp has no name for how it cuts words, which is %w", ErrUnsupported)
}

func sameSearcher(a, b searcher) bool {
	switch a := a.(type) {
	case expression:
		b, ok := b.(expression)
		return ok && a.String() == b.String()
	case literal:
		b, ok := b.(literal)
		return ok && slices.Equal(a, b)
	}
	switch b.(type) {
	case expression, literal:
		return false
	}
	return a == b
}
