package model

import "math"

// TrOCR: Li et al. 2021, "TrOCR: Transformer-based Optical Character Recognition
// with Pre-trained Models". BART's decoder, which reads lines of text in pictures.
var trocr = architecture{
	modelType: "trocr",
	base:      "TrOCRForCausalLM",
	spec: func(c *config) Spec {
		hidden := c.int("d_model", 1024, 1, maxWidth)
		positions := c.int("max_position_embeddings", 512, 1, maxPositions)
		s := Spec{Stack: Stack{
			Hidden: hidden,
			Embeddings: Embeddings{
				Vocab:     c.int("vocab_size", 50265, 1, maxVocab),
				Norm:      c.bool("layernorm_embedding", true),
				Positions: positions,
				Rows:      positions + 2,
				Offset:    2,
				Pad:       c.pad(1),
				End:       c.end(2),
			},
			Norm:   Norm{Kind: LayerNorm, Eps: 1e-5},
			Layers: c.bartLayers("decoder", hidden, c.activation("activation_function", "gelu")),
		}}
		if c.bool("scale_embedding", false) {
			s.Embeddings.Scale = float32(math.Sqrt(float64(hidden)))
		}
		if !c.bool("use_learned_position_embeddings", true) {
			c.problem("use_learned_position_embeddings", "positions that are not learned are not supported")
		}
		for i := range s.Layers {
			if c.bool("is_decoder", false) {
				s.Layers[i].crossLike()
			}
		}
		return s
	},
	names: bartNames,
	heads: map[string]func(*config, *Spec) []Head{
		"TrOCRForCausalLM": languageModel("output_projection", true, 0),
	},
}
