package pipeline

import (
	"context"
	"fmt"
	"math"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/picture"
)

// An AttentionPicture is a picture whose patches are tokens.
type AttentionPicture struct {
	Picture                 *picture.Picture // as the model sees it
	First                   int              // the token of the first patch; others follow, row after row
	Rows, Cols              int              // patches
	PatchHeight, PatchWidth int              // pixels; what is left over below and at the right is not looked at
}

// Attention gives the weights of every head for a picture. They take
// 4·layers·heads·tokens² bytes. Where that is more than 1 GiB, or there would be more
// tokens than cfg allows, a model that takes pictures of any size gets a smaller
// one, and cfg.Truncated is called; for others it is an error.
func (v *VisionModel) Attention(ctx context.Context, pic *picture.Picture, cfg AttentionConfig) (*Attention, error) {
	a, err := attentionOnPicture(ctx, v.model, v.processor, pic, cfg)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	return a, nil
}

func attentionOnPicture(ctx context.Context, m *model.Model, processor *picture.Processor, pic *picture.Picture, cfg AttentionConfig) (*Attention, error) {
	spec := m.Spec()
	p := spec.Embeddings.Patches
	heads, most := 0, 0
	for i := range spec.Layers {
		heads += spec.Layers[i].Attention.Heads
	}
	most = int(math.Sqrt(float64(maxAttention) / float64(max(heads, 1))))
	if cfg.MaxTokens > 0 {
		most = min(most, cfg.MaxTokens)
	}
	processor, n, err := fitting(processor, p, pic, most)
	if err != nil {
		return nil, err
	}
	if pic, err = processor.Prepare(pic); err != nil {
		return nil, err
	}
	if n.cut && cfg.Truncated != nil {
		cfg.Truncated(n.tokens)
	}
	r, err := m.NewResult(model.Attentions)
	if err != nil {
		return nil, err
	}
	b := m.Pictures(model.Pixels{Data: processor.Values(nil, pic), Width: pic.Width, Height: pic.Height})
	if err := m.Forward(ctx, b, r); err != nil {
		return nil, err
	}
	a := &Attention{Picture: &AttentionPicture{
		Picture: pic, First: p.Class, PatchHeight: p.Patch[0], PatchWidth: p.Patch[1],
		Rows: pic.Height / p.Patch[0], Cols: pic.Width / p.Patch[1],
	}}
	a.Tokens = patchTokens(p, a.Picture)
	for out := range r.All {
		a.Layers = append(a.Layers, AttentionLayer{Heads: len(out.Data) / (n.tokens * n.tokens), Weights: out.Data})
	}
	return a, nil
}

// fit is how many tokens a picture makes, and whether it is smaller for that.
type fit struct {
	tokens int
	cut    bool
}

// fitting finds a processor that gives a picture at most so many tokens.
func fitting(processor *picture.Processor, p *model.Patches, pic *picture.Picture, most int) (*picture.Processor, fit, error) {
	tokens := 0
	for scaled, by := processor, 1.0; ; scaled = processor.Scaled(by) {
		w, h, err := scaled.Shape(pic.Width, pic.Height)
		if err != nil && by == 1 {
			return nil, fit{}, err
		}
		patches := 0
		if err == nil {
			patches = h / p.Patch[0] * (w / p.Patch[1])
		}
		if patches > 0 || by == 1 {
			if tokens = p.Class + patches + p.Detection; tokens <= most {
				return scaled, fit{tokens, by < 1}, nil
			}
		}
		if by *= 0.97; !p.Interpolate || patches < 2 {
			return nil, fit{}, fmt.Errorf("the picture makes %d tokens, but attention is shown for at most %d of this model's", tokens, most)
		}
	}
}

// patchTokens names the tokens of a picture.
func patchTokens(p *model.Patches, pic *AttentionPicture) []AttentionToken {
	var list []AttentionToken
	add := func(special bool, name string) {
		list = append(list, AttentionToken{ID: -1, Token: name, Special: special})
	}
	for i := range p.Class {
		add(true, []string{"[class]", "[distillation]"}[min(i, 1)])
	}
	for row := range pic.Rows {
		for col := range pic.Cols {
			add(false, fmt.Sprintf("patch %d, %d", row, col))
		}
	}
	for i := range p.Detection {
		add(true, fmt.Sprintf("[object %d]", i))
	}
	return list
}
