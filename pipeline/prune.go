package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// Prune is model.Prune for a folder that may be sentence-transformers': the
// checkpoint may lie in a folder of its own. dst must be empty or not exist, and
// appears whole or not at all.
func Prune(ctx context.Context, src, dst string, p model.Pruning) (report model.PruneReport, err error) {
	copied, err := rewrite(ctx, src, dst, func(from, to string) error {
		report, err = model.Prune(ctx, from, to, p)
		return err
	})
	if err != nil {
		return model.PruneReport{}, err
	}
	report.Copied = append(report.Copied, copied...)
	return report, nil
}

// Batch gives the tokens of texts as the model takes them, cut to what it takes. Of
// an encoder-decoder they are the source, which its decoder reads too.
func (m *Model) Batch(texts ...string) (model.Batch, error) {
	var enc tokenizer.Encoding
	b := model.Batch{CuSeqlens: []int32{0}}
	for i, text := range texts {
		if _, err := m.tokenizer.AppendEncode(&enc, m.folder.text(text), tokenizer.Options{MaxLen: m.maxSeq, IDsOnly: true}); err != nil {
			return model.Batch{}, fmt.Errorf("pipeline: text %d: %w", i, err)
		}
		b.CuSeqlens = append(b.CuSeqlens, int32(enc.Len()))
	}
	b.IDs = enc.IDs
	if m.takesTypes() {
		b.TypeIDs = enc.TypeIDs
	}
	if spec := m.model.Spec(); spec.Crosses() {
		return m.model.Shifted(b)
	}
	return b, nil
}

// Drift says how far what a model makes of texts is from what another made of
// them. For a model whose own head gives logits, rows are tokens or texts, and
// Top1 the share whose likeliest answer is the same. For others rows are the
// vectors of texts, and Top1 the share of texts whose nearest other text is.
func Drift(ctx context.Context, before, after *Model, texts ...string) (model.Drift, error) {
	if before.logits() {
		return logitsDrift(ctx, before, after, texts)
	}
	x, err := before.embedder.AppendEmbed(ctx, nil, texts...)
	if err != nil {
		return model.Drift{}, err
	}
	y, err := after.embedder.AppendEmbed(ctx, nil, texts...)
	if err != nil {
		return model.Drift{}, err
	}
	d, err := model.CompareRows(x, y, before.embedder.dim)
	if err != nil {
		return model.Drift{}, err
	}
	d.Top1 = sameNearest(x, y, before.embedder.dim)
	return d, nil
}

// logits says whether the model has a head of that name.
func (m *Model) logits() bool {
	for _, h := range m.model.Spec().Heads {
		if len(h.Outputs) == 1 && h.Outputs[0] == logits {
			return true
		}
	}
	return false
}

// logitsDrift compares logits, of one text after the other: those of a language
// model are many.
func logitsDrift(ctx context.Context, before, after *Model, texts []string) (sum model.Drift, err error) {
	sum.CosineMin = 1
	rows := 0.0
	for _, text := range texts {
		x, cols, err := before.answers(ctx, text)
		if err != nil {
			return model.Drift{}, err
		}
		y, _, err := after.answers(ctx, text)
		if err != nil {
			return model.Drift{}, err
		}
		if len(x) == 0 {
			continue // an empty text of a model without special tokens
		}
		d, err := model.CompareRows(x, y, cols)
		if err != nil {
			return model.Drift{}, err
		}
		n := float64(len(x) / cols)
		rows += n
		sum.Cosine += n * d.Cosine
		sum.Top1 += n * d.Top1
		sum.CosineMin, sum.MaxAbs = min(sum.CosineMin, d.CosineMin), max(sum.MaxAbs, d.MaxAbs)
	}
	if rows == 0 {
		return model.Drift{}, errors.New("pipeline: the texts give no tokens")
	}
	sum.Cosine /= rows
	sum.Top1 /= rows
	return sum, nil
}

// answers gives the logits of a text, none if it has no tokens.
func (m *Model) answers(ctx context.Context, text string) (rows []float32, cols int, err error) {
	b, err := m.Batch(text)
	if err != nil || len(b.IDs) == 0 {
		return nil, 0, err
	}
	r, err := m.model.NewResult(logits)
	if err != nil {
		return nil, 0, err
	}
	if err := m.model.Forward(ctx, b, r); err != nil {
		return nil, 0, fmt.Errorf("pipeline: %w", err)
	}
	out := r.Get(logits)
	return out.Data, out.Cols, nil
}

// sameNearest is the share of vectors in x, of length 1, whose nearest other is
// nearest in y too; 1 where there is no other.
func sameNearest(x, y []float32, dim int) float64 {
	n := len(x) / dim
	if n < 2 {
		return 1
	}
	same := 0
	for i := range n {
		if nearest(x, i, dim) == nearest(y, i, dim) {
			same++
		}
	}
	return float64(same) / float64(n)
}

func nearest(v []float32, i, dim int) int {
	best, most := -1, math.Inf(-1)
	for j := range len(v) / dim {
		if j == i {
			continue
		}
		dot, norm := 0.0, 0.0
		for c := range dim {
			dot += float64(v[i*dim+c]) * float64(v[j*dim+c])
			norm += float64(v[j*dim+c]) * float64(v[j*dim+c])
		}
		if dot /= math.Sqrt(norm); dot > most {
			best, most = j, dot
		}
	}
	return best
}
