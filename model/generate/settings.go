package generate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/model/weights"
)

// SettingsFile is what a checkpoint's folder calls its settings.
const SettingsFile = "generation_config.json"

// maxSettings bounds the bytes of such a file; the largest published ones, with
// long lists of suppressed tokens, have a few kilobytes.
const maxSettings = 1 << 20

// Settings are what a generation_config.json says, as far as it matters here.
// Absent numbers are nil.
type Settings struct {
	file string

	EOS, ForcedBOS, ForcedEOS []int32
	BOS, Pad                  *int
	// DecoderStart is what an encoder-decoder's text begins with: a token, or one for
	// each row of a batch.
	DecoderStart []int32

	MaxLength, MaxNewTokens, MinLength, MinNewTokens *int

	Suppress, BeginSuppress []int32
	BadWords                [][]int32

	// What only sampling reads.
	Temperature, TopP, MinP, RepetitionPenalty, EncoderRepetitionPenalty *float64
	TopK                                                                 *int

	// What only beam search reads.
	NumBeams, NoRepeatNGram, EncoderNoRepeatNGram *int
	LengthPenalty                                 *float64
	Early                                         *EarlyStopping

	// Unsupported are the keys of settings that would change sequences and that
	// this package does not have.
	Unsupported []string
}

// Start is the token that the texts of an encoder-decoder begin with, where the
// model's config.json says spec, or one for each of a batch; none: nobody says one.
func (s *Settings) Start(spec int32) []int32 {
	switch {
	case s.DecoderStart != nil:
		return s.DecoderStart
	case spec >= 0:
		return []int32{spec}
	case s.BOS != nil:
		return []int32{int32(*s.BOS)}
	}
	return nil
}

// A SettingsError lists everything that is wrong with a file of settings.
type SettingsError struct {
	File     string
	Problems []string // "key: what is wrong with it"
}

func (e *SettingsError) Error() string {
	return "generate: " + e.File + ": " + strings.Join(e.Problems, "; ")
}

// LoadSettings reads the settings of a checkpoint in dir of fsys: of its
// generation_config.json, or where there is none, of its config.json, where older
// checkpoints keep the tokens, or of its GGUF file. shown is what messages call dir.
func LoadSettings(fsys fs.FS, dir, shown string) (*Settings, error) {
	for _, name := range []string{SettingsFile, "config.json"} {
		file := filepath.Join(shown, name)
		data, err := readFile(fsys, path.Join(dir, name))
		switch {
		case err == nil:
			return parseSettings(file, data, name == SettingsFile)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fileError(file, err)
		}
	}
	name, err := weights.FindGGUF(fsys, dir, shown)
	if err != nil || name == "" {
		return &Settings{file: shown}, err
	}
	set, err := weights.OpenFS(fsys, path.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer set.Close()
	return SettingsOf(filepath.Join(shown, name), set)
}

// fileError names the file in an error of the file system, once.
func fileError(file string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("generate: %s: %w", file, err)
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 16<<20+1))
}

// ParseSettings reads a generation_config.json; file names it in errors. Every
// value that it knows is checked, whether it will be used or not.
func ParseSettings(file string, data []byte) (*Settings, error) {
	return parseSettings(file, data, true)
}

// parseSettings reads a generation_config.json, or only the tokens of a
// config.json, whose other settings transformers no longer reads.
func parseSettings(file string, data []byte, own bool) (*Settings, error) {
	r := settingsReader{file: file}
	if own && len(data) > maxSettings {
		return nil, &SettingsError{file, []string{fmt.Sprintf("%d bytes are too many (limit %d)", len(data), maxSettings)}}
	}
	if err := json.Unmarshal(data, &r.values); err != nil || r.values == nil {
		return nil, &SettingsError{file, []string{"not a JSON object"}}
	}
	s := &Settings{
		file:         file,
		EOS:          r.ids("eos_token_id"),
		BOS:          r.id("bos_token_id"),
		Pad:          r.id("pad_token_id"),
		DecoderStart: r.starts("decoder_start_token_id"),
		ForcedBOS:    r.ids("forced_bos_token_id"),
		ForcedEOS:    r.ids("forced_eos_token_id"),
	}
	if own {
		s.read(&r)
	}
	if len(r.problems) > 0 {
		return nil, &SettingsError{file, r.problems}
	}
	return s, nil
}

