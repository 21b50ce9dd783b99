package model

// OPT: Zhang et al. 2022, "OPT: Open Pre-trained Transformer Language Models".
var opt = architecture{
	modelType: "opt",
	base:      "OPTModel",
	spec: func(c *config) Spec {
		hidden := c.int("hidden_size", 768, 1, maxWidth)
		heads := c.int("num_attention_heads", 12, 1, maxHeads)
		headDim := c.headDim("hidden_size", hidden, "num_attention_heads", heads)
		positions := c.int("max_position_embeddings", 2048, 1, maxPositions)
		narrow := c.int("word_embed_proj_dim", hidden, 1, maxWidth)
		if narrow == hidden {
			narrow = 0
		}
		if !c.bool("layer_norm_elementwise_affine", true) {
			c.problem("layer_norm_elementwise_affine", "norms without weights are not supported")
		}
		bias := c.bool("enable_bias", true)
		norm := Norm{Kind: LayerNorm, Place: PostNorm, Eps: 1e-5}
		if c.bool("do_layer_norm_before", true) {
			norm.Place = PreNorm
		}
		return Spec{
			Stack: Stack{
				Hidden:   hidden,
				OutWidth: narrow,
				Embeddings: Embeddings{
					Width:        narrow,
					WordsOnly:    narrow != 0,
					Vocab:        c.int("vocab_size", 50272, 1, maxVocab),
					Positions:    positions,
					Rows:         positions + 2,
					Offset:       2,
					CountVisible: true,
					Pad:          c.pad(1),
				},
				Norm:      norm,
				FinalNorm: norm.Place == PreNorm && !c.bool("_remove_final_layer_norm", false),
				Layers: repeat(c.int("num_hidden_layers", 12, 1, maxLayers), Layer{
					Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: headDim, Scale: rsqrt(headDim), Causal: true, QKVBias: bias, OutBias: bias},
					FeedForward: FeedForward{Width: c.int("ffn_dim", 3072, 1, maxWidth), Act: c.activation("activation_function", "relu"), Bias: bias},
				}),
			},
			Labels:  c.labels(),
			Problem: c.string("problem_type", ""),
		}
	},
	names: func(*Spec) names {
		return names{
			Prefix:    "model.",
			Words:     "decoder.embed_tokens",
			Positions: "decoder.embed_positions",

			EmbeddingProject: "decoder.project_in",
			OutProject:       "decoder.project_out",

			Layer:           "decoder.layers.%d.",
			AttentionNorm:   "self_attn_layer_norm",
			Query:           "self_attn.q_proj",
			Key:             "self_attn.k_proj",
			Value:           "self_attn.v_proj",
			Out:             "self_attn.out_proj",
			FeedForwardNorm: "final_layer_norm",
			Up:              "fc1",
			Down:            "fc2",
			FinalNorm:       "decoder.final_layer_norm",
		}
	},
	heads: map[string]func(*config, *Spec) []Head{
		"OPTModel":                     noHeads,
		"OPTForCausalLM":               languageModel("lm_head", true, 0),
		"OPTForSequenceClassification": lastClassifier("score"),
		"OPTForQuestionAnswering":      spanClassifier("qa_outputs"),
	},
}
