package model

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/mha"
)

// T5: Raffel et al. 2019, "Exploring the Limits of Transfer Learning with a Unified
// Text-to-Text Transformer", and its version 1.1, which is gated (Shazeer 2020).
var t5 = architecture{
	modelType: "t5",
	base:      "T5Model",
	spec:      t5Spec,
	names:     t5Names,
	heads: map[string]func(*config, *Spec) []Head{
		"T5Model":                    noHeads,
		"T5EncoderModel":             noHeads,
		"T5ForConditionalGeneration": t5LanguageModel,
		"T5ForTokenClassification":   tokenClassifier("classifier"),
		"T5ForSequenceClassification": func(c *config, s *Spec) []Head {
			s.Target.Shift = ShiftStart
			return []Head{sourceClassifier(s)}
		},
		"T5ForQuestionAnswering": func(c *config, s *Spec) []Head {
			s.Target.Shift = ShiftStart
			return spanClassifier("qa_outputs")(c, s)
		},
	},
}

// sourceClassifier labels a text by the decoder's state beside its end.
func sourceClassifier(s *Spec) Head {
	return Head{Outputs: []string{"logits"}, From: SourceEnd, Layers: []Dense{
		{Name: "classification_head.dense", Width: s.Hidden, Act: kernels.Tanh},
		{Name: "classification_head.out_proj", Width: len(s.Labels)},
	}}
}

// t5LanguageModel multiplies by the word embeddings unless the file has a matrix of
// its own. The first version scaled what it multiplies.
func t5LanguageModel(c *config, s *Spec) []Head {
	lm := Dense{Name: "lm_head", Width: s.Embeddings.Vocab, Tied: true, NoBias: true}
	if c.bool("scale_decoder_outputs", c.bool("tie_word_embeddings", true)) {
		lm.Scale = float32(math.Pow(float64(s.Hidden), -0.5))
	}
	return []Head{{Outputs: []string{"logits"}, Layers: []Dense{lm}}}
}

func t5Spec(c *config) Spec {
	hidden := c.int("d_model", 512, 1, maxWidth)
	heads := c.int("num_heads", 8, 1, maxHeads)
	a := Attention{Heads: heads, KVHeads: heads, HeadDim: c.int("d_kv", 64, 1, mha.MaxDim), Scale: 1}
	buckets := c.int("relative_attention_num_buckets", 32, 4, maxBuckets)
	layers := c.int("num_layers", 6, 1, maxLayers)
	encoder := Stack{
		Hidden: hidden,
		Embeddings: Embeddings{
			Vocab:     c.int("vocab_size", 32128, 1, maxVocab),
			Positions: maxPositions, // distances count, and have no end
			Pad:       c.pad(0),
			End:       c.end(1),
		},
		Norm:      Norm{Kind: RMSNorm, Place: PreNorm, Eps: c.eps("layer_norm_epsilon", 1e-6)},
		FinalNorm: true,
		Layers:    repeat(layers, Layer{Attention: a, FeedForward: c.t5FeedForward()}),
		Relative:  Relative{Heads: heads, Buckets: buckets, MaxDistance: c.int("relative_attention_max_distance", 128, buckets/2+1, maxDistance)},
	}
	s := Spec{Stack: encoder, Labels: c.labels(), Problem: c.string("problem_type", "")}
	if !c.encoderAlone() {
		encoder.Embeddings.Shared = true
		s.Other, s.Target = &Spec{Architecture: c.string("model_type", "t5"), Stack: encoder}, c.target(NoShift)
		cross := a
		a.Causal = true
		s.Layers = repeat(c.int("num_decoder_layers", layers, 1, maxLayers), Layer{Attention: a, Cross: &cross, FeedForward: encoder.Layers[0].FeedForward})
	}
	return s
}

// Limits of tables of relative biases.
const (
	maxBuckets  = 1 << 12
	maxDistance = 1 << 16
)

// encoderAlone says whether the file's class is an encoder without its decoder.
func (c *config) encoderAlone() bool {
	classes := c.strings("architectures")
	return len(classes) > 0 && (strings.HasSuffix(classes[0], "EncoderModel") || strings.HasSuffix(classes[0], "ForTokenClassification"))
}

// target reads how the text of a decoder begins.
func (c *config) target(shift Shift) Target {
	return Target{Start: int32(c.int("decoder_start_token_id", -1, 0, maxVocab)), Shift: shift}
}

// end reads the token that ends a text: of several, the first.
func (c *config) end(def int) int32 {
	const key = "eos_token_id"
	var list []int32
	if v := c.values[key]; json.Unmarshal(v, &list) == nil && len(list) > 0 && list[0] >= 0 {
		return list[0]
	}
	return int32(c.int(key, def, -1, maxVocab))
}

// t5FeedForward reads feed_forward_proj: an activation, or "gated-" and one.
func (c *config) t5FeedForward() FeedForward {
	f := FeedForward{Width: c.int("d_ff", 2048, 1, maxWidth)}
	name := c.string("feed_forward_proj", "relu")
	act, gated := strings.CutPrefix(name, "gated-")
	if name == "gated-gelu" {
		act = "gelu_new" // which is what this one has always called gelu
	}
	f.Gated = gated
	f.Act = c.activationNamed("feed_forward_proj", act)
	return f
}

func t5Names(s *Spec) names {
	encoder := names{
		Prefix:   "transformer.",
		Words:    "shared",
		WordsToo: []string{"encoder.embed_tokens", "decoder.embed_tokens"},
		Layer:    "encoder.block.%d.",

		Query:         "layer.0.SelfAttention.q",
		Key:           "layer.0.SelfAttention.k",
		Value:         "layer.0.SelfAttention.v",
		Out:           "layer.0.SelfAttention.o",
		AttentionNorm: "layer.0.layer_norm",
		Relative:      "encoder.block.0.layer.0.SelfAttention.relative_attention_bias",

		Gate:            "layer.1.DenseReluDense.wi_0",
		Up:              "layer.1.DenseReluDense.wi",
		Down:            "layer.1.DenseReluDense.wo",
		FeedForwardNorm: "layer.1.layer_norm",

		FinalNorm: "encoder.final_layer_norm",
	}
	if s.Layers[0].FeedForward.Gated {
		encoder.Up = "layer.1.DenseReluDense.wi_1"
	}
	if s.Other == nil {
		return encoder
	}
	n := encoder
	n.Layer, n.FinalNorm = "decoder.block.%d.", "decoder.final_layer_norm"
	n.Relative = strings.Replace(n.Relative, "encoder", "decoder", 1)
	n.CrossQuery, n.CrossKey, n.CrossValue = "layer.1.EncDecAttention.q", "layer.1.EncDecAttention.k", "layer.1.EncDecAttention.v"
	n.CrossOut, n.CrossNorm = "layer.1.EncDecAttention.o", "layer.1.layer_norm"
	for _, name := range []*string{&n.Gate, &n.Up, &n.Down, &n.FeedForwardNorm} {
		*name = strings.Replace(*name, "layer.1.", "layer.2.", 1)
	}
	n.Other = &encoder
	return n
}
