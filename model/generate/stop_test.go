package generate

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStopper(t *testing.T) {
	tests := []struct {
		name   string
		stops  []string
		pieces []string
		shown  []string // by piece
		found  bool
		rest   string
	}{
		{"none", nil, []string{"a", "b"}, []string{"a", "b"}, false, ""},
		{"in one piece", []string{"END"}, []string{"say", " END now"}, []string{"say", " "}, true, ""},
		{"across pieces", []string{"END"}, []string{"E", "N", "D"}, []string{"", "", ""}, true, ""},
		{"a false start", []string{"END"}, []string{"E", "N", "T"}, []string{"", "", "ENT"}, false, ""},
		{"a start within a false start", []string{"aab"}, []string{"a", "a", "a", "b"}, []string{"", "", "a", ""}, true, ""},
		{"held to the end", []string{"\n\n"}, []string{"line", "\n"}, []string{"line", ""}, false, "\n"},
		{"the first of two", []string{"dog", "cat"}, []string{"a cat and a dog"}, []string{"a "}, true, ""},
		{"the one that begins first", []string{"b", "abc"}, []string{"xabc"}, []string{"x"}, true, ""},
		{"letters of several bytes", []string{"é!"}, []string{"è", "é", "?"}, []string{"è", "", "é?"}, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := NewStopper(tt.stops...)
			require.NoError(t, err)
			for round := range 2 { // a Stopper is as new after a text
				found := false
				for i, piece := range tt.pieces {
					var out []byte
					out, found = s.Append(nil, []byte(piece))
					require.Equal(t, tt.shown[i], string(out), "piece %d, round %d", i, round)
				}
				require.Equal(t, tt.found, found)
				require.Equal(t, tt.rest, string(s.Flush(nil)))
			}
		})
	}
	for _, bad := range []string{"", "\xff"} {
		_, err := NewStopper("ok", bad)
		require.Error(t, err)
	}
}

// However a text is cut into pieces, what is shown is the same.
func TestStopperPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		text := make([]byte, rng.IntN(30))
		for i := range text {
			text[i] = "ab"[rng.IntN(2)]
		}
		stop := strings.Repeat("a", 1+rng.IntN(3)) + strings.Repeat("b", rng.IntN(3))
		want, _, wantFound := strings.Cut(string(text), stop)
		s, err := NewStopper(stop)
		require.NoError(t, err)
		var got []byte
		found := false
		for rest := text; len(rest) > 0 && !found; {
			n := 1 + rng.IntN(len(rest))
			got, found = s.Append(got, rest[:n])
			rest = rest[n:]
		}
		require.Equal(t, wantFound, found)
		require.Equal(t, want, string(s.Flush(got)), "%q in %q", stop, text)
	}
}
