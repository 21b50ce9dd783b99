package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const taggerDir = "../../pipeline/testdata/tag-bert"

// tagLine is one line of tag.
type tagLine struct {
	Text     string
	Entities []struct {
		Label      string
		Score      float32
		Start, End int
		Text       string
	}
}

func TestTag(t *testing.T) {
	const text = "Käthe met people \"of\" Paris"
	args := ladon(t, "", "tag", "-model", taggerDir, text, "")
	require.Zero(t, args.code, args.stderr)
	require.Empty(t, args.stderr)
	lines := ladon(t, text+"\r\n\n", "tag", "-model", taggerDir, "-json")
	require.Equal(t, args.stdout, lines.stdout)
	got := decodeLines[tagLine](t, args.stdout)
	require.Len(t, got, 2)
	require.Contains(t, args.stdout, `"entities":[]}`)
	require.NotEmpty(t, got[0].Entities)
	for _, e := range got[0].Entities {
		require.Equal(t, text[e.Start:e.End], e.Text)
		require.NotContains(t, e.Label, "B-")
	}

	r := ladon(t, "", "tag", "-model", taggerDir, "-aggregation", "none", "-ignore", "", text)
	require.Zero(t, r.code, r.stderr)
	tokens := decodeLines[tagLine](t, r.stdout)[0].Entities
	require.Greater(t, len(tokens), len(got[0].Entities))
	require.Contains(t, r.stdout, `"B-`)

	r = ladon(t, "", "tag", "-model", taggerDir, "-readable", text+"\x1b[2J", "")
	require.Zero(t, r.code, r.stderr)
	require.NotContains(t, r.stdout, "\x1b")
	require.True(t, strings.HasPrefix(r.stdout, text), r.stdout)
	require.Contains(t, r.stdout, "  "+got[0].Entities[0].Label)

	// A line after those that can be read.
	r = ladon(t, text+"\n\xff\n", "tag", "-model", taggerDir)
	requireFailure(t, r, exitFail, "line 2")
	require.Len(t, decodeLines[tagLine](t, r.stdout), 1)

	// Windows.
	long := strings.Repeat("Käthe met people of Paris. ", 40)
	for _, stride := range []string{"0", "5"} {
		r = ladon(t, "", "tag", "-model", taggerDir, "-stride", stride, long)
		require.Zero(t, r.code, r.stderr)
		require.Empty(t, r.stderr)
		found := decodeLines[tagLine](t, r.stdout)[0].Entities
		require.Greater(t, found[len(found)-1].End, len(long)-30)
	}
}

func TestTagErrors(t *testing.T) {
	requireFailure(t, ladon(t, "", "tag", "a"), exitFail, "-model is needed")
	requireFailure(t, ladon(t, "", "tag", "-model", encoderDir, "a"), exitFail, encoderDir, "cannot tag", "embed, rank")
	requireFailure(t, ladon(t, "", "tag", "-model", taggerDir, "-aggregation", "last", "a"), exitFail, "average")
	requireFailure(t, ladon(t, "", "tag", "-model", taggerDir, "-readable", "-json", "a"), exitFail, "exclude")
	requireFailure(t, ladon(t, "", "tag", "-model", taggerDir, "-stride", "22", "a"), exitFail, "22")
	requireFailure(t, ladon(t, "", "tag", "-model", taggerDir, "-nonesuch", "a"), exitUsage, "-nonesuch")
}

// Every command that takes a head says what a model without it can be used for.
func TestMissingHeads(t *testing.T) {
	file := pictureDir + "/rgb.png"
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"classify", "-model", encoderDir, "a"}, []string{"cannot classify", "embed, rank"}},
		{[]string{"classify", "-model", encoderDir, "-labels", "a", "b"}, []string{"cannot classify -labels", "embed, rank"}},
		{[]string{"tag", "-model", encoderDir, "a"}, []string{"cannot tag", "embed, rank"}},
		{[]string{"answer", "-model", encoderDir, "-question", "a", "-context", "b"}, []string{"cannot answer", "embed, rank"}},
		{[]string{"fill-mask", "-model", encoderDir, "a"}, []string{"cannot fill-mask", "embed, rank"}},
		{[]string{"generate", "-model", encoderDir, "-prompt", "a"}, []string{"cannot generate", "embed, rank"}},
		{[]string{"perplexity", "-model", encoderDir, "tag_test.go"}, []string{"cannot generate", "embed, rank"}},
		{[]string{"match", "-model", encoderDir, "-text", "a", file}, []string{"cannot match", "embed, rank"}},
		{[]string{"caption", "-model", encoderDir, file}, []string{"cannot caption", "embed, rank"}},
		{[]string{"rank", "-model", "../../pipeline/testdata/ce-three", "-query", "a", "b"}, []string{"cannot rank", "embed, classify"}},
		{[]string{"detect", "-model", encoderDir, file}, []string{"cannot look at pictures", "embed"}},
		{[]string{"detect", "-model", vitDir, file}, []string{"cannot detect", "embed -image, classify -image"}},
		{[]string{"tag", "-model", vitDir, "a"}, []string{"cannot read texts", "embed -image, classify -image"}},
	} {
		requireFailure(t, ladon(t, "", tt.args...), exitFail, append(tt.want, tt.args[2])...)
	}
}

// A tokenizer of another model gives ids that this one does not know.
func TestTokenizerOfAnotherModel(t *testing.T) {
	for model, args := range map[string][]string{"tag-bert": {"tag", "the house"}, "nli": {"classify", "the house"}, "st-mean": {"embed", "the house"}} {
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(dir, os.DirFS("../../pipeline/testdata/"+model)))
		data, err := os.ReadFile("../../pipeline/testdata/mlm-roberta/tokenizer.json")
		require.NoError(t, err)
		require.NoError(t, os.Remove(filepath.Join(dir, "tokenizer.json")))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), data, 0o644))
		requireFailure(t, ladon(t, "", append(args, "-model", dir)...), exitFail, dir, "outside the vocabulary")
	}
}
