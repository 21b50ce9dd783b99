package model

import "github.com/ladon-ml/ladon/kernels"

// vitStack reads what vision transformers have in common.
func vitStack(c *config, eps float64) Stack {
	hidden := c.int("hidden_size", 768, 1, maxWidth)
	heads := c.int("num_attention_heads", 12, 1, maxHeads)
	headDim := c.headDim("hidden_size", hidden, "num_attention_heads", heads)
	bias := c.bool("qkv_bias", true)
	return Stack{
		Hidden:     hidden,
		Embeddings: Embeddings{Patches: c.patches(16, 224), Positions: maxPositions, Pad: -1},
		Norm:       Norm{Kind: LayerNorm, Place: PreNorm, Eps: c.eps("layer_norm_eps", eps)},
		FinalNorm:  true, LastUnnormed: true,
		Layers: repeat(c.int("num_hidden_layers", 12, 1, maxLayers), Layer{
			Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: headDim, Scale: rsqrt(headDim), QKVBias: bias, OutBias: true},
			FeedForward: FeedForward{Width: c.int("intermediate_size", 3072, 1, maxWidth), Act: c.activation("hidden_act", "gelu"), Bias: true},
		}),
	}
}

// patches reads how pictures are cut.
func (c *config) patches(patch, size int) *Patches {
	p := Patches{Channels: c.int("num_channels", 3, 1, 1<<10), Bias: true, Class: 1}
	p.Patch = c.pair("patch_size", patch, 1, 1<<14)
	image := c.pair("image_size", size, 1, 1<<15)
	p.Height, p.Width = image[0], image[1]
	if rows, cols := p.grid(p.Height, p.Width); rows < 1 || cols < 1 {
		c.problem("image_size", "%d×%d is less than a patch of %d×%d", p.Height, p.Width, p.Patch[0], p.Patch[1])
		p.Height, p.Width = p.Patch[0], p.Patch[1]
	}
	return &p
}

// vitNames are the names of Google's ViT, which most others kept.
func vitNames(prefix string, s *Spec) names {
	return names{
		Prefix:         prefix,
		Patches:        "embeddings.patch_embeddings.projection",
		LearnedTokens:  []stored{{"embeddings.cls_token", []int{1, 1}}},
		PatchPositions: stored{"embeddings.position_embeddings", []int{1, s.Embeddings.Patches.positions()}},

		FinalNorm:       "layernorm",
		Layer:           "encoder.layer.%d.",
		Query:           "attention.attention.query",
		Key:             "attention.attention.key",
		Value:           "attention.attention.value",
		Out:             "attention.output.dense",
		AttentionNorm:   "layernorm_before",
		FeedForwardNorm: "layernorm_after",
		Up:              "intermediate.dense",
		Down:            "output.dense",
	}
}

// vitPooler is a class token's way to pooler_output.
func vitPooler(c *config, s *Spec) []Head {
	width := c.int("pooler_output_size", s.Hidden, 1, maxWidth)
	pooler := Dense{Name: "pooler.dense", InBase: true, Width: width, Act: c.activation("pooler_act", "tanh")}
	return []Head{{Outputs: []string{"pooler_output"}, From: FirstToken, Layers: []Dense{pooler}, Optional: true}}
}

func pictureClassifier(_ *config, s *Spec) []Head {
	return []Head{{Outputs: []string{"logits"}, From: FirstToken, Layers: []Dense{{Name: "classifier", Width: len(s.Labels)}}}}
}

// ViT: Dosovitskiy et al. 2020, "An Image is Worth 16x16 Words".
var vit = architecture{
	modelType: "vit",
	base:      "ViTModel",
	spec: func(c *config) Spec {
		return Spec{Stack: vitStack(c, 1e-12), Labels: c.labels(), Problem: c.string("problem_type", "")}
	},
	names: func(s *Spec) names { return vitNames("vit.", s) },
	heads: map[string]func(*config, *Spec) []Head{
		"ViTModel":                  vitPooler,
		"ViTForImageClassification": pictureClassifier,
	},
}

