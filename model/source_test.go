package model

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/mha"
	"github.com/ladon-ml/ladon/model/weights"
)

// encode begins a session about each source.
func encode(t *testing.T, m *Model, o SessionOptions, sources ...[]int32) []*Session {
	b := Batch{CuSeqlens: []int32{0}}
	for _, s := range sources {
		b.IDs = append(b.IDs, s...)
		b.CuSeqlens = append(b.CuSeqlens, int32(len(b.IDs)))
	}
	list, err := m.Encode(t.Context(), b, o)
	require.NoError(t, err)
	for _, s := range list {
		t.Cleanup(func() { require.NoError(t, s.Close()) })
	}
	return list
}

func likeliest(logits []float32) int32 {
	best := 0
	for i, x := range logits {
		if x > logits[best] {
			best = i
		}
	}
	return int32(best)
}

// What an encoder-decoder writes about its sources, all of them together, is what
// transformers' generate writes about each; Forward agrees to the last step.
func TestSourceGreedy(t *testing.T) {
	checked := 0
	forGoldens(t, func(t *testing.T, g golden) {
		if g.Generates == nil {
			return
		}
		checked++
		m, err := Load(g.dir)
		require.NoError(t, err)
		defer m.Close()
		var sources [][]int32
		var read [][]int32
		for _, pair := range g.Generates {
			sources, read = append(sources, pair.Source), append(read, pair.Greedy[:1])
			require.Equal(t, m.spec.Target.Start, pair.Greedy[0])
		}
		sessions := encode(t, m, SessionOptions{}, sources...)
		for n := 1; n < len(g.Generates[0].Greedy); n++ {
			require.NoError(t, AppendAll(t.Context(), sessions, read))
			for i, s := range sessions {
				read[i] = []int32{likeliest(s.Logits())}
				require.Equal(t, g.Generates[i].Greedy[n], read[i][0], "source %d, token %d", i, n)
			}
		}

		r, err := m.NewResult("logits")
		require.NoError(t, err)
		b := Batch{CuSeqlens: []int32{0}, Source: &Batch{CuSeqlens: []int32{0}}}
		for _, pair := range g.Generates {
			b.IDs, b.Source.IDs = append(b.IDs, pair.Greedy[:len(pair.Greedy)-1]...), append(b.Source.IDs, pair.Source...)
			b.CuSeqlens, b.Source.CuSeqlens = append(b.CuSeqlens, int32(len(b.IDs))), append(b.Source.CuSeqlens, int32(len(b.Source.IDs)))
		}
		require.NoError(t, m.Forward(t.Context(), b, r))
		logits := r.Get("logits")
		for i, s := range sessions {
			last := logits.Data[(int(b.CuSeqlens[i+1])-1)*logits.Cols:][:logits.Cols]
			require.InDeltaSlice(t, last, s.Logits(), 1e-4)
		}
	})
	require.NotZero(t, checked)
}

