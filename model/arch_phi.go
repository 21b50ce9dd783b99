package model

// Phi-3: Abdin et al. 2024, "Phi-3 Technical Report". Llama whose matrices are
// stored together.
var phi3 = architecture{
	modelType: "phi3",
	base:      "Phi3Model",
	spec: func(c *config) Spec {
		c.preset("original_max_position_embeddings", "4096")
		d := c.decoder(decoderDefaults{vocab: 32064, positions: 4096, hidden: 3072, ffn: 8192, pad: 32000, turned: 1, eps: 1e-5})
		if c.has("sliding_window") {
			d.layer.Attention.Window = c.window(0)
		}
		return d.spec()
	},
	names: func(s *Spec) names {
		n := decoderNames(s)
		n.QKV, n.GateUp = "self_attn.qkv_proj", "mlp.gate_up_proj"
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"Phi3Model":                     noHeads,
		"Phi3ForCausalLM":               languageModel("lm_head", false, 0),
		"Phi3ForSequenceClassification": lastClassifier("score"),
		"Phi3ForTokenClassification":    tokenClassifier("score"),
	},
}
