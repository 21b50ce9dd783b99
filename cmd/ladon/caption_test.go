package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const captionDir = "../../pipeline/testdata/caption"

func TestCaption(t *testing.T) {
	type captioned struct{ Image, Caption string }
	file := pictureDir + "/turned.png"
	r := ladon(t, "", "caption", "-model", captionDir, file)
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, []captioned{{file, "two dogs asleep on the floo"}}, decodeLines[captioned](t, r.stdout))
	r = ladon(t, "", "caption", "-model", captionDir, "-max-new-tokens", "30", "-num-beams", "3", "-readable", file)
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, file+"\n  two dogs asleep on the floor\n", r.stdout)
	r = ladon(t, "", "caption", "-model", captionDir, "-dtype", "int8", "-kv-dtype", "int8", file)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stdout, "two dogs")

	dir := copyPictures(t)
	r = ladon(t, "", "caption", "-model", captionDir, dir)
	require.Equal(t, exitFail, r.code)
	require.Contains(t, r.stderr, "broken.png")
	require.Equal(t, []captioned{
		{filepath.Join(dir, "palette.png"), "naïve: Neither"}, {filepath.Join(dir, "rgb.png"), "a cat"}, {filepath.Join(dir, "turned.png"), "two dogs asleep on the floo"},
	}, decodeLines[captioned](t, r.stdout))

	requireFailure(t, ladon(t, "", "caption", file), exitFail, "-model is needed")
	requireFailure(t, ladon(t, "", "caption", "-model", captionDir), exitFail, "no pictures")
	requireFailure(t, ladon(t, "", "caption", "-model", clipDir, file), exitFail, "cannot caption", "match")
	requireFailure(t, ladon(t, "", "caption", "-model", captionDir, "-num-beams", "1000000", file), exitFail, "num_beams")
	requireFailure(t, ladon(t, "", "generate", "-model", captionDir, "-prompt", "a"), exitFail, "cannot generate", "caption")
}
