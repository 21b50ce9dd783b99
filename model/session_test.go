package model

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/model/weights"
)

// randomBertDecoder is a BERT whose tokens see only those before them.
func randomBertDecoder(t testing.TB, opts ...Option) *Model {
	t.Helper()
	const hidden, ffn, layers = 24, 52, 3
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, configFile), fmt.Sprintf(`{"model_type": "bert", "architectures": ["BertLMHeadModel"], "is_decoder": true,
		"hidden_size": %d, "num_attention_heads": 3, "num_hidden_layers": %d, "intermediate_size": %d,
		"vocab_size": %d, "max_position_embeddings": %d}`, hidden, layers, ffn, randomVocab, randomPositions))
	r := randomTensors{rng: rand.New(rand.NewPCG(1, 2))}
	r.add("bert.embeddings.word_embeddings.weight", 1, 0, randomVocab, hidden)
	r.add("bert.embeddings.position_embeddings.weight", 0.5, 0, randomPositions, hidden)
	r.add("bert.embeddings.token_type_embeddings.weight", 0.5, 0, 2, hidden)
	r.norm("bert.embeddings.LayerNorm", hidden)
	for i := range layers {
		p := fmt.Sprintf("bert.encoder.layer.%d.", i)
		for _, name := range []string{"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"} {
			r.linear(p+name, hidden, hidden)
		}
		r.norm(p+"attention.output.LayerNorm", hidden)
		r.linear(p+"intermediate.dense", ffn, hidden)
		r.linear(p+"output.dense", hidden, ffn)
		r.norm(p+"output.LayerNorm", hidden)
	}
	r.linear("cls.predictions.transform.dense", hidden, hidden)
	r.norm("cls.predictions.transform.LayerNorm", hidden)
	r.add("cls.predictions.bias", 0.1, 0, randomVocab)
	require.NoError(t, weights.Write(filepath.Join(dir, "model.safetensors"), r.list, nil))
	m, err := Load(dir, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// randomTensors are the weights of a checkpoint that is being made.
type randomTensors struct {
	rng  *rand.Rand
	list []weights.Tensor
}

func (r *randomTensors) add(name string, scale, mean float64, shape ...int) {
	n := 1
	for _, d := range shape {
		n *= d
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(mean + scale*r.rng.NormFloat64())
	}
	r.list = append(r.list, weights.Of(name, shape, v))
}

func (r *randomTensors) linear(name string, out, in int) {
	r.add(name+".weight", 1.2/math.Sqrt(float64(in)), 0, out, in)
	r.add(name+".bias", 0.1, 0, out)
}

func (r *randomTensors) norm(name string, width int) {
	r.add(name+".weight", 0.2, 1, width)
	r.add(name+".bias", 0.2, 0, width)
}

func newSession(t testing.TB, m *Model, o SessionOptions) *Session {
	t.Helper()
	s, err := m.NewSession(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func randomIDs(n int, seed uint64) []int32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = rng.Int32N(randomVocab)
	}
	return ids
}

// forwardLogits are those of Forward, [tokens, vocab].
func forwardLogits(t testing.TB, m *Model, ids []int32) []float32 {
	t.Helper()
	r, err := m.NewResult("logits")
	require.NoError(t, err)
	require.NoError(t, m.Forward(t.Context(), Batch{IDs: ids, CuSeqlens: []int32{0, int32(len(ids))}}, r))
	return r.Get("logits").Data
}

// sessionLogits appends ids in pieces of n and gives the logits after the last.
func sessionLogits(t testing.TB, s *Session, ids []int32, n int) []float32 {
	t.Helper()
	for ; len(ids) > 0; ids = ids[min(n, len(ids)):] {
		require.NoError(t, s.Append(t.Context(), ids[:min(n, len(ids))]))
	}
	return append([]float32(nil), s.Logits()...)
}

func TestSessionIsForward(t *testing.T) {
	runtime.GOMAXPROCS(max(3, runtime.GOMAXPROCS(0)))
	ids := randomIDs(400, 3)
	pieces, chunks := []int{400, 1, 130, 7}, []int{0, 33}
	if testing.Short() {
		ids, pieces, chunks = ids[:300], []int{130, 1}, chunks[1:]
	}
	onEveryTier(t, func(t *testing.T) {
		var first []float32
		for threads := 1; threads <= 3; threads++ {
			m := randomBertDecoder(t, WithThreads(threads))
			all := forwardLogits(t, m, ids)
			want := all[len(all)-randomVocab:]
			for _, n := range pieces {
				for _, chunk := range chunks {
					got := sessionLogits(t, newSession(t, m, SessionOptions{Chunk: chunk}), ids, n)
					require.InDeltaSlice(t, want, got, 1e-4)
					if first == nil {
						first = got
					}
					require.Equal(t, first, got, "%d threads, pieces of %d, chunks of %d", threads, n, chunk)
				}
			}
			short := ids[:256]
			all = forwardLogits(t, m, short)
			got := sessionLogits(t, newSession(t, m, SessionOptions{}), short, 100)
			require.Equal(t, all[len(all)-randomVocab:], got, "as many as one range of keys: the bits of Forward")
		}
	})
}

func TestSessionKVTypes(t *testing.T) {
	m := randomBertDecoder(t)
	ids := randomIDs(300, 4)
	all := forwardLogits(t, m, ids)
	want := all[len(all)-randomVocab:]
	for kv, near := range map[KVType]float64{KVF32: 1e-4, KVF16: 1e-2, KVInt8: 0.2} {
		s := newSession(t, m, SessionOptions{KV: kv})
		got := sessionLogits(t, s, ids, 300)
		require.InDeltaSlice(t, want, got, near, "%v", kv)
		require.Equal(t, got, sessionLogits(t, newSession(t, m, SessionOptions{KV: kv}), ids, 1), "%v", kv)
		parsed, err := ParseKVType(kv.String())
		require.NoError(t, err)
		require.Equal(t, kv, parsed)
	}
	_, err := ParseKVType("bf16")
	require.ErrorContains(t, err, "bf16")
}

func TestAppendRows(t *testing.T) {
	m := randomBertDecoder(t)
	ids := randomIDs(200, 5)
	want := forwardLogits(t, m, ids)
	for _, from := range []int{0, 37, 199, 200, 300} {
		s := newSession(t, m, SessionOptions{Chunk: 64})
		next := from
		require.NoError(t, s.AppendRows(t.Context(), ids, from, func(i int, logits []float32) {
			require.Equal(t, next, i)
			require.Equal(t, want[i*randomVocab:(i+1)*randomVocab], logits)
			clear(logits)
			next++
		}))
		require.Equal(t, max(from, 200), next)
		require.Equal(t, want[199*randomVocab:], s.Logits())
	}
}

// TestAppendAll says that sessions beside a session change nothing of it.
func TestAppendAll(t *testing.T) {
	m := randomBertDecoder(t)
	lengths := [][3]int{{5, 1, 90}, {200, 1, 1}, {0, 40, 0}, {33, 1, 3}, {1, 0, 500}}
	var sessions []*Session
	for range lengths {
		sessions = append(sessions, newSession(t, m, SessionOptions{Chunk: 64}))
	}
	for round := range 3 {
		var ids [][]int32
		for i, l := range lengths {
			ids = append(ids, randomIDs(l[0]+l[1]+l[2], uint64(i))[sessions[i].Len():][:l[round]])
		}
		require.NoError(t, AppendAll(t.Context(), sessions, ids))
		for i, l := range lengths {
			all := randomIDs(l[0]+l[1]+l[2], uint64(i))[:sessions[i].Len()]
			want := sessionLogits(t, newSession(t, m, SessionOptions{}), all, 600)
			require.Equal(t, want, append([]float32(nil), sessions[i].Logits()...), "session %d in round %d", i, round)
		}
	}
	require.NoError(t, AppendAll(t.Context(), nil, nil))
	require.ErrorIs(t, AppendAll(t.Context(), []*Session{sessions[0], sessions[0]}, [][]int32{{1}, {2}}), ErrBusy)
	require.Error(t, AppendAll(t.Context(), sessions, nil))
	other := newSession(t, randomBertDecoder(t), SessionOptions{})
	require.ErrorContains(t, AppendAll(t.Context(), []*Session{sessions[0], other}, [][]int32{{1}, {2}}), "another model")
	require.NoError(t, sessions[0].Append(t.Context(), []int32{1}), "errors leave sessions free")
}

func TestForkAndTruncate(t *testing.T) {
	m := randomBertDecoder(t)
	ids := randomIDs(400, 6)
	fresh := func(ids []int32) []float32 { return sessionLogits(t, newSession(t, m, SessionOptions{}), ids, 600) }
	s := newSession(t, m, SessionOptions{})
	require.Nil(t, s.Logits())
	sessionLogits(t, s, ids[:300], 300)
	bytes := s.Bytes()
	fork, err := s.Fork()
	require.NoError(t, err)
	defer fork.Close()
	require.Equal(t, s.Logits(), fork.Logits())
	require.Equal(t, fresh(ids), sessionLogits(t, fork, ids[300:], 100))
	require.Equal(t, fresh(ids[:300]), s.Logits(), "the fork's tokens are its own")
	require.Equal(t, bytes, s.Bytes())

	require.NoError(t, s.Truncate(500))
	require.NotNil(t, s.Logits())
	require.NoError(t, s.Truncate(130))
	require.Nil(t, s.Logits())
	require.Equal(t, 130, s.Len())
	require.Equal(t, fresh(ids[:170]), sessionLogits(t, s, ids[130:170], 40))
	require.Error(t, s.Truncate(-1))
	require.NoError(t, s.Truncate(0))
	require.Zero(t, s.Bytes())
	require.Equal(t, fresh(ids[:10]), sessionLogits(t, s, ids[:10], 10))
}

func TestSessionErrors(t *testing.T) {
	m := randomBertDecoder(t)
	s := newSession(t, m, SessionOptions{MaxSeq: 50})
	require.Equal(t, 50, s.Max())
	require.NoError(t, s.Append(t.Context(), randomIDs(45, 1)))
	logits := append([]float32(nil), s.Logits()...)
	var full *ContextError
	require.ErrorAs(t, s.Append(t.Context(), randomIDs(6, 1)), &full)
	require.Equal(t, ContextError{Len: 45, Add: 6, Max: 50}, *full)
	require.EqualError(t, full, "model: 6 tokens after 45 do not fit into a context of 50")
	require.ErrorContains(t, s.Append(t.Context(), []int32{1, randomVocab}), "token id 211 at 1 is outside the vocabulary of 211")
	require.ErrorContains(t, s.Append(t.Context(), []int32{-1}), "outside the vocabulary")
	require.NoError(t, s.Append(t.Context(), nil))
	require.Equal(t, logits, s.Logits(), "what is refused changes nothing")
	require.Equal(t, 45, s.Len())

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Append(t.Context(), []int32{1}), ErrClosed)
	require.ErrorIs(t, s.Truncate(0), ErrClosed)
	_, err := s.Fork()
	require.ErrorIs(t, err, ErrClosed)

	for _, o := range []SessionOptions{{MaxSeq: -1}, {MaxSeq: randomPositions + 1}, {Chunk: -1}, {KV: 9}} {
		_, err := m.NewSession(o)
		require.Error(t, err)
	}
	_, err = randomModel(t, 16, 2, 1, 16).NewSession(SessionOptions{})
	require.ErrorContains(t, err, "BertForSequenceClassification is not a causal language model")

	open := newSession(t, m, SessionOptions{})
	require.NoError(t, open.Append(t.Context(), []int32{1, 2}))
	require.NoError(t, m.Close())
	require.ErrorIs(t, open.Append(t.Context(), []int32{1}), ErrClosed)
	_, err = m.NewSession(SessionOptions{})
	require.ErrorIs(t, err, ErrClosed)
}

