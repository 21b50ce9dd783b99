package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	texts := filepath.Join(dir, "texts")
	require.NoError(t, os.WriteFile(texts, []byte("the river is old\nwhat is the way\n\na tower\n"), 0o600))

	// A list needs no texts.
	list := filepath.Join(dir, "list")
	r := ladon(t, "", "prune", "-model", encoderDir, "-out", list, "-heads", "0: 1", "-json")
	require.Zero(t, r.code, r.stderr)
	var facts map[string]float64
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &facts))
	require.Equal(t, facts["heads_before"]-1, facts["heads_after"])
	require.Less(t, facts["bytes_after"], facts["bytes_before"])
	require.NotContains(t, facts, "cosine_mean")
	r = ladon(t, "", "embed", "-model", list, "the river")
	require.Zero(t, r.code, r.stderr)

	// Heads of an encoder too, where there is one.
	both := filepath.Join(dir, "both")
	r = ladon(t, "", "prune", "-model", "../../model/testdata/t5-lm", "-out", both, "-heads", "encoder.1:0,2; 0:1", "-json")
	require.Zero(t, r.code, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &facts))
	require.Equal(t, facts["heads_before"]-3, facts["heads_after"])
	r = ladon(t, "", "info", "-model", both)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stdout, "encoder heads ")

	// Shares do, and then there is a comparison.
	shares := filepath.Join(dir, "shares")
	r = ladon(t, "", "prune", "-model", encoderDir, "-out", shares, "-heads", "50%", "-ffn", "0.5", "-texts", texts, "-by", "entropy", "-json")
	require.Zero(t, r.code, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &facts))
	for _, key := range []string{"cosine_mean", "cosine_min", "max_abs", "top1_agreement", "ms_before", "ms_after", "parameters_after", "neurons_after"} {
		require.Contains(t, facts, key)
	}
	require.EqualValues(t, 4, facts["texts"])
	some := filepath.Join(dir, "some")
	r = ladon(t, "", "prune", "-model", encoderDir, "-out", some, "-ffn", "7", "-texts", texts)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stdout, "cosine mean")

	// Without -out, a table.
	r = ladon(t, "", "prune", "-model", encoderDir, "-texts", texts)
	require.Zero(t, r.code, r.stderr)
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	require.Equal(t, []string{"layer", "head", "drift", "confidence", "entropy"}, strings.Fields(lines[0]))
	r = ladon(t, "", "prune", "-model", encoderDir, "-texts", texts, "-json")
	var table struct {
		Heads []struct {
			Layer, Head                int
			Drift, Confidence, Entropy float64
		}
		Neurons [][]float64
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &table))
	require.Len(t, table.Heads, len(lines)-1)
	require.NotEmpty(t, table.Neurons)
}

func TestPruneErrors(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	texts := filepath.Join(dir, "texts")
	require.NoError(t, os.WriteFile(texts, []byte("the river\n"), 0o600))
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for _, c := range []struct {
		args  []string
		parts []string
	}{
		{nil, []string{"-texts"}},
		{[]string{"-out", out}, []string{"-heads", "-ffn"}},
		{[]string{"-out", out, "-heads", "50%"}, []string{"-texts"}},
		{[]string{"-out", out, "-ffn", "9"}, []string{"-texts"}},
		{[]string{"-out", out, "-heads", "0:99"}, []string{"layer 0", "head 99"}},
		{[]string{"-out", out, "-heads", "9:0"}, []string{"no layer 9"}},
		{[]string{"-out", out, "-heads", "0:0,0"}, []string{"twice"}},
		{[]string{"-out", out, "-heads", "0:x"}, []string{"-heads", "0:x"}},
		{[]string{"-out", out, "-heads", "x"}, []string{"-heads", "share"}},
		{[]string{"-out", out, "-heads", "150%"}, []string{"-heads", "150%"}},
		{[]string{"-out", out, "-heads", "NaN"}, []string{"-heads", "NaN"}},
		{[]string{"-out", out, "-ffn", "0"}, []string{"-ffn", "0"}},
		{[]string{"-out", out, "-heads", "50%", "-by", "size"}, []string{"-by", "size"}},
		{[]string{"-out", out, "-heads", "50%", "-texts", empty}, []string{empty, "no lines"}},
		{[]string{"-out", out, "-heads", "50%", "-texts", out}, []string{out}},
		{[]string{"-out", dir, "-heads", "0:0"}, []string{"not empty"}},
		{[]string{"-out", out, "-heads", "0:0", "-dtype", "int8"}, []string{"int8"}},
		{[]string{"-out", out, "-heads", "0:0", "x"}, []string{`"x"`}},
	} {
		requireFailure(t, ladon(t, "", append([]string{"prune", "-model", encoderDir}, c.args...)...), exitFail, c.parts...)
		require.NoDirExists(t, out)
	}
	requireFailure(t, ladon(t, "", "prune", "-heads", "0:0", "-out", out), exitFail, "-model")
	quantised := filepath.Join(dir, "int8")
	require.Zero(t, ladon(t, "", "quantize", "-model", encoderDir, "-out", quantised).code)
	for _, more := range [][]string{nil, {"-texts", texts}} {
		r := ladon(t, "", append([]string{"prune", "-model", quantised, "-heads", "0:0", "-out", out}, more...)...)
		requireFailure(t, r, exitFail, "quantised")
	}
}
