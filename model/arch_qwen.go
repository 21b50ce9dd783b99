package model

// Qwen2: Yang et al. 2024, "Qwen2 Technical Report". Queries, keys and values have
// biases.
var qwen2 = architecture{
	modelType: "qwen2",
	base:      "Qwen2Model",
	spec: func(c *config) Spec {
		d := c.decoder(decoderDefaults{vocab: 151936, positions: 32768, ffn: 22016, kvHeads: 32, pad: -1})
		d.layer.Attention.QKVBias = true
		return d.specOf(d.upperWindows())
	},
	names: decoderNames,
	heads: decoderHeads("Qwen2"),
}

// Qwen3: Yang et al. 2025, "Qwen3 Technical Report". No biases; each head's queries
// and keys are normalised.
var qwen3 = architecture{
	modelType: "qwen3",
	base:      "Qwen3Model",
	spec: func(c *config) Spec {
		d := c.decoder(decoderDefaults{vocab: 151936, positions: 32768, ffn: 22016, kvHeads: 32, headDim: 128, pad: -1})
		bias := c.bool("attention_bias", false)
		d.layer.Attention.QKVBias, d.layer.Attention.OutBias = bias, bias
		d.layer.Attention.QKNorm = true
		return d.specOf(d.upperWindows())
	},
	names: decoderNames,
	heads: decoderHeads("Qwen3"),
}

// upperWindows gives the layers from max_window_layers on a window, where
// use_sliding_window says so.
func (d *decoder) upperWindows() []Layer {
	window := d.window(4096)
	if !d.bool("use_sliding_window", false) {
		window = 0
	}
	from := d.int("max_window_layers", 28, 0, maxLayers)
	return d.windows(window, func(i int) bool { return i >= from })
}
