package generate

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// float is a float32 that testdata writes as null where it is -Inf.
type float float32

func (f *float) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*f = float(negInf)
		return nil
	}
	return json.Unmarshal(data, (*float32)(f))
}

func floats(list []float) []float32 {
	out := make([]float32, len(list))
	for i, x := range list {
		out[i] = float32(x)
	}
	return out
}

func readGolden(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, v))
}

// golden makes a Config of settings as generation_config.json has them.
func golden(t *testing.T, data json.RawMessage) Config {
	s, err := ParseSettings("golden", data)
	require.NoError(t, err)
	var c Config
	s.Obey(&c)
	s.Sampling(&c)
	s.BeamSearch(&c)
	var bias struct {
		Bias   [][2]*float64 `json:"logit_bias"`
		Return int           `json:"num_return_sequences"`
	}
	require.NoError(t, json.Unmarshal(data, &bias))
	c.Return = bias.Return
	for _, b := range bias.Bias {
		add := negInf
		if b[1] != nil {
			add = float32(*b[1])
		}
		c.LogitBias = append(c.LogitBias, Bias{int32(*b[0]), add})
	}
	return c
}

func TestProcessorsGolden(t *testing.T) {
	var cases []struct {
		Name           string
		Config         json.RawMessage
		Prompt         int
		IDs, Source    []int32
		Logits, Scores []float
		Sample         bool
	}
	readGolden(t, "processors.json", &cases)
	require.Greater(t, len(cases), 60)
	for i, g := range cases {
		t.Run(fmt.Sprint(i, " ", g.Name), func(t *testing.T) {
			c := golden(t, g.Config)
			require.NoError(t, c.Check(len(g.Logits)))
			h := history{ids: g.IDs, prompt: g.Prompt, limit: 1 << 20, source: g.Source}
			if c.MaxLength > 0 {
				h.limit = c.MaxLength
			}
			got := floats(g.Logits)
			p := processors{cfg: &c}
			p.apply(got, &h)
			if g.Sample {
				var l lottery
				l.fill(got, &c, 1)
				require.True(t, slices.IsSorted(l.ids))
				for i := range got {
					got[i] = negInf
				}
				for i, id := range l.ids {
					got[id] = l.scores[i]
				}
			}
			for i, want := range floats(g.Scores) {
				require.Equal(t, want, got[i], "token %d", i)
			}
			for _, n := range p.count {
				require.Zero(t, n)
			}
		})
	}
}

// table is the model of searches.json.
type table struct {
	a, b, c []float32
	vocab   int
	rows    [][]int32
	logits  [][]float32
	context int
	steps   int
}

func (m *table) start(prompts ...[]int32) {
	m.rows = nil
	for _, p := range prompts {
		m.rows = append(m.rows, slices.Clone(p))
	}
	m.compute()
}

func (m *table) compute() {
	m.logits = m.logits[:0]
	for _, row := range m.rows {
		n := len(row)
		last, before := int(row[n-1]), 0
		if n > 1 {
			before = int(row[n-2])
		}
		x := make([]float32, m.vocab)
		for i := range x {
			x[i] = m.a[last*m.vocab+i] + m.b[before*m.vocab+i] + m.c[n%7*m.vocab+i]
		}
		m.logits = append(m.logits, x)
	}
}

func (m *table) Step(ctx context.Context, parents []int, ids []int32) error {
	next := make([][]int32, len(parents))
	for i, p := range parents {
		next[i] = append(slices.Clone(m.rows[p]), ids[i])
	}
	m.rows = next
	m.steps++
	m.compute()
	return ctx.Err()
}

func (m *table) Logits(row int) []float32 { return m.logits[row] }
func (m *table) Context() int             { return m.context }

type searchCase struct {
	Config         json.RawMessage
	IDs, Sequences [][]int32
	Scores         []float64
}

func readSearches(t *testing.T) (*table, []searchCase) {
	var g struct {
		A, B, C []float
		Pad     int32
		Cases   []searchCase
	}
	readGolden(t, "searches.json", &g)
	m := &table{a: floats(g.A), b: floats(g.B), c: floats(g.C), vocab: len(g.C) / 7, context: 1 << 20}
	// The file's rows are padded to a width; what counts is up to their end.
	for i := range g.Cases {
		for j, row := range g.Cases[i].Sequences {
			n := len(row)
			for n > len(g.Cases[i].IDs[0]) && row[n-1] == g.Pad {
				n--
			}
			g.Cases[i].Sequences[j] = row[:n]
		}
	}
	return m, g.Cases
}

func TestSearchGolden(t *testing.T) {
	m, cases := readSearches(t)
	require.Greater(t, len(cases), 100)
	for i, g := range cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			c := golden(t, g.Config)
			c.Temperature = 0
			var prompts []Prompt
			for _, ids := range g.IDs {
				prompts = append(prompts, Prompt{IDs: ids})
			}
			m.start(g.IDs...)
			got, err := Search(t.Context(), m, prompts, c, m.vocab)
			require.NoError(t, err)
			n := c.returns()
			require.Len(t, got, len(g.Sequences))
			for j, want := range g.Sequences {
				require.Equal(t, want, got[j].IDs, "%s row %d", g.Config, j)
				require.Equal(t, len(g.IDs[j/n]), got[j].Prompt)
				ended := slices.Contains(c.EOS, want[len(want)-1])
				require.Equal(t, ended, got[j].Finish == EOS)
				if g.Scores != nil && g.Scores[j] > -1e8 { // else there are not so many
					if diff := math.Abs(g.Scores[j] - float64(got[j].Score)); !(diff <= 1e-5*(1+math.Abs(g.Scores[j]))) {
						t.Errorf("row %d: score %v, want %v", j, got[j].Score, g.Scores[j])
					}
				}
				// A row alone is the same.
				m.start(g.IDs[j/n])
				alone, err := Search(t.Context(), m, prompts[j/n:j/n+1], c, m.vocab)
				require.NoError(t, err)
				require.Equal(t, got[j], alone[j%n])
			}
		})
	}
}
