package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const rewriteDirs = "../../pipeline/testdata/"

// rewritten is a line of translate or summarize.
type rewritten struct{ Text, File, Translation, Summary string }

// rewriteCases are those of a golden file of package pipeline.
func rewriteCases(t *testing.T, name string) (cases []struct {
	Task, Text, Target, Want string
	Options                  map[string]any
}) {
	data, err := os.ReadFile(rewriteDirs + name + "/golden.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &cases))
	return cases
}

// Lines that go through the model together give what transformers' pipelines give
// for each alone.
func TestRewriteLines(t *testing.T) {
	for _, c := range []struct{ dir, command, target string }{
		{"to-bart", "summarize", ""}, {"to-bart", "translate", ""}, {"to-marian", "translate", "fra"}, {"to-t5", "translate", "fr"}, {"to-t5", "summarize", ""}, {"to-mbart", "translate", ""},
	} {
		for flags, options := range map[string]string{
			"":                  `{}`,
			"-num-beams 1":      `{"num_beams":1}`,
			"-max-new-tokens 5": `{"max_new_tokens":5}`,
			"-num-beams 3 -length-penalty 0.3 -early-stopping never": `{"early_stopping":"never","length_penalty":0.3,"num_beams":3}`,
		} {
			var want []rewritten
			lines := ""
			for _, g := range rewriteCases(t, c.dir) {
				given, err := json.Marshal(g.Options)
				require.NoError(t, err)
				summary := g.Task == "summarization"
				if string(given) != options || g.Target != c.target || summary != (c.command == "summarize") {
					continue
				}
				w := rewritten{Text: g.Text}
				if w.Translation = g.Want; summary {
					w.Translation, w.Summary = "", g.Want
				}
				want = append(want, w)
				lines += g.Text + "\n"
			}
			require.NotEmpty(t, want)
			args := append([]string{c.command, "-model", rewriteDirs + c.dir}, strings.Fields(flags)...)
			if c.target != "" {
				args = append(args, "-target-lang", c.target)
			}
			r := ladon(t, lines, args...)
			require.Zero(t, r.code, r.stderr)
			require.Equal(t, want, decodeLines[rewritten](t, r.stdout), "%v", args)
		}
	}
}

func TestRewriteForms(t *testing.T) {
	marian, t5 := rewriteDirs+"to-marian", rewriteDirs+"to-t5"
	alone := ladon(t, "", "translate", "-model", marian, "-target-lang", "fra", "Best books", "")
	require.Zero(t, alone.code, alone.stderr)
	want := decodeLines[rewritten](t, alone.stdout)
	require.Len(t, want, 2)
	require.NotEmpty(t, want[0].Translation)
	require.Equal(t, rewritten{}, want[1])

	// The token of the language may stand in the text.
	r := ladon(t, ">>fra<< Best books\r\n\n", "translate", "-model", marian, "-readable")
	require.Equal(t, result{stdout: want[0].Translation + "\n\n"}, r)

	// A file is one text.
	file := filepath.Join(t.TempDir(), "a.txt")
	require.NoError(t, os.WriteFile(file, []byte("Best books"), 0o600))
	r = ladon(t, "", "translate", "-model", marian, "-target-lang", "fra", "-file", file)
	require.Equal(t, []rewritten{{File: file, Translation: want[0].Translation}}, decodeLines[rewritten](t, r.stdout))
	r = ladon(t, "", "translate", "-model", marian, "-target-lang", "fra", "-file", "-")
	require.Equal(t, []rewritten{{File: "-"}}, decodeLines[rewritten](t, r.stdout))

	// By chance, and the same with the same seed.
	by := []string{"summarize", "-model", t5, "-temperature", "1.5", "-max-new-tokens", "8", "Best books"}
	one := ladon(t, "", append(by, "-seed", "1")...)
	require.Equal(t, one, ladon(t, "", append(by, "-seed", "1", "-threads", "3")...))
	require.NotEqual(t, one, ladon(t, "", append(by, "-seed", "2")...))
	for _, flags := range [][]string{{"-dtype", "int8"}, {"-kv-dtype", "int8"}, {"-kv-dtype", "f16"}, {"-ignore-eos", "-max-length", "9"}} {
		r = ladon(t, "", append([]string{"translate", "-model", marian, "Best books"}, flags...)...)
		require.Zero(t, r.code, r.stderr)
	}
}

func TestRewriteLong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.txt")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("The river is old. People run.\n\n", 9)), 0o600))
	r := ladon(t, "", "translate", "-model", rewriteDirs+"to-t5", "-target-lang", "de", "-max-new-tokens", "3", "-readable", "-file", file)
	require.Zero(t, r.code, r.stderr)
	require.Regexp(t, `^ladon: warning: .*a\.txt is longer than the 40 tokens .* in \d+ parts\n$`, r.stderr)
	require.Greater(t, strings.Count(r.stdout, "\n\n"), 2)
	r = ladon(t, strings.Repeat("book ", 60)+"\nshort\n", "summarize", "-model", rewriteDirs+"to-bart", "-max-new-tokens", "3")
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stderr, "line 1 is longer than the 48 tokens")
	require.Len(t, decodeLines[rewritten](t, r.stdout), 2)
}

