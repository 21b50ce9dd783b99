package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

// randomModel writes a BERT of the given size with random weights to a folder
// and loads it.
func randomModel(t testing.TB, hidden, heads, layers, ffn int, opts ...Option) *Model {
	t.Helper()
	m, err := Load(randomCheckpoint(t, hidden, heads, layers, ffn), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

const randomVocab, randomPositions = 211, 600

func randomCheckpoint(t testing.TB, hidden, heads, layers, ffn int) string {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, configFile), fmt.Sprintf(`{"model_type": "bert", "architectures": ["BertForSequenceClassification"],
		"hidden_size": %d, "num_attention_heads": %d, "num_hidden_layers": %d, "intermediate_size": %d,
		"vocab_size": %d, "max_position_embeddings": %d}`, hidden, heads, layers, ffn, randomVocab, randomPositions))
	rng := rand.New(rand.NewPCG(1, uint64(hidden)))
	var tensors []weights.Tensor
	add := func(name string, scale, mean float64, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(mean + scale*rng.NormFloat64())
		}
		tensors = append(tensors, weights.Of(name, shape, v))
	}
	linear := func(name string, out, in int) {
		add(name+".weight", 1.2/float64(in), 0, out, in)
		add(name+".bias", 0.1, 0, out)
	}
	norm := func(name string) {
		add(name+".weight", 0.2, 1, hidden)
		add(name+".bias", 0.2, 0, hidden)
	}
	add("bert.embeddings.word_embeddings.weight", 1, 0, randomVocab, hidden)
	add("bert.embeddings.position_embeddings.weight", 0.5, 0, randomPositions, hidden)
	add("bert.embeddings.token_type_embeddings.weight", 0.5, 0, 2, hidden)
	norm("bert.embeddings.LayerNorm")
	for i := range layers {
		p := fmt.Sprintf("bert.encoder.layer.%d.", i)
		for _, name := range []string{"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"} {
			linear(p+name, hidden, hidden)
		}
		norm(p + "attention.output.LayerNorm")
		linear(p+"intermediate.dense", ffn, hidden)
		linear(p+"output.dense", hidden, ffn)
		norm(p + "output.LayerNorm")
	}
	linear("bert.pooler.dense", hidden, hidden)
	linear("classifier", 2, hidden)
	require.NoError(t, weights.Write(filepath.Join(dir, "model.safetensors"), tensors, nil))
	return dir
}

// randomBatch makes a batch of sequences of these lengths.
func randomBatch(lengths ...int) Batch {
	rng := rand.New(rand.NewPCG(2, 3))
	b := Batch{CuSeqlens: []int32{0}}
	for _, n := range lengths {
		for range n {
			b.IDs = append(b.IDs, rng.Int32N(randomVocab))
			b.TypeIDs = append(b.TypeIDs, rng.Int32N(2))
		}
		b.CuSeqlens = append(b.CuSeqlens, int32(len(b.IDs)))
	}
	return b
}

// sequence is sequence s of b on its own.
func sequence(b Batch, s int) Batch {
	i, j := b.CuSeqlens[s], b.CuSeqlens[s+1]
	return Batch{IDs: b.IDs[i:j], TypeIDs: b.TypeIDs[i:j], CuSeqlens: []int32{0, j - i}}
}

// join puts sequences of b, in the given order, into one batch.
func join(b Batch, order ...int) Batch {
	joined := Batch{CuSeqlens: []int32{0}}
	for _, s := range order {
		one := sequence(b, s)
		joined.IDs = append(joined.IDs, one.IDs...)
		joined.TypeIDs = append(joined.TypeIDs, one.TypeIDs...)
		joined.CuSeqlens = append(joined.CuSeqlens, int32(len(joined.IDs)))
	}
	return joined
}

