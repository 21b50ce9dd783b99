package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// embedded is one line of embed.
type embedded struct {
	Text      string
	Embedding []float32
}

// decodeLines decodes lines of JSON, which have no keys but T's.
func decodeLines[T any](t *testing.T, out string) []T {
	t.Helper()
	var list []T
	for line := range strings.Lines(out) {
		var v T
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&v), line)
		require.False(t, d.More(), line)
		list = append(list, v)
	}
	return list
}

func TestEmbedForms(t *testing.T) {
	const first = "The river \"is\" old.\t<é>"
	args := ladon(t, "", "embed", first, "-model", encoderDir, "", "-threads", "1", "--", "-5 degrees")
	require.Zero(t, args.code, args.stderr)
	require.Empty(t, args.stderr)
	lines := ladon(t, first+"\r\n\n-5 degrees", "embed", "--model="+encoderDir, "-json")
	require.Zero(t, lines.code, lines.stderr)
	require.Equal(t, args.stdout, lines.stdout)
	got := decodeLines[embedded](t, args.stdout)
	require.Len(t, got, 3)
	for i, text := range []string{first, "", "-5 degrees"} {
		require.Equal(t, text, got[i].Text)
		require.Len(t, got[i].Embedding, 20)
		norm := 0.0
		for _, x := range got[i].Embedding {
			norm += float64(x) * float64(x)
		}
		require.InDelta(t, 1, norm, 1e-5)
	}
}

func TestEmbedGolden(t *testing.T) {
	var in struct{ Texts []string }
	var want struct {
		Embeddings   [][]float64
		MaxAbs       float64 `json:"max_abs"`
		Float32Error float64 `json:"float32_error"`
	}
	for path, v := range map[string]any{"../../pipeline/testdata/texts.json": &in, encoderDir + "/golden.json": &want} {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, v))
	}
	r := ladon(t, strings.Join(in.Texts, "\n")+"\n", "embed", "-model", encoderDir)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stderr, "warning", "some texts are longer than the model")
	got := decodeLines[embedded](t, r.stdout)
	require.Len(t, got, len(in.Texts))
	for i := range got {
		for j, x := range got[i].Embedding {
			if diff := math.Abs(float64(x) - want.Embeddings[i][j]); !(diff <= 2*want.Float32Error+want.MaxAbs*0x1p-24) {
				t.Fatalf("%q: component %d: error %g", in.Texts[i], j, diff)
			}
		}
	}
}

func TestEmbedNothing(t *testing.T) {
	r := ladon(t, "", "embed", "-model", encoderDir)
	require.Equal(t, result{}, r)
}

func TestEmbedLongLine(t *testing.T) {
	long := strings.Repeat("the river is old ", 10<<20/17)
	r := ladon(t, "a\n"+long+"\nb\n", "embed", "-model", encoderDir)
	require.Zero(t, r.code)
	require.Equal(t, "ladon: warning: line 2 is cut to the model's 12 tokens\n", r.stderr)
	got := decodeLines[embedded](t, r.stdout)
	require.Len(t, got, 3)
	require.Equal(t, long, got[1].Text)
}

func TestEmbedManyLines(t *testing.T) {
	r := ladon(t, strings.Repeat("the tower\n", 3000), "embed", "-model", encoderDir)
	require.Zero(t, r.code)
	require.Equal(t, 3000, strings.Count(r.stdout, "\n"))
	require.Equal(t, 3000, strings.Count(r.stdout, r.stdout[:strings.Index(r.stdout, "\n")]))
}

func TestEmbedInvalidUTF8(t *testing.T) {
	r := ladon(t, "fine\nnot \xff fine\nnever read\n", "embed", "-model", encoderDir)
	requireFailure(t, r, exitFail, "line 2", "UTF-8")
	require.Len(t, decodeLines[embedded](t, r.stdout), 1, "what stands before is answered")
	r = ladon(t, "", "embed", "-model", encoderDir, "fine", "not \xc3")
	requireFailure(t, r, exitFail, "text 2", "UTF-8")
}

