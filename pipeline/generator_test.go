package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
)

// languageModel is a tiny one with a tokenizer, from the tests of package generate.
const languageModel = "../model/generate/testdata/llama"

func openGenerator(t testing.TB, opts ...Option) *Generator {
	t.Helper()
	return openGeneratorOf(t, languageModel, opts...)
}

func openGeneratorOf(t testing.TB, name string, opts ...Option) *Generator {
	t.Helper()
	m, err := Open(name, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	g, err := m.Generator()
	require.NoError(t, err)
	return g
}

// collect reads a stream to its end.
func collect(t testing.TB, g *Generator, prompt string, cfg GenerateConfig) (text string, tokens []Token) {
	t.Helper()
	for tok, err := range g.Generate(t.Context(), prompt, cfg) {
		require.NoError(t, err)
		require.True(t, utf8.ValidString(tok.Text))
		text += tok.Text
		tokens = append(tokens, tok)
	}
	for i, tok := range tokens {
		require.Equal(t, i == len(tokens)-1, tok.Finish != generate.Unfinished)
	}
	return text, tokens
}

// Texts are continued as transformers continues them.
func TestGenerateGolden(t *testing.T) {
	var g struct{ Texts []goldenText }
	data, err := os.ReadFile(languageModel + "/golden.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &g))
	require.NotEmpty(t, g.Texts)
	// The same model is there as a GGUF file.
	folder := t.TempDir()
	file, err := os.ReadFile(languageModel + ".gguf")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(folder+"/model.gguf", file, 0o644))
	for _, name := range []string{languageModel, languageModel + ".gguf", folder} {
		gen := openGeneratorOf(t, name)
		for _, tt := range g.Texts {
			t.Run(name+" "+tt.Prompt, func(t *testing.T) { testGolden(t, gen, tt) })
		}
	}
}

type goldenText struct {
	Prompt, Text, Finish string
	Config               json.RawMessage
	IDs                  []int32
}

func testGolden(t *testing.T, gen *Generator, tt goldenText) {

	s, err := generate.ParseSettings("golden", tt.Config)
	require.NoError(t, err)
	cfg := GenerateConfig{Config: generate.Config{MaxNewTokens: 16}}
	if s.MaxNewTokens != nil {
		cfg.MaxNewTokens = *s.MaxNewTokens
	}
	s.Obey(&cfg.Config)
	if s.NumBeams != nil {
		s.BeamSearch(&cfg.Config)
	}
	if s.RepetitionPenalty != nil {
		cfg.RepetitionPenalty = *s.RepetitionPenalty
	}
	session, err := gen.NewSession(cfg)
	require.NoError(t, err)
	defer session.Close()
	var text strings.Builder
	var last Token
	for tok, err := range session.Generate(t.Context(), tt.Prompt) {
		require.NoError(t, err)
		text.WriteString(tok.Text)
		last = tok
	}
	require.Equal(t, tt.Text, text.String())
	require.Equal(t, tt.IDs, session.IDs())
	require.Equal(t, tt.Finish, string(last.Finish))
}

func TestGenerateStops(t *testing.T) {
	g := openGenerator(t)
	whole, tokens := collect(t, g, "The ", GenerateConfig{Config: generate.Config{MaxNewTokens: 16}})
	require.Len(t, tokens, 16)
	require.Equal(t, generate.Length, tokens[15].Finish)

	// Every stretch of the text stops it, wherever tokens end.
	for from := 1; from < len(whole)-4; from += 3 {
		stop := whole[from : from+4]
		want, _, _ := strings.Cut(whole, stop)
		for _, beams := range []int{1, 3} {
			cfg := GenerateConfig{Config: generate.Config{MaxNewTokens: 16}, Stop: []string{"never", stop}}
			if beams > 1 {
				cfg.Beams = generate.BeamSearch(beams)
				if text, _ := collect(t, g, "The ", GenerateConfig{Config: cfg.Config}); text != whole {
					continue
				}
			}
			text, tokens := collect(t, g, "The ", cfg)
			require.Equal(t, want, text, "stop %q", stop)
			require.Equal(t, generate.Stop, tokens[len(tokens)-1].Finish)
		}
	}
	// What was held back for a stop string that did not come is shown at the end.
	text, _ := collect(t, g, "The ", GenerateConfig{Config: generate.Config{MaxNewTokens: 16}, Stop: []string{whole + "!"}})
	require.Equal(t, whole, text)

	text, tokens = collect(t, g, "The ", GenerateConfig{Config: generate.Config{MaxNewTokens: 16, EOS: []int32{tokens[3].ID}}})
	require.Equal(t, generate.EOS, tokens[len(tokens)-1].Finish)
	require.True(t, strings.HasPrefix(whole, text))
	require.Less(t, len(tokens), 16)
}

func TestGenerateDefaults(t *testing.T) {
	g := openGenerator(t)
	_, tokens := collect(t, g, "The ", GenerateConfig{})
	require.LessOrEqual(t, len(tokens), DefaultNewTokens)
	// Without an end, it comes to the model's context of 96.
	_, tokens = collect(t, g, "The ", GenerateConfig{IgnoreEOS: true})
	require.Equal(t, generate.Length, tokens[len(tokens)-1].Finish)
	require.Len(t, tokens, 96-3)
}

func TestGenerateSeed(t *testing.T) {
	cfg := GenerateConfig{Config: generate.Config{Temperature: 1.5, Seed: 5, MaxNewTokens: 30}}
	var want string
	for _, threads := range []int{1, 2, 5} {
		text, _ := collect(t, openGenerator(t, WithThreads(threads)), "I ", cfg)
		if want == "" {
			want = text
		}
		require.Equal(t, want, text)
	}
	cfg.Seed++
	text, _ := collect(t, openGenerator(t), "I ", cfg)
	require.NotEqual(t, want, text)
}

// A session goes on where it was, and sees what a new one sees of the whole text.
func TestSessionContinues(t *testing.T) {
	g := openGenerator(t)
	cfg := GenerateConfig{Config: generate.Config{MaxNewTokens: 6}, IgnoreEOS: true}
	s, err := g.NewSession(cfg)
	require.NoError(t, err)
	defer s.Close()
	turn := func(text string) (out string) {
		for tok, err := range s.Generate(t.Context(), text) {
			require.NoError(t, err)
			out += tok.Text
		}
		return out
	}
	turn("The engine")
	require.Len(t, s.IDs()[1:], len(s.IDs())-1)
	before := append([]int32(nil), s.IDs()...)
	second := turn(" and")
	require.Equal(t, before, s.IDs()[:len(before)])
	list, err := generate.Sequences(t.Context(), g.m.model, model.SessionOptions{}, []generate.Prompt{{IDs: s.IDs()[:len(s.IDs())-6]}}, cfg.Config)
	require.NoError(t, err)
	require.Equal(t, s.IDs(), list[0].IDs)
	require.NotEmpty(t, second)
}

// A prompt whose reading was cancelled half way is read on, and no part of it twice.
func TestSessionAfterCancel(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(languageModel)))
	config, err := os.ReadFile(dir + "/config.json")
	require.NoError(t, err)
	long := regexp.MustCompile(`"max_position_embeddings": *\d+`).ReplaceAll(config, []byte(`"max_position_embeddings": 100000`))
	require.NotEqual(t, config, long)
	require.NoError(t, os.WriteFile(dir+"/config.json", long, 0o644))
	g := openGeneratorOf(t, dir)
	repeat := 600
	if testing.Short() {
		repeat = 250 // more than one chunk still
	}
	prompt := strings.Repeat("It was a long prompt. ", repeat)
	for wait := time.Millisecond; ; wait += wait / 4 {
		s, err := g.NewSession(GenerateConfig{Config: generate.Config{MaxNewTokens: 3}, IgnoreEOS: true})
		require.NoError(t, err)
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		for _, err = range s.Generate(ctx, prompt) {
		}
		require.ErrorIs(t, err, context.DeadlineExceeded, "no chunk alone was read in time")
		if s.model.Len() == 0 {
			continue
		}
		var got []int32
		for tok, err := range s.Generate(t.Context(), " More.") {
			require.NoError(t, err)
			got = append(got, tok.ID)
		}
		require.Equal(t, len(s.IDs())-1, s.model.Len())
		text := s.IDs()[:len(s.IDs())-3]
		list, err := generate.Sequences(t.Context(), g.m.model, model.SessionOptions{}, []generate.Prompt{{IDs: text}}, s.cfg)
		require.NoError(t, err)
		require.Equal(t, list[0].IDs[len(text):], got)
		return
	}
}

