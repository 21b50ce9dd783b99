package model

import "github.com/ladon-ml/ladon/kernels"

// DistilBERT: Sanh et al. 2019, "DistilBERT, a distilled version of BERT". No
// token types, no pooler, and the epsilon of its norms is in no config.json.
var distilBERT = architecture{
	modelType: "distilbert",
	base:      "DistilBertModel",
	spec: func(c *config) Spec {
		hidden := c.int("dim", 768, 1, maxWidth)
		heads := c.int("n_heads", 12, 1, maxHeads)
		headDim := c.headDim("dim", hidden, "n_heads", heads)
		c.bool("sinusoidal_pos_embds", false) // says how the stored table was made
		positions := c.int("max_position_embeddings", 512, 1, maxPositions)
		layer := Layer{
			Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: headDim, Scale: rsqrt(headDim), QKVBias: true, OutBias: true},
			FeedForward: FeedForward{Width: c.int("hidden_dim", 3072, 1, maxWidth), Act: c.activation("activation", "gelu"), Bias: true},
		}
		return Spec{
			Stack: Stack{
				Hidden: hidden,
				Embeddings: Embeddings{
					Vocab:     c.int("vocab_size", 30522, 1, maxVocab),
					Positions: positions,
					Rows:      positions,
					Norm:      true,
				},
				Norm:   Norm{Kind: LayerNorm, Place: PostNorm, Eps: 1e-12},
				Layers: repeat(c.int("n_layers", 6, 1, maxLayers), layer),
			},
			Labels:  c.labels(),
			Problem: c.string("problem_type", ""),
		}
	},
	names: func(*Spec) names {
		return names{
			Prefix:    "distilbert.",
			Words:     "embeddings.word_embeddings",
			Positions: "embeddings.position_embeddings",

			EmbeddingNorm:   "embeddings.LayerNorm",
			Layer:           "transformer.layer.%d.",
			Query:           "attention.q_lin",
			Key:             "attention.k_lin",
			Value:           "attention.v_lin",
			Out:             "attention.out_lin",
			AttentionNorm:   "sa_layer_norm",
			Up:              "ffn.lin1",
			Down:            "ffn.lin2",
			FeedForwardNorm: "output_layer_norm",
		}
	},
	heads: map[string]func(*config, *Spec) []Head{
		"DistilBertModel": func(*config, *Spec) []Head { return nil },
		"DistilBertForMaskedLM": func(c *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, Layers: []Dense{
				{Name: "vocab_transform", Width: s.Hidden, Act: s.Layers[0].FeedForward.Act, Norm: "vocab_layer_norm"},
				{Name: "vocab_projector", Width: s.Embeddings.Vocab, Tied: c.bool("tie_word_embeddings", true)},
			}}}
		},
		"DistilBertForSequenceClassification": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, From: FirstToken, Layers: distilClassifier(s, len(s.Labels))}}
		},
		"DistilBertForMultipleChoice": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, From: FirstToken, Layers: distilClassifier(s, 1), Choices: true}}
		},
		"DistilBertForTokenClassification": tokenClassifier("classifier"),
		"DistilBertForQuestionAnswering":   spanClassifier("qa_outputs"),
	},
}

func distilClassifier(s *Spec, width int) []Dense {
	return []Dense{
		{Name: "pre_classifier", Width: s.Hidden, Act: kernels.ReLU},
		{Name: "classifier", Width: width},
	}
}
