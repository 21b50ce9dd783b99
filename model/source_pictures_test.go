package model

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

// What is written about pictures, all of them together, is what transformers'
// generate writes about each.
func TestPicturesGreedy(t *testing.T) {
	checked := 0
	forGoldens(t, func(t *testing.T, g golden) {
		if g.Writes == nil {
			return
		}
		checked++
		m, err := Load(g.dir)
		require.NoError(t, err)
		defer m.Close()
		in := byName(readTensors(t, filepath.Join(g.dir, "in.safetensors")))
		pixels := in["pixel_values"]
		_, b, err := m.other.readPictures(map[string]*weights.Tensor{"pixel_values": &pixels})
		require.NoError(t, err)
		sessions, err := m.Encode(t.Context(), b, SessionOptions{})
		require.NoError(t, err)
		require.Len(t, sessions, len(g.Writes))
		var read [][]int32
		for i, s := range sessions {
			defer s.Close()
			require.Equal(t, m.spec.Target.Start, g.Writes[i].Greedy[0])
			read = append(read, g.Writes[i].Greedy[:1])
		}
		for n := 1; n < len(g.Writes[0].Greedy); n++ {
			require.NoError(t, AppendAll(t.Context(), sessions, read))
			for i, s := range sessions {
				read[i] = []int32{likeliest(s.Logits())}
				require.Equal(t, g.Writes[i].Greedy[n], read[i][0], "picture %d, token %d", i, n)
			}
		}
	})
	require.NotZero(t, checked)
}
