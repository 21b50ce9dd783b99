package generate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/weights"
)

func TestMain(m *testing.M) {
	if err := cpu.Required(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// modelCase is a generation of golden.json.
type modelCase struct {
	Config    json.RawMessage
	IDs, Mask [][]int64
	Sequences [][]int64
}

func loadGolden(t testing.TB, name string) (*model.Model, *Settings, []modelCase) {
	t.Helper()
	dir := "testdata/" + name
	m, err := model.Load(dir)
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	settings, err := OpenSettings(dir)
	require.NoError(t, err)
	var g struct{ Cases []modelCase }
	data, err := os.ReadFile(dir + "/golden.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &g))
	require.Greater(t, len(g.Cases), 40)
	return m, settings, g.Cases
}

// config is a case's settings over the checkpoint's.
func (g *modelCase) config(t *testing.T, s *Settings) Config {
	c := golden(t, g.Config)
	c.Temperature = 0
	own := c.EOS
	s.Obey(&c)
	if len(own) > 0 {
		c.EOS = own
	}
	return c
}

func tensor(name string, rows [][]int64) weights.Tensor {
	return weights.Of(name, []int{len(rows), len(rows[0])}, slices.Concat(rows...))
}

// What the models of testdata write is what transformers writes with them.
func TestModelsGolden(t *testing.T) {
	for _, name := range []string{"llama", "gpt2"} {
		m, settings, cases := loadGolden(t, name)
		for i, g := range cases {
			if testing.Short() && i%10 > 0 {
				continue
			}
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				inputs := []weights.Tensor{tensor("input_ids", g.IDs), tensor("attention_mask", g.Mask)}
				batch, err := ReadBatch(inputs, m.Spec().Embeddings.Vocab)
				require.NoError(t, err)
				require.False(t, batch.RightPadded)
				list, err := Sequences(t.Context(), m, model.SessionOptions{}, batch.Prompts, g.config(t, settings))
				require.NoError(t, err)
				got := batch.Tensor(list, int32(*settings.Pad))
				require.Equal(t, tensor("sequences", g.Sequences), got, "%s", g.Config)
			})
		}
	}
}

// The same bits, so the same text, with any number of threads and any neighbours.
func TestSameTextAnywhere(t *testing.T) {
	prompts := []Prompt{{IDs: []int32{0, 40, 41}}, {IDs: []int32{0}}, {IDs: []int32{0, 50, 51, 52, 53, 54}}}
	for _, cfg := range []Config{
		{Temperature: 0.9, Seed: 11, MaxNewTokens: 20},
		{Temperature: 1.2, TopK: 30, TopP: 0.9, Seed: 12, MaxNewTokens: 20, RepetitionPenalty: 1.2},
		{Temperature: 0.8, Seed: 13, MaxNewTokens: 12, EOS: []int32{1}, Beams: BeamSearch(3)},
	} {
		var want []Sequence
		for _, threads := range []int{1, 2, 3, 7} {
			m, err := model.Load("testdata/llama", model.WithThreads(threads))
			require.NoError(t, err)
			got, err := Sequences(t.Context(), m, model.SessionOptions{Chunk: threads}, prompts, cfg)
			require.NoError(t, err)
			if want == nil {
				want = got
			}
			require.Equal(t, want, got)
			for i := range prompts {
				alone, err := Sequences(t.Context(), m, model.SessionOptions{}, prompts[i:i+1], cfg)
				require.NoError(t, err)
				require.Equal(t, want[i], alone[0])
			}
			require.NoError(t, m.Close())
		}
	}
}

// Next to no temperature is none.
func TestColdestIsGreedy(t *testing.T) {
	m, err := model.Load("testdata/llama")
	require.NoError(t, err)
	defer m.Close()
	prompts := []Prompt{{IDs: []int32{0, 40, 41}}}
	want, err := Sequences(t.Context(), m, model.SessionOptions{}, prompts, Config{MaxNewTokens: 8})
	require.NoError(t, err)
	for _, temperature := range []float64{1e-20, 1e-40, 1e-300} {
		got, err := Sequences(t.Context(), m, model.SessionOptions{}, prompts, Config{MaxNewTokens: 8, Temperature: temperature})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// A prompt is named by its number among all.
func TestSequencesErrorsInGroups(t *testing.T) {
	m, err := model.Load("testdata/llama")
	require.NoError(t, err)
	defer m.Close()
	prompts := slices.Repeat([]Prompt{{IDs: []int32{40}}}, together+2)
	list, err := Sequences(t.Context(), m, model.SessionOptions{}, prompts, Config{MaxNewTokens: 1})
	require.NoError(t, err)
	require.Len(t, list, len(prompts))
	prompts[together+1].IDs = make([]int32, 1000)
	_, err = Sequences(t.Context(), m, model.SessionOptions{}, prompts, Config{MaxNewTokens: 1})
	require.ErrorContains(t, err, "prompt 257")
}

func TestSequencesErrors(t *testing.T) {
	m, err := model.Load("testdata/llama")
	require.NoError(t, err)
	one := []Prompt{{IDs: []int32{0}}}
	run := func(ctx context.Context, prompts []Prompt, c Config) error {
		_, err := Sequences(ctx, m, model.SessionOptions{}, prompts, c)
		return err
	}
	var length *LengthError
	require.ErrorAs(t, run(t.Context(), []Prompt{{IDs: make([]int32, 96)}}, Config{}), &length)
	require.ErrorContains(t, length, "96 tokens leaves no room in the model's context of 96")
	require.ErrorContains(t, run(t.Context(), []Prompt{one[0], {}}, Config{}), "prompt 1: generate: an empty prompt")
	require.ErrorContains(t, run(t.Context(), one, Config{EOS: []int32{400}}), "eos_token_id")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, run(cancelled, one, Config{}), context.Canceled)
	require.ErrorIs(t, run(cancelled, one, Config{Beams: BeamSearch(4)}), context.Canceled)
	none, err := Sequences(t.Context(), m, model.SessionOptions{}, nil, Config{})
	require.NoError(t, err)
	require.Empty(t, none)
	require.NoError(t, m.Close())
	require.ErrorIs(t, run(t.Context(), one, Config{}), model.ErrClosed)
}

func TestReadBatchErrors(t *testing.T) {
	ids := weights.Of("input_ids", []int{2, 3}, []int64{1, 2, 3, 4, 5, 6})
	mask := func(shape []int, v ...int64) weights.Tensor { return weights.Of("attention_mask", shape, v) }
	for _, tt := range []struct {
		inputs []weights.Tensor
		part   string
	}{
		{nil, "input_ids"},
		{[]weights.Tensor{ids, weights.Of("decoder_input_ids", []int{1}, []int64{1})}, "decoder_input_ids"},
		{[]weights.Tensor{weights.Of("input_ids", []int{3}, []int64{1, 2, 3})}, "shape [3]"},
		{[]weights.Tensor{weights.Of("input_ids", []int{1, 0}, []int64{})}, "shape [1 0]"},
		{[]weights.Tensor{weights.Of("input_ids", []int{1, 1}, []int64{10})}, "token 10 at [0 0]"},
		{[]weights.Tensor{weights.Of("input_ids", []int{1, 1}, []int64{-1})}, "token -1"},
		{[]weights.Tensor{weights.Of("input_ids", []int{1, 1}, []float32{0.5})}, "0.5"},
		{[]weights.Tensor{ids, mask([]int{2, 2}, 1, 1, 1, 1)}, "attention_mask"},
		{[]weights.Tensor{ids, mask([]int{2, 3}, 1, 1, 1, 0, 0, 0)}, "row 1"},
	} {
		_, err := ReadBatch(tt.inputs, 10)
		require.ErrorContains(t, err, tt.part)
	}
	b, err := ReadBatch([]weights.Tensor{weights.Of("input_ids", []int{2, 3}, []float32{99, 2, 3, 4, 5, -100}), mask([]int{2, 3}, 0, 1, 1, 1, 1, 0)}, 10)
	require.NoError(t, err)
	require.True(t, b.RightPadded)
	require.Equal(t, []Prompt{{IDs: []int32{2, 3}, Pad: 1}, {IDs: []int32{4, 5}, Pad: 1}}, b.Prompts)
	got := b.Tensor([]Sequence{{IDs: []int32{2, 3, 7}, Prompt: 2}, {IDs: []int32{4, 5, 8, 9}, Prompt: 2}}, 6)
	require.Equal(t, weights.Of("sequences", []int{2, 5}, []int64{99, 2, 3, 7, 6, 4, 5, -100, 8, 9}), got)
	b, err = ReadBatch([]weights.Tensor{ids, mask([]int{1, 3}, 0, 1, 1)}, 10)
	require.NoError(t, err)
	require.Equal(t, []int32{5, 6}, b.Prompts[1].IDs)
}

// stories260k is Andrej Karpathy's, trained on TinyStories for llama2.c; its 256
// greedy tokens are known in float32, and each instruction set gives them.
func TestStories260k(t *testing.T) {
	var g struct {
		Prompt []int32
		Greedy []int32 `json:"greedy_ids"`
	}
	data, err := os.ReadFile("testdata/stories260k/golden.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &g))
	sets := cpu.Tested()
	if raceEnabled { // portable code crawls there
		sets = []cpu.Set{cpu.Active()}
	}
	for _, set := range sets {
		t.Run(set.String(), func(t *testing.T) {
			defer cpu.Use(set)()
			m, err := model.Load("testdata/stories260k", model.WithDType(model.F32))
			require.NoError(t, err)
			defer m.Close()
			n := len(g.Greedy) - len(g.Prompt)
			got, err := Sequences(t.Context(), m, model.SessionOptions{}, []Prompt{{IDs: g.Prompt}}, Config{MaxNewTokens: n})
			require.NoError(t, err)
			require.Equal(t, g.Greedy, got[0].IDs)
		})
	}
}

// A decoder's step that fails leaves nothing open.
func TestStepCancelled(t *testing.T) {
	m, err := model.Load("testdata/llama")
	require.NoError(t, err)
	defer m.Close()
	s, err := newSessions(m, model.SessionOptions{}, 1)
	require.NoError(t, err)
	require.NoError(t, model.AppendAll(t.Context(), s.rows, [][]int32{{0, 5, 6}}))
	require.NoError(t, s.Step(t.Context(), []int{0, 0, 0}, []int32{7, 8, 9}))
	require.Len(t, s.rows, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Step(ctx, []int{2, 0}, []int32{7, 8}), context.Canceled)
	require.Len(t, s.rows, 2)
	require.NoError(t, s.Close())
	require.False(t, errors.Is(s.Step(t.Context(), nil, nil), context.Canceled))
}

func TestPerplexity(t *testing.T) {
	m, err := model.Load("testdata/llama")
	require.NoError(t, err)
	defer m.Close()
	ids := make([]int32, 70)
	for i := range ids {
		ids[i] = int32(3 + i*i%300)
	}
	bos := int32(0)
	calls := 0
	o := PerplexityOptions{Context: 16, BOS: &bos, Progress: func(p Perplexity, chunks int) {
		calls++
		require.Equal(t, calls, p.Chunks)
		require.Equal(t, 4, chunks)
	}}
	p, err := MeasurePerplexity(t.Context(), m, model.SessionOptions{Chunk: 3}, ids, o)
	require.NoError(t, err)
	require.Equal(t, 4, calls)
	require.Equal(t, 4*7, p.Counted)

	// The definition, chunk by chunk and token by token.
	var nll []float64
	for c := range 4 {
		s, err := m.NewSession(model.SessionOptions{})
		require.NoError(t, err)
		chunk := slices.Clone(ids[c*16 : (c+1)*16])
		chunk[0] = bos
		for i, id := range chunk {
			if i > 8 {
				nll = append(nll, -model.LogProb(s.Logits(), id))
			}
			require.NoError(t, s.Append(t.Context(), chunk[i:i+1]))
		}
		require.NoError(t, s.Close())
	}
	want := perplexityOf(nll)
	require.InEpsilon(t, want.Value, p.Value, 1e-9)
	require.InEpsilon(t, want.Error, p.Error, 1e-6)

	o.Chunks, o.Progress = 2, nil
	p, err = MeasurePerplexity(t.Context(), m, model.SessionOptions{}, ids, o)
	require.NoError(t, err)
	require.InEpsilon(t, perplexityOf(nll[:14]).Value, p.Value, 1e-9)

	_, err = MeasurePerplexity(t.Context(), m, model.SessionOptions{}, ids[:31], PerplexityOptions{Context: 16})
	require.ErrorIs(t, err, ErrShortText)
	require.ErrorContains(t, err, "31 tokens, but chunks of 16 need at least 32")
	_, err = MeasurePerplexity(t.Context(), m, model.SessionOptions{}, make([]int32, 1000), PerplexityOptions{Context: 97})
	require.ErrorContains(t, err, "97 tokens are longer than the model's context of 96")
	_, err = MeasurePerplexity(t.Context(), m, model.SessionOptions{}, ids, PerplexityOptions{Context: 2})
	require.Error(t, err)
}

func perplexityOf(nll []float64) Perplexity {
	p := Perplexity{Counted: len(nll)}
	for _, x := range nll {
		p.sum += x
		p.squares += x * x
	}
	p.conclude()
	return p
}