func TestRewriteErrors(t *testing.T) {
	bart, mbart, marian := rewriteDirs+"to-bart", rewriteDirs+"to-mbart", rewriteDirs+"to-marian"
	for _, c := range []struct {
		args  []string
		parts []string
	}{
		{[]string{"summarize", "a"}, []string{"-model is needed"}},
		{[]string{"summarize", "-model", "none", "a"}, []string{"none"}},
		{[]string{"translate", "-model", encoderDir, "a"}, []string{"cannot translate", "embed"}},
		{[]string{"summarize", "-model", rewriteDirs + "caption", "a"}, []string{"cannot summarize", "caption"}},
		{[]string{"summarize", "-model", bart, "a\xff"}, []string{"text 1", "byte 1", "UTF-8"}},
		{[]string{"summarize", "-model", bart, "-prefix", "\xff", "a"}, []string{"-prefix", "UTF-8"}},
		{[]string{"summarize", "-model", bart, "-file", "none.txt"}, []string{"none.txt"}},
		{[]string{"summarize", "-model", bart, "-file", "none.txt", "a"}, []string{"-file", `"a"`}},
		{[]string{"summarize", "-model", bart, "-num-beams", "0", "a"}, []string{"-num-beams"}},
		{[]string{"summarize", "-model", bart, "-num-beams", "9999", "a"}, []string{"num_beams", "9999"}},
		{[]string{"summarize", "-model", bart, "-kv-dtype", "f64", "a"}, []string{"-kv-dtype", "f64"}},
		{[]string{"summarize", "-model", bart, "-min-length", "99", "-max-length", "9", "a"}, []string{"min_length", "99", "9"}},
		{[]string{"summarize", "-model", bart, "-suppress-tokens", "4000", "a"}, []string{"4000"}},
		{[]string{"summarize", "-model", bart, "-json", "-readable", "a"}, []string{"-readable"}},
		{[]string{"summarize", "-model", bart, "-prefix", strings.Repeat("book ", 60), "a"}, []string{"leave no room"}},
		{[]string{"translate", "-model", bart, "-target-lang", "fr", "a"}, []string{"cannot be told a target language"}},
		{[]string{"translate", "-model", mbart, "-target-lang", "xx_XX", "a"}, []string{`"xx_XX"`, "fr_XX"}},
		{[]string{"translate", "-model", marian, "-target-lang", "xyz", "a"}, []string{`"xyz"`, "fra, ron"}},
		{[]string{"translate", "-model", rewriteDirs + "to-t5", "a"}, []string{"the target language"}},
	} {
		requireFailure(t, ladon(t, "", c.args...), exitFail, c.parts...)
	}
	requireFailure(t, ladon(t, "", "summarize", "-model", bart, "-target-lang", "fr", "a"), exitUsage, "-target-lang")
	r := ladon(t, "a\nb\xff\n", "translate", "-model", bart)
	require.Equal(t, exitFail, r.code)
	require.Contains(t, r.stderr, "line 2: byte 1")
	require.Len(t, decodeLines[rewritten](t, r.stdout), 1)

	// Marian's own files are named where they are no good.
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(marian, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	for _, name := range []string{"source.spm", "target.spm"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	requireFailure(t, ladon(t, "", "translate", "-model", dir, "a"), exitFail, "tokenizer.json", "source.spm", "no SentencePiece model")
}

func TestGenerateAbout(t *testing.T) {
	const text = "the source of the noise"
	r := ladon(t, "", "generate", "-model", rewriteDirs+"to-marian", "-prompt", text)
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, rewriteCases(t, "to-marian")[0].Want, r.stdout, "-num-beams 1 of the pipeline")
	require.Regexp(t, `^\d+ tokens of prompt`, r.stderr)
	r = ladon(t, text+"\n", "generate", "-model", rewriteDirs+"to-bart", "-json", "-num-beams", "2")
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stdout, `"finish":"eos","prompt_tokens":13,`)
	r = ladon(t, strings.Repeat("book ", 90), "generate", "-model", rewriteDirs+"to-bart")
	requireFailure(t, r, exitFail, "the prompt", "tokens", "at most 48")
}