func TestSessionCancelled(t *testing.T) {
	m := randomBertDecoder(t)
	ids := randomIDs(550, 8)
	ctx, cancel := context.WithCancel(t.Context())
	s := newSession(t, m, SessionOptions{Chunk: 32})
	seen := 0
	err := s.AppendRows(ctx, ids, 0, func(i int, _ []float32) {
		if seen++; i == 100 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 101, seen)
	require.Equal(t, 128, s.Len())
	require.Nil(t, s.Logits())
	require.ErrorIs(t, s.Append(ctx, ids[128:]), context.Canceled)
	want := sessionLogits(t, newSession(t, m, SessionOptions{}), ids, 600)
	require.Equal(t, want, sessionLogits(t, s, ids[128:], 600))

	step := 100 * time.Microsecond
	if testing.Short() {
		step *= 6
	}
	for wait := time.Duration(0); wait < 2*time.Millisecond; wait += step {
		require.NoError(t, s.Truncate(0))
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		if s.Append(ctx, ids) != nil {
			require.Zero(t, s.Len()%32)
		}
		cancel()
		require.Equal(t, want, sessionLogits(t, s, ids[s.Len():], 600), "after a cancelled Append")
		require.NoError(t, s.Truncate(549))
		require.Equal(t, want, sessionLogits(t, s, ids[549:], 1))
	}
}

func TestSessionBusy(t *testing.T) {
	m := randomBertDecoder(t)
	s := newSession(t, m, SessionOptions{})
	var once sync.Once
	require.NoError(t, s.AppendRows(t.Context(), randomIDs(3, 1), 0, func(int, []float32) {
		once.Do(func() {
			require.ErrorIs(t, s.Append(t.Context(), []int32{1}), ErrBusy)
			require.ErrorIs(t, s.Truncate(0), ErrBusy)
			require.ErrorIs(t, s.Close(), ErrBusy)
		})
	}))
	require.Equal(t, 3, s.Len())
}

func TestSessionAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	m := randomBertDecoder(t, WithThreads(2))
	for _, kv := range []KVType{KVF32, KVF16, KVInt8} {
		s := newSession(t, m, SessionOptions{KV: kv})
		id := []int32{7}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		text := func() {
			_ = s.Truncate(0)
			for range 300 {
				if err := s.Append(ctx, id); err != nil {
					t.Fatal(err)
				}
			}
		}
		text()
		require.Zero(t, testing.AllocsPerRun(2, text), "%v", kv)
	}
}

func TestLogProb(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for _, n := range []int{1, 5, 512, 1500} {
		logits := make([]float32, n)
		sum := 0.0
		for i := range logits {
			logits[i] = float32(3*rng.NormFloat64()) + 50
			sum += math.Exp(float64(logits[i]))
		}
		for i := range logits {
			require.InDelta(t, float64(logits[i])-math.Log(sum), LogProb(logits, int32(i)), 1e-5)
		}
	}
}
