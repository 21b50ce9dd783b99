package model

import (
	"cmp"

	"github.com/ladon-ml/ladon/mha"
)

// Llama: Touvron et al. 2023, "LLaMA: Open and Efficient Foundation Language
// Models", and those after it, up to Llama 3; SmolLM is one of them.
var llama = architecture{
	modelType: "llama",
	base:      "LlamaModel",
	spec: func(c *config) Spec {
		d := c.decoder(decoderDefaults{vocab: 32000, positions: 2048})
		bias := c.bool("attention_bias", false)
		d.layer.Attention.QKVBias, d.layer.Attention.OutBias = bias, bias
		d.layer.FeedForward.Bias = c.bool("mlp_bias", false)
		return d.spec()
	},
	names: decoderNames,
	heads: decoderHeads("Llama"),
}

// decoderDefaults are what the config.json of a decoder means where it says nothing.
type decoderDefaults struct {
	vocab, positions    int
	hidden, ffn, layers int // 0: Llama's
	heads, kvHeads      int // 0: Llama's; as many as there are heads
	headDim             int // 0: hidden/heads
	theta               float64
	turned              float64 // the part of a head that turns; 0: all of it, whatever is said
	eps                 float64 // 0: Llama's
	act, actKey         string
	pad                 int
}

// A decoder is what Llama and those after it read from config.json alike.
type decoder struct {
	*config
	stack  Stack // without layers
	layer  Layer // every layer, until the architecture says how they differ
	layers int
}

func (c *config) decoder(def decoderDefaults) *decoder {
	or := func(x, y int) int {
		if x == 0 {
			return y
		}
		return x
	}
	d := &decoder{config: c}
	hidden := c.int("hidden_size", or(def.hidden, 4096), 1, maxWidth)
	heads := c.int("num_attention_heads", or(def.heads, 32), 1, maxHeads)
	kvHeads := or(def.kvHeads, heads)
	if c.null("num_key_value_heads") {
		kvHeads = heads
	}
	kvHeads = c.int("num_key_value_heads", kvHeads, 1, maxHeads)
	if heads%kvHeads != 0 {
		c.problem("num_key_value_heads", "%d does not divide num_attention_heads %d", kvHeads, heads)
	}
	headDim := def.headDim
	if c.has("head_dim") || headDim != 0 && !c.null("head_dim") {
		headDim = c.int("head_dim", headDim, 1, mha.MaxDim)
	} else {
		headDim = c.headDim("hidden_size", hidden, "num_attention_heads", heads)
	}
	positions := c.int("max_position_embeddings", def.positions, 1, maxPositions)
	rotary, longest := c.rope(c.turned(headDim, def.turned), cmp.Or(def.theta, 10000), positions)
	d.layers = c.int("num_hidden_layers", or(def.layers, 32), 1, maxLayers)
	d.layer = Layer{
		Attention: Attention{Heads: heads, KVHeads: kvHeads, HeadDim: headDim, Scale: rsqrt(headDim), Causal: true, Rotary: rotary},
		FeedForward: FeedForward{
			Width: c.int("intermediate_size", or(def.ffn, 11008), 1, maxWidth),
			Act:   c.activation(cmp.Or(def.actKey, "hidden_act"), cmp.Or(def.act, "silu")),
			Gated: true,
		},
	}
	d.stack = Stack{
		Hidden:     hidden,
		Embeddings: Embeddings{Vocab: c.int("vocab_size", def.vocab, 1, maxVocab), Positions: longest, Pad: c.pad(def.pad)},
		Norm:       Norm{Kind: RMSNorm, Place: PreNorm, Eps: c.eps("rms_norm_eps", cmp.Or(def.eps, 1e-6))},
		FinalNorm:  true,
	}
	return d
}

// spec makes all layers alike.
func (d *decoder) spec() Spec {
	return d.specOf(repeat(d.layers, d.layer))
}

