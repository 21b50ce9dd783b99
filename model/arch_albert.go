package model

import "github.com/ladon-ml/ladon/kernels"

// ALBERT: Lan et al. 2019, "ALBERT: A Lite BERT for Self-supervised Learning of
// Language Representations". Layers share their parameters, all or in groups, and
// embeddings have a width of their own.
var albert = architecture{
	modelType: "albert",
	base:      "AlbertModel",
	spec: func(c *config) Spec {
		s := c.bert(bertDefaults{vocab: 30000, hidden: 4096, heads: 64, ffn: 16384, act: "gelu_new"})
		s.Embeddings.Width = c.int("embedding_size", 128, 1, maxWidth)
		s.Embeddings.Projected = true
		groups := c.int("num_hidden_groups", 1, 1, len(s.Layers))
		if n := c.int("inner_group_num", 1, 1, maxLayers); n != 1 {
			c.problem("inner_group_num", "%d is not supported; supported: 1", n)
		}
		s.SharedWith = make([]int, len(s.Layers))
		for i := range s.SharedWith {
			if i > 0 && i*groups/len(s.Layers) == (i-1)*groups/len(s.Layers) {
				s.SharedWith[i] = s.SharedWith[i-1]
			} else {
				s.SharedWith[i] = i
			}
		}
		return s
	},
	names: func(*Spec) names {
		n := bertNames("albert.")
		n.EmbeddingProject = "encoder.embedding_hidden_mapping_in"
		n.Layer = "encoder.albert_layer_groups.%d.albert_layers.0."
		n.Query, n.Key, n.Value, n.Out = "attention.query", "attention.key", "attention.value", "attention.dense"
		n.AttentionNorm = "attention.LayerNorm"
		n.Up, n.Down, n.FeedForwardNorm = "ffn", "ffn_output", "full_layer_layer_norm"
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"AlbertModel": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"pooler_output"}, From: FirstToken, Layers: []Dense{albertPooler(s)}, Optional: true}}
		},
		"AlbertForPreTraining": func(c *config, s *Spec) []Head {
			return []Head{
				{Outputs: []string{"prediction_logits"}, Layers: albertPredictions(c, s)},
				{Outputs: []string{"sop_logits"}, From: FirstToken, Layers: []Dense{albertPooler(s), {Name: "sop_classifier.classifier", Width: len(s.Labels)}}},
			}
		},
		"AlbertForMaskedLM": func(c *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, Layers: albertPredictions(c, s)}}
		},
		"AlbertForSequenceClassification": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, From: FirstToken, Layers: []Dense{albertPooler(s), {Name: "classifier", Width: len(s.Labels)}}}}
		},
		"AlbertForMultipleChoice": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, From: FirstToken, Layers: []Dense{albertPooler(s), {Name: "classifier", Width: 1}}, Choices: true}}
		},
		"AlbertForTokenClassification": tokenClassifier("classifier"),
		"AlbertForQuestionAnswering":   spanClassifier("qa_outputs"),
	},
}

func albertPooler(s *Spec) Dense {
	return Dense{Name: "pooler", InBase: true, Width: s.Hidden, Act: kernels.Tanh}
}

func albertPredictions(c *config, s *Spec) []Dense {
	return []Dense{
		{Name: "predictions.dense", Width: s.embedWidth(), Act: s.Layers[0].FeedForward.Act, Norm: "predictions.LayerNorm"},
		{Name: "predictions.decoder", Width: s.Embeddings.Vocab, Tied: c.bool("tie_word_embeddings", true),
			Bias: []string{"predictions.decoder.bias", "predictions.bias"}},
	}
}
