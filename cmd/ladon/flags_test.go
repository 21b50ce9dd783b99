package main

import (
	"errors"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseInterspersed(t *testing.T) {
	tests := []struct {
		args []string
		rest []string
		n    int
		b    bool
		s    string
	}{
		{nil, nil, 0, false, ""},
		{[]string{"a", "b"}, []string{"a", "b"}, 0, false, ""},
		{[]string{"-n", "3", "a", "-b", "c"}, []string{"a", "c"}, 3, true, ""},
		{[]string{"a", "--n=3", "--b"}, []string{"a"}, 3, true, ""},
		{[]string{"-b=false", "a"}, []string{"a"}, 0, false, ""},
		{[]string{"-n", "-3", "-"}, []string{"-"}, -3, false, ""},
		{[]string{"-s", "-b", "a"}, []string{"a"}, 0, false, "-b"},
		{[]string{"-s", "--", "a"}, []string{"a"}, 0, false, "--"},
		{[]string{"-s", "", "a"}, []string{"a"}, 0, false, ""},
		{[]string{"-s=x=y"}, nil, 0, false, "x=y"},
		{[]string{"a", "--", "-n", "--"}, []string{"a", "-n", "--"}, 0, false, ""},
		{[]string{"", "-b"}, []string{""}, 0, true, ""},
	}
	for _, tt := range tests {
		fs := flag.NewFlagSet("x", flag.ContinueOnError)
		n, b, s := fs.Int("n", 0, ""), fs.Bool("b", false, ""), fs.String("s", "", "")
		rest, err := parseInterspersed(fs, tt.args)
		require.NoError(t, err, tt.args)
		require.Equal(t, tt.rest, rest, tt.args)
		require.Equal(t, tt.n, *n, tt.args)
		require.Equal(t, tt.b, *b, tt.args)
		require.Equal(t, tt.s, *s, tt.args)
	}
}

func TestParseInterspersedErrors(t *testing.T) {
	tests := []struct {
		args  []string
		usage bool
	}{
		{[]string{"-x"}, true},
		{[]string{"---n", "3"}, true},
		{[]string{"-n"}, false},
		{[]string{"-n", "three"}, false},
		{[]string{"-b=3x"}, false},
	}
	for _, tt := range tests {
		fs := flag.NewFlagSet("x", flag.ContinueOnError)
		fs.Int("n", 0, "")
		fs.Bool("b", false, "")
		_, err := parseInterspersed(fs, tt.args)
		require.Error(t, err, tt.args)
		var usage *usageError
		require.Equal(t, tt.usage, errors.As(err, &usage), tt.args)
	}
	_, err := parseInterspersed(flag.NewFlagSet("x", flag.ContinueOnError), []string{"a", "-h"})
	require.ErrorIs(t, err, flag.ErrHelp)
}

func TestCountsValue(t *testing.T) {
	var list []int
	require.NoError(t, countsValue{&list}.Set("5, 17,256"))
	require.Equal(t, []int{5, 17, 256}, list)
	for _, bad := range []string{"", "5,", "0", "-1", "x", "1;2"} {
		require.Error(t, countsValue{&list}.Set(bad), bad)
	}
}
