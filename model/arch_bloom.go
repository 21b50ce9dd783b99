package model

import "github.com/ladon-ml/ladon/kernels"

// BLOOM: Scao et al. 2022, "BLOOM: A 176B-Parameter Open-Access Multilingual Language
// Model". No positions but ALiBi.
var bloom = architecture{
	modelType: "bloom",
	base:      "BloomModel",
	spec: func(c *config) Spec {
		hidden := c.int("hidden_size", c.int("n_embed", 64, 1, maxWidth), 1, maxWidth)
		heads := c.int("n_head", c.int("num_attention_heads", 8, 1, maxHeads), 1, maxHeads)
		headDim := c.headDim("hidden_size", hidden, "n_head", heads)
		if c.bool("apply_residual_connection_post_layernorm", false) {
			c.problem("apply_residual_connection_post_layernorm", "true is not supported")
		}
		return Spec{
			Stack: Stack{
				Hidden:     hidden,
				Embeddings: Embeddings{Vocab: c.int("vocab_size", 250880, 1, maxVocab), Positions: maxPositions, Norm: true, Pad: c.pad(-1)},
				Norm:       Norm{Kind: LayerNorm, Place: PreNorm, Eps: c.eps("layer_norm_epsilon", 1e-5)},
				FinalNorm:  true,
				Layers: repeat(c.int("n_layer", c.int("num_hidden_layers", 2, 1, maxLayers), 1, maxLayers), Layer{
					Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: headDim, Scale: rsqrt(headDim), Causal: true, QKVBias: true, OutBias: true, ALiBi: true},
					FeedForward: FeedForward{Width: 4 * hidden, Act: kernels.GELUTanh, Bias: true},
				}),
			},
			Labels:  c.labels(),
			Problem: c.string("problem_type", ""),
		}
	},
	names: func(*Spec) names {
		return names{
			Prefix:          "transformer.",
			Words:           "word_embeddings",
			EmbeddingNorm:   "word_embeddings_layernorm",
			Layer:           "h.%d.",
			AttentionNorm:   "input_layernorm",
			QKV:             "self_attention.query_key_value",
			QKVByHead:       true,
			Out:             "self_attention.dense",
			FeedForwardNorm: "post_attention_layernorm",
			Up:              "mlp.dense_h_to_4h",
			Down:            "mlp.dense_4h_to_h",
			FinalNorm:       "ln_f",
		}
	},
	heads: map[string]func(*config, *Spec) []Head{
		"BloomModel":                     noHeads,
		"BloomForCausalLM":               languageModel("lm_head", true, 0),
		"BloomForSequenceClassification": lastClassifier("score"),
		"BloomForTokenClassification":    tokenClassifier("classifier"),
		"BloomForQuestionAnswering":      spanClassifier("qa_outputs"),
	},
}