func TestSourceErrors(t *testing.T) {
	m, err := Load("testdata/t5-lm")
	require.NoError(t, err)
	defer m.Close()
	one := Batch{IDs: []int32{5}, CuSeqlens: []int32{0, 1}}
	r, err := m.NewResult()
	require.NoError(t, err)
	for problem, f := range map[string]func() error{
		"there is no source":        func() error { return m.Forward(t.Context(), one, r) },
		"2 sources for 1 sequences": func() error { return m.Forward(t.Context(), withSource(one, Batch{CuSeqlens: []int32{0, 0, 0}}), r) },
		"source: model: token id 61 at 0": func() error {
			return m.Forward(t.Context(), withSource(one, Batch{IDs: []int32{61}, CuSeqlens: []int32{0, 1}}), r)
		},
		"an encoder-decoder, which writes about":   func() error { _, err := m.NewSession(SessionOptions{}); return err },
		`"decoder_input_ids" is missing`:           func() error { return forwardIDs(t, m, "input_ids") },
		`"input_ids" is missing`:                   func() error { return forwardIDs(t, m, "decoder_input_ids") },
		`unknown input tensor "position_ids"`:      func() error { return forwardIDs(t, m, "input_ids", "position_ids") },
		`unknown input tensor "decoder_token_type`: func() error { return forwardIDs(t, m, "input_ids", "decoder_token_type_ids") },
	} {
		require.ErrorContains(t, f(), problem)
	}
	encoder, err := Load("testdata/t5-encoder")
	require.NoError(t, err)
	defer encoder.Close()
	_, err = encoder.Encode(t.Context(), one, SessionOptions{})
	require.ErrorContains(t, err, "T5EncoderModel is no encoder-decoder")
	_, _, err = encoder.ReadSource(nil)
	require.ErrorContains(t, err, "T5EncoderModel is no encoder-decoder")
	er, err := encoder.NewResult()
	require.NoError(t, err)
	require.ErrorContains(t, encoder.Forward(t.Context(), withSource(one, one), er), "no encoder-decoder")

	// An empty source is one: nothing is attended to.
	require.NoError(t, m.Forward(t.Context(), withSource(one, Batch{CuSeqlens: []int32{0, 0}}), r))
	for o := range r.All {
		for _, x := range o.Data {
			require.False(t, math.IsNaN(float64(x)), o.Name)
		}
	}
	_, _, err = m.ReadSource([]weights.Tensor{weights.Of("input_ids", []int{1, 2}, []int64{4, 5}), weights.Of("attention_mask", []int{1, 2}, []int64{0, 0})})
	require.ErrorContains(t, err, "row 0 is nothing but padding")

	// The distances that T5's scores depend on include masked positions.
	holes := []weights.Tensor{weights.Of("input_ids", []int{1, 3}, []int64{4, 5, 6}), weights.Of("attention_mask", []int{1, 3}, []int64{1, 0, 1})}
	_, _, err = m.ReadSource(holes)
	require.ErrorContains(t, err, "masked positions between others are not supported")
	_, err = m.ForwardTensors(t.Context(), append(holes, weights.Of("decoder_input_ids", []int{1, 1}, []int64{4})))
	require.ErrorContains(t, err, "masked positions between others are not supported")
}

func withSource(b, source Batch) Batch {
	b.Source = &source
	return b
}

func forwardIDs(t *testing.T, m *Model, names ...string) error {
	var list []weights.Tensor
	for _, name := range names {
		list = append(list, weights.Of(name, []int{1, 2}, []int64{4, 5}))
	}
	_, err := m.ForwardTensors(t.Context(), list)
	return err
}

// Forks share their source, and one token more for sessions that have room
// allocates nothing.
func TestSourceSessions(t *testing.T) {
	m, err := Load("testdata/t5-lm", WithThreads(2))
	require.NoError(t, err)
	defer m.Close()
	for _, kv := range []KVType{KVF32, KVF16, KVInt8} {
		s := encode(t, m, SessionOptions{KV: kv}, []int32{5, 6, 7, 8}, []int32{9})[0]
		require.NoError(t, s.Append(t.Context(), []int32{0, 3, 4}))
		f, err := s.Fork()
		require.NoError(t, err)
		require.NoError(t, s.Append(t.Context(), []int32{12}))
		want := append([]float32{}, s.Logits()...)
		require.NoError(t, s.Close())
		require.NoError(t, f.Append(t.Context(), []int32{11}))
		require.NoError(t, f.Truncate(3))
		require.NoError(t, f.Append(t.Context(), []int32{12}))
		require.Equal(t, want, f.Logits())
		if ctx, next := context.Background(), []int32{12}; !raceEnabled {
			require.Zero(t, testing.AllocsPerRun(10, func() {
				if err := f.Append(ctx, next); err != nil {
					t.Fatal(err)
				}
				if err := f.Truncate(4); err != nil {
					t.Fatal(err)
				}
			}))
		}
		require.NoError(t, f.Close())
	}
}

