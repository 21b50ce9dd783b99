package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func readLines(t *testing.T, r io.Reader) ([]string, error) {
	l := newLineReader(t.Context(), r)
	var lines []string
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, string(line))
	}
}

func TestLineReader(t *testing.T) {
	long := strings.Repeat("ä", 1<<20)
	tests := []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"\n", []string{""}},
		{"a", []string{"a"}},
		{"a\n", []string{"a"}},
		{"a\r\n\r\nb\r", []string{"a", "", "b"}},
		{"a\rb\r\r\n", []string{"a\rb\r"}},
		{"a\x00b\n\n\n", []string{"a\x00b", "", ""}},
		{long + "\r\nx\n" + long, []string{long, "x", long}},
	}
	for _, tt := range tests {
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(tt.in), "halves": iotest.HalfReader(strings.NewReader(tt.in)),
			"data with EOF": iotest.DataErrReader(strings.NewReader(tt.in)),
		} {
			got, err := readLines(t, r)
			require.NoError(t, err, name)
			require.Equal(t, tt.want, got, "%s: %.20q", name, tt.in)
		}
	}
}

func TestLineReaderErrors(t *testing.T) {
	lines, err := readLines(t, strings.NewReader("a\nb\xffc\nd"))
	require.EqualError(t, err, "standard input: line 2: byte 1 is not UTF-8")
	require.Equal(t, []string{"a"}, lines)
	_, err = readLines(t, strings.NewReader(strings.Repeat("x", 1<<20)+"\xc3"))
	require.EqualError(t, err, "standard input: line 1: byte 1048576 is not UTF-8")
	_, err = readLines(t, io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(errors.New("unplugged"))))
	require.EqualError(t, err, "standard input: unplugged")
}

// What is at hand is a batch; nothing is waited for while a line can be answered.
func TestTextSourceDoesNotWait(t *testing.T) {
	r, w := io.Pipe()
	c := &call{ctx: t.Context(), stdin: r}
	source := c.texts()
	for _, lines := range []string{"one\n", "two\nthree\n"} {
		go io.WriteString(w, lines)
		got, err := source.next(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, strings.Fields(lines), got)
	}
	go w.Close()
	_, err := source.next(t.Context(), nil)
	require.ErrorIs(t, err, io.EOF)
}
