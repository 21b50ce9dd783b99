package model

// GPT-NeoX: Black et al. 2022, "GPT-NeoX-20B: An Open-Source Autoregressive Language
// Model"; Pythia is one of them. Attention and feed-forward stand side by side,
// and a part of each head is turned.
var gptNeoX = architecture{
	modelType: "gpt_neox",
	base:      "GPTNeoXModel",
	spec: func(c *config) Spec {
		hidden := c.int("hidden_size", 6144, 1, maxWidth)
		heads := c.int("num_attention_heads", 64, 1, maxHeads)
		headDim := c.headDim("hidden_size", hidden, "num_attention_heads", heads)
		rotary, longest := c.rope(c.turned(headDim, c.float("rotary_pct", 0.25, 0, 1)), c.float("rotary_emb_base", 10000, minTheta, maxTheta),
			c.int("max_position_embeddings", 2048, 1, maxPositions))
		bias := c.bool("attention_bias", true)
		place := PreNorm
		if c.bool("use_parallel_residual", true) {
			place = ParallelNorm
		}
		return Spec{
			Stack: Stack{
				Hidden:     hidden,
				Embeddings: Embeddings{Vocab: c.int("vocab_size", 50432, 1, maxVocab), Positions: longest, Pad: c.pad(-1)},
				Norm:       Norm{Kind: LayerNorm, Place: place, Eps: c.eps("layer_norm_eps", 1e-5)},
				FinalNorm:  true,
				Layers: repeat(c.int("num_hidden_layers", 44, 1, maxLayers), Layer{
					Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: headDim, Scale: rsqrt(headDim), Causal: true, QKVBias: bias, OutBias: bias, Rotary: rotary},
					FeedForward: FeedForward{Width: c.int("intermediate_size", 24576, 1, maxWidth), Act: c.activation("hidden_act", "gelu"), Bias: true},
				}),
			},
			Labels:  c.labels(),
			Problem: c.string("problem_type", ""),
		}
	},
	names: func(*Spec) names {
		return names{
			Prefix:          "gpt_neox.",
			Words:           "embed_in",
			Layer:           "layers.%d.",
			AttentionNorm:   "input_layernorm",
			QKV:             "attention.query_key_value",
			QKVByHead:       true,
			Out:             "attention.dense",
			FeedForwardNorm: "post_attention_layernorm",
			Up:              "mlp.dense_h_to_4h",
			Down:            "mlp.dense_4h_to_h",
			FinalNorm:       "final_layer_norm",
		}
	},
	heads: map[string]func(*config, *Spec) []Head{
		"GPTNeoXModel":                     noHeads,
		"GPTNeoXForCausalLM":               languageModel("embed_out", false, 0),
		"GPTNeoXForSequenceClassification": lastClassifier("score"),
		"GPTNeoXForTokenClassification":    tokenClassifier("classifier"),
		"GPTNeoXForQuestionAnswering":      spanClassifier("qa_outputs"),
	},
}
