package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	vitDir     = "../../pipeline/testdata/vit"
	yolosDir   = "../../pipeline/testdata/yolos"
	pictureDir = "../../model/picture/testdata"
)

type labelled struct {
	Image, Text string
	Labels      []struct {
		Label string
		Score float64
	}
	Embedding []float64
}

func TestClassifyPictures(t *testing.T) {
	file := pictureDir + "/rgb.png"
	r := ladon(t, "", "classify", "-model", vitDir, "-image", file, "-top", "2")
	require.Zero(t, r.code, r.stderr)
	got := decodeLines[labelled](t, r.stdout)
	require.Len(t, got, 1)
	require.Equal(t, file, got[0].Image)
	require.Len(t, got[0].Labels, 2)
	require.GreaterOrEqual(t, got[0].Labels[0].Score, got[0].Labels[1].Score)

	// A folder, one of whose pictures is broken.
	dir := t.TempDir()
	for _, name := range []string{"rgb.png", "still.gif", "photo.webp"} {
		data, err := os.ReadFile(filepath.Join(pictureDir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.png"), []byte("PNG?"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("no picture"), 0o644))
	r = ladon(t, "", "embed", "-model", vitDir, "-image", dir)
	require.Equal(t, exitFail, r.code)
	require.Contains(t, r.stderr, "broken.png")
	require.Contains(t, r.stderr, "1 of 4 pictures could not be read")
	got = decodeLines[labelled](t, r.stdout)
	require.Len(t, got, 3)
	require.Len(t, got[0].Embedding, 20)

	// The only one is the error.
	broken := filepath.Join(dir, "broken.png")
	requireFailure(t, ladon(t, "", "embed", "-model", vitDir, "-image", broken), exitFail, broken)
	requireFailure(t, ladon(t, "", "detect", "-model", yolosDir, filepath.Join(dir, "none.png")), exitFail, "none.png")
}

// What is wrong with one picture is said of it, and the others are done.
func TestPicturesGoneBad(t *testing.T) {
	dir := t.TempDir()
	good := map[string]bool{"animated.gif": true, "animated.webp": true, "photo-cmyk.jpg": true, "grey16.png": true, "palette.png": true, "turned-6.jpg": true}
	for name := range good {
		data, err := os.ReadFile(filepath.Join(pictureDir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cut-"+name), data[:len(data)/3], 0o644))
	}
	var lie bytes.Buffer
	require.NoError(t, png.Encode(&lie, image.NewGray(image.Rect(0, 0, 2, 2))))
	header := lie.Bytes()[12:] // IHDR, width, height, three more words of bytes, checksum
	binary.BigEndian.PutUint32(header[4:], 1<<20)
	binary.BigEndian.PutUint32(header[8:], 1<<20)
	binary.BigEndian.PutUint32(header[17:], crc32.ChecksumIEEE(header[:17]))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lie.png"), lie.Bytes(), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.jpg"), nil, 0o644))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "link.png")))
	var narrow bytes.Buffer
	require.NoError(t, png.Encode(&narrow, image.NewGray(image.Rect(0, 0, 1, 3000))))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "narrow.png"), narrow.Bytes(), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.png"), 0o755))

	for _, args := range [][]string{
		{"classify", "-model", vitDir, "-image"}, {"embed", "-model", vitDir, "-image"}, {"detect", "-model", yolosDir, "-threshold", "0"},
	} {
		r := ladon(t, "", append(args, dir)...)
		require.Equal(t, exitFail, r.code, args)
		lines, bad := len(good), len(good)+3
		if args[0] == "detect" { // it alone keeps proportions
			bad++
			require.Contains(t, r.stderr, "narrow.png: picture: shape: 1×3000 pixels would become")
		} else {
			lines++
		}
		type line struct {
			Image                      string
			Labels, Objects, Embedding json.RawMessage
		}
		got := decodeLines[line](t, r.stdout)
		require.Len(t, got, lines, r.stderr)
		for _, g := range got {
			name := filepath.Base(g.Image)
			require.True(t, good[name] || name == "narrow.png" && args[0] != "detect", name)
		}
		for name := range good {
			require.Contains(t, r.stderr, "cut-"+name)
		}
		require.Contains(t, r.stderr, "lie.png: too many pixels: 1048576×1048576, but the limit is")
		require.Contains(t, r.stderr, "empty.jpg")
		require.Contains(t, r.stderr, "link.png")
		require.Contains(t, r.stderr, fmt.Sprintf("%d of %d pictures could not be read", bad, 2*len(good)+4))
	}
}