// DeiT: Touvron et al. 2020, "Training data-efficient image transformers &
// distillation through attention".
var deit = architecture{
	modelType: "deit",
	base:      "DeiTModel",
	spec: func(c *config) Spec {
		s := Spec{Stack: vitStack(c, 1e-12), Labels: c.labels(), Problem: c.string("problem_type", "")}
		s.Embeddings.Patches.Class = 2
		return s
	},
	names: func(s *Spec) names {
		n := vitNames("deit.", s)
		n.LearnedTokens = append(n.LearnedTokens, stored{"embeddings.distillation_token", []int{1, 1}})
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"DeiTModel":                  vitPooler,
		"DeiTForImageClassification": pictureClassifier,
		"DeiTForImageClassificationWithTeacher": func(_ *config, s *Spec) []Head {
			return []Head{
				{Outputs: []string{"cls_logits"}, From: FirstToken, Layers: []Dense{{Name: "cls_classifier", Width: len(s.Labels)}}},
				{Outputs: []string{"distillation_logits"}, From: SecondToken, Layers: []Dense{{Name: "distillation_classifier", Width: len(s.Labels)}}},
				{Outputs: []string{"logits"}, From: FirstToken, Mean: []int{0, 1}},
			}
		},
	},
}

// DINOv2: Oquab et al. 2023, "DINOv2: Learning Robust Visual Features without
// Supervision".
var dinov2 = architecture{
	modelType: "dinov2",
	base:      "Dinov2Model",
	spec: func(c *config) Spec {
		s := Spec{Stack: vitStack(c, 1e-6), Labels: c.labels(), Problem: c.string("problem_type", "")}
		s.Embeddings.Patches.Interpolate = true
		s.LayerScale = true
		width := int(float64(s.Hidden) * c.float("mlp_ratio", 4, 1e-3, 1<<10))
		gated := c.bool("use_swiglu_ffn", false)
		if gated { // two thirds, so that three matrices are as large as two
			width = (int(float64(width)*2/3) + 7) / 8 * 8
		}
		for i := range s.Layers {
			f := &s.Layers[i].FeedForward
			f.Width, f.Gated = width, gated
			if gated {
				f.Act = kernels.SiLU
			}
		}
		return s
	},
	names: func(s *Spec) names {
		n := vitNames("dinov2.", s)
		n.AttentionNorm, n.FeedForwardNorm = "norm1", "norm2"
		n.AttentionScale, n.FeedForwardScale = "layer_scale1.lambda1", "layer_scale2.lambda1"
		n.Up, n.Down = "mlp.fc1", "mlp.fc2"
		if s.Layers[0].FeedForward.Gated {
			n.GateUp, n.Down = "mlp.weights_in", "mlp.weights_out"
		}
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"Dinov2Model": func(*config, *Spec) []Head {
			return []Head{{Outputs: []string{"pooler_output"}, From: FirstToken}}
		},
		"Dinov2ForImageClassification": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, From: FirstAndMean, Layers: []Dense{{Name: "classifier", Width: len(s.Labels)}}}}
		},
	},
}

// YOLOS: Fang et al. 2021, "You Only Look at One Sequence".
var yolos = architecture{
	modelType: "yolos",
	base:      "YolosModel",
	spec: func(c *config) Spec {
		s := Spec{Stack: vitStack(c, 1e-12), Labels: c.labels()}
		p := s.Embeddings.Patches
		p.Interpolate = true
		p.Detection = c.int("num_detection_tokens", 100, 1, 1<<16)
		p.Between = c.bool("use_mid_position_embeddings", true)
		return s
	},
	names: func(s *Spec) names {
		n, p := vitNames("vit.", s), s.Embeddings.Patches
		n.LearnedTokens = append(n.LearnedTokens, stored{"embeddings.detection_tokens", []int{1, p.Detection}})
		n.PositionsBetween = stored{"encoder.mid_position_embeddings", []int{len(s.Layers) - 1, 1, p.positions()}}
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"YolosModel": vitPooler,
		"YolosForObjectDetection": func(_ *config, s *Spec) []Head {
			return []Head{
				{Outputs: []string{"logits"}, From: DetectionTokens, Layers: detectionHead(s, "class_labels_classifier", len(s.Labels)+1, false)},
				{Outputs: []string{"pred_boxes"}, From: DetectionTokens, Layers: detectionHead(s, "bbox_predictor", 4, true)},
			}
		},
	},
}

// detectionHead is three layers, and for boxes a sigmoid.
func detectionHead(s *Spec, name string, width int, box bool) []Dense {
	return []Dense{
		{Name: name + ".layers.0", Width: s.Hidden, Act: kernels.ReLU},
		{Name: name + ".layers.1", Width: s.Hidden, Act: kernels.ReLU},
		{Name: name + ".layers.2", Width: width, Sigmoid: box},
	}
}
