package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// An AttentionWritten is what every head of a decoder makes of the text that it
// writes about another.
type AttentionWritten struct {
	Text   string
	Tokens []AttentionToken // as the decoder reads them: the one that texts begin with is the first
	Layers []AttentionLayer // of its own tokens
	Source []AttentionLayer // to the text that it writes about: Weights are [Heads, these tokens, its tokens]
}

// attentionAcross fills in what an encoder-decoder makes of the text that enc is.
func (m *Model) attentionAcross(ctx context.Context, a *Attention, enc *tokenizer.Encoding, limit int, cfg AttentionConfig) error {
	spec := m.model.Spec()
	if !readsText(&spec) {
		return fmt.Errorf("%s: a %s writes about pictures, and reads no text", m.name, kindOf(&spec))
	}
	source := model.Batch{IDs: enc.IDs, CuSeqlens: []int32{0, int32(enc.Len())}}
	b, err := m.targetBatch(ctx, source, limit, cfg)
	if err != nil {
		return err
	}
	n, t := enc.Len(), len(b.IDs)
	bytes := 0.0
	for i := range spec.Other.Layers {
		bytes += 4 * float64(spec.Other.Layers[i].Attention.Heads) * float64(n) * float64(n)
	}
	for i := range spec.Layers {
		bytes += 4 * float64(t) * (float64(spec.Layers[i].Attention.Heads)*float64(t) + float64(spec.Layers[i].Cross.Heads)*float64(n))
	}
	if bytes > 4*maxAttention {
		return fmt.Errorf("%d tokens and the %d written about them have more attention weights than 1 GiB holds", n, t)
	}
	r, err := m.model.NewResult(model.Attentions)
	if err != nil {
		return err
	}
	if err := m.model.Forward(ctx, b, r); err != nil {
		return err
	}
	a.Tokens = m.attentionTokens(enc, a)
	w := &AttentionWritten{Text: m.tokenizer.Decode(b.IDs, true), Tokens: m.writtenTokens(b.IDs)}
	a.Written = w
	for out := range r.All {
		layers, size := &w.Layers, t*t
		switch {
		case strings.HasPrefix(out.Name, "encoder_"):
			layers, size = &a.Layers, n*n
		case strings.HasPrefix(out.Name, "cross_"):
			layers, size = &w.Source, t*n
		}
		*layers = append(*layers, AttentionLayer{Heads: len(out.Data) / size, Weights: out.Data})
	}
	return nil
}

// targetBatch is what the decoder reads: the target as in training, shifted by one
// token, or what the model itself writes, less the last.
func (m *Model) targetBatch(ctx context.Context, source model.Batch, limit int, cfg AttentionConfig) (model.Batch, error) {
	spec := m.model.Spec()
	b := model.Batch{Source: &source}
	switch {
	case cfg.HasTarget:
		start := max(spec.Target.Start, 0)
		if list := m.generation.Start(spec.Target.Start); len(list) == 1 {
			start = list[0]
		}
		var enc tokenizer.Encoding
		cut, err := m.tokenizer.AppendEncode(&enc, cfg.Target, tokenizer.Options{MaxLen: limit, IDsOnly: true})
		if err != nil {
			return b, err
		}
		if cut && cfg.TargetTruncated != nil {
			cfg.TargetTruncated(enc.Len())
		}
		ids := enc.IDs
		if spec.Target.Shift == model.ShiftLast && len(ids) > 0 {
			start = ids[len(ids)-1]
		}
		b.IDs = append([]int32{start}, ids[:max(len(ids)-1, 0)]...)
	case !m.model.Continues():
		return m.model.Shifted(source)
	default:
		r, err := m.newRewriter("translate")
		if err != nil {
			return b, err
		}
		how := r.config(noDirection.task)
		if cfg.MaxTokens > 0 {
			how.MaxNewTokens = cfg.MaxTokens
		}
		list, err := generate.SequencesFrom(ctx, m.model, model.SessionOptions{}, source, []generate.Prompt{{IDs: r.start}}, how)
		if err != nil {
			return b, err
		}
		b.IDs = list[0].IDs[:len(list[0].IDs)-1]
	}
	b.CuSeqlens = []int32{0, int32(len(b.IDs))}
	return b, nil
}

// writtenTokens describes tokens that no text was encoded to.
func (m *Model) writtenTokens(ids []int32) []AttentionToken {
	special := map[int32]bool{}
	for _, t := range m.tokenizer.SpecialTokens() {
		special[t.ID] = true
	}
	const white = " \t\r\n"
	stream := m.tokenizer.NewStream(false)
	list := make([]AttentionToken, len(ids))
	for i, id := range ids {
		piece := string(stream.Append(nil, id))
		token, _ := m.tokenizer.IDToToken(id)
		list[i] = AttentionToken{ID: id, Token: token, Special: special[id] || i == 0}
		if !list[i].Special {
			before := list[i-1].Surface
			list[i].Surface = piece
			list[i].Joined = before != "" && before == strings.TrimRight(before, white) && piece != "" && piece == strings.TrimLeft(piece, white)
		}
	}
	return list
}
