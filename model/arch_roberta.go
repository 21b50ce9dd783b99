package model

import "github.com/ladon-ml/ladon/kernels"

// RoBERTa: Liu et al. 2019, "RoBERTa: A Robustly Optimized BERT Pretraining
// Approach". Positions begin after that of the padding token.
var roberta = architecture{
	modelType: "roberta",
	base:      "RobertaModel",
	spec:      robertaSpec,
	names:     func(*Spec) names { return bertNames("roberta.") },
	heads:     robertaHeads("Roberta", "RobertaForCausalLM"),
}

// XLM-R: Conneau et al. 2019, "Unsupervised Cross-lingual Representation Learning
// at Scale". RoBERTa on a hundred languages.
var xlmRoberta = architecture{
	modelType: "xlm-roberta",
	base:      "XLMRobertaModel",
	spec:      robertaSpec,
	names:     func(*Spec) names { return bertNames("roberta.") },
	heads:     robertaHeads("XLMRoberta", "XLMRobertaForCausalLM"),
}

func robertaSpec(c *config) Spec {
	vocab := 50265
	if c.string("model_type", "") == "xlm-roberta" {
		vocab = 30522
	}
	s := c.bert(bertDefaults{vocab: vocab, hidden: 768, heads: 12, ffn: 3072, act: "gelu"})
	c.afterPad(&s.Embeddings, c.pad(1))
	return s
}

// afterPad makes positions begin after that of the padding token, which counts
// for none.
func (c *config) afterPad(e *Embeddings, pad int32) {
	if e.Pad = pad; pad < 0 {
		c.problem("pad_token_id", "positions count from it: it must be there")
		return
	}
	e.First, e.SkipPad = int(pad)+1, true
	if e.Positions -= e.First; e.Positions < 1 {
		c.problem("max_position_embeddings", "%d leaves no position after that of pad_token_id %d", e.Rows, pad)
	}
}

// robertaLM scores words, those under a mask or, of a causal model, the next.
func robertaLM(c *config, s *Spec) []Head {
	return []Head{{Outputs: []string{"logits"}, Layers: []Dense{
		{Name: "lm_head.dense", Width: s.Hidden, Act: kernels.GELU, Norm: "lm_head.layer_norm"},
		{Name: "lm_head.decoder", Width: s.Embeddings.Vocab, Tied: c.bool("tie_word_embeddings", true),
			Bias: []string{"lm_head.decoder.bias", "lm_head.bias"}},
	}}}
}

// robertaHeads are the classes of RoBERTa's kin, and causal the name of the class
// of a decoder, where there is one.
func robertaHeads(family string, causal ...string) map[string]func(*config, *Spec) []Head {
	heads := map[string]func(*config, *Spec) []Head{
		family + "Model":       pooled,
		family + "ForMaskedLM": robertaLM,
		family + "ForSequenceClassification": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, From: FirstToken, Layers: []Dense{
				{Name: "classifier.dense", Width: s.Hidden, Act: kernels.Tanh},
				{Name: "classifier.out_proj", Width: len(s.Labels)},
			}}}
		},
		family + "ForMultipleChoice":      pooledChoices,
		family + "ForTokenClassification": tokenClassifier("classifier"),
		family + "ForQuestionAnswering":   spanClassifier("qa_outputs"),
	}
	for _, class := range causal {
		heads[class] = robertaLM
	}
	return heads
}

// pooled is the first token, pooled as BERT does, where the checkpoint can.
func pooled(_ *config, s *Spec) []Head {
	return []Head{{Outputs: []string{"pooler_output"}, From: FirstToken, Layers: []Dense{bertPooler(s)}, Optional: true}}
}

// pooledChoices scores alternatives by their pooled first tokens.
func pooledChoices(_ *config, s *Spec) []Head {
	return []Head{{Outputs: []string{"logits"}, From: FirstToken, Layers: []Dense{bertPooler(s), {Name: "classifier", Width: 1}}, Choices: true}}
}
