package model

import (
	"math"

	"github.com/ladon-ml/ladon/kernels"
)

// BERT: Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional
// Transformers for Language Understanding".
var bert = architecture{
	modelType: "bert",
	base:      "BertModel",
	spec: func(c *config) Spec {
		return c.bert(bertDefaults{vocab: 30522, hidden: 768, heads: 12, ffn: 3072, act: "gelu"})
	},
	names: func(*Spec) names { return bertNames("bert.") },
	heads: map[string]func(*config, *Spec) []Head{
		"BertModel": pooled,
		"BertForPreTraining": func(c *config, s *Spec) []Head {
			return []Head{
				{Outputs: []string{"prediction_logits"}, Layers: bertPredictions(c, s)},
				{Outputs: []string{"seq_relationship_logits"}, From: FirstToken, Layers: []Dense{bertPooler(s), {Name: "cls.seq_relationship", Width: 2}}},
			}
		},
		"BertForMaskedLM": func(c *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, Layers: bertPredictions(c, s)}}
		},
		"BertLMHeadModel": func(c *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, Layers: bertPredictions(c, s)}}
		},
		"BertForNextSentencePrediction": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, From: FirstToken, Layers: []Dense{bertPooler(s), {Name: "cls.seq_relationship", Width: 2}}}}
		},
		"BertForSequenceClassification": func(_ *config, s *Spec) []Head {
			return []Head{{Outputs: []string{"logits"}, From: FirstToken, Layers: []Dense{bertPooler(s), {Name: "classifier", Width: len(s.Labels)}}}}
		},
		"BertForMultipleChoice":      pooledChoices,
		"BertForTokenClassification": tokenClassifier("classifier"),
		"BertForQuestionAnswering":   spanClassifier("qa_outputs"),
	},
}

// bertDefaults are what the config.json of one of BERT's kin means where it says
// nothing.
type bertDefaults struct {
	vocab, hidden, heads, ffn int
	act                       string
}

// bert reads what BERT and its kin have in common.
func (c *config) bert(def bertDefaults) Spec {
	hidden := c.int("hidden_size", def.hidden, 1, maxWidth)
	heads := c.int("num_attention_heads", def.heads, 1, maxHeads)
	headDim := c.headDim("hidden_size", hidden, "num_attention_heads", heads)
	if kind := c.string("position_embedding_type", "absolute"); kind != "absolute" {
		c.problem("position_embedding_type", "%q is not supported; supported: absolute", kind)
	}
	causal := c.bool("is_decoder", false)
	positions := c.int("max_position_embeddings", 512, 1, maxPositions)
	layer := Layer{
		Attention:   Attention{Heads: heads, KVHeads: heads, HeadDim: headDim, Scale: rsqrt(headDim), Causal: causal, QKVBias: true, OutBias: true},
		FeedForward: FeedForward{Width: c.int("intermediate_size", def.ffn, 1, maxWidth), Act: c.activation("hidden_act", def.act), Bias: true},
	}
	if causal && c.bool("add_cross_attention", false) {
		layer.crossLike()
	}
	return Spec{
		Stack: Stack{
			Hidden: hidden,
			Embeddings: Embeddings{
				Vocab:     c.int("vocab_size", def.vocab, 1, maxVocab),
				Positions: positions,
				Rows:      positions,
				Types:     c.int("type_vocab_size", 2, 1, maxVocab),
				Norm:      true,
			},
			Norm:   Norm{Kind: LayerNorm, Place: PostNorm, Eps: c.eps("layer_norm_eps", 1e-12)},
			Layers: repeat(c.int("num_hidden_layers", 12, 1, maxLayers), layer),
		},
		Labels:  c.labels(),
		Problem: c.string("problem_type", ""),
	}
}

func bertNames(prefix string) names {
	return names{
		Prefix:    prefix,
		Words:     "embeddings.word_embeddings",
		Positions: "embeddings.position_embeddings",
		Types:     "embeddings.token_type_embeddings",

		EmbeddingNorm: "embeddings.LayerNorm",
		CrossQuery:    "crossattention.self.query",
		CrossKey:      "crossattention.self.key",
		CrossValue:    "crossattention.self.value",
		CrossOut:      "crossattention.output.dense",
		CrossNorm:     "crossattention.output.LayerNorm",

		Layer:           "encoder.layer.%d.",
		Query:           "attention.self.query",
		Key:             "attention.self.key",
		Value:           "attention.self.value",
		Out:             "attention.output.dense",
		AttentionNorm:   "attention.output.LayerNorm",
		Up:              "intermediate.dense",
		Down:            "output.dense",
		FeedForwardNorm: "output.LayerNorm",
	}
}

func bertPooler(s *Spec) Dense {
	return Dense{Name: "pooler.dense", InBase: true, Width: s.Hidden, Act: kernels.Tanh}
}

// bertPredictions is the masked language model's head. Where the decoder is tied
// to the word embeddings its bias is mostly stored as predictions.bias alone;
// where decoder.bias is there too, that is the one in use.
func bertPredictions(c *config, s *Spec) []Dense {
	return []Dense{
		{Name: "cls.predictions.transform.dense", Width: s.Hidden, Act: s.Layers[0].FeedForward.Act, Norm: "cls.predictions.transform.LayerNorm"},
		{Name: "cls.predictions.decoder", Width: s.Embeddings.Vocab, Tied: c.bool("tie_word_embeddings", true),
			Bias: []string{"cls.predictions.decoder.bias", "cls.predictions.bias"}},
	}
}

// tokenClassifier is one dense layer that labels every token.
func tokenClassifier(name string) func(*config, *Spec) []Head {
	return func(_ *config, s *Spec) []Head {
		return []Head{{Outputs: []string{"logits"}, Layers: []Dense{{Name: name, Width: len(s.Labels)}}}}
	}
}

// spanClassifier is one dense layer that scores every token as the start and as
// the end of an answer.
func spanClassifier(name string) func(*config, *Spec) []Head {
	return func(c *config, s *Spec) []Head {
		if n := len(s.Labels); n != 2 {
			c.problem("num_labels", "question answering needs 2, got %d", n)
		}
		return []Head{{Outputs: []string{"start_logits", "end_logits"}, Layers: []Dense{{Name: name, Width: 2}}}}
	}
}

// rsqrt is the scale of scores in Vaswani et al. 2017.
func rsqrt(headDim int) float32 { return float32(1 / math.Sqrt(float64(headDim))) }
