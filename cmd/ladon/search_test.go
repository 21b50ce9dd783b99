package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// searched is one line of search.
type searched struct {
	Query string
	Hits  []struct {
		Index int
		Text  string
		Score float32
	}
}

func TestSearch(t *testing.T) {
	dir := t.TempDir()
	lines := filepath.Join(dir, "lines.txt")
	const text = "the river is old\r\nParis\n\nthe tower\nthe river is old\n" + "stone and water"
	require.NoError(t, os.WriteFile(lines, []byte(text), 0o600))
	r := ladon(t, "", "search", "-model", encoderDir, "-in", lines, "-top", "4", "the tower", "-query", "the river is old")
	require.Zero(t, r.code, r.stderr)
	got := decodeLines[searched](t, r.stdout)
	require.Len(t, got, 2)
	require.Equal(t, "the river is old", got[0].Query)
	require.Len(t, got[0].Hits, 4)
	require.Equal(t, []int{0, 4}, []int{got[0].Hits[0].Index, got[0].Hits[1].Index})
	require.InDelta(t, 1, got[0].Hits[0].Score, 1e-6)
	require.Equal(t, 3, got[1].Hits[0].Index)
	require.Equal(t, "the tower", got[1].Hits[0].Text)

	// The same from a file of vectors, and from standard input.
	index := filepath.Join(dir, "kept.safetensors")
	saved := ladon(t, "unread", "search", "-model", encoderDir, "-in", lines, "-save", index)
	require.Equal(t, result{}, saved)
	again := ladon(t, "the river is old\nthe tower\n", "search", "-model", encoderDir, "-in", index, "-top", "4")
	require.Equal(t, r.stdout, again.stdout, again.stderr)
	people := ladon(t, "", "search", "-model", encoderDir, "-in", index, "-readable", "-top", "1", "the tower")
	require.Equal(t, "the tower\n  1.0000  4  the tower\n", people.stdout, people.stderr)
	all := ladon(t, "", "search", "-model", encoderDir, "-in", index, "-top", "99", "the tower")
	require.Len(t, decodeLines[searched](t, all.stdout)[0].Hits, 6)

	// Another model, of the same and of another size.
	requireFailure(t, ladon(t, "", "search", "-model", "../../pipeline/testdata/st-max", "-in", index, "a"), exitFail, index, "another model")
	requireFailure(t, ladon(t, "", "search", "-model", "../../pipeline/testdata/st-dense", "-in", index, "a"), exitFail, index, "7", "20")

	long := filepath.Join(dir, "long.txt")
	require.NoError(t, os.WriteFile(long, []byte("a\n"+strings.Repeat("river ", 50)), 0o600))
	cut := ladon(t, "", "search", "-model", encoderDir, "-in", long, "a")
	require.Zero(t, cut.code)
	require.Contains(t, cut.stderr, "1 of the 2 lines of "+long)
}

func TestSearchErrors(t *testing.T) {
	dir := t.TempDir()
	empty, broken := filepath.Join(dir, "empty"), filepath.Join(dir, "broken")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	require.NoError(t, os.WriteFile(broken, []byte("a\n\xff\n"), 0o600))
	require.NoError(t, os.WriteFile(broken+".safetensors", []byte("a\n\xff\n"), 0o600))
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"-in is needed"}},
		{[]string{"-in", dir + "/missing"}, []string{"missing"}},
		{[]string{"-in", empty}, []string{empty, "no lines"}},
		{[]string{"-in", broken}, []string{broken + ": line 2"}},
		{[]string{"-in", broken + ".safetensors"}, []string{broken + ".safetensors"}},
		{[]string{"-in", broken, "-save", "x"}, []string{".safetensors"}},
		{[]string{"-in", broken, "-top", "0"}, []string{"-top"}},
		{[]string{"-in", broken, "-query", "\xff"}, []string{"line 2"}},
		{[]string{"-in", filepath.Join(encoderDir, "vocab.txt"), "-query", "\xff"}, []string{"UTF-8"}},
	} {
		requireFailure(t, ladon(t, "", append([]string{"search", "-model", encoderDir, "a"}, tt.args...)...), exitFail, tt.want...)
	}
}
