package model

import "encoding/json"

// GPT-Neo: Black et al. 2021, "GPT-Neo: Large Scale Autoregressive Language Modeling
// with Mesh-Tensorflow". GPT-2 whose scores are not scaled, with windows in some
// layers.
var gptNeo = architecture{
	modelType: "gpt_neo",
	base:      "GPTNeoModel",
	spec: func(c *config) Spec {
		hidden := c.int("hidden_size", 2048, 1, maxWidth)
		heads := c.int("num_heads", 16, 1, maxHeads)
		positions := c.int("max_position_embeddings", 2048, 1, maxPositions)
		layers := repeat(c.int("num_layers", 24, 1, maxLayers), Layer{
			Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: c.headDim("hidden_size", hidden, "num_heads", heads), Scale: 1, Causal: true, OutBias: true},
			FeedForward: FeedForward{Width: c.int("intermediate_size", 4*hidden, 1, maxWidth), Act: c.activation("activation_function", "gelu_new"), Bias: true},
		})
		window := c.int("window_size", 256, 1, maxPositions)
		for i, kind := range c.attentionTypes(len(layers)) {
			if kind == "local" {
				layers[i].Attention.Window = window
			}
		}
		return Spec{
			Stack: Stack{
				Hidden:     hidden,
				Embeddings: Embeddings{Vocab: c.int("vocab_size", 50257, 1, maxVocab), Positions: positions, Rows: positions, Pad: c.pad(-1)},
				Norm:       Norm{Kind: LayerNorm, Place: PreNorm, Eps: c.eps("layer_norm_epsilon", 1e-5)},
				FinalNorm:  true,
				Layers:     layers,
			},
			Labels:  c.labels(),
			Problem: c.string("problem_type", ""),
		}
	},
	names: func(*Spec) names {
		n := gptNames
		n.Words, n.Positions, n.FinalNorm = "wte", "wpe", "ln_f"
		n.QKV, n.Query, n.Key, n.Value = "", "attn.attention.q_proj", "attn.attention.k_proj", "attn.attention.v_proj"
		n.Out, n.Transposed = "attn.attention.out_proj", false
		return n
	},
	heads: map[string]func(*config, *Spec) []Head{
		"GPTNeoModel":                     noHeads,
		"GPTNeoForCausalLM":               languageModel("lm_head", true, 0),
		"GPTNeoForSequenceClassification": lastClassifier("score"),
		"GPTNeoForTokenClassification":    tokenClassifier("classifier"),
		"GPTNeoForQuestionAnswering":      spanClassifier("qa_outputs"),
	},
}

// attentionTypes reads attention_types, [[["global", "local"], 12]]: the kinds of
// layers, and how often they are repeated.
func (c *config) attentionTypes(layers int) []string {
	const key = "attention_types"
	v, ok := c.values[key]
	if !ok {
		v = json.RawMessage(`[[["global", "local"], 12]]`)
	}
	var groups [][2]json.RawMessage
	if err := json.Unmarshal(v, &groups); err != nil {
		c.problem(key, "%s is not a list of kinds and counts", shown(v))
		return nil
	}
	var types []string
	for _, g := range groups {
		var kinds []string
		var times int
		if json.Unmarshal(g[0], &kinds) != nil || json.Unmarshal(g[1], &times) != nil || times < 0 || times > maxLayers {
			c.problem(key, "%s is not a list of kinds and counts", shown(v))
			return nil
		}
		for range times {
			for _, kind := range kinds {
				if kind != "global" && kind != "local" {
					c.problem(key, "%q is not supported; supported: global, local", kind)
					return nil
				}
			}
			if types = append(types, kinds...); len(types) > layers {
				break
			}
		}
	}
	if len(types) != layers {
		c.problem(key, "they are for %d layers, and there are %d", len(types), layers)
		return nil
	}
	return types
}
