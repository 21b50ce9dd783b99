package model

// MPNet: Song et al. 2020, "MPNet: Masked and Permuted Pre-training for Language
// Understanding". RoBERTa without token types and with T5's relative biases.
var mpnet = architecture{
	modelType: "mpnet",
	base:      "MPNetModel",
	spec: func(c *config) Spec {
		s := c.bert(bertDefaults{vocab: 30527, hidden: 768, heads: 12, ffn: 3072, act: "gelu"})
		s.Embeddings.Types = 0
		c.afterPad(&s.Embeddings, 1) // whatever pad_token_id says
		// transformers counts 32 buckets, whatever this says.
		s.Relative = Relative{Heads: s.Layers[0].Attention.Heads, Buckets: c.int("relative_attention_num_buckets", 32, 32, 32), MaxDistance: 128}
		return s
	},
	names: func(*Spec) names {
		n := bertNames("mpnet.")
		n.Relative = "encoder.relative_attention_bias"
		n.Query, n.Key, n.Value, n.Out = "attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"
		n.AttentionNorm = "attention.LayerNorm"
		return n
	},
	heads: robertaHeads("MPNet"),
}
