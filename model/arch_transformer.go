package model

import "math"

// The Transformer: Vaswani et al. 2017, "Attention Is All You Need", stored as
// torch.nn.Transformer names its parameters, between embeddings and a generator.
var transformer = architecture{
	modelType: "transformer",
	base:      "Transformer",
	spec: func(c *config) Spec {
		hidden := c.int("d_model", 512, 1, maxWidth)
		heads := c.int("nhead", 8, 1, maxHeads)
		dim := c.headDim("d_model", hidden, "nhead", heads)
		bias := c.bool("bias", true)
		stack := Stack{
			Hidden: hidden,
			Embeddings: Embeddings{
				Vocab:     c.int("vocab_size", 32000, 1, maxVocab),
				Positions: maxWaves,
				Waves:     WavesPaired,
				Pad:       c.pad(-1),
			},
			Norm:      Norm{Kind: LayerNorm, Eps: c.eps("layer_norm_eps", 1e-5), NoBias: !bias},
			FinalNorm: true, // also where each layer ends with one
		}
		if c.bool("norm_first", false) {
			stack.Norm.Place = PreNorm
		}
		if c.bool("scale_embedding", false) {
			stack.Embeddings.Scale = float32(math.Sqrt(float64(hidden)))
		}
		if kind := c.string("positional_encoding", "sinusoidal"); kind != "sinusoidal" {
			c.problem("positional_encoding", "%q is not supported; supported: sinusoidal", kind)
		}
		layer := Layer{
			Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: dim, Scale: rsqrt(dim), QKVBias: bias, OutBias: bias},
			FeedForward: FeedForward{Width: c.int("dim_feedforward", 2048, 1, maxWidth), Act: c.activation("activation", "relu"), Bias: bias},
		}
		encoder := stack
		encoder.Layers = repeat(c.int("num_encoder_layers", 6, 1, maxLayers), layer)
		cross := layer.Attention
		layer.Cross, layer.Attention.Causal = &cross, true
		s := Spec{Stack: stack, Other: &Spec{Architecture: "transformer", Stack: encoder}, Target: c.target(NoShift)}
		s.Embeddings.Vocab = c.int("tgt_vocab_size", stack.Embeddings.Vocab, 1, maxVocab)
		s.Layers = repeat(c.int("num_decoder_layers", 6, 1, maxLayers), layer)
		return s
	},
	names: func(*Spec) names {
		n := names{
			Words:           "tgt_embed",
			Layer:           "decoder.layers.%d.",
			QKV:             "self_attn.in_proj_",
			Out:             "self_attn.out_proj",
			AttentionNorm:   "norm1",
			CrossQKV:        "multihead_attn.in_proj_",
			CrossOut:        "multihead_attn.out_proj",
			CrossNorm:       "norm2",
			Up:              "linear1",
			Down:            "linear2",
			FeedForwardNorm: "norm3",
			FinalNorm:       "decoder.norm",
		}
		encoder := n
		encoder.Words, encoder.Layer, encoder.FeedForwardNorm, encoder.FinalNorm = "src_embed", "encoder.layers.%d.", "norm2", "encoder.norm"
		n.Other = &encoder
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"Transformer": func(_ *config, s *Spec) []Head {
			generator := Dense{Name: "generator", Width: s.Embeddings.Vocab, BiasOptional: true}
			return []Head{{Outputs: []string{"logits"}, Layers: []Dense{generator}, Optional: true}}
		},
	},
}