// A sequence has the same bits alone, among others, in any order, in a batch of
// several groups, and for any number of threads.
func TestSameBits(t *testing.T) {
	runtime.GOMAXPROCS(max(3, runtime.GOMAXPROCS(0)))
	dir := randomCheckpoint(t, 20, 4, 2, 37)
	counts := []int{1, 2, 3}
	if testing.Short() {
		counts = []int{1, 3}
	}
	lengths := []int{5, 1, 130, 17, 300, 64, 2, 200, 33, 128}
	b := randomBatch(lengths...)
	onEveryTier(t, func(t *testing.T) {
		for _, dtype := range []DType{F32, Int8} {
			alone := make([]*Result, len(lengths))
			for _, threads := range counts {
				m, err := Load(dir, WithThreads(threads), WithDType(dtype))
				require.NoError(t, err)
				defer m.Close()
				run := func(b Batch) *Result {
					r, err := m.NewResult()
					require.NoError(t, err)
					require.NoError(t, m.Forward(t.Context(), b, r))
					return r
				}
				if threads == 1 {
					for s := range lengths {
						alone[s] = run(sequence(b, s))
					}
				}
				for _, order := range [][]int{{9, 4, 0, 7, 1, 8, 6, 5, 3, 2, 2, 2, 7, 4}, {3, 7, 1}} {
					joined := join(b, order...)
					r := run(joined)
					hidden, logits := r.Get(LastHiddenState), r.Get("logits")
					for i, s := range order {
						from, to := int(joined.CuSeqlens[i])*hidden.Cols, int(joined.CuSeqlens[i+1])*hidden.Cols
						require.Equal(t, alone[s].Get(LastHiddenState).Data, hidden.Data[from:to], "sequence %d in %v, %d threads, %v", s, order, threads, dtype)
						require.Equal(t, alone[s].Get("logits").Data, logits.Data[i*logits.Cols:(i+1)*logits.Cols])
					}
				}
			}
		}
	})
}

// What is asked for beside an output does not change it.
func TestOutputsDoNotDependOnEachOther(t *testing.T) {
	m := randomModel(t, 24, 3, 2, 50)
	b := randomBatch(9, 1, 40)
	all, err := m.NewResult(m.Outputs()...)
	require.NoError(t, err)
	require.NoError(t, m.Forward(t.Context(), b, all))
	for _, name := range m.Outputs() {
		one, err := m.NewResult(name)
		require.NoError(t, err)
		require.NoError(t, m.Forward(t.Context(), b, one))
		for o := range one.All {
			require.Equal(t, all.Get(o.Name).Data, o.Data, o.Name)
		}
	}
	_, err = m.NewResult("start_logits")
	require.ErrorContains(t, err, "start_logits")
	require.ErrorContains(t, err, "last_hidden_state")
	require.Zero(t, all.Get("start_logits"))
}

func TestForwardAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, dtype := range []DType{F32, Int8} {
		for _, names := range [][]string{nil, {LastHiddenState}, {"logits"}, {HiddenStates, Attentions}} {
			m := randomModel(t, 32, 4, 2, 64, WithDType(dtype))
			r, err := m.NewResult(names...)
			require.NoError(t, err)
			batches := []Batch{randomBatch(128, 3, 60), randomBatch(16), randomBatch(270, 270, 1)}
			if testing.Short() {
				batches = batches[:2]
			}
			run := func() {
				for _, b := range batches {
					if err := m.Forward(context.Background(), b, r); err != nil {
						t.Fatal(err)
					}
				}
			}
			run()
			require.Zero(t, testing.AllocsPerRun(2, run), "%v %v", dtype, names)
		}
	}
}

func TestConcurrentForward(t *testing.T) {
	m := randomModel(t, 24, 3, 2, 50)
	b := randomBatch(7, 30, 1, 90, 12, 64, 5, 18)
	want := make([][]float32, b.sequences())
	for s := range want {
		r, err := m.NewResult()
		require.NoError(t, err)
		require.NoError(t, m.Forward(t.Context(), sequence(b, s), r))
		want[s] = r.Get("logits").Data
	}
	var wg sync.WaitGroup
	for s := range want {
		wg.Go(func() {
			r, err := m.NewResult()
			if err != nil {
				t.Error(err)
				return
			}
			for range 20 {
				if err := m.Forward(t.Context(), sequence(b, s), r); err != nil {
					t.Error(err)
					return
				}
				if got := r.Get("logits").Data; fmt.Sprint(got) != fmt.Sprint(want[s]) {
					t.Errorf("sequence %d: %v, alone %v", s, got, want[s])
				}
			}
		})
	}
	wg.Wait()
}

func TestCancel(t *testing.T) {
	m := randomModel(t, 64, 4, 6, 256)
	lengths := make([]int, 200)
	if testing.Short() {
		m = randomModel(t, 16, 2, 6, 64) // under an emulator one sequence takes long enough
	}
	for i := range lengths {
		lengths[i] = 600
	}
	b := randomBatch(lengths...)
	r, err := m.NewResult()
	require.NoError(t, err)

	onEveryTier(t, func(t *testing.T) {
		testCancel(t, m, b, r)
	})
}

