package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

const predictionLogits = "prediction_logits"

// maxMaskLogits bounds the logits of a batch, of which a masked language model
// has a vocabulary for every token: 64 MiB, or what one text has.
const maxMaskLogits = 16 << 20

// A MaskFiller says which tokens may stand where a text has masks. It is safe for
// concurrent use, and ends with its Model.
type MaskFiller struct {
	m      *Model
	output string
	id     int32
	mask   string
}

// MaskFiller gives the model's filling of masks. Only masked language models have
// it.
func (m *Model) MaskFiller() (*MaskFiller, error) {
	if err := m.can("fill-mask"); err != nil {
		return nil, err
	}
	spec := m.model.Spec()
	f := &MaskFiller{m: m, output: maskOutput(m, &spec)}
	var ok bool
	if f.id, ok = m.tokenizer.RoleID("mask_token"); !ok {
		return nil, fmt.Errorf("pipeline: %s: the tokenizer names no mask_token (tokenizer_config.json does, where there is one)", m.name)
	}
	if int(f.id) >= spec.Embeddings.Vocab {
		return nil, fmt.Errorf("pipeline: %s: mask token %d is not in the model's vocabulary of %d", m.name, f.id, spec.Embeddings.Vocab)
	}
	f.mask, _ = m.tokenizer.IDToToken(f.id)
	return f, nil
}

// maskOutput is the output with a vocabulary for every token, "" if there is none.
func maskOutput(m *Model, s *model.Spec) string {
	switch outputs := m.model.Outputs(); {
	case strings.HasSuffix(s.Class, "ForMaskedLM") && slices.Contains(outputs, logits):
		return logits
	case slices.Contains(outputs, predictionLogits): // ForPreTraining
		return predictionLogits
	}
	return ""
}

// Mask is what stands for a mask in a text.
func (f *MaskFiller) Mask() string { return f.mask }

// FillConfig changes one call. Its zero value is the default.
type FillConfig struct {
	Top     int     // so many tokens for each mask, the likeliest; 0: 5
	Targets []int32 // choose among these tokens only; see Target
}

// A Fill is a token in the place of a mask.
type Fill struct {
	ID    int32
	Token string // as text
	Score float32
	Text  string // all of it, with the token in its place, as the tokenizer reads it
}

// ErrNoMask is what a text without a mask gives.
var ErrNoMask = errors.New("has no mask")

// A TextError is about one of a call's texts.
type TextError struct {
	Index int // from 0
	Err   error
}

func (e *TextError) Error() string { return fmt.Sprintf("pipeline: text %d: %v", e.Index, e.Err) }
func (e *TextError) Unwrap() error { return e.Err }

// Target gives the token for a word: its own, or else the first of those that make
// it up, which exact tells apart.
func (f *MaskFiller) Target(word string) (id int32, exact bool, err error) {
	vocab := f.m.model.Spec().Embeddings.Vocab
	if id, ok := f.m.tokenizer.TokenToID(word); ok && int(id) < vocab {
		return id, true, nil
	}
	var enc tokenizer.Encoding
	if _, err := f.m.tokenizer.AppendEncode(&enc, word, tokenizer.Options{NoSpecial: true, MaxLen: -1, IDsOnly: true, Strict: true}); err != nil {
		return 0, false, fmt.Errorf("pipeline: %w", err)
	}
	if enc.Len() == 0 {
		return 0, false, fmt.Errorf("pipeline: %q gives no token", word)
	}
	return enc.IDs[0], false, nil
}

