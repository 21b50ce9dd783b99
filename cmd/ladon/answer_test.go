package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	answerDir = "../../pipeline/testdata/qa-bert"
	maskDir   = "../../pipeline/testdata/mlm-bert"
)

type answered struct {
	Question, Answer string
	Score            float64
	Start, End       int
}

func TestAnswer(t *testing.T) {
	document := "Élodie saw the river in Berlin. " + strings.Repeat("Nobody knows how old it is.\r\n", 20)
	file := filepath.Join(t.TempDir(), "document.txt")
	require.NoError(t, os.WriteFile(file, []byte(document), 0o644))
	r := ladon(t, "", "answer", "-model", answerDir, "-question", "Where is it?", "-context", document)
	require.Zero(t, r.code, r.stderr)
	require.Empty(t, r.stderr)
	for _, args := range [][]string{{file}, {"-"}, nil} {
		require.Equal(t, r, ladon(t, document, append([]string{"answer", "-model", answerDir, "-question", "Where is it?"}, args...)...))
	}
	got := decodeLines[answered](t, r.stdout)
	require.Len(t, got, 1)
	require.Equal(t, document[got[0].Start:got[0].End], got[0].Answer)
	require.NotContains(t, r.stdout, "question")

	r = ladon(t, "", "answer", "-model", answerDir, "-question", "Where?", file, "-question", "Who?", "-top", "3", "-impossible", "-stride", "0", "-max-seq", "30", "-max-answer", "2", "-inside-words")
	require.Zero(t, r.code, r.stderr)
	got = decodeLines[answered](t, r.stdout)
	require.Len(t, got, 6)
	require.Equal(t, []string{"Where?", "Who?"}, []string{got[2].Question, got[3].Question})
	require.GreaterOrEqual(t, got[0].Score, got[1].Score)

	r = ladon(t, "", "answer", "-model", answerDir, "-question", "Where?", file, "-readable")
	require.Zero(t, r.code, r.stderr)
	require.Regexp(t, `^Where\?\n  0\.\d{4}  \d+-\d+  \S.*\n$`, r.stdout)
}

func TestAnswerErrors(t *testing.T) {
	model := []string{"answer", "-model", answerDir, "-question", "Where?"}
	for _, tt := range []struct {
		stdin string
		args  []string
		parts []string
	}{
		{"a", []string{"answer", "-question", "Where?"}, []string{"-model"}},
		{"a", []string{"answer", "-model", answerDir}, []string{"-question"}},
		{"a", []string{"answer", "-model", answerDir, "-question", ""}, []string{"-question", "empty"}},
		{"a", []string{"answer", "-model", answerDir, "-question", "\xff"}, []string{"-question", "UTF-8"}},
		{"", model, []string{"standard input", "empty"}},
		{"", append(model, "-context", ""), []string{"-context", "empty"}},
		{"a\xff", model, []string{"standard input", "byte 1", "UTF-8"}},
		{"", append(model, "none.txt"), []string{"none.txt"}},
		{"", append(model, "a.txt", "b.txt"), []string{"b.txt"}},
		{"", append(model, "a.txt", "-context", "b"), []string{"a.txt", "-context"}},
		{"a", append(model, "-top", "0"), []string{"-top"}},
		{"a", append(model, "-max-seq", "4"), []string{"question 1", "no room"}},
		{"a", append(model, "-stride", "60"), []string{"60"}},
		{"a", []string{"answer", "-model", encoderDir, "-question", "Where?"}, []string{"BertModel", "ForQuestionAnswering"}},
	} {
		r := ladon(t, tt.stdin, tt.args...)
		requireFailure(t, r, exitFail, tt.parts...)
		require.Empty(t, r.stdout)
	}
}

type filled struct {
	Text  string
	Masks [][]struct {
		Score    float64
		Token    int
		TokenStr string `json:"token_str"`
		Sequence string
	}
}

func TestFillMask(t *testing.T) {
	r := ladon(t, "The [MASK] is old.\r\n[MASK] and [MASK]\n", "fill-mask", "-model", maskDir, "-top", "2")
	require.Zero(t, r.code, r.stderr)
	require.Empty(t, r.stderr)
	require.Equal(t, r, ladon(t, "", "fill-mask", "-model", maskDir, "-top", "2", "The [MASK] is old.", "[MASK] and [MASK]"))
	got := decodeLines[filled](t, r.stdout)
	require.Equal(t, "The [MASK] is old.", got[0].Text)
	require.Len(t, got[0].Masks, 1)
	require.Len(t, got[0].Masks[0], 2)
	require.Len(t, got[1].Masks, 2)
	require.Contains(t, got[1].Masks[0][0].Sequence, "[MASK]")

	r = ladon(t, "", "fill-mask", "-model", maskDir, "-targets", "the,zebracorn", "The [MASK] is old.", "-readable")
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stderr, `warning: -targets: "zebracorn"`)
	require.Equal(t, 3, strings.Count(r.stdout, "\n"))

	r = ladon(t, "a [MASK]\nnothing\n[MASK]\n", "fill-mask", "-model", maskDir)
	requireFailure(t, r, exitFail, "line 2", "no mask [MASK]")
	require.Len(t, decodeLines[filled](t, r.stdout), 1)
	requireFailure(t, ladon(t, "", "fill-mask", "-model", encoderDir, "[MASK]"), exitFail, "BertModel", "ForMaskedLM")
	requireFailure(t, ladon(t, "", "fill-mask", "-model", maskDir, "-targets", "a,,b", "[MASK]"), exitFail, "-targets")
}
