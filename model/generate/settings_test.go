package generate

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// What published checkpoints say is read; what is ignored does not hurt.
const bart = `{"_from_model_config": true, "bos_token_id": 0, "decoder_start_token_id": 2, "early_stopping": true, "eos_token_id": 2,
 "forced_bos_token_id": 0, "forced_eos_token_id": 2, "length_penalty": 2.0, "max_length": 142, "min_length": 56, "no_repeat_ngram_size": 3,
 "num_beams": 4, "pad_token_id": 1, "transformers_version": "4.27.0", "temperature": null, "bad_words_ids": [[1]], "max_time": 3}`

func TestSettings(t *testing.T) {
	s, err := ParseSettings("generation_config.json", []byte(bart))
	require.NoError(t, err)
	require.NoError(t, s.Check(3))
	var c Config
	s.Obey(&c)
	require.Equal(t, Config{EOS: []int32{2}, ForcedBOS: []int32{0}, ForcedEOS: []int32{2}, MaxLength: 142, MinLength: 56, BadWords: [][]int32{{1}}}, c)
	s.BeamSearch(&c)
	require.Equal(t, Beams{Width: 4, LengthPenalty: 2, Early: EarlyTrue}, c.Beams)
	require.Equal(t, 3, c.NoRepeatNGram)
	s.Sampling(&c)
	require.Equal(t, 1.0, c.Temperature)
	require.Equal(t, 1, *s.Pad)
	require.Equal(t, []int32{2}, s.DecoderStart)

	c = Config{MaxNewTokens: 7, MinNewTokens: 3}
	s.Obey(&c)
	require.Equal(t, 7, c.MaxNewTokens)
	require.Zero(t, c.MaxLength)
	require.Zero(t, c.MinLength)

	// A caller's length below the file's least is met, and a fault of nobody.
	c = Config{MaxLength: 20}
	s.Obey(&c)
	require.Equal(t, 20, c.MinLength)
	require.NoError(t, c.Check(3))

	s, err = ParseSettings("f", []byte(`{"temperature": 0.6, "top_p": 0, "top_k": 20, "min_p": 0.1, "repetition_penalty": 1.05, "eos_token_id": [5, 6], "pad_token_id": -1}`))
	require.NoError(t, err)
	c = Config{}
	s.Obey(&c)
	s.Sampling(&c)
	require.Equal(t, []int32{5, 6}, c.EOS)
	require.Equal(t, []any{0.6, 20, 0.1, 1.05}, []any{c.Temperature, c.TopK, c.MinP, c.RepetitionPenalty})
	require.Greater(t, c.TopP, 0.0)
	require.Empty(t, s.Unsupported)
	require.Nil(t, s.Pad)
	require.NoError(t, c.Check(7))
}

func TestSettingsUnsupported(t *testing.T) {
	s, err := ParseSettings("f", []byte(`{"typical_p": 1.0, "epsilon_cutoff": 0.0, "num_beam_groups": 1, "top_h": null}`))
	require.NoError(t, err)
	require.Empty(t, s.Unsupported)
	s, err = ParseSettings("f", []byte(`{"typical_p": 0.9, "penalty_alpha": 0.6, "sequence_bias": [[[3], 1.0]]}`))
	require.NoError(t, err)
	require.Equal(t, []string{"penalty_alpha", "sequence_bias", "typical_p"}, s.Unsupported)
}

