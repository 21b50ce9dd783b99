package picture

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// goldens is testdata/goldens.json, which testdata/make.py writes.
type goldens struct {
	Pictures map[string][2]int // width, height
	Cases    []struct {
		Config  json.RawMessage
		Picture string
		File    string
		Shape   []int
	}
}

func readTestdata(t testing.TB, name string) []byte {
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return data
}

func readGoldens(t testing.TB) (g goldens) {
	require.NoError(t, json.Unmarshal(readTestdata(t, "goldens.json"), &g))
	require.NotEmpty(t, g.Pictures)
	return g
}

// far counts values that differ, and gives the largest difference.
func far(a, b []byte) (count, worst int) {
	for i := range a {
		if d := int(a[i]) - int(b[i]); d != 0 {
			worst = max(worst, d, -d)
			count++
		}
	}
	return count, worst
}

func TestDecodesAsPillow(t *testing.T) {
	for name, size := range readGoldens(t).Pictures {
		t.Run(name, func(t *testing.T) {
			p, err := Decode(name, readTestdata(t, name), 0)
			require.NoError(t, err)
			require.Equal(t, size, [2]int{p.Width, p.Height})
			want := readTestdata(t, name+".rgb")
			got := p.RGB()
			require.Len(t, got, len(want))
			count, worst := far(got, want)
			require.Zero(t, count, "%d values of %d differ, by up to %d", count, len(want), worst)
			require.Equal(t, got, func() []byte {
				q, err := FromRGB(got, p.Width, p.Height)
				require.NoError(t, err)
				return q.RGB()
			}())
		})
	}
}

func TestProcessesAsTransformers(t *testing.T) {
	for _, c := range readGoldens(t).Cases {
		t.Run(c.File, func(t *testing.T) {
			p, err := ParseConfig("preprocessor_config.json", c.Config)
			require.NoError(t, err)
			size := readGoldens(t).Pictures[c.Picture]
			// From the reference's own pixels, so that only what comes after decoding is compared.
			pic, err := FromRGB(readTestdata(t, c.Picture+".rgb"), size[0], size[1])
			require.NoError(t, err)
			w, h, err := p.Shape(pic.Width, pic.Height)
			require.NoError(t, err)
			require.Equal(t, c.Shape, []int{3, h, w})
			got, err := p.Pixels(nil, pic)
			require.NoError(t, err)
			want := readTestdata(t, c.File)
			require.Len(t, got, len(want)/4)
			for i, v := range got {
				ref := math.Float32frombits(binary.LittleEndian.Uint32(want[4*i:]))
				if diff := math.Abs(float64(v - ref)); !(diff <= 1e-6*(1+math.Abs(float64(ref)))) {
					t.Fatalf("value %d is %v, want %v", i, v, ref)
				}
			}
		})
	}
}
