package pipeline

import (
	"context"
	"fmt"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/picture"
)

// A Captioner says in words what pictures show. It is safe for concurrent use, and
// ends with its Model.
type Captioner struct {
	g     *Generator
	start int32 // the token that a text begins with
}

// Captioner gives the model's captions, which an encoder of pictures with a decoder
// of text gives.
func (m *Model) Captioner() (*Captioner, error) {
	spec := m.model.Spec()
	if spec.Writer != "" && m.visionErr != nil {
		return nil, m.visionErr
	}
	if err := m.can("caption"); err != nil {
		return nil, err
	}
	if m.settingsErr != nil {
		return nil, m.settingsErr
	}
	g := &Generator{m: m, settings: m.generation, vocab: spec.Embeddings.Vocab}
	if err := g.settings.Check(g.vocab); err != nil {
		return nil, err
	}
	start, err := m.startOf(&spec)
	if err != nil {
		return nil, err
	}
	return &Captioner{g, start[0]}, nil
}

// Settings gives what the checkpoint's generation_config.json says: see
// [Generator.Settings].
func (c *Captioner) Settings() *generate.Settings { return c.g.settings }

// CaptionConfig changes one call. Its zero value is greedy, and gives at most the
// tokens that the checkpoint's settings say, else DefaultNewTokens.
type CaptionConfig struct {
	generate.Config

	// IgnoreEOS goes on after the tokens that end a text by the checkpoint's settings.
	IgnoreEOS bool
	// KV is the type of the cache of keys and values; the zero value is float32.
	KV model.KVType
}

// Caption gives a caption of each picture, without special tokens. What it says
// about one does not depend on the others.
func (c *Captioner) Caption(ctx context.Context, cfg CaptionConfig, pics ...*picture.Picture) ([]string, error) {
	m := c.g.m
	captions := make([]string, 0, len(pics))
	how := c.g.config(cfg.Config, cfg.IgnoreEOS)
	err := m.vision.batches(pics, func(b model.Batch) error {
		prompts := make([]generate.Prompt, len(b.Pictures))
		for i := range prompts {
			prompts[i].IDs = []int32{c.start}
		}
		list, err := generate.SequencesFrom(ctx, m.model, model.SessionOptions{KV: cfg.KV}, b, prompts, how)
		if err != nil {
			return fmt.Errorf("pipeline: %w", err)
		}
		for _, s := range list {
			captions = append(captions, m.tokenizer.Decode(s.IDs, true))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return captions, nil
}
