package model

import "github.com/ladon-ml/ladon/kernels"

// OpenAI GPT: Radford et al. 2018, "Improving Language Understanding by Generative
// Pre-Training".
var openAIGPT = architecture{
	modelType: "openai-gpt",
	base:      "OpenAIGPTModel",
	spec: func(c *config) Spec {
		s := c.gpt(512, 40478)
		layer := &s.Layers[0]
		layer.FeedForward.Width = 4 * s.Hidden
		layer.FeedForward.Act = c.activation("afn", "gelu")
		if layer.FeedForward.Act == kernels.GELU {
			layer.FeedForward.Act = kernels.GELUTanh // which is what this one has always called gelu
		}
		s.Layers = repeat(c.int("n_layer", 12, 1, maxLayers), *layer)
		return s
	},
	names: func(*Spec) names {
		n := gptNames
		n.Words, n.Positions, n.WordsOfHead = "tokens_embed", "positions_embed", "lm_head"
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"OpenAIGPTModel":                     noHeads,
		"OpenAIGPTLMHeadModel":               languageModel("lm_head", true, 0),
		"OpenAIGPTDoubleHeadsModel":          doubleHeads,
		"OpenAIGPTForSequenceClassification": lastClassifier("score"),
	},
}

// GPT-2: Radford et al. 2019, "Language Models are Unsupervised Multitask
// Learners". The norms stand before their part.
var gpt2 = architecture{
	modelType: "gpt2",
	base:      "GPT2Model",
	spec: func(c *config) Spec {
		s := c.gpt(1024, 50257)
		s.Norm.Place, s.FinalNorm = PreNorm, true
		layer := &s.Layers[0]
		layer.FeedForward.Width = c.int("n_inner", 4*s.Hidden, 1, maxWidth)
		layer.FeedForward.Act = c.activation("activation_function", "gelu_new")
		if !c.bool("scale_attn_weights", true) {
			layer.Attention.Scale = 1
		}
		s.Layers = repeat(c.int("n_layer", 12, 1, maxLayers), *layer)
		if c.bool("scale_attn_by_inverse_layer_idx", false) {
			for i := range s.Layers {
				s.Layers[i].Attention.Scale /= float32(i + 1)
			}
		}
		for i := range s.Layers {
			if c.bool("add_cross_attention", false) {
				s.Layers[i].crossLike()
			}
		}
		return s
	},
	names: func(*Spec) names {
		n := gptNames
		n.Words, n.Positions, n.FinalNorm = "wte", "wpe", "ln_f"
		n.CrossQuery, n.CrossKeyValue, n.CrossOut, n.CrossNorm = "crossattention.q_attn", "crossattention.c_attn", "crossattention.c_proj", "ln_cross_attn"
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"GPT2Model":                     noHeads,
		"GPT2LMHeadModel":               languageModel("lm_head", true, 0),
		"GPT2DoubleHeadsModel":          doubleHeads,
		"GPT2ForSequenceClassification": lastClassifier("score"),
		"GPT2ForTokenClassification":    tokenClassifier("classifier"),
		"GPT2ForQuestionAnswering":      spanClassifier("qa_outputs"),
	},
}

// doubleHeads scores every word as the next, and sequences as alternatives, each by
// one of its tokens.
func doubleHeads(c *config, s *Spec) []Head {
	for _, key := range []string{"summary_use_proj", "summary_proj_to_labels"} {
		if !c.bool(key, true) {
			c.problem(key, "alternatives that are not scored are not supported")
		}
	}
	if kind := c.string("summary_type", "cls_index"); kind != "cls_index" {
		c.problem("summary_type", "%q is not supported; supported: cls_index", kind)
	}
	score := Dense{Name: "multiple_choice_head.summary", Width: 1}
	if c.has("summary_activation") {
		score.Act = c.activation("summary_activation", "tanh")
	}
	choice := Head{Outputs: []string{"mc_logits"}, From: GivenToken, Choices: true, Layers: []Dense{score}}
	return append(languageModel("lm_head", true, 0)(c, s), choice)
}

// gpt reads what both have in common, with one layer that lacks its feed-forward
// network.
func (c *config) gpt(positions, vocab int) Spec {
	hidden := c.int("n_embd", 768, 1, maxWidth)
	heads := c.int("n_head", 12, 1, maxHeads)
	headDim := c.headDim("n_embd", hidden, "n_head", heads)
	longest := c.int("n_positions", positions, 1, maxPositions)
	layer := Layer{
		Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: headDim, Scale: rsqrt(headDim), Causal: true, QKVBias: true, OutBias: true},
		FeedForward: FeedForward{Bias: true},
	}
	return Spec{
		Stack: Stack{
			Hidden: hidden,
			Embeddings: Embeddings{
				Vocab:     c.int("vocab_size", vocab, 1, maxVocab),
				Positions: longest,
				Rows:      longest,
				Pad:       c.pad(-1),
				WordTypes: true,
			},
			Norm:   Norm{Kind: LayerNorm, Place: PostNorm, Eps: c.eps("layer_norm_epsilon", 1e-5)},
			Layers: []Layer{layer},
		},
		Labels:  c.labels(),
		Problem: c.string("problem_type", ""),
	}
}

var gptNames = names{
	Prefix:          "transformer.",
	Layer:           "h.%d.",
	QKV:             "attn.c_attn",
	Out:             "attn.c_proj",
	AttentionNorm:   "ln_1",
	Up:              "mlp.c_fc",
	Down:            "mlp.c_proj",
	FeedForwardNorm: "ln_2",
	Transposed:      true,
}
