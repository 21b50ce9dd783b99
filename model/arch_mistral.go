package model

// Mistral: Jiang et al. 2023, "Mistral 7B". Llama with a window in every layer.
var mistral = architecture{
	modelType: "mistral",
	base:      "MistralModel",
	spec: func(c *config) Spec {
		d := c.decoder(decoderDefaults{vocab: 32000, positions: 4096 * 32, ffn: 14336, kvHeads: 8, pad: -1})
		d.layer.Attention.Window = c.window(4096)
		return d.spec()
	},
	names: decoderNames,
	heads: decoderHeads("Mistral"),
}