func TestGenerateLogProbs(t *testing.T) {
	g := openGenerator(t)
	_, tokens := collect(t, g, "The ", GenerateConfig{Config: generate.Config{MaxNewTokens: 1, LogProbs: true, TopLogProbs: 4}})
	require.Len(t, tokens[0].Top, 4)
	require.Equal(t, tokens[0].ID, tokens[0].Top[0].ID) // greedy
	require.Equal(t, tokens[0].LogProb, tokens[0].Top[0].LogProb)
	require.Less(t, tokens[0].LogProb, float32(0))
}

func TestGenerateErrors(t *testing.T) {
	g := openGenerator(t)
	fails := func(ctx context.Context, prompt string, cfg GenerateConfig) error {
		n := 0
		var last error
		for _, err := range g.Generate(ctx, prompt, cfg) {
			n++
			last = err
		}
		require.Equal(t, 1, n)
		require.Error(t, last)
		return last
	}
	var length *generate.LengthError
	require.ErrorAs(t, fails(t.Context(), strings.Repeat("word ", 100), GenerateConfig{}), &length)
	require.Equal(t, 96, length.Max)
	require.Greater(t, length.Prompt, 96)
	require.ErrorContains(t, fails(t.Context(), "a\xffb", GenerateConfig{}), "UTF-8")
	require.ErrorContains(t, fails(t.Context(), "a", GenerateConfig{Stop: []string{""}}), "stop string")
	require.ErrorContains(t, fails(t.Context(), "a", GenerateConfig{Config: generate.Config{TopP: 2}}), "top_p")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, fails(cancelled, "a", GenerateConfig{}), context.Canceled)
	require.ErrorIs(t, fails(cancelled, "a", GenerateConfig{Config: generate.Config{Beams: generate.BeamSearch(2)}}), context.Canceled)

	// Cancelling between two tokens is seen at the next.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range g.Generate(ctx, "The ", GenerateConfig{IgnoreEOS: true}) {
		if last = err; err == nil {
			if n++; n == 3 {
				cancel()
			}
		}
	}
	require.Equal(t, 3, n)
	require.ErrorIs(t, last, context.Canceled)

	// Whoever stops reading is asked no more.
	for range g.Generate(t.Context(), "The ", GenerateConfig{}) {
		break
	}
	require.NoError(t, g.m.Close())
	require.ErrorIs(t, fails(t.Context(), "a", GenerateConfig{}), ErrClosed)
}

