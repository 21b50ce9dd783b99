package model

import "github.com/ladon-ml/ladon/kernels"

// ELECTRA: Clark et al. 2020, "ELECTRA: Pre-training Text Encoders as
// Discriminators Rather Than Generators". BERT with embeddings of their own width
// and no pooler.
var electra = architecture{
	modelType: "electra",
	base:      "ElectraModel",
	spec: func(c *config) Spec {
		s := c.bert(bertDefaults{vocab: 30522, hidden: 256, heads: 4, ffn: 1024, act: "gelu"})
		s.Embeddings.Width = c.int("embedding_size", 128, 1, maxWidth)
		return s
	},
	names: func(*Spec) names {
		n := bertNames("electra.")
		n.EmbeddingProject = "embeddings_project"
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"ElectraModel": noHeads,
		"ElectraForPreTraining": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, Squeezed: true, Layers: []Dense{
				{Name: "discriminator_predictions.dense", Width: s.Hidden, Act: s.Layers[0].FeedForward.Act},
				{Name: "discriminator_predictions.dense_prediction", Width: 1},
			}}}
		},
		"ElectraForMaskedLM": electraLM,
		"ElectraForCausalLM": electraLM,
		"ElectraForSequenceClassification": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, From: FirstToken, Layers: []Dense{
				{Name: "classifier.dense", Width: s.Hidden, Act: kernels.GELU},
				{Name: "classifier.out_proj", Width: len(s.Labels)},
			}}}
		},
		"ElectraForMultipleChoice": func(c *config, s *Spec) []Head {
			if kind := c.string("summary_type", "first"); kind != "first" || !c.bool("summary_use_proj", true) {
				c.problem("summary_type", "%q is not supported; supported: first, with summary_use_proj", kind)
			}
			return []Head{{Outputs: []string{"logits"}, From: FirstToken, Choices: true, Layers: []Dense{
				{Name: "sequence_summary.summary", Width: s.Hidden, Act: c.activation("summary_activation", "gelu")},
				{Name: "classifier", Width: 1},
			}}}
		},
		"ElectraForTokenClassification": tokenClassifier("classifier"),
		"ElectraForQuestionAnswering":   spanClassifier("qa_outputs"),
	},
}

func electraLM(c *config, s *Spec) []Head {
	return []Head{{Outputs: []string{"logits"}, Layers: []Dense{
		{Name: "generator_predictions.dense", Width: s.embedWidth(), Act: kernels.GELU, Norm: "generator_predictions.LayerNorm"},
		{Name: "generator_lm_head", Width: s.Embeddings.Vocab, Tied: c.bool("tie_word_embeddings", true)},
	}}}
}
