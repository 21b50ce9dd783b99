package model

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

var updateInt8 = flag.Bool("update-int8", false, "write the table of architectures to docs/int8.md")

// agreement is how near int8 is to float32.
type agreement struct {
	checkpoints int
	cosines     []float64 // of checkpoints, each the mean over its tokens
	same, of    int       // rows of logits with the same best
}

func (a *agreement) mean() (mean, worst float64) {
	worst = 1
	for _, c := range a.cosines {
		mean += c / float64(len(a.cosines))
		worst = min(worst, c)
	}
	return mean, worst
}

// compare adds a checkpoint's outputs.
func (a *agreement) compare(t *testing.T, want, got []weights.Tensor, states string) {
	a.checkpoints++
	others := byName(got)
	for _, w := range want {
		g, cols := others[w.Name], w.Shape[len(w.Shape)-1]
		x, y := float32s(t, w), float32s(t, g)
		sum, rows := 0.0, 0
		for i := 0; i+cols <= len(x); i += cols {
			c, best := alike(x[i:i+cols], y[i:i+cols])
			if math.IsInf(c, 0) { // padding
				continue
			}
			sum += c
			rows++
			if strings.Contains(w.Name, "logits") && cols > 1 {
				a.of++
				if best {
					a.same++
				}
			}
		}
		if w.Name == states {
			a.cosines = append(a.cosines, sum/float64(rows))
		}
	}
}

// alike gives the cosine of two rows, infinite for zeros, and whether the same
// number of both is largest.
func alike(x, y []float32) (cosine float64, best bool) {
	var xx, yy, xy float64
	bx, by := 0, 0
	for i := range x {
		xx += float64(x[i]) * float64(x[i])
		yy += float64(y[i]) * float64(y[i])
		xy += float64(x[i]) * float64(y[i])
		if x[i] > x[bx] {
			bx = i
		}
		if y[i] > y[by] {
			by = i
		}
	}
	if xx == 0 && yy == 0 {
		return math.Inf(1), true
	}
	return xy / math.Sqrt(xx*yy), bx == by
}

// The table of docs/int8.md has every architecture, and what it says holds.
func TestInt8OfArchitectures(t *testing.T) {
	all := map[string]*agreement{}
	forGoldens(t, func(t *testing.T, g golden) {
		in := readTensors(t, filepath.Join(g.dir, "in.safetensors"))
		var out [2][]weights.Tensor
		var states string
		for i, dtype := range []DType{F32, Int8} {
			m, err := Load(g.dir, WithDType(dtype))
			require.NoError(t, err)
			names := g.outputs(m)
			states = g.states(m)
			out[i], err = m.ForwardTensors(t.Context(), in, append(names, states)...)
			require.NoError(t, err)
			require.NoError(t, m.Close())
		}
		name := modelTypeOf(t, g.dir)
		if all[name] == nil {
			all[name] = new(agreement)
		}
		all[name].compare(t, out[0], out[1], states)
	})
	if t.Failed() {
		return
	}
	const path, begin, end = "../docs/int8.md", "<!-- random -->\n", "<!-- end of random -->"
	before, have, after := cutTable(t, path, begin, end)
	if *updateInt8 {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+int8Table(all)+end+after), 0o644))
		return
	}
	for name, a := range all {
		var checkpoints int
		var mean, worst float64
		_, row, ok := strings.Cut(have, "| `"+name+"` | ")
		require.True(t, ok, "%s is missing: go test ./model -run TestInt8OfArchitectures -update-int8", name)
		_, err := fmt.Sscanf(row, "%d | %g | %g |", &checkpoints, &mean, &worst)
		require.NoError(t, err, name)
		m, w := a.mean()
		// Other instruction sets round the rest otherwise.
		require.InDelta(t, mean, m, 0.01, name)
		require.InDelta(t, worst, w, 0.02, name)
	}
}

func modelTypeOf(t *testing.T, dir string) string {
	var c struct {
		Type string `json:"model_type"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &c))
	return c.Type
}

func int8Table(all map[string]*agreement) string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString("| architecture | checkpoints | cosine, mean | worst checkpoint | top-1 |\n|---|---|---|---|---|\n")
	for _, name := range names {
		a := all[name]
		mean, worst := a.mean()
		top := ""
		if a.of > 0 {
			top = fmt.Sprintf("%d of %d", a.same, a.of)
		}
		fmt.Fprintf(&b, "| `%s` | %d | %.4f | %.4f | %s |\n", name, a.checkpoints, mean, worst, top)
	}
	return b.String()
}
