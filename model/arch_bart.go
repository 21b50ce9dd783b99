package model

import (
	"math"
	"strings"
)

// BART: Lewis et al. 2019, "BART: Denoising Sequence-to-Sequence Pre-training for
// Natural Language Generation, Translation, and Comprehension".
var bart = architecture{
	modelType: "bart",
	base:      "BartModel",
	spec: func(c *config) Spec {
		c.preset("num_labels", "3")
		return c.bart(bartDefaults{vocab: 50265, start: 2, shift: ShiftStart, pad: 1, end: 2, norm: true})
	},
	names: bartNames,
	heads: bartHeads("Bart"),
}

// mBART: Liu et al. 2020, "Multilingual Denoising Pre-training for Neural Machine
// Translation". The norms stand before their part.
var mbart = architecture{
	modelType: "mbart",
	base:      "MBartModel",
	spec: func(c *config) Spec {
		return c.bart(bartDefaults{vocab: 50265, start: -1, shift: ShiftLast, pad: 1, end: 2, norm: true, before: true})
	},
	names: bartNames,
	heads: bartHeads("MBart"),
}

// Marian: Junczys-Dowmunt et al. 2018, "Marian: Fast Neural Machine Translation in
// C++". Source and target may have words of their own.
var marian = architecture{
	modelType: "marian",
	base:      "MarianModel",
	spec: func(c *config) Spec {
		return c.bart(bartDefaults{vocab: 58101, start: 58100, pad: 58100, waves: true})
	},
	names: bartNames,
	heads: map[string]func(*config, *Spec) []Head{
		"MarianModel":       noHeads,
		"MarianMTModel":     bartLanguageModel,
		"MarianForCausalLM": languageModel("lm_head", true, 0),
	},
}

// Pegasus: Zhang et al. 2019, "PEGASUS: Pre-training with Extracted Gap-sentences
// for Abstractive Summarization".
var pegasus = architecture{
	modelType: "pegasus",
	base:      "PegasusModel",
	spec: func(c *config) Spec {
		return c.bart(bartDefaults{vocab: 50265, start: 0, pad: 0, end: 1, waves: true, before: true})
	},
	names: bartNames,
	heads: map[string]func(*config, *Spec) []Head{
		"PegasusModel":                    noHeads,
		"PegasusForConditionalGeneration": bartLanguageModel,
		"PegasusForCausalLM":              languageModel("lm_head", true, 0),
	},
}

// bartHeads are the classes of BART and mBART.
func bartHeads(family string) map[string]func(*config, *Spec) []Head {
	return map[string]func(*config, *Spec) []Head{
		family + "Model":                     noHeads,
		family + "ForConditionalGeneration":  bartLanguageModel,
		family + "ForSequenceClassification": func(_ *config, s *Spec) []Head { return []Head{sourceClassifier(s)} },
		family + "ForQuestionAnswering": func(_ *config, s *Spec) []Head {
			s.Labels = []string{"LABEL_0", "LABEL_1"} // whatever the file says
			return []Head{{Outputs: []string{"start_logits", "end_logits"}, Layers: []Dense{{Name: "qa_outputs", Width: 2}}}}
		},
		family + "ForCausalLM": languageModel("lm_head", true, 0),
	}
}

// bartLanguageModel adds a bias that is learned by itself.
func bartLanguageModel(c *config, s *Spec) []Head {
	lm := languageModel("lm_head", true, 0)(c, s)
	d := &lm[0].Layers[0]
	d.NoBias, d.BiasOptional, d.Bias = false, true, []string{"final_logits_bias"}
	return lm
}

// bartDefaults are what the config.json of one of BART's kin means where it says
// nothing, and how the kin differ.
type bartDefaults struct {
	vocab, start, pad, end int
	shift                  Shift
	norm                   bool // of the embeddings
	before                 bool // norms stand before their part, and one after the last layer
	waves                  bool // positions are not learned
}

