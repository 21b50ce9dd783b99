package generate

import (
	"math"
	"slices"
)

var negInf = float32(math.Inf(-1))

// A history is a sequence as far as it is written.
type history struct {
	ids    []int32 // the prompt and what has been generated
	prompt int     // tokens of the prompt
	pad    int     // positions of padding before them, which lengths count
	limit  int     // the length at which it ends, padding included
	source []int32 // what the encoder read; of a decoder alone, the prompt
}

func (h *history) length() int        { return h.pad + len(h.ids) }
func (h *history) generated() []int32 { return h.ids[h.prompt:] }
func (h *history) first() bool        { return len(h.ids) == h.prompt }
func (h *history) last() bool         { return h.length() == h.limit-1 }
func (h *history) endsWith(p []int32) bool {
	return len(p) <= len(h.ids) && slices.Equal(h.ids[len(h.ids)-len(p):], p)
}

// processors are what a Config does to logits before a token is chosen, all but
// what chance needs. They keep only scratch memory: what they do depends on the
// history alone.
type processors struct {
	cfg   *Config
	count []int32 // by token; 0 between calls
}

// apply changes the logits of the token that follows h.
func (p *processors) apply(logits []float32, h *history) {
	c := p.cfg
	for _, b := range c.LogitBias {
		logits[b.ID] += b.Add
	}
	if x := c.EncoderRepetitionPenalty; x != 0 && x != 1 {
		p.repetition(logits, h.source, float32(1/x))
	}
	if penalty := float32(c.RepetitionPenalty); penalty != 0 && penalty != 1 {
		p.repetition(logits, h.ids, penalty)
	}
	p.presence(logits, h)
	noRepeat(logits, h, h.ids, c.NoRepeatNGram)
	noRepeat(logits, h, h.source, c.EncoderNoRepeatNGram)
	for _, word := range c.BadWords {
		last := len(word) - 1
		if h.endsWith(word[:last]) && !(last == 0 && slices.Contains(c.EOS, word[0])) {
			logits[word[last]] = negInf
		}
	}
	if h.length() < c.MinLength || len(h.generated()) < c.MinNewTokens {
		forbid(logits, c.EOS)
	}
	if len(c.ForcedBOS) > 0 && h.length() == 1 {
		force(logits, c.ForcedBOS)
	}
	if len(c.ForcedEOS) > 0 && h.last() {
		force(logits, c.ForcedEOS)
	}
	forbid(logits, c.Suppress)
	if len(c.BeginSuppress) > 0 && p.begins(h) {
		forbid(logits, c.BeginSuppress)
	}
}

// begins tells whether the next token is the first that is free: the one after a
// forced first token, where there is one.
func (p *processors) begins(h *history) bool {
	if h.pad+h.prompt == 1 && len(p.cfg.ForcedBOS) > 0 {
		return len(h.ids) == h.prompt+1
	}
	return h.first()
}

// repetition applies a penalty once to each token of some.
func (p *processors) repetition(logits []float32, ids []int32, penalty float32) {
	p.reserve(len(logits))
	for _, id := range ids {
		if int(id) >= len(logits) {
			continue // of a source with a vocabulary of its own
		}
		if p.count[id]++; p.count[id] > 1 {
			continue
		}
		if x := logits[id]; x < 0 {
			logits[id] = x * penalty
		} else {
			logits[id] = x / penalty
		}
	}
	for _, id := range ids {
		if int(id) < len(logits) {
			p.count[id] = 0
		}
	}
}

// presence subtracts what OpenAI's interface calls presence and frequency penalties.
func (p *processors) presence(logits []float32, h *history) {
	presence, frequency := p.cfg.PresencePenalty, p.cfg.FrequencyPenalty
	if presence == 0 && frequency == 0 {
		return
	}
	p.reserve(len(logits))
	for _, id := range h.generated() {
		p.count[id]++
	}
	for _, id := range h.generated() {
		if n := p.count[id]; n > 0 {
			logits[id] -= float32(presence + float64(n)*frequency)
			p.count[id] = 0
		}
	}
}

func (p *processors) reserve(vocab int) {
	if len(p.count) < vocab {
		p.count = make([]int32, vocab)
	}
}

// noRepeat forbids the tokens with which h would end in a run of n tokens that ids
// have.
func noRepeat(logits []float32, h *history, ids []int32, n int) {
	if n == 0 || len(h.ids) < n-1 {
		return
	}
	suffix := h.ids[len(h.ids)-(n-1):]
	for i := 0; i+n <= len(ids); i++ {
		if next := ids[i+n-1]; int(next) < len(logits) && slices.Equal(ids[i:i+n-1], suffix) {
			logits[next] = negInf
		}
	}
}

func forbid(logits []float32, ids []int32) {
	for _, id := range ids {
		logits[id] = negInf
	}
}

// force leaves only ids, all alike.
func force(logits []float32, ids []int32) {
	for i := range logits {
		logits[i] = negInf
	}
	for _, id := range ids {
		logits[id] = 0
	}
}
