package model

import "math"

// Gemma 2: Riviere et al. 2024, "Gemma 2: Improving Open Language Models at a
// Practical Size". Norms on both sides of each part, bounded scores and logits,
// and a window in every other layer.
var gemma2 = architecture{
	modelType: "gemma2",
	base:      "Gemma2Model",
	spec: func(c *config) Spec {
		d := c.gemma(8192, 256000)
		if !c.null("attn_logit_softcapping") {
			d.layer.Attention.Cap = float32(c.float("attn_logit_softcapping", 50, 1e-3, 1e6))
		}
		if c.bool("use_bidirectional_attention", false) {
			c.problem("use_bidirectional_attention", "Gemma 2 that looks ahead is not supported")
		}
		return d.specOf(d.windows(c.window(4096), func(i int) bool { return i%2 == 0 }))
	},
	names: gemmaNames,
	heads: map[string]func(*config, *Spec) []Head{
		"Gemma2Model":                     noHeads,
		"Gemma2ForCausalLM":               languageModel("lm_head", true, 30),
		"Gemma2ForSequenceClassification": lastClassifier("score"),
		"Gemma2ForTokenClassification":    tokenClassifier("score"),
	},
}

// Gemma 3: Kamath et al. 2025, "Gemma 3 Technical Report". QK norm in place of the
// bound, and most layers are local, with rotations of their own.
var gemma3 = architecture{
	modelType: "gemma3_text",
	base:      "Gemma3TextModel",
	spec: func(c *config) Spec {
		d := c.gemma(131072, 262208)
		a, e := &d.layer.Attention, &d.stack.Embeddings
		positions := c.int("max_position_embeddings", 131072, 1, maxPositions)
		ropes, scaling := c.object("rope_parameters"), c.object("rope_scaling")
		full, local := ropes.object(fullAttention), ropes.object(slidingAttention)
		if len(scaling.values) > 0 {
			full = scaling
		}
		a.Rotary, e.Positions = c.ropeOf(full, a.HeadDim, c.float("rope_theta", 1e6, minTheta, maxTheta), positions)
		turned, _ := c.ropeOf(local, a.HeadDim, c.float("rope_local_base_freq", 10000, minTheta, maxTheta), positions)

		window, pattern := c.window(4096), c.int("sliding_window_pattern", 6, 1, maxLayers)
		a.QKNorm = true
		if c.bool("use_bidirectional_attention", false) {
			a.Causal = false
			window = window/2 + 1
		}
		// transformers reads attn_logit_softcapping and bounds no score by it.
		layers := d.windows(window, func(i int) bool { return (i+1)%pattern != 0 })
		for i := range layers {
			if layers[i].Attention.Window > 0 {
				layers[i].Attention.Rotary = turned
			}
		}
		return d.specOf(layers)
	},
	names: gemmaNames,
	heads: map[string]func(*config, *Spec) []Head{
		"Gemma3TextModel":                     noHeads,
		"Gemma3ForCausalLM":                   languageModel("lm_head", true, 0),
		"Gemma3TextForSequenceClassification": lastClassifier("score"),
	},
}

// Gemma 3 with a tower for pictures, as it is published from four billion
// parameters on, of which the language model is taken: what it makes of texts.
var gemma3Pictures = architecture{
	modelType: "gemma3",
	inside:    "text_config",
	base:      "Gemma3Model",
	spec:      func(c *config) Spec { return gemma3.spec(c) },
	names: func(s *Spec) names {
		n := gemmaNames(s)
		n.Prefix, n.OtherPrefix = "language_model.model.", "model.language_model."
		n.Heads = map[string]string{"lm_head": "language_model.lm_head"}
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"Gemma3Model":                    noHeads,
		"Gemma3ForConditionalGeneration": languageModel("lm_head", true, 0),
	},
}

// gemma reads what both have in common.
func (c *config) gemma(positions, vocab int) *decoder {
	d := c.decoder(decoderDefaults{vocab: vocab, positions: positions, hidden: 2304, ffn: 9216, layers: 26, heads: 8, kvHeads: 4,
		headDim: 256, actKey: "hidden_activation", act: "gelu_pytorch_tanh"})
	a := &d.layer.Attention
	a.Scale = float32(1 / math.Sqrt(c.float("query_pre_attn_scalar", 256, 1e-6, 1e9)))
	a.QKVBias = c.bool("attention_bias", false)
	a.OutBias = a.QKVBias
	d.stack.Norm.Place = SandwichNorm
	d.stack.Embeddings.Scale = float32(math.Sqrt(float64(d.stack.Hidden)))
	return d
}

func gemmaNames(s *Spec) names {
	n := decoderNames(s)
	n.NormLessOne = true
	n.AttentionPostNorm = "post_attention_layernorm"
	n.FeedForwardNorm = "pre_feedforward_layernorm"
	n.FeedForwardPostNorm = "post_feedforward_layernorm"
	return n
}
