package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// maxAttention is the most weights that Attention gives: 1 GiB of them.
const maxAttention = 1 << 28

// An Attention is what every head of a model makes of one text or picture.
type Attention struct {
	Text    string            // as the tokenizer got it, with the model's prompt
	Pair    string            // the second text, if there is one
	Picture *AttentionPicture // nil: it is a text
	Tokens  []AttentionToken
	Layers  []AttentionLayer

	// Written is what the decoder of an encoder-decoder makes, whose encoder has all
	// the rest; nil for other models.
	Written *AttentionWritten
}

// Rollout says how much of each token is in the last hidden state of one, if
// layers do no more than mix what they read by their heads' mean, in equal parts
// with what passes beside them: the row of (Aₗ+I)/2 ⋯ (A₁+I)/2 (Abnar and Zuidema
// 2020). Of a class token and a picture it is a map of what counted.
func (a *Attention) Rollout(token int) []float32 {
	n := len(a.Tokens)
	row, next := make([]float64, n), make([]float64, n)
	row[token] = 1
	for l := len(a.Layers) - 1; l >= 0; l-- {
		layer := &a.Layers[l]
		copy(next, row)
		for h := range layer.Heads {
			for i, share := range row {
				if share == 0 {
					continue
				}
				for j, w := range layer.Weights[(h*n+i)*n:][:n] {
					next[j] += share * float64(w) / float64(layer.Heads)
				}
			}
		}
		for j, x := range next {
			row[j] = x / 2
		}
	}
	list := make([]float32, n)
	for i, x := range row {
		list[i] = float32(x)
	}
	return list
}

// An AttentionToken is a row and a column of the weights.
type AttentionToken struct {
	ID      int32  // -1: of a picture
	Token   string // as the vocabulary has it, with its marks; "patch 3, 4" is in row 3
	Surface string // the part of the text that it stands for; "" for special tokens
	Special bool   // added by the tokenizer's template, one of its special tokens, or no patch
	Joined  bool   // goes on with the word of the token before
}

// An AttentionLayer holds the weights of one layer's heads.
type AttentionLayer struct {
	Heads   int
	Weights []float32 // [Heads, tokens, tokens]: how much each token (row) takes from each (column)
}

// AttentionConfig changes one call. Its zero value is the default.
type AttentionConfig struct {
	// Pair is a second text, which the model reads together with the first.
	Pair    string
	HasPair bool
	// Target is what the decoder of an encoder-decoder writes about the text. Without
	// it that is what the model itself writes, by the rules of [Translator.Translate]
	// without its prefixes, or in models that write nothing what they read to label the
	// text.
	Target    string
	HasTarget bool
	// MaxTokens cuts the text, and the target, to fewer tokens than the model takes, or
	// makes the picture smaller. 0: no.
	MaxTokens int
	// Truncated is called if the text is cut, or the picture made smaller, with the
	// tokens that it keeps.
	Truncated func(kept int)
	// TargetTruncated is called likewise if the target is cut.
	TargetTruncated func(kept int)
}

// Attention gives the weights of every head for a text. They take
// 4·layers·heads·tokens² bytes, and more than 1 GiB of them are an error.
// An encoder-decoder's are those of both, and of the attention between them.
func (m *Model) Attention(ctx context.Context, text string, cfg AttentionConfig) (*Attention, error) {
	w, err := m.gate.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	defer m.gate.leave(w)
	a, err := m.attention(ctx, text, cfg)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	return a, nil
}

func (m *Model) attention(ctx context.Context, text string, cfg AttentionConfig) (*Attention, error) {
	a := &Attention{Text: m.folder.text(text)}
	if cfg.HasPair {
		a.Pair = m.folder.text(cfg.Pair)
	}
	limit := m.maxSeq
	if cfg.MaxTokens > 0 {
		limit = min(limit, cfg.MaxTokens)
	}
	var enc tokenizer.Encoding
	cut, err := m.tokenizer.AppendEncode(&enc, a.Text, tokenizer.Options{Pair: a.Pair, HasPair: cfg.HasPair, MaxLen: limit})
	if err != nil {
		return nil, err
	}
	if cut && cfg.Truncated != nil {
		cfg.Truncated(enc.Len())
	}
	n, spec := enc.Len(), m.model.Spec()
	switch {
	case n == 0:
		return nil, errors.New("the text gives no tokens")
	case spec.Crosses():
		return a, m.attentionAcross(ctx, a, &enc, limit, cfg)
	case cfg.HasTarget:
		return nil, fmt.Errorf("a %s writes nothing about a text: a target is for encoder-decoders", kindOf(&spec))
	}
	all := 0
	for i := range spec.Layers {
		all += spec.Layers[i].Attention.Heads
	}
	if n > maxAttention/all/n {
		most := int(math.Sqrt(float64(maxAttention) / float64(all)))
		return nil, fmt.Errorf("%d tokens have more attention weights than 1 GiB holds: this model's fit for %d tokens", n, most)
	}
	r, err := m.model.NewResult(model.Attentions)
	if err != nil {
		return nil, err
	}
	b := model.Batch{IDs: enc.IDs, CuSeqlens: []int32{0, int32(n)}}
	if m.takesTypes() {
		b.TypeIDs = enc.TypeIDs
	}
	if err := m.model.Forward(ctx, b, r); err != nil {
		return nil, err
	}
	a.Tokens = m.attentionTokens(&enc, a)
	for out := range r.All {
		a.Layers = append(a.Layers, AttentionLayer{Heads: len(out.Data) / (n * n), Weights: out.Data})
	}
	return a, nil
}

// attentionTokens describes the tokens of an encoding of a's texts.
func (m *Model) attentionTokens(enc *tokenizer.Encoding, a *Attention) []AttentionToken {
	special := map[int32]bool{}
	for _, t := range m.tokenizer.SpecialTokens() {
		special[t.ID] = true
	}
	list := make([]AttentionToken, enc.Len())
	for i, token := range m.tokenizer.AppendTokens(nil, enc) {
		t := AttentionToken{ID: enc.IDs[i], Token: token, Special: enc.Sequences[i] < 0 || special[enc.IDs[i]]}
		if enc.Sequences[i] >= 0 {
			text := a.Text
			if enc.Sequences[i] == 1 {
				text = a.Pair
			}
			t.Surface = text[enc.Offsets[i].Start:enc.Offsets[i].End]
			t.Joined = !t.Special && i > 0 && enc.Sequences[i-1] == enc.Sequences[i] && enc.Words[i-1] == enc.Words[i]
		}
		list[i] = t
	}
	return list
}