func testCancel(t *testing.T, m *Model, b Batch, r *Result) {
	// 50 ms is the promise. Where one sequence alone takes longer, under an
	// emulator or the race detector, half of that must do.
	began := time.Now()
	require.NoError(t, m.Forward(t.Context(), sequence(b, 0), r))
	limit := max(50*time.Millisecond, time.Since(began)/2)

	// The best of a few attempts: a busy machine may keep any one of them waiting.
	best := time.Hour
	for attempt := 0; attempt < 5 && best > limit; attempt++ {
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan time.Time, 1)
		time.AfterFunc(20*time.Millisecond, func() {
			cancelled <- time.Now()
			cancel()
		})
		err := m.Forward(ctx, b, r)
		best = min(best, time.Since(<-cancelled))
		require.ErrorIs(t, err, context.Canceled)
	}
	require.LessOrEqual(t, best, limit)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, m.Forward(ctx, b, r), context.Canceled, "before it begins")
	require.NoError(t, m.Forward(t.Context(), sequence(b, 0), r), "the model still works")
}

func TestClose(t *testing.T) {
	m := randomModel(t, 32, 4, 2, 64)
	b := randomBatch(600, 600)
	var wg sync.WaitGroup
	for range 4 {
		r, err := m.NewResult()
		require.NoError(t, err)
		wg.Go(func() {
			for {
				if err := m.Forward(t.Context(), b, r); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	time.Sleep(10 * time.Millisecond)
	require.NoError(t, m.Close())
	wg.Wait()
	require.NoError(t, m.Close())
	r, err := m.NewResult()
	require.ErrorIs(t, err, ErrClosed)
	require.Nil(t, r)
	_, err = m.ForwardTensors(t.Context(), nil)
	require.ErrorIs(t, err, ErrClosed)
}

func TestBadBatch(t *testing.T) {
	m := randomModel(t, 8, 2, 1, 8)
	other := randomModel(t, 8, 2, 1, 8)
	good := Batch{IDs: []int32{1, 2, 3}, CuSeqlens: []int32{0, 3}}
	for name, c := range map[string]struct {
		change func(b *Batch)
		want   string
	}{
		"no lengths":          {func(b *Batch) { b.CuSeqlens = nil }, "begin with 0"},
		"first not 0":         {func(b *Batch) { b.CuSeqlens = []int32{1, 3} }, "begin with 0"},
		"lengths too short":   {func(b *Batch) { b.CuSeqlens = []int32{0, 2} }, "ends with 2, but there are 3"},
		"lengths too long":    {func(b *Batch) { b.CuSeqlens = []int32{0, 4} }, "ends with 4, but there are 3"},
		"lengths decrease":    {func(b *Batch) { b.CuSeqlens = []int32{0, 3, 2, 3} }, "decreases after sequence 1"},
		"lengths overshoot":   {func(b *Batch) { b.CuSeqlens = []int32{0, 5, 3} }, "decreases"},
		"id":                  {func(b *Batch) { b.IDs = []int32{1, randomVocab, 2} }, "token id 211 at 1 is outside the vocabulary of 211"},
		"negative id":         {func(b *Batch) { b.IDs = []int32{1, 1, -1} }, "token id -1 at 2"},
		"type":                {func(b *Batch) { b.TypeIDs = []int32{0, 1, 2} }, "token type 2 at 2 is outside the 2"},
		"types too few":       {func(b *Batch) { b.TypeIDs = []int32{0, 1} }, "2 token types for 3 tokens"},
		"position":            {func(b *Batch) { b.Positions = []int32{0, 600, 1} }, "position 600 at 1 is outside the 600"},
		"positions too few":   {func(b *Batch) { b.Positions = []int32{0} }, "1 positions for 3 tokens"},
		"unseen":              {func(b *Batch) { b.Unseen = []int32{4} }, "4 cannot be unseen"},
		"unseen for whom":     {func(b *Batch) { b.Unseen = []int32{0, 0} }, "2 counts of unseen tokens for 1 sequences"},
		"too long":            {func(b *Batch) { *b = randomBatch(randomPositions + 1) }, "sequence 0 has 601 tokens, but the model takes at most 600"},
		"empty, but its head": {func(b *Batch) { b.CuSeqlens = []int32{0, 0, 3} }, "sequence 0 is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			b := good
			c.change(&b)
			r, err := m.NewResult()
			require.NoError(t, err)
			err = m.Forward(t.Context(), b, r)
			require.ErrorContains(t, err, c.want)
			var input *InputError
			require.ErrorAs(t, err, &input)
		})
	}
	r, err := other.NewResult()
	require.NoError(t, err)
	require.ErrorContains(t, m.Forward(t.Context(), good, r), "another model")
	r, err = m.NewResult(LastHiddenState)
	require.NoError(t, err)
	require.NoError(t, m.Forward(t.Context(), Batch{IDs: []int32{1}, CuSeqlens: []int32{0, 0, 1, 1}}, r), "empty sequences have no hidden states, and that is all")
	require.NoError(t, m.Forward(t.Context(), Batch{CuSeqlens: []int32{0}}, r))
	require.Empty(t, r.Get(LastHiddenState).Data)
}