// read reads what only a generation_config.json says.
func (s *Settings) read(r *settingsReader) {
	s.MaxLength = r.int("max_length", 1)
	s.MaxNewTokens = r.int("max_new_tokens", 1)
	s.MinLength = r.int("min_length", 0)
	s.MinNewTokens = r.int("min_new_tokens", 0)
	if s.MaxLength != nil && s.MinLength != nil && s.MaxNewTokens == nil && *s.MinLength > *s.MaxLength {
		r.problem("min_length", "%d is above max_length %d", *s.MinLength, *s.MaxLength)
	}
	s.Suppress = r.ids("suppress_tokens")
	s.BeginSuppress = r.ids("begin_suppress_tokens")
	s.BadWords = r.words("bad_words_ids")
	if len(s.ForcedBOS) > 1 {
		r.problem("forced_bos_token_id", "%d tokens cannot all come first", len(s.ForcedBOS))
	}
	s.checkForced(r, "forced_bos_token_id", s.ForcedBOS)
	s.checkForced(r, "forced_eos_token_id", s.ForcedEOS)
	s.Temperature = r.float("temperature", 0, math.MaxFloat32)
	s.TopP = r.float("top_p", 0, 1)
	s.MinP = r.float("min_p", 0, 1)
	s.TopK = r.int("top_k", 0)
	s.RepetitionPenalty = r.penalty("repetition_penalty")
	s.EncoderRepetitionPenalty = r.penalty("encoder_repetition_penalty")
	if s.NumBeams = r.int("num_beams", 1); s.NumBeams != nil && *s.NumBeams > MaxBeams {
		r.problem("num_beams", "%d are too many (limit %d)", *s.NumBeams, MaxBeams)
	}
	s.NoRepeatNGram = r.int("no_repeat_ngram_size", 0)
	s.EncoderNoRepeatNGram = r.int("encoder_no_repeat_ngram_size", 0)
	s.LengthPenalty = r.float("length_penalty", -math.MaxFloat32, math.MaxFloat32)
	s.Early = r.early("early_stopping")
	if n := r.int("num_return_sequences", 1); n != nil && *n > MaxReturn {
		r.problem("num_return_sequences", "%d are too many (limit %d)", *n, MaxReturn)
	}
	for _, u := range []struct{ key, neutral string }{
		{"epsilon_cutoff", "0"}, {"eta_cutoff", "0"},
		{"exponential_decay_length_penalty", ""}, {"guidance_scale", "1"}, {"num_beam_groups", "1"}, {"penalty_alpha", "0"},
		{"sequence_bias", ""}, {"top_h", ""}, {"typical_p", "1"},
	} {
		if v, ok := r.value(u.key); ok && strings.TrimSuffix(string(v), ".0") != u.neutral {
			s.Unsupported = append(s.Unsupported, u.key)
		}
	}
}

// File is where the settings come from.
func (s *Settings) File() string { return s.file }

// checkForced refuses to force what is also forbidden.
func (s *Settings) checkForced(r *settingsReader, key string, forced []int32) {
	free := func(id int32) bool { return !slices.Contains(s.Suppress, id) }
	if len(forced) > 0 && !slices.ContainsFunc(forced, free) {
		r.problem(key, "suppress_tokens has it too")
	}
}

// Obey puts into a Config what a checkpoint's settings say of lengths, of forced,
// excluded and last tokens. Lengths and forced tokens that the Config has stay.
func (s *Settings) Obey(c *Config) {
	c.EOS = slices.Concat(c.EOS, s.EOS)
	if c.ForcedBOS == nil {
		c.ForcedBOS = s.ForcedBOS
	}
	if c.ForcedEOS == nil {
		c.ForcedEOS = s.ForcedEOS
	}
	c.Suppress = slices.Concat(c.Suppress, s.Suppress)
	c.BeginSuppress = slices.Concat(c.BeginSuppress, s.BeginSuppress)
	c.BadWords = slices.Concat(c.BadWords, s.BadWords)
	if c.MaxNewTokens == 0 && c.MaxLength == 0 {
		set(&c.MaxNewTokens, s.MaxNewTokens)
		set(&c.MaxLength, s.MaxLength)
	}
	if c.MinNewTokens == 0 && c.MinLength == 0 {
		set(&c.MinNewTokens, s.MinNewTokens)
		if s.MinNewTokens == nil {
			set(&c.MinLength, s.MinLength)
		}
		if c.MaxNewTokens == 0 && c.MaxLength > 0 {
			// What a caller asks for may be shorter: nothing ends before it, then.
			c.MinLength = min(c.MinLength, c.MaxLength)
		}
	}
}

