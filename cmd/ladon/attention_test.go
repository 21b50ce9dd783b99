package main

import (
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// attended is what attention writes as JSON.
type attended struct {
	Model, Text string
	Maps        []struct {
		Queries []struct {
			Token, Label string
			Special      bool
		}
		Picture map[string]int
		Planes  []struct {
			Layer   int
			Plane   string
			Weights [][]float64
		}
	}
}

func readAttended(t *testing.T, path string) (got attended) {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &got))
	return got
}

func TestAttention(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "a.json")
	r := ladon(t, "", "attention", "-model", encoderDir, "-text", "The river", "-o", out)
	require.Equal(t, result{}, r)
	got := readAttended(t, out)
	require.Equal(t, "st-mean", got.Model)
	require.Equal(t, "The river", got.Text)
	m := got.Maps[0]
	require.Len(t, m.Queries, 4)
	require.Equal(t, "[CLS]", m.Queries[0].Label)
	require.True(t, m.Queries[0].Special)
	require.Equal(t, "the", m.Queries[1].Token)
	require.Equal(t, "The", m.Queries[1].Label)
	for _, p := range m.Planes {
		for _, row := range p.Weights {
			sum := 0.0
			for _, w := range row {
				sum += w
			}
			require.InDelta(t, 1, sum, 1e-5)
		}
	}

	// The same from standard input, and the other forms.
	r = ladon(t, "The river\r\n", "attention", "-model", encoderDir, "-o", filepath.Join(dir, "b.json"))
	require.Equal(t, result{}, r)
	require.Equal(t, got, readAttended(t, filepath.Join(dir, "b.json")))
	r = ladon(t, "", "attention", "-model", encoderDir, "-text", "</script>", "-o", filepath.Join(dir, "c.HTML"), "-layer", "0", "-head", "mean")
	require.Equal(t, result{}, r)
	page, err := os.ReadFile(filepath.Join(dir, "c.HTML"))
	require.NoError(t, err)
	require.Contains(t, string(page), "&lt;/script&gt;</p>")
	for _, flags := range [][]string{nil, {"-layer", "0", "-head", "1"}} {
		r = ladon(t, "", append([]string{"attention", "-model", encoderDir, "-text", "", "-o", filepath.Join(dir, "d.png")}, flags...)...)
		require.Equal(t, result{}, r)
		f, err := os.Open(filepath.Join(dir, "d.png"))
		require.NoError(t, err)
		_, err = png.Decode(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}

func TestAttentionPair(t *testing.T) {
	out := filepath.Join(t.TempDir(), "a.json")
	r := ladon(t, "", "attention", "-model", encoderDir, "-text", "the river", "-pair", "a tower", "-o", out, "-layer", "0", "-head", "rollout")
	require.Equal(t, result{}, r)
	got := readAttended(t, out)
	require.Len(t, got.Maps[0].Queries, 7)
	require.Len(t, got.Maps[0].Planes, 1)
	require.Equal(t, "the river\na tower", got.Text)
}

func TestAttentionLong(t *testing.T) {
	out := filepath.Join(t.TempDir(), "a.html")
	r := ladon(t, strings.Repeat("the river is old ", 10<<20/17), "attention", "-model", encoderDir, "-o", out)
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, "ladon: warning: the text is cut to 12 tokens\n", r.stderr)
	info, err := os.Stat(out)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(100<<10))
	r = ladon(t, "", "attention", "-model", encoderDir, "-o", out, "-text", "the river is old", "-max-tokens", "4")
	require.Equal(t, "ladon: warning: the text is cut to 4 tokens\n", r.stderr)
}

func TestAttentionErrors(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "a.json")
	for _, c := range []struct {
		args  []string
		parts []string
	}{
		{[]string{"-text", "a"}, []string{"-o is needed"}},
		{[]string{"-text", "a", "-o", filepath.Join(dir, "a.gif")}, []string{"a.gif", ".html"}},
		{[]string{"-text", "a", "-o", dir}, []string{".html"}},
		{[]string{"-text", "a\xff", "-o", out}, []string{"-text", "byte 1", "UTF-8"}},
		{[]string{"-text", "a", "-pair", "\xff", "-o", out}, []string{"-pair", "byte 0", "UTF-8"}},
		{[]string{"-text", "a", "-o", out, "-layer", "99"}, []string{"no layer 99"}},
		{[]string{"-text", "a", "-o", out, "-layer", "-1"}, []string{"-layer", "-1"}},
		{[]string{"-text", "a", "-o", out, "-head", "99"}, []string{"no head", "99"}},
		{[]string{"-text", "a", "-o", out, "-head", "first"}, []string{"-head", "rollout"}},
		{[]string{"-text", "a", "-o", out, "-max-tokens", "0"}, []string{"-max-tokens", "0"}},
		{[]string{"-text", "a", "-o", out, "b"}, []string{`"b"`}},
		{[]string{"-text", "a", "-o", filepath.Join(dir, "none", "a.json")}, []string{"none"}},
		{[]string{"-text", "a", "-o", out, "-model", dir}, []string{dir}},
	} {
		args := append([]string{"attention", "-model", encoderDir}, c.args...)
		requireFailure(t, ladon(t, "", args...), exitFail, c.parts...)
		require.NoFileExists(t, out)
	}
	requireFailure(t, ladon(t, "\xff", "attention", "-model", encoderDir, "-o", out), exitFail, "standard input", "UTF-8")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "no half-written files")
}

