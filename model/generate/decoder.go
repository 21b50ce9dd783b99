package generate

import "context"

// A Decoder keeps rows: sequences that a model goes on with. [Sessions] makes one
// of a causal language model.
type Decoder interface {
	// Step replaces the rows: row i becomes what row parents[i] was, followed by
	// ids[i]. Rows that no one follows end.
	Step(ctx context.Context, parents []int, ids []int32) error
	// Logits are those after the last token of a row, [vocab]; they may be
	// overwritten, and are valid until the next Step.
	Logits(row int) []float32
	// Context is how many tokens a row may have.
	Context() int
}
