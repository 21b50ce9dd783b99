package pipeline

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/generate"
)

// rewriteCase is a case of testdata/make_rewrites.py.
type rewriteCase struct {
	Task, Text, Source, Target, Want string
	Options                          struct {
		Beams     *int     `json:"num_beams"`
		NewTokens *int     `json:"max_new_tokens"`
		Penalty   *float64 `json:"length_penalty"`
		Early     string   `json:"early_stopping"`
	}
}

func (c rewriteCase) config() RewriteConfig {
	return RewriteConfig{Generate: func(g *generate.Config) {
		if o := c.Options; o.Beams != nil {
			g.Beams.Width = *o.Beams
		}
		if o := c.Options; o.NewTokens != nil {
			g.MaxNewTokens = *o.NewTokens
		}
		if o := c.Options; o.Penalty != nil {
			g.Beams.LengthPenalty = *o.Penalty
		}
		if c.Options.Early == "never" {
			g.Beams.Early = generate.EarlyNever
		}
	}}
}

func TestRewritesGolden(t *testing.T) {
	folders, err := filepath.Glob("testdata/to-*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var cases []rewriteCase
			readGolden(t, filepath.Join(dir, "golden.json"), &cases)
			require.Greater(t, len(cases), 15)
			m := openTest(t, filepath.Base(dir))
			translator, err := m.Translator()
			require.NoError(t, err)
			summarizer, err := m.Summarizer()
			require.NoError(t, err)
			for i, c := range cases {
				if testing.Short() && i%3 != 0 {
					continue
				}
				var got []string
				if c.Task == "summarization" {
					got, err = summarizer.Summarize(t.Context(), SummarizeConfig{c.config()}, "What else?", c.Text)
				} else {
					cfg := TranslateConfig{RewriteConfig: c.config(), Source: c.Source, Target: c.Target}
					got, err = translator.Translate(t.Context(), cfg, "", c.Text)
				}
				require.NoError(t, err, "case %d", i)
				require.Equal(t, c.Want, got[1], "case %d: %s", i, c.Text)
			}
		})
	}
}

func openTranslator(t *testing.T, dir string) *Translator {
	r, err := openTest(t, dir).Translator()
	require.NoError(t, err)
	return r
}

// A text that is too long is written in parts, each as if it were alone.
func TestTranslateLong(t *testing.T) {
	tr := openTranslator(t, "to-t5") // reads 40 tokens
	lines := []string{"See margin.example/orchard for glass blowing. Two people run.", "", "It was read! The river is old, \"they say.\" Who? ", "A line."}
	long := strings.Repeat(strings.Join(lines, "\n")+"\n", 3)
	calls := map[int]int{}
	cfg := TranslateConfig{Target: "de"}
	cfg.Generate = func(c *generate.Config) { c.MaxNewTokens = 6 }
	cfg.Chunked = func(text, parts int) { calls[text] = parts }
	done := 0
	cfg.Progress = func(n, all int) {
		require.Greater(t, n, done)
		require.GreaterOrEqual(t, all, n)
		done = n
	}
	got, err := tr.Translate(t.Context(), cfg, "short.", long, " \n\t")
	require.NoError(t, err)
	require.Len(t, calls, 1)
	require.Greater(t, calls[1], 3)
	require.Equal(t, calls[1]+1, done)
	require.Empty(t, got[2])
	// Ends of lines between parts stay.
	require.Contains(t, got[1], "\n")

	var parts []string
	c := newCutter(tr.r.m.tokenizer, long)
	for {
		piece, between := c.next(20)
		if piece == "" {
			break
		}
		parts = append(parts, piece, between)
	}
	require.Equal(t, strings.Fields(long), strings.Fields(strings.Join(parts, "")), "nothing is lost")
}

// What a text begins with to say what is to be done goes before each of its parts.
func TestTranslateLongMarked(t *testing.T) {
	long := strings.Repeat("The river is old. ", 30)
	for _, c := range []struct{ dir, mark, target string }{{"to-marian", ">>fra<< ", "fra"}, {"to-t5", "translate English to German: ", "de"}} {
		tr := openTranslator(t, c.dir)
		var cfg TranslateConfig
		cfg.Generate = func(g *generate.Config) { g.MaxNewTokens = 5 }
		parts := 0
		cfg.Chunked = func(_, n int) { parts = n }
		marked, err := tr.Translate(t.Context(), cfg, c.mark+long)
		require.NoError(t, err)
		require.Greater(t, parts, 2)
		cfg.Target = c.target
		told, err := tr.Translate(t.Context(), cfg, long)
		require.NoError(t, err)
		require.Equal(t, told, marked)
	}
}

