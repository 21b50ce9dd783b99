package generate

import (
	"fmt"
	"math"
)

// A Config says how tokens are chosen. Its zero value takes the likeliest token
// each time (greedy), and ends only where the model's context does.
type Config struct {
	// Temperature divides the logits. 0 is greedy; above it tokens are drawn by
	// chance, from Seed.
	Temperature float64
	Seed        uint64
	TopK        int     // draw from the TopK likeliest tokens; 0: from all
	TopP        float64 // draw from the fewest tokens that together have this probability; 0: from all
	MinP        float64 // draw from tokens at least MinP times as likely as the likeliest; 0: from all

	// RepetitionPenalty divides the positive logits of the tokens that the
	// sequence has, prompt included, and multiplies the negative ones (Keskar et
	// al. 2019). 0 and 1: none.
	RepetitionPenalty float64
	// EncoderRepetitionPenalty is the opposite for the tokens of the Prompt's Source: above
	// 1 it makes them likelier. 0 and 1: none.
	EncoderRepetitionPenalty float64
	// From the logit of a token that has been generated n > 0 times, PresencePenalty
	// + n·FrequencyPenalty is subtracted, as OpenAI's interface defines it.
	PresencePenalty, FrequencyPenalty float64

	LogitBias     []Bias // added to logits
	NoRepeatNGram int    // no run of this many tokens comes twice, prompt included; 0: may
	// EncoderNoRepeatNGram: no run of this many tokens of the Prompt's Source is
	// generated; 0: may.
	EncoderNoRepeatNGram int
	BadWords             [][]int32 // runs of tokens that must not be generated
	Suppress             []int32   // tokens that must not be generated
	BeginSuppress        []int32   // tokens that must not be generated first

	MaxNewTokens int // most tokens to generate; 0: see MaxLength
	MaxLength    int // most tokens with the prompt; MaxNewTokens goes before it; 0: what the model takes
	MinNewTokens int // no end before this many tokens are generated
	MinLength    int // no end before the sequence has this many tokens with the prompt

	EOS       []int32 // tokens that end a sequence
	ForcedBOS []int32 // at most one: the token after a prompt of one token
	ForcedEOS []int32 // where MaxLength or MaxNewTokens leave one token, it is one of these

	Beams Beams // zero: no beam search
	// Return is how many sequences there are for a prompt: the best of the beams, or
	// as many draws. 0: one.
	Return int

	LogProbs    bool // give the log-probability of each token
	TopLogProbs int  // and this many of the likeliest tokens with theirs
}

// A Bias is added to the logit of a token. -Inf forbids it.
type Bias struct {
	ID  int32
	Add float32
}

// Beams are the settings of a beam search. BeamSearch gives the usual ones.
type Beams struct {
	Width int // hypotheses that are followed; 0 and 1: no beam search
	// LengthPenalty is the power of the generated length by which a finished
	// hypothesis' log-probability is divided.
	LengthPenalty float64
	Early         EarlyStopping
}

// BeamSearch gives the settings that transformers takes by default: length
// penalty 1, and the heuristic that is EarlyFalse.
func BeamSearch(width int) Beams { return Beams{Width: width, LengthPenalty: 1} }

// EarlyStopping says when a beam search with Width finished hypotheses ends.
type EarlyStopping uint8

const (
	EarlyFalse EarlyStopping = iota // when the best open one, were it to end now, would be worse than all of them
	EarlyTrue                       // at once
	EarlyNever                      // when no open one can become better, however long it gets
)

// A ConfigError says which setting of a Config cannot be.
type ConfigError struct {
	Setting string // by its name in generation_config.json
	Problem string
}

func (e *ConfigError) Error() string { return "generate: " + e.Setting + ": " + e.Problem }

// Limits of what a Config may ask for; memory grows with them.
const (
	MaxBeams       = 256
	MaxTopLogProbs = 1 << 10
	MaxReturn      = 1 << 10
)