// A look at a layer's attention to the source finds what cross_attentions has.
func TestLookAtSource(t *testing.T) {
	m, err := Load("testdata/bart-all")
	require.NoError(t, err)
	defer m.Close()
	b := withSource(Batch{IDs: []int32{4, 5, 6}, CuSeqlens: []int32{0, 1, 3}}, Batch{IDs: []int32{7, 8, 9, 10, 11}, CuSeqlens: []int32{0, 3, 5}})
	all, err := m.NewResult(Attentions)
	require.NoError(t, err)
	require.NoError(t, m.Forward(t.Context(), b, all))

	r, err := m.NewResult(LastHiddenState)
	require.NoError(t, err)
	require.ErrorContains(t, r.LookAtSource(1, mha.Look{Weights: true}), "no layer 1")
	require.ErrorContains(t, r.LookAtSource(0, mha.Look{Heads: []int{2}}), "do not rise within its 2")
	require.NoError(t, r.LookAtSource(0, mha.Look{Weights: true, TopK: 1}))
	require.NoError(t, r.Encoder().Look(1, mha.Look{Weights: true}))
	require.NoError(t, m.Forward(t.Context(), b, r))
	require.Equal(t, all.Get("cross_attentions.0").Data, r.SourceProbe(0).Weights)
	require.Equal(t, all.Get("encoder_attentions.1").Data, r.Encoder().Probe(1).Weights)
	require.Nil(t, r.Probe(0))

	encoder, err := Load("testdata/t5-encoder")
	require.NoError(t, err)
	defer encoder.Close()
	er, err := encoder.NewResult()
	require.NoError(t, err)
	require.Nil(t, er.Encoder())
	require.ErrorContains(t, er.LookAtSource(0, mha.Look{}), "T5EncoderModel is no encoder-decoder")
}

// A sequence and its source have the same bits alone and among others, for any
// number of threads, and a pass that has seen its shapes allocates nothing.
func TestSourceFamilies(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 5))
	random := func(lengths []int) Batch {
		b := Batch{CuSeqlens: []int32{0}}
		for _, n := range lengths {
			for range n {
				b.IDs = append(b.IDs, 3+rng.Int32N(50))
			}
			b.CuSeqlens = append(b.CuSeqlens, int32(len(b.IDs)))
		}
		return b
	}
	all := withSource(random([]int{20, 1, 7, 19, 20, 3}), random([]int{3, 20, 19, 1, 20, 11}))
	for _, name := range []string{"t5-lm", "bart-lm", "marian-mt", "transformer-lm"} {
		for _, dtype := range []DType{F32, Int8} {
			var alone [][]float32
			for threads := 1; threads <= 3; threads++ {
				m, err := Load(filepath.Join("testdata", name), WithThreads(threads), WithDType(dtype))
				require.NoError(t, err)
				defer m.Close()
				r, err := m.NewResult("logits", EncoderLastHiddenState)
				require.NoError(t, err)
				for s := 0; s < all.sequences() && threads == 1; s++ {
					require.NoError(t, m.Forward(t.Context(), withSource(oneOf(&all, s), oneOf(all.Source, s)), r))
					alone = append(alone, append([]float32{}, r.Get("logits").Data...))
				}
				require.NoError(t, m.Forward(t.Context(), all, r))
				for s, want := range alone {
					o := r.Get("logits")
					require.Equal(t, want, o.Data[int(all.CuSeqlens[s])*o.Cols:][:len(want)], "%s: sequence %d, %d threads, %v", name, s, threads, dtype)
				}
				if raceEnabled {
					continue
				}
				require.Zero(t, testing.AllocsPerRun(3, func() {
					if err := m.Forward(context.Background(), all, r); err != nil {
						t.Fatal(err)
					}
				}), "%s, %d threads, %v", name, threads, dtype)
			}
		}
	}
}

// oneOf is one sequence of a batch.
func oneOf(b *Batch, s int) Batch {
	from, to := b.CuSeqlens[s], b.CuSeqlens[s+1]
	return Batch{IDs: b.IDs[from:to], CuSeqlens: []int32{0, to - from}}
}

