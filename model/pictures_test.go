package model

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A picture has the same bits alone and among others, for any number of threads,
// in all that heads give, and a pass that has seen its shapes allocates nothing.
func TestPictureFamilies(t *testing.T) {
	for _, name := range []string{"vit-pooler", "dinov2-cls", "yolos-detect", "clip-vision", "clip-vision-row", "clip-cls"} {
		t.Run(name, func(t *testing.T) {
			var alone []map[string][]float32
			for threads := 1; threads <= 3; threads++ {
				m, err := Load(filepath.Join("testdata", name), WithThreads(threads))
				require.NoError(t, err)
				defer m.Close()
				r, err := m.NewResult()
				require.NoError(t, err)
				all := m.Pictures(noise(m.spec.Embeddings.Patches, 5)...)
				if threads == 1 {
					for _, pic := range all.Pictures {
						require.NoError(t, m.Forward(t.Context(), m.Pictures(pic), r))
						given := map[string][]float32{}
						for o := range r.All {
							given[o.Name] = append([]float32{}, o.Data...)
						}
						alone = append(alone, given)
					}
				}
				require.NoError(t, m.Forward(t.Context(), all, r))
				for o := range r.All {
					each := len(o.Data) / len(alone)
					for i := range alone {
						require.Equal(t, alone[i][o.Name], o.Data[i*each:(i+1)*each], "%s of picture %d, %d threads", o.Name, i, threads)
					}
				}
				if raceEnabled {
					continue
				}
				require.Zero(t, testing.AllocsPerRun(3, func() {
					if err := m.Forward(context.Background(), all, r); err != nil {
						t.Fatal(err)
					}
				}), "%d threads", threads)
			}
		})
	}
}

// noise makes n pictures of the size that positions are learned for.
func noise(p *Patches, n int) []Pixels {
	rng := rand.New(rand.NewPCG(6, 7))
	list := make([]Pixels, n)
	for i := range list {
		list[i] = Pixels{Data: make([]float32, p.Channels*p.Height*p.Width), Height: p.Height, Width: p.Width}
		for j := range list[i].Data {
			list[i].Data[j] = float32(rng.NormFloat64())
		}
	}
	return list
}
