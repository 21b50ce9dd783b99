package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const clipDir = "../../pipeline/testdata/clip"

type matchLine struct {
	Image, Text   string
	Texts, Images []struct {
		Image, Text  string
		Score, Logit float64
	}
}

// copyPictures makes a folder of three pictures, one that is broken and a file
// that is none.
func copyPictures(t *testing.T) string {
	dir := t.TempDir()
	for _, name := range []string{"rgb.png", "turned.png", "palette.png"} {
		data, err := os.ReadFile(filepath.Join(pictureDir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.png"), []byte("PNG?"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("no picture"), 0o644))
	return dir
}

func TestMatch(t *testing.T) {
	file := pictureDir + "/rgb.png"
	r := ladon(t, "", "match", "-model", clipDir, "-text", "a cat", "-text", "two dogs", "-text", "", file)
	require.Zero(t, r.code, r.stderr)
	got := decodeLines[matchLine](t, r.stdout)
	require.Len(t, got, 1)
	require.Equal(t, file, got[0].Image)
	require.Len(t, got[0].Texts, 3)
	require.Equal(t, []string{"", "two dogs", "a cat"}, []string{got[0].Texts[0].Text, got[0].Texts[1].Text, got[0].Texts[2].Text})
	require.InDelta(t, 2.3459353655413206, got[0].Texts[0].Logit, 1e-4)
	require.InDelta(t, 1, got[0].Texts[0].Score+got[0].Texts[1].Score+got[0].Texts[2].Score, 1e-6)

	r = ladon(t, "", "match", "-model", clipDir, "-readable", "-text", "a cat", file)
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, file+"\n  1.0000  a cat\n", r.stdout)

	// A text that is too long is cut, and said to be.
	r = ladon(t, "", "match", "-model", clipDir, "-text", "this is a photo of nothing at all, or so they say", file)
	require.Zero(t, r.code)
	require.Contains(t, r.stderr, "cut to the model's 24 tokens")
}

func TestMatchFolder(t *testing.T) {
	dir := copyPictures(t)
	r := ladon(t, "", "match", "-model", clipDir, "-text", "a cat", "-text", "two dogs", dir)
	require.Equal(t, exitFail, r.code)
	require.Contains(t, r.stderr, "broken.png")
	require.Contains(t, r.stderr, "1 of 4 pictures could not be read")
	require.Len(t, decodeLines[matchLine](t, r.stdout), 3)

	// The best pictures of each text.
	r = ladon(t, "", "match", "-model", clipDir, "-text", "a cat", "-text", "two dogs", "-top", "2", dir)
	require.Equal(t, exitFail, r.code)
	got := decodeLines[matchLine](t, r.stdout)
	require.Len(t, got, 2)
	require.Equal(t, "a cat", got[0].Text)
	require.Len(t, got[0].Images, 2)
	require.Equal(t, filepath.Join(dir, "rgb.png"), got[0].Images[0].Image)
	require.Equal(t, filepath.Join(dir, "palette.png"), got[0].Images[1].Image)
	require.InDelta(t, 0.41064400274477664, got[0].Images[0].Logit, 1e-4)
	require.InDelta(t, 14.2848, got[0].Images[0].Logit/got[0].Images[0].Score, 1e-2)

	// The same of a file of vectors, and of some of the pictures in it.
	file := filepath.Join(t.TempDir(), "seen.safetensors")
	require.Equal(t, exitFail, ladon(t, "", "match", "-model", clipDir, "-save", file, dir).code)
	again := ladon(t, "", "match", "-model", clipDir, "-text", "a cat", "-text", "two dogs", "-top", "2", "-in", file)
	require.Zero(t, again.code, again.stderr)
	require.Equal(t, r.stdout, again.stdout)
	again = ladon(t, "", "match", "-model", clipDir, "-text", "a cat", "-in", file)
	require.Zero(t, again.code, again.stderr)
	require.Len(t, decodeLines[matchLine](t, again.stdout)[0].Images, 3)
}

func TestLabelPictures(t *testing.T) {
	file := pictureDir + "/rgb.png"
	r := ladon(t, "", "classify", "-model", clipDir, "-image", "-labels", "a cat, two dogs,Neither", "-top", "2", file)
	require.Zero(t, r.code, r.stderr)
	got := decodeLines[labelled](t, r.stdout)
	require.Len(t, got, 1)
	require.Len(t, got[0].Labels, 2)
	require.Equal(t, "two dogs", got[0].Labels[0].Label)
	require.InDelta(t, 0.4925309109777941/(1-0.30175622479832426), got[0].Labels[0].Score, 1e-5)

	r = ladon(t, "", "embed", "-model", clipDir, "-image", file)
	require.Zero(t, r.code, r.stderr)
	require.InDelta(t, 0.366013197794833, decodeLines[labelled](t, r.stdout)[0].Embedding[0], 1e-5)
	r = ladon(t, "", "embed", "-model", clipDir, "a cat")
	require.Zero(t, r.code, r.stderr)
	require.Len(t, decodeLines[labelled](t, r.stdout)[0].Embedding, 9)
}

func TestMatchErrors(t *testing.T) {
	requireFailure(t, ladon(t, "", "match", "-text", "a", "a.png"), exitFail, "-model is needed")
	requireFailure(t, ladon(t, "", "match", "-model", clipDir, "a.png"), exitFail, "-text is needed")
	requireFailure(t, ladon(t, "", "match", "-model", clipDir, "-text", "a"), exitFail, "no pictures")
	requireFailure(t, ladon(t, "", "match", "-model", clipDir, "-text", "a\xff", "a.png"), exitFail, "byte 1 is not UTF-8")
	requireFailure(t, ladon(t, "", "match", "-model", encoderDir, "-text", "a", pictureDir+"/rgb.png"), exitFail, "cannot match")
	requireFailure(t, ladon(t, "", "classify", "-model", clipDir, "-image", "-labels", ",", pictureDir+"/rgb.png"), exitFail, "no labels")
	requireFailure(t, ladon(t, "", "classify", "-model", clipDir, "-labels", "a", "b"), exitFail, "cannot classify -labels")
	requireFailure(t, ladon(t, "", "classify", "-model", clipDir, "-image", "-labels", "a", "-template", "x", pictureDir+"/rgb.png"), exitFail, "{}")
	requireFailure(t, ladon(t, "", "match", "-model", clipDir, "-save", "x", "a.png"), exitFail, "must end in .safetensors")
	requireFailure(t, ladon(t, "", "match", "-model", clipDir, "-text", "a", "-in", "x.safetensors", "a.png"), exitFail, "exclude each other")
	requireFailure(t, ladon(t, "", "match", "-model", clipDir, "-text", "a", "-in", clipDir+"/model.safetensors"), exitFail, "model.safetensors")
	r := ladon(t, "", "match", "-model", clipDir, "-text", "a", "missing.png")
	require.Equal(t, exitFail, r.code)
	require.Contains(t, r.stderr, "missing.png")
}