func TestShifted(t *testing.T) {
	source := Batch{IDs: []int32{5, 6, 7, 8, 2}, CuSeqlens: []int32{0, 3, 3, 5}}
	for _, c := range []struct {
		name string
		want []int32
		ends []int32
	}{
		{"t5-lm", []int32{0, 5, 6, 0, 0, 8}, []int32{0, 3, 4, 6}},
		{"bart-lm", []int32{2, 5, 6, 2, 2, 8}, []int32{0, 3, 4, 6}},
		{"mbart-lm", []int32{7, 5, 6, 2, 2, 8}, []int32{0, 3, 4, 6}},
		{"marian-mt-two", []int32{60, 60, 60}, []int32{0, 1, 2, 3}}, // of other words
	} {
		m, err := Load(filepath.Join("testdata", c.name))
		require.NoError(t, err)
		defer m.Close()
		b, err := m.Shifted(source)
		require.NoError(t, err)
		require.Equal(t, c.want, b.IDs, c.name)
		require.Equal(t, c.ends, b.CuSeqlens, c.name)
		require.Equal(t, source, *b.Source)
	}
	encoder, err := Load("testdata/t5-encoder")
	require.NoError(t, err)
	defer encoder.Close()
	_, err = encoder.Shifted(source)
	require.ErrorContains(t, err, "T5EncoderModel is no encoder-decoder")
}

// A decoder is studied with its source, and the encoder by itself.
func TestImportanceFromSource(t *testing.T) {
	m, err := Load("testdata/bart-lm")
	require.NoError(t, err)
	defer m.Close()
	b, err := m.Shifted(Batch{IDs: []int32{5, 6, 7, 8, 9, 10}, CuSeqlens: []int32{0, 4, 6}})
	require.NoError(t, err)
	found, err := m.Importance(t.Context(), b, ImportanceOptions{})
	require.NoError(t, err)
	require.Len(t, found.Heads, 2) // of one layer
	for _, h := range found.Heads {
		require.True(t, h.Drift > 0 && h.Drift < 2 && h.Confidence > 0 && h.Confidence <= 1, "%+v", h)
	}
	require.Len(t, found.Neurons, 1)
	found, err = m.Other().Importance(t.Context(), *b.Source, ImportanceOptions{})
	require.NoError(t, err)
	require.Len(t, found.Heads, 8)
	b.Source = nil
	_, err = m.Importance(t.Context(), b, ImportanceOptions{})
	require.ErrorContains(t, err, "there is no source")
}

// Head masks leave heads out: of the decoder, of the encoder, and of the attention
// between them.
func TestHeadMasksFromSource(t *testing.T) {
	m, err := Load("testdata/bart-all")
	require.NoError(t, err)
	defer m.Close()
	in := []weights.Tensor{weights.Of("input_ids", []int{1, 4}, []int64{5, 6, 7, 8}), weights.Of("decoder_input_ids", []int{1, 3}, []int64{2, 9, 10})}
	for name, c := range map[string]struct {
		shape  []int
		output string
	}{
		"head_mask":            {[]int{2, 4}, "encoder_attentions.1"},
		"decoder_head_mask":    {[]int{1, 2}, "decoder_attentions.0"},
		"cross_attn_head_mask": {[]int{2}, "cross_attentions.0"},
	} {
		heads := c.shape[len(c.shape)-1]
		mask := make([]float32, c.shape[0]*max(1, heads*(len(c.shape)-1)))
		for i := range mask {
			mask[i] = float32(i % heads) // all but the first of each layer
		}
		got, err := m.ForwardTensors(t.Context(), append(in, weights.Of(name, c.shape, mask)), Attentions)
		require.NoError(t, err, name)
		w := byName(got)[c.output]
		values := float32s(t, w)
		first, other := values[:len(values)/heads], values[len(values)/heads:]
		require.Equal(t, make([]float32, len(first)), first, name)
		require.NotZero(t, other[0], name)
	}
}
