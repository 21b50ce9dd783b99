package generate

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The draws for a prompt differ, the first is the one that comes alone, and none
// depends on the others.
func TestReturnedDraws(t *testing.T) {
	m, _ := readSearches(t)
	prompts := []Prompt{{IDs: []int32{4}}, {IDs: []int32{5, 6}}}
	run := func(c Config, prompts ...Prompt) []Sequence {
		var ids [][]int32
		for _, p := range prompts {
			ids = append(ids, p.IDs)
		}
		m.start(ids...)
		list, err := Search(t.Context(), m, prompts, c, m.vocab)
		require.NoError(t, err)
		return list
	}
	c := Config{Temperature: 1, Seed: 3, MaxNewTokens: 12}
	one := run(c, prompts...)
	c.Return = 4
	four := run(c, prompts...)
	require.Len(t, four, 8)
	require.Equal(t, one, []Sequence{four[0], four[4]})
	require.Equal(t, four[4:], run(c, prompts[1]))
	for i := range 3 {
		require.NotEqual(t, four[i].IDs, four[i+1].IDs)
	}
	for i, s := range four {
		require.Equal(t, prompts[i/4].IDs, s.IDs[:s.Prompt])
	}
}

func TestSourceTokens(t *testing.T) {
	_, err := NewSampler(Config{}, 4)
	require.NoError(t, err)
	s, err := NewSampler(Config{EncoderNoRepeatNGram: 1, EncoderRepetitionPenalty: 2}, 4)
	require.NoError(t, err)
	// A source may have a vocabulary of its own.
	require.NoError(t, s.Begin(Prompt{IDs: []int32{0}, Source: []int32{3, 900}}, 9))
	token, err := s.Next([]float32{0, 1, 2, 3})
	require.NoError(t, err)
	require.Equal(t, int32(2), token.ID)
	require.ErrorContains(t, s.Begin(Prompt{IDs: []int32{0}, Source: []int32{1, -1}}, 9), "token 1 of the source is -1")
}