func TestAttentionOnPicture(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(pictureDir, "photo-420.jpg")
	for _, name := range []string{"a.html", "a.png", "a.json"} {
		out := filepath.Join(dir, name)
		require.Equal(t, result{}, ladon(t, "", "attention", "-model", vitDir, "-image", file, "-o", out))
	}
	got := readAttended(t, filepath.Join(dir, "a.json"))
	require.Equal(t, "photo-420.jpg, 12×12 pixels for the model, 3×3 patches", got.Text)
	require.Equal(t, map[string]int{"width": 12, "height": 12, "first": 1, "rows": 3, "cols": 3, "patchWidth": 4, "patchHeight": 4}, got.Maps[0].Picture)
	require.Len(t, got.Maps[0].Queries, 10)
	require.Equal(t, "patch 1, 0", got.Maps[0].Queries[4].Label)
	r := ladon(t, "", "attention", "-model", vitDir, "-image", file, "-o", filepath.Join(dir, "b.png"), "-layer", "0", "-head", "rollout")
	require.Equal(t, result{}, r)

	out := filepath.Join(dir, "d.html")
	for _, c := range []struct {
		args  []string
		parts []string
	}{
		{[]string{"-model", vitDir, "-image", "none.jpg"}, []string{"none.jpg"}},
		{[]string{"-model", vitDir, "-image", "attention.go"}, []string{"attention.go", "not a picture"}},
		{[]string{"-image", file}, []string{"-model is needed"}},
		{[]string{"-model", encoderDir, "-image", file}, []string{"cannot look at pictures"}},
		{[]string{"-model", vitDir, "-image", file, "-text", "a"}, []string{"-image", "-text"}},
		{[]string{"-model", yolosDir, "-image", file, "-max-tokens", "3"}, []string{"at most 3"}},
		{[]string{"-model", vitDir, "-image", file, "-layer", "99"}, []string{"no layer 99"}},
	} {
		requireFailure(t, ladon(t, "", append([]string{"attention", "-o", out}, c.args...)...), exitFail, c.parts...)
		require.NoFileExists(t, out)
	}
}

func TestAttentionAcross(t *testing.T) {
	dir := t.TempDir()
	bart, out := rewriteDirs+"to-bart", filepath.Join(dir, "a.json")
	look := func(args ...string) attended {
		r := ladon(t, "", append([]string{"attention", "-model", bart, "-text", "Best books", "-o", out}, args...)...)
		require.Equal(t, result{}, r)
		return readAttended(t, out)
	}
	got := look("-target", "The river")
	require.Equal(t, "Best books\n→ The river", got.Text)
	require.Len(t, got.Maps, 3)
	cross, decoder, encoder := got.Maps[0], got.Maps[1], got.Maps[2]
	require.Equal(t, decoder.Queries, cross.Queries)
	require.Equal(t, "</s>", cross.Queries[0].Label)
	require.Len(t, cross.Planes[0].Weights, len(cross.Queries))
	require.Len(t, cross.Planes[0].Weights[0], len(encoder.Queries))
	require.Len(t, look("-of", "encoder", "-layer", "0", "-head", "rollout").Maps, 1)
	require.Greater(t, len(look().Text), len("Best books\n→ "))

	for _, name := range []string{"b.html", "b.png"} {
		for _, part := range attentionParts {
			r := ladon(t, "Best books\n", "attention", "-model", bart, "-o", filepath.Join(dir, name), "-of", part, "-layer", "0", "-head", "1")
			require.Equal(t, result{}, r)
		}
	}
	require.NoError(t, os.Remove(out))
	for _, c := range []struct {
		args  []string
		parts []string
	}{
		{[]string{"-model", bart, "-text", "a", "-of", "middle"}, []string{"-of", "cross, decoder, encoder"}},
		{[]string{"-model", encoderDir, "-text", "a", "-of", "cross"}, []string{"-of cross", "st-mean"}},
		{[]string{"-model", encoderDir, "-text", "a", "-target", "b"}, []string{"encoder-decoders"}},
		{[]string{"-model", bart, "-text", "a", "-target", "\xff"}, []string{"-target", "byte 0", "UTF-8"}},
		{[]string{"-model", bart, "-text", "a", "-head", "rollout"}, []string{"cross-attention", `"rollout"`}},
		{[]string{"-model", vitDir, "-image", "a.jpg", "-target", "a"}, []string{"-image", "-target"}},
	} {
		requireFailure(t, ladon(t, "", append([]string{"attention", "-o", out}, c.args...)...), exitFail, c.parts...)
		require.NoFileExists(t, out)
	}
}