// Override puts into a Config all that the settings say, but for what concerns
// chance: what transformers' pipelines for translations and summaries do. Lengths
// are those of the settings as they stand, so MaxNewTokens goes before MaxLength.
func (s *Settings) Override(c *Config) {
	for _, l := range []struct {
		dst *[]int32
		src []int32
	}{{&c.EOS, s.EOS}, {&c.ForcedBOS, s.ForcedBOS}, {&c.ForcedEOS, s.ForcedEOS}, {&c.Suppress, s.Suppress}, {&c.BeginSuppress, s.BeginSuppress}} {
		if l.src != nil {
			*l.dst = l.src
		}
	}
	if s.BadWords != nil {
		c.BadWords = s.BadWords
	}
	set(&c.MaxNewTokens, s.MaxNewTokens)
	set(&c.MaxLength, s.MaxLength)
	set(&c.MinNewTokens, s.MinNewTokens)
	set(&c.MinLength, s.MinLength)
	set(&c.RepetitionPenalty, s.RepetitionPenalty)
	set(&c.EncoderRepetitionPenalty, s.EncoderRepetitionPenalty)
	set(&c.Beams.Width, s.NumBeams)
	set(&c.Beams.LengthPenalty, s.LengthPenalty)
	set(&c.Beams.Early, s.Early)
	set(&c.NoRepeatNGram, s.NoRepeatNGram)
	set(&c.EncoderNoRepeatNGram, s.EncoderNoRepeatNGram)
}

// Sampling puts what the settings say of sampling into a Config.
func (s *Settings) Sampling(c *Config) {
	c.Temperature = 1
	set(&c.Temperature, s.Temperature)
	set(&c.TopK, s.TopK)
	set(&c.MinP, s.MinP)
	if set(&c.TopP, s.TopP); s.TopP != nil && *s.TopP == 0 {
		c.TopP = math.SmallestNonzeroFloat64 // only the likeliest: 0 means all in a Config
	}
	set(&c.RepetitionPenalty, s.RepetitionPenalty)
	set(&c.EncoderRepetitionPenalty, s.EncoderRepetitionPenalty)
}

// BeamSearch puts what the settings say of beam search into a Config.
func (s *Settings) BeamSearch(c *Config) {
	c.Beams = BeamSearch(1)
	set(&c.Beams.Width, s.NumBeams)
	set(&c.Beams.LengthPenalty, s.LengthPenalty)
	set(&c.Beams.Early, s.Early)
	set(&c.NoRepeatNGram, s.NoRepeatNGram)
	set(&c.EncoderNoRepeatNGram, s.EncoderNoRepeatNGram)
}

// Check fits the settings to a vocabulary. First and last tokens outside it can
// never come, and are dropped: a small model often has the configuration of a big
// one, as GPT-2's, whose 50256 is both. Padding is only written, and may be any
// number. Other tokens outside it are an error that names the file.
func (s *Settings) Check(vocab int) error {
	s.EOS = slices.DeleteFunc(s.EOS, func(id int32) bool { return int(id) >= vocab })
	if s.BOS != nil && *s.BOS >= vocab {
		s.BOS = nil
	}
	var c Config
	s.Obey(&c)
	err := cmp.Or(c.Check(vocab), checkIDs("decoder_start_token_id", s.DecoderStart, vocab))
	if bad, ok := errors.AsType[*ConfigError](err); ok {
		return &SettingsError{s.file, []string{bad.Setting + ": " + bad.Problem}}
	}
	return nil
}

func set[T any](dst, src *T) {
	if src != nil {
		*dst = *src
	}
}
