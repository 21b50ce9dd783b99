package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/pipeline"
)

// generationFlags are how a command is told how to generate.
type generationFlags struct {
	cfg       generate.Config
	early     string
	sample    bool
	ignoreEOS bool
	stop      []string
	logProbs  int
	set       map[string]bool // the flags that were given
}

func (f *generationFlags) register(fs *flag.FlagSet) {
	c := &f.cfg
	count := func(n *int, name string, min int, usage string) { fs.Var(countValue{n, min}, name, usage) }
	number := func(x *float64, name, usage string) { fs.Var(numberValue{x}, name, usage) }
	ids := func(list *[]int32, name, usage string) { fs.Var(idsValue{list}, name, usage) }

	count(&c.MaxNewTokens, "max-new-tokens", 1, "generate at most `N` tokens (default 128, or what generation_config.json says)")
	count(&c.MaxLength, "max-length", 1, "generate up to `N` tokens, prompt included")
	count(&c.MinNewTokens, "min-new-tokens", 0, "do not end before `N` tokens are generated")
	count(&c.MinLength, "min-length", 0, "do not end before there are `N` tokens, prompt included")

	fs.BoolVar(&f.sample, "sample", false, "draw tokens by chance, as generation_config.json says")
	number(&c.Temperature, "temperature", "draw tokens by chance, from logits divided by `T`; 0: take the likeliest")
	count(&c.TopK, "top-k", 0, "draw from the `K` likeliest tokens; 0: from all")
	number(&c.TopP, "top-p", "draw from the fewest tokens that together have the probability `P`")
	number(&c.MinP, "min-p", "draw from tokens at least `P` times as likely as the likeliest")
	fs.Var(seedValue{&c.Seed}, "seed", "begin the random numbers with `N`: the same seed gives the same text")

	number(&c.RepetitionPenalty, "repetition-penalty", "divide positive logits of tokens that were there, and multiply negative ones, by `X`")
	number(&c.EncoderRepetitionPenalty, "encoder-repetition-penalty", "make the tokens of the source, or of the prompt, likelier by `X`")
	number(&c.PresencePenalty, "presence-penalty", "subtract `X` from the logits of generated tokens")
	number(&c.FrequencyPenalty, "frequency-penalty", "subtract `X` from a token's logit for each time it was generated")
	count(&c.NoRepeatNGram, "no-repeat-ngram-size", 0, "let no run of `N` tokens come twice; 0: let it")
	count(&c.EncoderNoRepeatNGram, "encoder-no-repeat-ngram-size", 0, "let no run of `N` tokens of the source, or of the prompt, come again; 0: let it")
	fs.Var(biasValue{&c.LogitBias}, "logit-bias", "add to logits: `ID=X,…`")
	ids(&c.Suppress, "suppress-tokens", "never generate these `IDS`, separated by commas")
	ids(&c.BeginSuppress, "begin-suppress-tokens", "do not begin with these `IDS`")

	ids(&c.EOS, "eos-token-id", "end after one of these `IDS`, in place of the checkpoint's")
	fs.BoolVar(&f.ignoreEOS, "ignore-eos", false, "do not end after the checkpoint's last tokens")
	ids(&c.ForcedBOS, "forced-bos-token-id", "the `ID` that follows a prompt of one token")
	ids(&c.ForcedEOS, "forced-eos-token-id", "the `IDS` of which one is last where the length ends a text")

	count(&c.Beams.Width, "num-beams", 1, "follow the `K` best sequences (beam search)")
	c.Beams.LengthPenalty = 1
	number(&c.Beams.LengthPenalty, "length-penalty", "divide a beam's log-probability by its length to the power of `X`")
	f.early = "false"
	fs.Var(choiceValue{&f.early, []string{"false", "true", "never"}}, "early-stopping", "end a beam search with enough finished sequences: `WHEN` true at once, false by a guess, never when none can be better")
}

// registerMore registers what only a command takes that gives more than texts.
func (f *generationFlags) registerMore(fs *flag.FlagSet) {
	fs.Var(stringsValue{&f.stop}, "stop", "end before `TEXT`; may be given several times")
	fs.Var(countValue{&f.cfg.Return, 1}, "num-return-sequences", "with -in: write `N` sequences for each row")
	fs.Var(countValue{&f.logProbs, 0}, "logprobs", "with -json: give log-probabilities, and those of the `N` likeliest tokens")
}

// visit notes which flags were given.
func (f *generationFlags) visit(fs *flag.FlagSet) {
	f.set = map[string]bool{}
	fs.Visit(func(g *flag.Flag) { f.set[g.Name] = true })
}

// any tells whether one of some flags was given.
func (f *generationFlags) any(names ...string) bool {
	for _, name := range names {
		if f.set[name] {
			return true
		}
	}
	return false
}

// sampling tells whether a flag asks for tokens drawn by chance.
func (f *generationFlags) sampling() bool {
	return f.sample || f.any("top-k", "top-p", "min-p") || f.cfg.Temperature != 0
}

// beams tells whether a flag asks for a beam search.
func (f *generationFlags) beams() bool {
	return f.any("num-beams", "length-penalty", "early-stopping")
}