func TestPictureErrors(t *testing.T) {
	requireFailure(t, ladon(t, "", "classify", "-image", "a.png"), exitFail, "-model is needed")
	requireFailure(t, ladon(t, "", "classify", "-model", vitDir, "-image"), exitFail, "no pictures")
	requireFailure(t, ladon(t, "", "detect", "-model", vitDir, pictureDir+"/rgb.png"), exitFail, "cannot detect")
	requireFailure(t, ladon(t, "", "classify", "-model", yolosDir, "-image", pictureDir+"/rgb.png"), exitFail, "cannot classify")
	requireFailure(t, ladon(t, "", "classify", "-model", encoderDir, "a"), exitFail, "cannot classify", "embed, rank")
	requireFailure(t, ladon(t, "", "classify", "-model", encoderDir, "-image", pictureDir+"/rgb.png"), exitFail, "cannot look at pictures")
	requireFailure(t, ladon(t, "", "detect", "-model", "main.go", "a.png"), exitFail, "main.go", "folder")
	requireFailure(t, ladon(t, "", "detect", "-model", yolosDir, "-o", filepath.Join(t.TempDir(), "none", "x.png"), pictureDir+"/rgb.png"), exitFail, "none/x.png")
	requireFailure(t, ladon(t, "", "detect", "-model", yolosDir, "-o", "x.png", "a.png", "b.png"), exitFail, "one picture")
	requireFailure(t, ladon(t, "", "detect", "-threshold", "2", "-model", yolosDir, "a.png"), exitFail, "-threshold", "from 0 to 1")
	requireFailure(t, ladon(t, "", "detect", "-threshold", "0.5x", "-model", yolosDir, "a.png"), exitFail, "-threshold", "from 0 to 1")
	r := ladon(t, "", "embed", "-model", vitDir, "-image", "missing.png")
	require.Equal(t, exitFail, r.code)
	require.Contains(t, r.stderr, "missing.png")
}

func TestDetect(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.png")
	r := ladon(t, "", "detect", "-model", yolosDir, "-threshold", "0.1", "-o", out, pictureDir+"/rgb.png")
	require.Zero(t, r.code, r.stderr)
	got := decodeLines[struct {
		Image   string
		Objects []struct {
			Label string
			Score float64
			Box   map[string]float64
		}
	}](t, r.stdout)
	require.NotEmpty(t, got[0].Objects)
	require.Len(t, got[0].Objects[0].Box, 4)
	f, err := os.Open(out)
	require.NoError(t, err)
	defer f.Close()
	m, err := png.Decode(f)
	require.NoError(t, err)
	require.Equal(t, 33, m.Bounds().Dx())
}

func TestClassifyTexts(t *testing.T) {
	r := ladon(t, "one\n\nthree", "classify", "-model", "../../pipeline/testdata/ce-three")
	require.Zero(t, r.code, r.stderr)
	got := decodeLines[labelled](t, r.stdout)
	require.Len(t, got, 3)
	require.Equal(t, []string{"one", "", "three"}, []string{got[0].Text, got[1].Text, got[2].Text})
	require.Len(t, got[1].Labels, 3)
	r = ladon(t, "", "classify", "-model", "../../pipeline/testdata/ce-three", "-top", "1", "one")
	require.Equal(t, got[0].Labels[:1], decodeLines[labelled](t, r.stdout)[0].Labels)
}

func TestClassifyByGivenLabels(t *testing.T) {
	const dir = "../../pipeline/testdata/nli"
	r := ladon(t, "The river is old.\n\na", "classify", "-model", dir, "-labels", "river, old tower,,people who read")
	require.Zero(t, r.code, r.stderr)
	got := decodeLines[labelled](t, r.stdout)
	require.Len(t, got, 3)
	require.Equal(t, "old tower", got[0].Labels[0].Label)
	require.InDelta(t, 0.366295, got[0].Labels[0].Score, 1e-5)
	require.Len(t, got[0].Labels, 3)
	r = ladon(t, "", "classify", "-model", dir, "-labels", "river,stone", "-multi", "-top", "1", "-template", "{}!", "The river is old.")
	require.Len(t, decodeLines[labelled](t, r.stdout)[0].Labels, 1)
	r = ladon(t, "", "classify", "-model", dir, "-function", "none", "-readable", "The river\nis old.")
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stdout, "The river is old.\n  ")
	require.Contains(t, r.stdout, "  Entailment\n")
	multi := ladon(t, "", "classify", "-model", dir, "-multi", "a")
	require.Equal(t, ladon(t, "", "classify", "-model", dir, "-function", "sigmoid", "a").stdout, multi.stdout)

	for _, tt := range []struct {
		want string
		args []string
	}{
		{"no labels", []string{"-labels", " ,"}},
		{"{}", []string{"-labels", "a", "-template", "b"}},
		{"goes with -labels", []string{"-template", "{}"}},
		{"without -labels", []string{"-labels", "a", "-function", "none"}},
		{"exclude", []string{"-multi", "-function", "none"}},
	} {
		requireFailure(t, ladon(t, "", append([]string{"classify", "-model", dir, "a"}, tt.args...)...), exitFail, tt.want)
	}
	requireFailure(t, ladon(t, "", "classify", "-model", "../../pipeline/testdata/ce-three", "-labels", "a", "b"), exitFail, "entail", "embed, classify")
}