func TestCutter(t *testing.T) {
	tr := openTranslator(t, "to-t5")
	for _, text := range []string{
		"",
		"  one.  ",
		strings.Repeat("x", 200),
		strings.Repeat("東京は。", 40),
		strings.Repeat("e\u0301🦆", 60),
		"A sentence. Another one? \"Yes!\" (Or so.) " + strings.Repeat("and on ", 30) + "\r\n\r\nThe end",
		strings.Repeat("東京 the river 🦆. ", 4000),
		strings.Repeat(" ", 2*cutterBytes) + "x" + strings.Repeat(" ", 2*cutterBytes) + "y",
		strings.Repeat("\n", 50) + "a" + strings.Repeat(" ", 50) + "b.",
	} {
		for _, room := range []int{1, 2, 7, 30, 1000} {
			c := newCutter(tr.r.m.tokenizer, text)
			var all strings.Builder
			for n := 0; ; n++ {
				piece, between := c.next(room)
				if piece == "" {
					break
				}
				require.Less(t, n, 1_000_000)
				require.Equal(t, strings.TrimSpace(piece), piece)
				require.NotEmpty(t, between)
				all.WriteString(piece + between)
			}
			squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
			require.Equal(t, squeeze(text), squeeze(all.String()), "room %d", room)
		}
	}
	for text, want := range map[string]string{
		"One. Two three":           "One.",
		"One. Two! three":          "One. Two!",
		"He said \"no.\" And left": "He said \"no.\"",
		"version 1.2 is out":       "version 1.2 is",
		"one two\nthree four":      "one two\n",
		"一。二":                      "一。",
		"Unbelievable":             "Unbelievabl",
		"The end. ":                "The end.",
	} {
		require.Equal(t, want, text[:cutBefore(text, len(text)-1)])
	}
}

func TestRewriteErrors(t *testing.T) {
	tr := openTranslator(t, "to-t5")
	run := func(cfg TranslateConfig, texts ...string) error {
		_, err := tr.Translate(t.Context(), cfg, texts...)
		return err
	}
	require.ErrorContains(t, run(TranslateConfig{}, "Hello."), "translates en to de, en to fr: the target language has to be said")
	require.NoError(t, run(TranslateConfig{}, "", "translate English to French: a"))
	require.ErrorContains(t, run(TranslateConfig{Target: "ro"}, "a"), "does not translate from any language to ro: it translates en to de, en to fr")
	require.ErrorContains(t, run(TranslateConfig{Source: "en"}, "a"), "both the source and the target")
	require.ErrorContains(t, run(TranslateConfig{Target: "de"}, "a", "b\xff"), "text 1: not UTF-8")
	prefix := strings.Repeat("word ", 60)
	require.ErrorContains(t, run(TranslateConfig{RewriteConfig: RewriteConfig{Prefix: &prefix}}, "a"), "leave no room")
	var bad *generate.ConfigError
	require.ErrorAs(t, run(TranslateConfig{Target: "de", RewriteConfig: RewriteConfig{Generate: func(c *generate.Config) { c.Beams.Width = -1 }}}, "a"), &bad)
	var task *TaskError
	_, err := openTest(t, "st-mean").Translator()
	require.ErrorAs(t, err, &task)
	_, err = openTest(t, "qa-gpt2").Summarizer()
	require.True(t, errors.As(err, &task))
}

// A Generator writes what a Translator does with the same settings.
func TestGenerateAbout(t *testing.T) {
	for _, dir := range []string{"to-marian", "to-mbart", "to-t5"} {
		m := openTest(t, dir)
		tr, err := m.Translator()
		require.NoError(t, err)
		g, err := m.Generator()
		require.NoError(t, err)
		for _, beams := range []int{1, 3} {
			text := "translate English to German: Best books"
			var cfg TranslateConfig
			cfg.Generate = func(c *generate.Config) { c.Beams, c.MaxNewTokens = generate.BeamSearch(beams), 20 }
			want, err := tr.Translate(t.Context(), cfg, text)
			require.NoError(t, err)
			how := GenerateConfig{Config: generate.Config{MaxNewTokens: 20, Beams: generate.BeamSearch(beams)}}
			got, err := g.Text(t.Context(), text, how)
			require.NoError(t, err)
			require.Equal(t, want[0], got, "%s, %d beams", dir, beams)
		}
		s, err := g.NewSession(GenerateConfig{Config: generate.Config{MaxNewTokens: 2}})
		require.NoError(t, err)
		for _, err := range s.Generate(t.Context(), "a river") {
			require.NoError(t, err)
		}
		require.Len(t, s.IDs(), 3)
		require.NotEmpty(t, s.Source())
		for _, err := range s.Generate(t.Context(), "a river") {
			require.ErrorContains(t, err, "another session")
		}
		require.NoError(t, s.Close())
	}
	g, err := openTest(t, "to-bart").Generator()
	require.NoError(t, err)
	_, err = g.Text(t.Context(), strings.Repeat("book ", 90), GenerateConfig{})
	require.ErrorContains(t, err, "48")
	require.ErrorContains(t, err, "the prompt: ")
}
