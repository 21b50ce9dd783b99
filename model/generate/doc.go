// Package generate turns a model's logits into sequences: it chooses tokens,
// searches with beams, and knows when to stop.
//
// A [Config] says how. Its settings are those of transformers' GenerationConfig,
// mean the same, and are applied in the same order:
//
//	logit bias → repetition, presence and frequency penalties → repeated n-grams →
//	bad words → minimum length → forced first and last tokens → suppressed tokens →
//	temperature → top-k → top-p → min-p
//
// A [Sampler] chooses the tokens of one sequence, and is all that a loop over a
// model.Session needs. [Sequences] writes whole sequences, several at once, with
// beams where the Config has them. [ParseSettings] reads a generation_config.json.
//
// # Chance
//
// Tokens are drawn with the PCG-DXSM generator of math/rand/v2, NewPCG(Seed, 0):
// one number a token, the upper 53 bits of which, as a fraction of the
// probabilities' sum, point at a token in the order of ids. Every sequence
// begins with the seed anew. So the same seed gives the same text with any number
// of threads and in any batch; another instruction set, whose logits differ in
// their last bits, may give another.
package generate