// An encoder generates nothing, and settings that cannot be hurt only generation.
func TestNoGenerator(t *testing.T) {
	m, err := Open("testdata/st-mean")
	require.NoError(t, err)
	defer m.Close()
	_, err = m.Generator()
	require.Error(t, err)

	for _, settings := range []string{`{"forced_eos_token_id": 5000}`, `{"max_length": -1}`} {
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(dir, os.DirFS(languageModel)))
		require.NoError(t, os.WriteFile(dir+"/generation_config.json", []byte(settings), 0o644))
		m, err := Open(dir)
		require.NoError(t, err)
		_, err = m.Generator()
		var bad *generate.SettingsError
		require.True(t, errors.As(err, &bad), err)
		require.Contains(t, bad.File, dir+"/generation_config.json")
		require.NoError(t, m.Close())
	}
}

func TestGenerateAllocates(t *testing.T) {
	g := openGenerator(t)
	s, err := g.NewSession(GenerateConfig{IgnoreEOS: true, Config: generate.Config{Temperature: 1, TopK: 20, MaxNewTokens: 1 << 20}})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.begin(t.Context(), "The "))
	next := func() {
		if _, err := s.next(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for range 20 {
		next()
	}
	require.Zero(t, testing.AllocsPerRun(50, next))
}

// A session that is in use says so.
func TestSessionBusy(t *testing.T) {
	g := openGenerator(t)
	s, err := g.NewSession(GenerateConfig{})
	require.NoError(t, err)
	defer s.Close()
	for _, err := range s.Generate(t.Context(), "The ") {
		require.NoError(t, err)
		other := make(chan error)
		go func() {
			for _, err := range s.Generate(t.Context(), "I ") {
				other <- err
			}
		}()
		require.ErrorIs(t, <-other, model.ErrBusy)
		break
	}
	for _, err := range s.Generate(t.Context(), "more") {
		require.NoError(t, err)
	}
}

// A prompt of any length is an error with both numbers, soon.
func TestLongPrompt(t *testing.T) {
	g := openGenerator(t)
	for _, err := range g.Generate(t.Context(), strings.Repeat("It was a long prompt. ", 1<<20/22), GenerateConfig{}) {
		var length *generate.LengthError
		require.ErrorAs(t, err, &length)
		require.Equal(t, 96, length.Max)
		require.Greater(t, length.Prompt, 100000)
	}
}