// chosen is what the flags say, with what they ask for of a checkpoint's settings.
func (f *generationFlags) chosen(s *generate.Settings) generate.Config {
	c := f.cfg
	c.LogProbs, c.TopLogProbs = f.set["logprobs"], f.logProbs
	if f.set["top-p"] && c.TopP == 0 {
		c.TopP = math.SmallestNonzeroFloat64 // only the likeliest: 0 means all in a Config
	}
	c.Beams.Early = map[string]generate.EarlyStopping{"false": generate.EarlyFalse, "true": generate.EarlyTrue, "never": generate.EarlyNever}[f.early]
	if f.sampling() {
		own := c
		s.Sampling(&c)
		keep(f, "temperature", &c.Temperature, own.Temperature)
		keep(f, "top-k", &c.TopK, own.TopK)
		keep(f, "top-p", &c.TopP, own.TopP)
		keep(f, "min-p", &c.MinP, own.MinP)
		keep(f, "repetition-penalty", &c.RepetitionPenalty, own.RepetitionPenalty)
		keep(f, "encoder-repetition-penalty", &c.EncoderRepetitionPenalty, own.EncoderRepetitionPenalty)
	}
	if f.beams() {
		own := c
		s.BeamSearch(&c)
		keep(f, "num-beams", &c.Beams.Width, own.Beams.Width)
		keep(f, "length-penalty", &c.Beams.LengthPenalty, own.Beams.LengthPenalty)
		keep(f, "early-stopping", &c.Beams.Early, own.Beams.Early)
		keep(f, "no-repeat-ngram-size", &c.NoRepeatNGram, own.NoRepeatNGram)
		keep(f, "encoder-no-repeat-ngram-size", &c.EncoderNoRepeatNGram, own.EncoderNoRepeatNGram)
	}
	return c
}

// warn tells what is missing of the settings that a flag asks for.
func (f *generationFlags) warn(c *call, s *generate.Settings) {
	if len(s.Unsupported) > 0 && (f.sampling() || f.beams()) {
		c.warnf("%s: not supported, and left out: %s", s.File(), strings.Join(s.Unsupported, ", "))
	}
}

// keep puts a flag's own value back, if it was given.
func keep[T any](f *generationFlags, name string, dst *T, own T) {
	if f.set[name] {
		*dst = own
	}
}

// config is chosen with what a checkpoint's settings say unasked, and the default length.
func (f *generationFlags) config(s *generate.Settings) generate.Config {
	c := f.chosen(s)
	own := c.EOS
	s.Obey(&c)
	if f.ownEOS() {
		c.EOS = own
	}
	if c.MaxNewTokens == 0 && c.MaxLength == 0 {
		c.MaxNewTokens = pipeline.DefaultNewTokens
	}
	return c
}

// ownEOS tells whether flags say which tokens end a text, in place of the checkpoint.
func (f *generationFlags) ownEOS() bool { return f.ignoreEOS || f.set["eos-token-id"] }

// check says what is wrong with the flags whatever the model, before it is loaded.
func (f *generationFlags) check() error {
	for _, p := range []struct {
		flag, setting string
		x             float64
	}{
		{"repetition-penalty", "repetition_penalty", f.cfg.RepetitionPenalty},
		{"encoder-repetition-penalty", "encoder_repetition_penalty", f.cfg.EncoderRepetitionPenalty},
	} {
		if f.set[p.flag] && p.x == 0 { // which in a Config means that there is none
			return &generate.ConfigError{Setting: p.setting, Problem: "0 is not above 0"}
		}
	}
	var none generate.Settings
	cfg := f.config(&none)
	return cfg.Check(math.MaxInt32)
}

// kvFlag registers the type of a cache of keys and values, f32 unless it is given.
func kvFlag(fs *flag.FlagSet, kv *string) {
	*kv = "f32"
	fs.Var(choiceValue{kv, []string{"f32", "f16", "int8"}}, "kv-dtype", "keep keys and values in `TYPE`: f32, f16 or int8")
}

// numberValue is a finite number.
type numberValue struct{ x *float64 }

func (v numberValue) String() string {
	if v.x == nil {
		return ""
	}
	return strconv.FormatFloat(*v.x, 'g', -1, 64)
}

func (v numberValue) Set(s string) error {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return errors.New("a number")
	}
	*v.x = x
	return nil
}

// seedValue is a number of 64 bits.
type seedValue struct{ n *uint64 }

func (v seedValue) String() string {
	if v.n == nil {
		return ""
	}
	return strconv.FormatUint(*v.n, 10)
}

func (v seedValue) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return errors.New("a whole number from 0 to 2^64-1")
	}
	*v.n = n
	return nil
}

// idsValue is a list of tokens.
type idsValue struct{ list *[]int32 }

func (v idsValue) String() string { return "" }

func (v idsValue) Set(s string) error {
	list := []int32{}
	for f := range strings.SplitSeq(s, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(f), 10, 32)
		if err != nil || n < 0 {
			return errors.New("token ids, separated by commas")
		}
		list = append(list, int32(n))
	}
	*v.list = list
	return nil
}

// biasValue is a list of numbers to add to the logits of tokens.
type biasValue struct{ list *[]generate.Bias }

func (v biasValue) String() string { return "" }

func (v biasValue) Set(s string) error {
	for f := range strings.SplitSeq(s, ",") {
		id, add, _ := strings.Cut(strings.TrimSpace(f), "=")
		n, err := strconv.ParseInt(id, 10, 32)
		x, xerr := strconv.ParseFloat(add, 32)
		if err != nil || xerr != nil || n < 0 || math.IsNaN(x) || math.IsInf(x, 1) {
			return fmt.Errorf("a token id and a number, as 13=-2.5, separated by commas")
		}
		*v.list = append(*v.list, generate.Bias{ID: int32(n), Add: float32(x)})
	}
	return nil
}

// stringsValue collects strings.
type stringsValue struct{ list *[]string }

func (v stringsValue) String() string { return "" }

func (v stringsValue) Set(s string) error {
	if s == "" {
		return errors.New("an empty text")
	}
	*v.list = append(*v.list, s)
	return nil
}