func TestSettingsErrors(t *testing.T) {
	for _, tt := range []struct{ json, part string }{
		{`[]`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{`{`, "not a JSON object"},
		{`{"max_length": 0}`, "max_length: 0"},
		{`{"max_length": 1e3}`, "max_length: 1e3"},
		{`{"max_length": "20"}`, `max_length: "20"`},
		{`{"max_new_tokens": -1}`, "max_new_tokens: -1"},
		{`{"max_new_tokens": 99999999999999999999}`, "max_new_tokens"},
		{`{"min_length": 30, "max_length": 20}`, "min_length: 30 is above max_length 20"},
		{`{"min_new_tokens": -1}`, "min_new_tokens"},
		{`{"eos_token_id": -2}`, "eos_token_id: -2"},
		{`{"eos_token_id": [1, "x"]}`, "eos_token_id"},
		{`{"eos_token_id": [1, -1]}`, "eos_token_id"},
		{`{"eos_token_id": {}}`, "eos_token_id"},
		{`{"pad_token_id": 1.5}`, "pad_token_id"},
		{`{"forced_bos_token_id": [1, 2]}`, "forced_bos_token_id"},
		{`{"forced_eos_token_id": true}`, "forced_eos_token_id"},
		{`{"forced_eos_token_id": 4, "suppress_tokens": [3, 4]}`, "forced_eos_token_id: suppress_tokens has it too"},
		{`{"bad_words_ids": [[]]}`, "bad_words_ids"},
		{`{"bad_words_ids": [3]}`, "bad_words_ids"},
		{`{"temperature": -0.5}`, "temperature: -0.5"},
		{`{"temperature": "hot"}`, "temperature"},
		{`{"top_p": 1.5}`, "top_p: 1.5"},
		{`{"min_p": -1}`, "min_p"},
		{`{"top_k": -1}`, "top_k"},
		{`{"repetition_penalty": 0}`, "repetition_penalty"},
		{`{"encoder_repetition_penalty": 0}`, "encoder_repetition_penalty"},
		{`{"encoder_no_repeat_ngram_size": -1}`, "encoder_no_repeat_ngram_size"},
		{`{"decoder_start_token_id": [1, "a"]}`, "decoder_start_token_id"},
		{`{"num_return_sequences": 2000}`, "num_return_sequences: 2000"},
		{`{"num_beams": 0}`, "num_beams: 0"},
		{`{"num_beams": 100000}`, "num_beams"},
		{`{"num_return_sequences": 0}`, "num_return_sequences"},
		{`{"no_repeat_ngram_size": -3}`, "no_repeat_ngram_size"},
		{`{"length_penalty": "x"}`, "length_penalty"},
		{`{"early_stopping": "sometimes"}`, `early_stopping: "sometimes"`},
	} {
		_, err := ParseSettings("dir/generation_config.json", []byte(tt.json))
		require.ErrorContains(t, err, "dir/generation_config.json: "+tt.part[:3], tt.json)
		require.ErrorContains(t, err, tt.part, tt.json)
		var bad *SettingsError
		require.ErrorAs(t, err, &bad)
	}
	for _, tt := range []struct{ json, part string }{
		{`{"forced_eos_token_id": 10}`, "forced_eos_token_id: token 10"},
		{`{"decoder_start_token_id": [3, 10]}`, "decoder_start_token_id: token 10"},
		{`{"suppress_tokens": [3, 11]}`, "suppress_tokens: token 11"},
	} {
		s, err := ParseSettings("f", []byte(tt.json))
		require.NoError(t, err)
		require.ErrorContains(t, s.Check(10), "f: "+tt.part)
		require.NoError(t, s.Check(12))
	}
}

// A tiny GPT-2 is saved with the first and last token of the big one.
func TestTokensThatNeverCome(t *testing.T) {
	s, err := ParseSettings("f", []byte(`{"bos_token_id": 50256, "eos_token_id": [50256, 3], "pad_token_id": 50256}`))
	require.NoError(t, err)
	require.NoError(t, s.Check(10))
	require.Nil(t, s.BOS)
	require.Equal(t, []int32{3}, s.EOS)
	require.Equal(t, 50256, *s.Pad)
}

func TestLoadSettings(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	fsys := fstest.MapFS{
		"both/generation_config.json": file(`{"max_length": 7}`),
		"both/config.json":            file(`{"eos_token_id": 3, "max_length": 9}`),
		"old/config.json":             file(`{"eos_token_id": 3, "max_length": 9, "temperature": -1}`),
		"bad/generation_config.json":  file(`{"max_length": -7}`),
		"none/x":                      file(""),
		"folder/config.json/x":        file(""),
	}
	for dir, want := range map[string]Config{"both": {MaxLength: 7}, "old": {EOS: []int32{3}}, "none": {}} {
		s, err := LoadSettings(fsys, dir, dir)
		require.NoError(t, err)
		var c Config
		s.Obey(&c)
		require.Equal(t, want, c)
	}
	_, err := LoadSettings(fsys, "bad", "some/bad")
	require.ErrorContains(t, err, "some/bad/generation_config.json: max_length")
	_, err = LoadSettings(fsys, "folder", "folder")
	require.ErrorContains(t, err, "folder/config.json")
}

// Whatever a file says, there is an error or a Config that works.
func FuzzParseSettings(f *testing.F) {
	f.Add([]byte(bart))
	f.Add([]byte(`{"eos_token_id": [1, 2], "early_stopping": "never", "suppress_tokens": [], "top_p": 0.5, "temperature": 0}`))
	f.Add([]byte(`{"bad_words_ids": [[1, 2], [3]], "max_new_tokens": 3, "forced_eos_token_id": 4, "num_beams": 2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSettings("f", data)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		const vocab = 23
		if s.Check(vocab) != nil {
			return
		}
		var c Config
		s.Obey(&c)
		s.Sampling(&c)
		s.BeamSearch(&c)
		require.NoError(t, c.Check(vocab))
		m := &table{a: make([]float32, vocab*vocab), b: make([]float32, vocab*vocab), c: make([]float32, 7*vocab), vocab: vocab, context: 8}
		m.start([]int32{1})
		c.Beams.Width = min(c.Beams.Width, 3)
		if got, err := Search(t.Context(), m, []Prompt{{IDs: []int32{1}}}, c, vocab); err == nil {
			require.Greater(t, len(got[0].IDs), 1)
			require.LessOrEqual(t, len(got[0].IDs), 8)
		}
	})
}

func TestAbsentKeysAreNil(t *testing.T) {
	s, err := ParseSettings("f", []byte(`{}`))
	require.NoError(t, err)
	require.Equal(t, &Settings{file: "f"}, s)
}