func TestEmbedWithoutTheModel(t *testing.T) {
	dir := t.TempDir()
	r := ladon(t, "", "embed", "-model", filepath.Join(dir, "none"), "a")
	requireFailure(t, r, exitFail, filepath.Join(dir, "none"))
	r = ladon(t, "", "embed", "-model", dir, "a")
	requireFailure(t, r, exitFail, dir)
	copyDir(t, dir, encoderDir)
	require.NoError(t, os.Truncate(filepath.Join(dir, "model.safetensors"), 1000))
	r = ladon(t, "", "embed", "-model", dir, "a")
	requireFailure(t, r, exitFail, filepath.Join(dir, "model.safetensors"))
	require.Empty(t, r.stdout)
}

func copyDir(t *testing.T, dst, src string) {
	require.NoError(t, os.CopyFS(dst, os.DirFS(src)))
}

// ranked is one line of rank.
type ranked struct {
	Index int
	Text  string
	Score float32
}

func TestRank(t *testing.T) {
	texts := []string{"What is the way?", "the river is old", "", "the river is old", "a \"tower\""}
	for _, dir := range []string{encoderDir, crossDir} {
		args := ladon(t, "", append([]string{"rank", "-query", "the river is old", "-model", dir}, texts...)...)
		require.Zero(t, args.code, args.stderr)
		lines := ladon(t, strings.Join(texts, "\n"), "rank", "-model", dir, "-query=the river is old")
		require.Equal(t, args.stdout, lines.stdout)
		got := decodeLines[ranked](t, args.stdout)
		require.Len(t, got, len(texts))
		seen := map[int]bool{}
		for i, r := range got {
			require.Equal(t, texts[r.Index], r.Text)
			require.False(t, seen[r.Index])
			seen[r.Index] = true
			if i > 0 {
				require.LessOrEqual(t, r.Score, got[i-1].Score)
			}
		}
		if dir == encoderDir {
			require.Equal(t, []int{1, 3}, []int{got[0].Index, got[1].Index}, "equal scores keep their order")
			require.InDelta(t, 1, got[0].Score, 1e-6)
		}
	}
	best := ladon(t, "", append([]string{"rank", "-query", "the river is old", "-model", encoderDir, "-top", "2", "-readable"}, texts...)...)
	require.Equal(t, "the river is old\n  1.0000  2  the river is old\n  1.0000  4  the river is old\n", best.stdout, best.stderr)
	require.Equal(t, result{}, ladon(t, "", "rank", "-query", "", "-model", encoderDir))
	requireFailure(t, ladon(t, "", "rank", "-query", "a", "-model", "../../pipeline/testdata/ce-three", "b"), exitFail, "3 labels")
	requireFailure(t, ladon(t, "", "rank", "-query", "\xff", "-model", encoderDir, "b"), exitFail, "-query", "UTF-8")
}

func TestRankTruncated(t *testing.T) {
	long := strings.Repeat("the river is old ", 100)
	r := ladon(t, "a\n"+long, "rank", "-query", long, "-model", encoderDir)
	require.Zero(t, r.code)
	require.Equal(t, "ladon: warning: -query is cut to the model's 12 tokens\nladon: warning: line 2 is cut to the model's 12 tokens\n", r.stderr)
}

func FuzzEmbedLines(f *testing.F) {
	f.Add([]byte("a\r\n\nthe river\n"))
	f.Add([]byte("\xff"))
	f.Add([]byte("\"\\\x00\x7f\u2028"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"embed", "-model", encoderDir}, bytes.NewReader(in), &out, &errs)
		for line := range strings.Lines(out.String()) {
			require.True(t, json.Valid([]byte(line)), line)
		}
		if code != exitOK {
			require.Contains(t, errs.String(), "UTF-8")
		}
	})
}