func (d *decoder) specOf(layers []Layer) Spec {
	d.stack.Layers = layers
	return Spec{Stack: d.stack, Labels: d.labels(), Problem: d.string("problem_type", "")}
}

// windows makes layers of which those that layer_types calls so see a window
// alone. Without the key, slides says which.
func (d *decoder) windows(window int, slides func(i int) bool) []Layer {
	layers := repeat(d.layers, d.layer)
	types := d.strings("layer_types")
	if types != nil && len(types) != len(layers) {
		d.problem("layer_types", "%d for %d layers", len(types), len(layers))
		types = nil
	}
	for i := range layers {
		sliding := types == nil && slides(i)
		if types != nil {
			sliding = types[i] == slidingAttention
			if !sliding && types[i] != fullAttention {
				d.problem("layer_types", "%q is not supported; supported: %s, %s", types[i], fullAttention, slidingAttention)
				break
			}
		}
		if sliding {
			layers[i].Attention.Window = window
		}
	}
	return layers
}

// The values of layer_types.
const (
	fullAttention    = "full_attention"
	slidingAttention = "sliding_attention"
)

// window reads sliding_window; 0: there is none.
func (c *config) window(def int) int {
	if c.null("sliding_window") {
		return 0
	}
	return c.int("sliding_window", def, 1, maxPositions)
}

// pad reads pad_token_id; -1: there is none.
func (c *config) pad(def int) int32 {
	if c.null("pad_token_id") {
		return -1
	}
	return int32(c.int("pad_token_id", def, -1, maxVocab))
}

// decoderNames are those of Llama, which most decoders took over.
func decoderNames(s *Spec) names {
	return names{
		Prefix: "model.", OtherPrefix: "transformer.", // of question answering
		Words: "embed_tokens",
		Layer: "layers.%d.",

		AttentionNorm: "input_layernorm",
		Query:         "self_attn.q_proj",
		Key:           "self_attn.k_proj",
		Value:         "self_attn.v_proj",
		QueryNorm:     "self_attn.q_norm",
		KeyNorm:       "self_attn.k_norm",
		Out:           "self_attn.o_proj",

		FeedForwardNorm: "post_attention_layernorm",
		Gate:            "mlp.gate_proj",
		Up:              "mlp.up_proj",
		Down:            "mlp.down_proj",

		FinalNorm: "norm",
	}
}

// decoderHeads are the classes that decoders have: the language model, and
// classifiers of sequences, which read the last token, of tokens, and of spans.
func decoderHeads(family string) map[string]func(*config, *Spec) []Head {
	return map[string]func(*config, *Spec) []Head{
		family + "Model":                     noHeads,
		family + "ForCausalLM":               languageModel("lm_head", false, 0),
		family + "ForSequenceClassification": lastClassifier("score"),
		family + "ForTokenClassification":    tokenClassifier("score"),
		family + "ForQuestionAnswering":      spanClassifier("qa_outputs"),
	}
}

func noHeads(*config, *Spec) []Head { return nil }

// languageModel scores every word as the next. tied and limit are what a
// config.json means that does not say whether the matrix is the word embeddings',
// and how the scores are bounded (0: they are not).
func languageModel(name string, tied bool, limit float64) func(*config, *Spec) []Head {
	return func(c *config, s *Spec) []Head {
		lm := Dense{Name: name, Width: s.Embeddings.Vocab, Tied: c.bool("tie_word_embeddings", tied), NoBias: true}
		if !c.null("final_logit_softcapping") {
			lm.Cap = float32(c.float("final_logit_softcapping", limit, 1e-3, 1e6))
		}
		return []Head{{Outputs: []string{"logits"}, Layers: []Dense{lm}}}
	}
}

// lastClassifier labels a sequence by its last token.
func lastClassifier(name string) func(*config, *Spec) []Head {
	return func(_ *config, s *Spec) []Head {
		return []Head{{Outputs: []string{"logits"}, From: LastToken, Layers: []Dense{{Name: name, Width: len(s.Labels), NoBias: true}}}}
	}
}
