package model

import "github.com/ladon-ml/ladon/kernels"

// longestText bounds texts of models that have no limit of their own.
const longestText = 1 << 16

// maxSpans bounds how many starts and ends a checkpoint may choose.
const maxSpans = 1 << 10

// XLNet: Yang et al. 2019, "XLNet: Generalized Autoregressive Pretraining for
// Language Understanding". Transformer-XL's attention to distances in layers like
// BERT's.
var xlnet = architecture{
	modelType: "xlnet",
	base:      "XLNetModel",
	spec: func(c *config) Spec {
		hidden := c.int("d_model", 1024, 2, maxWidth)
		if hidden%2 != 0 {
			c.problem("d_model", "%d is odd, but half of it are sines and half cosines", hidden)
		}
		heads := c.int("n_head", 16, 1, maxHeads)
		headDim := c.headDim("d_model", hidden, "n_head", heads)
		if n := c.int("d_head", headDim, 1, maxWidth); n != headDim {
			c.problem("d_head", "%d, but %d heads of %d have %d", n, heads, hidden, headDim)
		}
		a := Attention{Heads: heads, KVHeads: heads, HeadDim: headDim, Scale: rsqrt(headDim)}
		switch kind := c.string("attn_type", "bi"); kind {
		case "bi":
		case "uni":
			a.Causal = true
		default:
			c.problem("attn_type", "%q is not supported; supported: bi, uni", kind)
		}
		if a.Causal && c.bool("same_length", false) {
			a.Window = 1
		}
		permuted := &Permuted{Remembered: c.int("mem_len", 512, 0, maxPositions), Reused: c.int("reuse_len", 0, 0, maxPositions), Forgets: !c.bool("use_mems_eval", true)}
		if c.null("mem_len") {
			permuted.Remembered = 0
		}
		layer := Layer{Attention: a, FeedForward: FeedForward{Width: c.int("d_inner", 4096, 1, maxWidth), Act: c.activation("ff_activation", "gelu"), Bias: true}}
		return Spec{
			Stack: Stack{
				Hidden:     hidden,
				Embeddings: Embeddings{Vocab: c.int("vocab_size", 32000, 1, maxVocab), Positions: longestText, Pad: -1},
				Norm:       Norm{Kind: LayerNorm, Place: PostNorm, Eps: c.eps("layer_norm_eps", 1e-12)},
				Layers:     repeat(c.int("n_layer", 24, 1, maxLayers), layer),
				Permuted:   permuted,
				Distances:  &Distances{Clamp: max(0, c.int("clamp_len", -1, -1, maxPositions)), Backward: c.bool("bi_data", false)},
			},
			Labels:  c.labels(),
			Problem: c.string("problem_type", ""),
		}
	},
	names: func(*Spec) names {
		return names{
			Prefix:          "transformer.",
			Words:           "word_embedding",
			Target:          "mask_emb",
			Layer:           "layer.%d.",
			Query:           "rel_attn.q",
			Key:             "rel_attn.k",
			Value:           "rel_attn.v",
			Out:             "rel_attn.o",
			HeadShaped:      true,
			Distance:        "rel_attn.r",
			KeyBias:         "rel_attn.r_w_bias",
			DistanceBias:    "rel_attn.r_r_bias",
			SegmentBias:     "rel_attn.r_s_bias",
			Segments:        "rel_attn.seg_embed",
			AttentionNorm:   "rel_attn.layer_norm",
			Up:              "ff.layer_1",
			Down:            "ff.layer_2",
			FeedForwardNorm: "ff.layer_norm",
		}
	},
	heads: map[string]func(*config, *Spec) []Head{
		"XLNetModel": noHeads,
		"XLNetLMHeadModel": func(c *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, Layers: []Dense{{Name: "lm_loss", Width: s.Embeddings.Vocab, Tied: c.bool("tie_word_embeddings", true)}}}}
		},
		"XLNetForSequenceClassification": func(c *config, s *Spec) []Head {
			return []Head{c.summary(s, len(s.Labels))}
		},
		"XLNetForMultipleChoice": func(c *config, s *Spec) []Head {
			h := c.summary(s, 1)
			h.Choices = true
			return []Head{h}
		},
		"XLNetForTokenClassification":     tokenClassifier("classifier"),
		"XLNetForQuestionAnsweringSimple": spanClassifier("qa_outputs"),
		"XLNetForQuestionAnswering": func(c *config, s *Spec) []Head {
			return []Head{{
				Outputs: []string{"start_top_log_probs", "start_top_index", "end_top_log_probs", "end_top_index", "cls_logits"},
				Spans:   &Spans{Starts: c.int("start_n_top", 5, 1, maxSpans), Ends: c.int("end_n_top", 5, 1, maxSpans)},
				Layers: []Dense{
					{Name: "start_logits.dense", Width: 1},
					{Name: "end_logits.dense_0", In: 2 * s.Hidden, Width: s.Hidden, Act: kernels.Tanh, Norm: "end_logits.LayerNorm"},
					{Name: "end_logits.dense_1", Width: 1},
					{Name: "answer_class.dense_0", In: 2 * s.Hidden, Width: s.Hidden, Act: kernels.Tanh},
					{Name: "answer_class.dense_1", Width: 1, NoBias: true},
				},
			}}
		},
	},
}

// summary is a classifier of what the summary_… keys make of a sequence.
func (c *config) summary(s *Spec, classes int) Head {
	h := Head{Outputs: []string{"logits"}}
	switch kind := c.string("summary_type", "last"); kind {
	case "last", "cls_index":
		h.From = LastToken
	case "first":
		h.From = FirstToken
	case "mean":
		h.From = MeanToken
	default:
		c.problem("summary_type", "%q is not supported; supported: last, first, mean, cls_index", kind)
	}
	if c.bool("summary_proj_to_labels", false) && classes != s.Hidden {
		c.problem("summary_proj_to_labels", "true is not supported; supported: false")
	}
	act := kernels.None
	if c.string("summary_activation", "tanh") != "" && !c.null("summary_activation") {
		act = c.activation("summary_activation", "tanh")
	}
	if c.bool("summary_use_proj", true) {
		h.Layers = append(h.Layers, Dense{Name: "sequence_summary.summary", Width: s.Hidden, Act: act})
	} else {
		h.Act = act
	}
	h.Layers = append(h.Layers, Dense{Name: "logits_proj", Width: classes})
	return h
}
