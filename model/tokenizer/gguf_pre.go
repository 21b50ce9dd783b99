package tokenizer

import "fmt"

// namedPre is what a name of tokenizer.ggml.pre stands for.
type namedPre struct {
	cuts         []searcher // each cuts the words of the one before
	ignoreMerges bool
	addBOS       bool
}

// preTokenizerNamed knows the names that llama.cpp gives to the ways of cutting byte-level texts.
func preTokenizerNamed(name string) (*namedPre, error) {
	cut := func(patterns ...string) (*namedPre, error) {
		var p namedPre
		for _, source := range patterns {
			s := scannerOf(source)
			if s == nil {
				re, err := compileRegex(source)
				if err != nil {
					return nil, fmt.Errorf("pre-tokenizer %s: %w", quote(name), err)
				}
				s = expression{re}
			}
			p.cuts = append(p.cuts, s)
		}
		return &p, nil
	}
	switch name {
	case "", "default":
		return cut(`[\p{P}\$\+<=>\^~\|]+`, patternGPT2, `\p{N}+`, `[0-9][0-9][0-9]`)
	case "gpt-2", "phi-2", "mpt", "olmo", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en", "roberta-bpe",
		"exaone4", "a.x-4.0", "mellum", "modern-bert", "gigachat":
		return cut(patternGPT2)
	case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
		return cut(`\p{N}`, patternGPT2)
	case "llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "dbrx", "smaug-bpe", "glm4", "chatglm-bpe":
		p, err := cut(patternCL100K)
		if err == nil {
			p.ignoreMerges = name != "dbrx" && name != "smaug-bpe" && name != "glm4" && name != "chatglm-bpe"
			p.addBOS = p.ignoreMerges
		}
		return p, err
	case "qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan":
		return cut(patternQwen2)
	case "gpt-4o", "llama4":
		return cut(patternO200K)
	case "tekken":
		p, err := cut(patternTekken)
		if err == nil {
			p.ignoreMerges, p.addBOS = true, true
		}
		return p, err
	}
	return nil, unsupported("pre-tokenizer", name)
}
