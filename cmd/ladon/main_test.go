package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
)

func TestRequiredISA(t *testing.T) { require.NoError(t, cpu.Required()) }

// Folders with small checkpoints of other packages' tests.
const (
	encoderDir = "../../pipeline/testdata/st-mean"
	crossDir   = "../../pipeline/testdata/ce-one"
	goldenDir  = "../../model/testdata"
)

// result is what a run of the command gave.
type result struct {
	code           int
	stdout, stderr string
}

// ladon runs the command in this process.
func ladon(t testing.TB, stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// requireFailure checks that a run failed as the contract says: with a code and
// one line on stderr that holds some parts.
func requireFailure(t *testing.T, r result, code int, parts ...string) {
	t.Helper()
	require.Equal(t, code, r.code, r.stderr)
	require.True(t, strings.HasPrefix(r.stderr, "ladon: "), r.stderr)
	require.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
	require.True(t, strings.HasSuffix(r.stderr, "\n"), r.stderr)
	for _, part := range parts {
		require.Contains(t, r.stderr, part)
	}
	require.NotContains(t, r.stderr, "goroutine")
}

func TestUsageErrors(t *testing.T) {
	tests := []struct {
		args  []string
		code  int
		parts []string
	}{
		{nil, exitUsage, []string{"no command", "embed"}},
		{[]string{"bogus"}, exitUsage, []string{`"bogus"`, "embed"}},
		{[]string{"-threads", "2", "embed"}, exitUsage, []string{"-threads", "follow"}},
		{[]string{"embed", "-bogus"}, exitUsage, []string{"-bogus"}},
		{[]string{"embed", "--bogus=3"}, exitUsage, []string{"-bogus"}},
		{[]string{"embed", "a", "-5 degrees"}, exitUsage, []string{"-5 degrees", "--"}},
		{[]string{"embed", "-threads", "0", "a"}, exitUsage, []string{"-threads 0"}},
		{[]string{"embed", "-threads=-1", "a"}, exitUsage, []string{"-threads -1"}},
		{[]string{"embed", "a", "-threads", "x"}, exitUsage, []string{"-threads x"}},
		{[]string{"embed", "-threads", "99999999999999999999", "a"}, exitUsage, []string{"-threads"}},
		{[]string{"embed", "a", "-threads"}, exitFail, []string{"-threads", "value"}},
		{[]string{"embed", "-dtype", "f64", "a"}, exitFail, []string{"-dtype", "f64", "int8"}},
		{[]string{"embed", "-json=maybe", "a"}, exitFail, []string{"-json", "maybe"}},
		{[]string{"embed", "-model", "", "a"}, exitFail, []string{"-model", "empty"}},
		{[]string{"version", "-threads", "2"}, exitUsage, []string{"-threads"}},
		{[]string{"version", "x"}, exitFail, []string{`"x"`}},
		{[]string{"help", "bogus"}, exitUsage, []string{"bogus"}},
		{[]string{"bench"}, exitUsage, []string{"gemm", "peak"}},
		{[]string{"bench", "bogus"}, exitUsage, []string{"bogus", "gemm"}},
		{[]string{"bench", "gemm", "-bogus"}, exitUsage, []string{"-bogus"}},
		{[]string{"bench", "gemm", "-m", "0"}, exitFail, []string{"-m", "0"}},
		{[]string{"bench", "gemm", "-m", "1000000", "-n", "1000000"}, exitFail, []string{"too large"}},
		{[]string{"bench", "gemm", "-epilogue", "x"}, exitFail, []string{"-epilogue", "bias-gelu"}},
		{[]string{"rank", "a"}, exitFail, []string{"-query"}},
		{[]string{"forward"}, exitFail, []string{"-model"}},
		{[]string{"forward", "-model", "x"}, exitFail, []string{"-in", "-out"}},
		{[]string{"info", "x"}, exitFail, []string{`"x"`}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			r := ladon(t, "", tt.args...)
			requireFailure(t, r, tt.code, tt.parts...)
			require.Empty(t, r.stdout)
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"--help"}, {"help"}} {
		r := ladon(t, "", args...)
		require.Zero(t, r.code)
		require.Empty(t, r.stderr)
		for _, c := range commands() {
			require.Contains(t, r.stdout, "  "+c.name+" ")
		}
	}
	for _, c := range commands() {
		for _, args := range [][]string{{c.name, "-h"}, {c.name, "x", "--help"}, {"help", c.name}} {
			r := ladon(t, "", args...)
			require.Zero(t, r.code, args)
			require.Empty(t, r.stderr, args)
			require.Contains(t, r.stdout, "usage: ladon "+c.name, args)
			require.Contains(t, r.stdout, c.summary, args)
			if !c.plain && c.cases == nil {
				require.Contains(t, r.stdout, "-threads N", args)
			}
		}
		for _, sub := range c.cases {
			r := ladon(t, "", c.name, sub.name, "-h")
			require.Zero(t, r.code)
			require.Contains(t, r.stdout, "usage: ladon "+c.name+" "+sub.name)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"version", "-version", "--version"} {
		r := ladon(t, "", arg)
		require.Zero(t, r.code)
		require.Contains(t, r.stdout, "ladon ")
		require.Contains(t, r.stdout, cpu.Active().String())
	}
}

func TestReportIsOneLine(t *testing.T) {
	var b bytes.Buffer
	require.Equal(t, exitFail, report(&b, fmt.Errorf("ladon: first\nsecond\r\nthird\n")))
	require.Equal(t, "ladon: first; second; third\n", b.String())
}

func TestPanicIsOneLine(t *testing.T) {
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"embed", "-model", encoderDir, "a"}, nil, panicWriter{}, &stderr)
	requireFailure(t, result{code, "", stderr.String()}, exitFail, "internal error", "boom")
}

type panicWriter struct{}

func (panicWriter) Write([]byte) (int, error) { panic("boom\nand more") }

func TestClosedPipeIsQuiet(t *testing.T) {
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"embed", "-model", encoderDir, "a"}, nil, brokenPipe{}, &stderr)
	require.Equal(t, exitFail, code)
	require.Empty(t, stderr.String())
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
}

// A context that ends while the command waits for its input ends the command.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	go func() {
		fmt.Fprintln(w, "a line")
		cancel()
	}()
	var stderr bytes.Buffer
	code := run(ctx, []string{"embed", "-model", encoderDir}, r, io.Discard, &stderr)
	requireFailure(t, result{code, "", stderr.String()}, exitFail, "interrupted")
}