// Check gives a *ConfigError for the first setting that is out of range for a
// vocabulary.
func (c *Config) Check(vocab int) error {
	for _, r := range []struct {
		setting string
		x       float64
		ok      bool
		want    string
	}{
		{"temperature", c.Temperature, c.Temperature >= 0, "0 or above"},
		{"top_p", c.TopP, c.TopP >= 0 && c.TopP <= 1, "in 0…1"},
		{"min_p", c.MinP, c.MinP >= 0 && c.MinP <= 1, "in 0…1"},
		{"repetition_penalty", c.RepetitionPenalty, c.RepetitionPenalty >= 0, "above 0"},
		{"encoder_repetition_penalty", c.EncoderRepetitionPenalty, c.EncoderRepetitionPenalty >= 0, "above 0"},
		{"presence_penalty", c.PresencePenalty, true, ""},
		{"frequency_penalty", c.FrequencyPenalty, true, ""},
		{"length_penalty", c.Beams.LengthPenalty, true, ""},
	} {
		if !r.ok || math.IsNaN(r.x) || math.IsInf(r.x, 0) {
			if r.want == "" {
				r.want = "finite"
			}
			return &ConfigError{r.setting, fmt.Sprintf("%v is not %s", r.x, r.want)}
		}
	}
	for _, r := range []struct {
		setting string
		n, most int
	}{
		{"top_k", c.TopK, math.MaxInt32},
		{"no_repeat_ngram_size", c.NoRepeatNGram, math.MaxInt32},
		{"encoder_no_repeat_ngram_size", c.EncoderNoRepeatNGram, math.MaxInt32},
		{"max_new_tokens", c.MaxNewTokens, math.MaxInt32},
		{"max_length", c.MaxLength, math.MaxInt32},
		{"min_new_tokens", c.MinNewTokens, math.MaxInt32},
		{"min_length", c.MinLength, math.MaxInt32},
		{"num_beams", c.Beams.Width, MaxBeams},
		{"num_return_sequences", c.Return, MaxReturn},
		{"top_logprobs", c.TopLogProbs, MaxTopLogProbs},
		{"early_stopping", int(c.Beams.Early), int(EarlyNever)},
	} {
		if r.n < 0 || r.n > r.most {
			return &ConfigError{r.setting, fmt.Sprintf("%d is outside 0…%d", r.n, r.most)}
		}
	}
	if err := c.checkTogether(); err != nil {
		return err
	}
	return c.checkIDs(vocab)
}

// checkTogether checks settings that exclude each other.
func (c *Config) checkTogether() error {
	switch {
	case c.MaxNewTokens == 0 && c.MaxLength > 0 && c.MinLength > c.MaxLength:
		return &ConfigError{"min_length", fmt.Sprintf("%d is above max_length %d", c.MinLength, c.MaxLength)}
	case c.Return > 1 && c.Beams.Width > 1 && c.Return > c.Beams.Width:
		return &ConfigError{"num_return_sequences", fmt.Sprintf("%d are more than num_beams %d", c.Return, c.Beams.Width)}
	case c.Return > 1 && c.Beams.Width < 2 && c.Temperature == 0:
		return &ConfigError{"num_return_sequences", fmt.Sprintf("there is one likeliest sequence and not %d: take beams, or a temperature", c.Return)}
	}
	return nil
}

// returns is how many sequences a prompt gets.
func (c *Config) returns() int { return max(c.Return, 1) }

// checkIDs checks all that names tokens.
func (c *Config) checkIDs(vocab int) error {
	for _, l := range []struct {
		setting string
		ids     []int32
	}{
		{"eos_token_id", c.EOS},
		{"forced_bos_token_id", c.ForcedBOS},
		{"forced_eos_token_id", c.ForcedEOS},
		{"suppress_tokens", c.Suppress},
		{"begin_suppress_tokens", c.BeginSuppress},
	} {
		if err := checkIDs(l.setting, l.ids, vocab); err != nil {
			return err
		}
	}
	if len(c.ForcedBOS) > 1 {
		return &ConfigError{"forced_bos_token_id", fmt.Sprintf("%d tokens cannot all come first", len(c.ForcedBOS))}
	}
	for _, word := range c.BadWords {
		if len(word) == 0 {
			return &ConfigError{"bad_words_ids", "an empty word"}
		}
		if err := checkIDs("bad_words_ids", word, vocab); err != nil {
			return err
		}
	}
	for _, b := range c.LogitBias {
		if err := checkIDs("logit_bias", []int32{b.ID}, vocab); err != nil {
			return err
		}
		if x := float64(b.Add); math.IsNaN(x) || math.IsInf(x, 1) {
			return &ConfigError{"logit_bias", fmt.Sprintf("token %d: %v cannot be added", b.ID, b.Add)}
		}
	}
	return nil
}

func checkIDs(setting string, ids []int32, vocab int) error {
	for _, id := range ids {
		if id < 0 || int(id) >= vocab {
			return &ConfigError{setting, fmt.Sprintf("token %d is not in the vocabulary of %d", id, vocab)}
		}
	}
	return nil
}

// limit is the length at which a sequence ends whose prompt is length long,
// padding included, where the model takes context tokens more than the prompt has.
func (c *Config) limit(length, room int) int {
	limit := length + room
	switch {
	case c.MaxNewTokens > 0:
		return min(limit, length+c.MaxNewTokens)
	case c.MaxLength > 0:
		return min(limit, c.MaxLength)
	}
	return limit
}