// Fill gives the likeliest tokens for each mask of each text, by the rules of
// transformers' fill-mask pipeline: probabilities are over the whole vocabulary,
// of each mask by itself. A text without a mask, or whose mask stands behind what
// the model takes, is a *TextError.
func (f *MaskFiller) Fill(ctx context.Context, cfg FillConfig, texts ...string) ([][][]Fill, error) {
	w, err := f.m.gate.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	defer f.m.gate.leave(w)
	if cfg.Top <= 0 {
		cfg.Top = 5
	}
	vocab := f.m.model.Spec().Embeddings.Vocab
	for _, id := range cfg.Targets {
		if id < 0 || int(id) >= vocab {
			return nil, fmt.Errorf("pipeline: target %d is not in the vocabulary of %d", id, vocab)
		}
	}
	fills := make([][][]Fill, 0, len(texts))
	w.reset()
	for i, text := range texts {
		if err := f.add(w, text); err != nil {
			return nil, &TextError{i, err}
		}
		if !w.full() && (w.enc.Len()+f.m.maxSeq)*vocab <= maxMaskLogits && i < len(texts)-1 {
			continue
		}
		out, err := w.run(ctx, &w.masks, f.output)
		if err != nil {
			return nil, fmt.Errorf("pipeline: %s: %w", f.m.name, err)
		}
		for text := range w.texts() {
			fills = append(fills, f.fill(w, out, text, &cfg))
		}
		w.reset()
	}
	return fills, nil
}

// add adds a text to the batch. What is cut off must hold no mask.
func (f *MaskFiller) add(w *workspace, text string) error {
	from := w.enc.Len()
	cut, err := w.add(f.m.folder.text(text), tokenizer.Options{})
	if err != nil {
		return err
	}
	masks := count(w.enc.IDs[from:], f.id)
	if !cut {
		if masks == 0 {
			return fmt.Errorf("%w %s", ErrNoMask, f.mask)
		}
		return nil
	}
	var whole tokenizer.Encoding
	if _, err := f.m.tokenizer.AppendEncode(&whole, f.m.folder.text(text), tokenizer.Options{MaxLen: -1, IDsOnly: true}); err != nil {
		return err
	}
	switch all := count(whole.IDs, f.id); {
	case all == 0:
		return fmt.Errorf("%w %s", ErrNoMask, f.mask)
	case masks < all:
		return fmt.Errorf("%s stands behind the %d tokens that the model takes: the text has %d", f.mask, f.m.maxSeq, whole.Len())
	}
	return nil
}

func count(ids []int32, id int32) (n int) {
	for _, x := range ids {
		if x == id {
			n++
		}
	}
	return n
}

// fill gives the likeliest tokens for the masks of a text of the batch.
func (f *MaskFiller) fill(w *workspace, out model.Output, text int, cfg *FillConfig) (masks [][]Fill) {
	from, to := w.span(text)
	ids := slices.Clone(w.enc.IDs[from:to])
	single := count(ids, f.id) == 1
	for i, id := range w.enc.IDs[from:to] {
		if id != f.id {
			continue
		}
		list := likeliest(out.Data[(from+i)*out.Cols:(from+i+1)*out.Cols], cfg)
		for j := range list {
			ids[i] = list[j].ID
			list[j].Token = f.m.tokenizer.Decode(ids[i:i+1], false)
			// With several masks special tokens stay, for the other masks are such.
			list[j].Text = f.m.tokenizer.Decode(ids, single)
		}
		ids[i] = f.id
		masks = append(masks, list)
	}
	return masks
}

// likeliest gives the tokens of the greatest logits with their probabilities.
func likeliest(logits []float32, cfg *FillConfig) []Fill {
	most, sum := math.Inf(-1), 0.0
	for _, x := range logits {
		most = max(most, float64(x))
	}
	for _, x := range logits {
		sum += math.Exp(float64(x) - most)
	}
	b := topOf[int32]{top: cfg.Top}
	if cfg.Targets == nil {
		for id, x := range logits {
			b.add(int32(id), float64(x))
		}
	} else {
		targets := slices.Clone(cfg.Targets)
		slices.Sort(targets)
		for _, id := range slices.Compact(targets) {
			b.add(id, float64(logits[id]))
		}
	}
	var list []Fill
	for _, f := range b.sort() {
		list = append(list, Fill{ID: f.value, Score: float32(math.Exp(f.score-most) / sum)})
	}
	return list
}
