package model

import "slices"

// CLIP: Radford et al. 2021, "Learning Transferable Visual Models From Natural
// Language Supervision". A text and a picture become vectors of one space, each
// by a transformer of its own.

// clipClassifier has the tower of pictures alone.
const clipClassifier = "CLIPForImageClassification"

// clip has both towers, that of texts first.
var clip = architecture{
	modelType: "clip",
	base:      "CLIPModel",
	spec: func(c *config) Spec {
		pictures := c.clipTower("vision_config").clipVision()
		if slices.Contains(c.strings("architectures"), clipClassifier) {
			return Spec{Stack: pictures, Labels: c.labels(), Problem: c.string("problem_type", "")}
		}
		return Spec{
			Stack: c.clipTower("text_config").clipText(),
			Other: &Spec{Architecture: clipVision.modelType, Stack: pictures},
		}
	},
	names: func(s *Spec) names {
		if s.Embeddings.Patches != nil {
			return clipVisionNames(s)
		}
		n := clipTextNames
		o := clipVisionNames(s.Other)
		n.Other, n.MatchScale = &o, "logit_scale"
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"CLIPModel": func(c *config, s *Spec) []Head {
			s.Matches = true
			s.Other.Heads = clipVisionHead("pooler_output", c)
			return clipTextHead("pooler_output", c)
		},
		clipClassifier: func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, From: MeanAfterFirst, Layers: []Dense{{Name: "classifier", Width: len(s.Labels)}}}}
		},
	},
}

// clipTower reads what a config says of one tower. Old files say it twice, and
// the second, with the defaults of what it leaves out, counts.
func (c *config) clipTower(key string) *config {
	if c.has(key + "_dict") {
		key += "_dict"
	}
	return c.object(key)
}

// clipText is the tower of texts.
var clipText = architecture{
	modelType: "clip_text_model",
	base:      "CLIPTextModel",
	spec:      func(c *config) Spec { return Spec{Stack: c.clipText()} },
	names:     func(*Spec) names { return clipTextNames },
	heads: map[string]func(*config, *Spec) []Head{
		"CLIPTextModel": func(*config, *Spec) []Head {
			return []Head{{Outputs: []string{"pooler_output"}, From: EndToken}}
		},
		"CLIPTextModelWithProjection": func(c *config, _ *Spec) []Head { return clipTextHead("text_embeds", c) },
	},
}

// clipVision is the tower of pictures.
var clipVision = architecture{
	modelType: "clip_vision_model",
	base:      "CLIPVisionModel",
	spec:      func(c *config) Spec { return Spec{Stack: c.clipVision()} },
	names:     clipVisionNames,
	heads: map[string]func(*config, *Spec) []Head{
		"CLIPVisionModel": func(*config, *Spec) []Head {
			return []Head{{Outputs: []string{"pooler_output"}, From: FirstToken, Norm: "post_layernorm"}}
		},
		"CLIPVisionModelWithProjection": func(c *config, _ *Spec) []Head { return clipVisionHead("image_embeds", c) },
	},
}

func (c *config) clipText() Stack {
	s := c.clipStack(512, 8, 2048)
	for i := range s.Layers {
		s.Layers[i].Attention.Causal = true
	}
	positions := c.int("max_position_embeddings", 77, 1, maxPositions)
	s.Embeddings = Embeddings{
		Vocab:     c.int("vocab_size", 49408, 1, maxVocab),
		Positions: positions,
		Rows:      positions,
		Pad:       -1,
		End:       c.clipEnd(),
	}
	s.FinalNorm, s.LastUnnormed = true, true
	return s
}

// clipEnd is the id that ends a text. Files of before 2023 say 2, which means the
// highest of a text.
func (c *config) clipEnd() int32 {
	const wrong, highest = 2, -1
	if c.null("eos_token_id") {
		c.problem("eos_token_id", "without it no token stands for the text")
	}
	end := c.int("eos_token_id", 49407, 0, maxVocab)
	if end == wrong {
		return highest
	}
	return int32(end)
}

func (c *config) clipVision() Stack {
	s, patches := c.clipStack(768, 12, 3072), c.patches(32, 224)
	patches.Bias = false
	s.Embeddings = Embeddings{Patches: patches, Positions: maxPositions, Pad: -1, Norm: true}
	return s
}

// clipStack reads the layers of either tower, which differ in what a file need
// not say.
func (c *config) clipStack(hidden, heads, ffn int) Stack {
	hidden = c.int("hidden_size", hidden, 1, maxWidth)
	heads = c.int("num_attention_heads", heads, 1, maxHeads)
	headDim := c.headDim("hidden_size", hidden, "num_attention_heads", heads)
	return Stack{
		Hidden: hidden,
		Norm:   Norm{Kind: LayerNorm, Place: PreNorm, Eps: c.eps("layer_norm_eps", 1e-5)},
		Layers: repeat(c.int("num_hidden_layers", 12, 1, maxLayers), Layer{
			Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: headDim, Scale: rsqrt(headDim), QKVBias: true, OutBias: true},
			FeedForward: FeedForward{Width: c.int("intermediate_size", ffn, 1, maxWidth), Act: c.activation("hidden_act", "quick_gelu"), Bias: true},
		}),
	}
}

// clipTextHead and clipVisionHead bring what stands for a text and a picture to
// the space that they share.
func clipTextHead(output string, c *config) []Head {
	project := Dense{Name: "text_projection", Width: c.int("projection_dim", 512, 1, maxWidth), NoBias: true}
	return []Head{{Outputs: []string{output}, From: EndToken, Layers: []Dense{project}}}
}

func clipVisionHead(output string, c *config) []Head {
	project := Dense{Name: "visual_projection", Width: c.int("projection_dim", 512, 1, maxWidth), NoBias: true}
	return []Head{{Outputs: []string{output}, From: FirstToken, Norm: "post_layernorm", Layers: []Dense{project}}}
}

var clipTextNames = clipNames(names{
	Prefix:    "text_model.",
	Words:     "embeddings.token_embedding",
	Positions: "embeddings.position_embedding",
	FinalNorm: "final_layer_norm",
})

func clipVisionNames(s *Spec) names {
	return clipNames(names{
		Prefix:         "vision_model.",
		Patches:        "embeddings.patch_embedding",
		LearnedTokens:  []stored{{"embeddings.class_embedding", nil}},
		PatchPositions: stored{"embeddings.position_embedding.weight", []int{s.Embeddings.Patches.positions()}},
		EmbeddingNorm:  "pre_layrnorm", // as OpenAI misspelt it
	})
}

// clipNames adds the names of layers.
func clipNames(n names) names {
	n.Layer = "encoder.layers.%d."
	n.Query, n.Key, n.Value, n.Out = "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"
	n.AttentionNorm, n.FeedForwardNorm = "layer_norm1", "layer_norm2"
	n.Up, n.Down = "mlp.fc1", "mlp.fc2"
	return n
}