func (c *config) bart(def bartDefaults) Spec {
	hidden := c.int("d_model", 1024, 1, maxWidth)
	positions := c.int("max_position_embeddings", 1024, 1, maxPositions)
	target := Target{Start: int32(c.int("decoder_start_token_id", def.start, 0, maxVocab)), Shift: def.shift}
	stack := Stack{
		Hidden: hidden,
		Embeddings: Embeddings{
			Vocab:     c.int("vocab_size", def.vocab, 1, maxVocab),
			Norm:      def.norm,
			Positions: positions,
			Rows:      positions,
			Pad:       c.pad(def.pad),
			End:       c.end(def.end),
		},
		Norm:      Norm{Kind: LayerNorm, Eps: 1e-5},
		FinalNorm: def.before,
	}
	if def.before {
		stack.Norm.Place = PreNorm
	}
	e := &stack.Embeddings
	if def.waves {
		e.Waves = WavesApart
	} else {
		e.Offset = 2
		e.Rows += e.Offset
	}
	if c.bool("scale_embedding", false) {
		e.Scale = float32(math.Sqrt(float64(hidden)))
	}

	encoder, decoder, act := stack, stack, c.activation("activation_function", "gelu")
	decoder.Layers = c.bartLayers("decoder", hidden, act)
	s := Spec{Stack: decoder, Labels: c.labels(), Problem: c.string("problem_type", ""), Target: target}
	if c.decoderAlone() {
		return s
	}
	encoder.Layers = c.bartLayers("encoder", hidden, act)
	encoder.Embeddings.Shared = c.bool("tie_word_embeddings", true) && c.bool("share_encoder_decoder_embeddings", true)
	if !encoder.Embeddings.Shared {
		s.Embeddings.Vocab = c.int("decoder_vocab_size", e.Vocab, 1, maxVocab)
	}
	for i := range s.Layers {
		cross := s.Layers[i].Attention
		cross.Causal = false
		s.Layers[i].Cross = &cross
	}
	s.Other = &Spec{Architecture: c.string("model_type", "bart"), Stack: encoder}
	return s
}

// decoderAlone says whether the file's class is a decoder without its encoder.
func (c *config) decoderAlone() bool {
	classes := c.strings("architectures")
	return len(classes) > 0 && strings.HasSuffix(classes[0], "ForCausalLM")
}

// bartLayers reads the layers of an encoder or a decoder, as side says.
func (c *config) bartLayers(side string, hidden int, act Activation) []Layer {
	key := side + "_attention_heads"
	heads := c.int(key, 16, 1, maxHeads)
	dim := c.headDim("d_model", hidden, key, heads)
	return repeat(c.int(side+"_layers", 12, 1, maxLayers), Layer{
		Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: dim, Scale: rsqrt(dim), Causal: side == "decoder", QKVBias: true, OutBias: true},
		FeedForward: FeedForward{Width: c.int(side+"_ffn_dim", 4096, 1, maxWidth), Act: act, Bias: true},
	})
}

func bartNames(s *Spec) names {
	encoder := names{
		Prefix:   "model.",
		Words:    "shared",
		WordsToo: []string{"decoder.embed_tokens", "encoder.embed_tokens"},

		Positions:       "encoder.embed_positions",
		EmbeddingNorm:   "encoder.layernorm_embedding",
		Layer:           "encoder.layers.%d.",
		Query:           "self_attn.q_proj",
		Key:             "self_attn.k_proj",
		Value:           "self_attn.v_proj",
		Out:             "self_attn.out_proj",
		AttentionNorm:   "self_attn_layer_norm",
		CrossQuery:      "encoder_attn.q_proj",
		CrossKey:        "encoder_attn.k_proj",
		CrossValue:      "encoder_attn.v_proj",
		CrossOut:        "encoder_attn.out_proj",
		CrossNorm:       "encoder_attn_layer_norm",
		Up:              "fc1",
		Down:            "fc2",
		FeedForwardNorm: "final_layer_norm",
		FinalNorm:       "encoder.layer_norm",
	}
	n := encoder
	for _, name := range []*string{&n.Positions, &n.EmbeddingNorm, &n.Layer, &n.FinalNorm} {
		*name = strings.Replace(*name, "encoder", "decoder", 1)
	}
	if s.Other == nil || !s.Other.Embeddings.Shared {
		n.Words, n.WordsToo = "decoder.embed_tokens", []string{"shared"}
		encoder.Words, encoder.WordsToo = "encoder.embed_tokens", []string{"shared"}
	}
	if s.Other != nil {
		n.Other = &encoder
	}
	return n
}
