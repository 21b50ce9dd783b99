package generate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomLogits are like a model's: most tokens hopeless, a few likely.
func randomLogits(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(3 * rng.NormFloat64())
	}
	return x
}

func TestKthLargest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 300; n++ {
		xs := make([]float32, n)
		for i := range xs {
			xs[i] = float32(rng.IntN(1 + rng.IntN(50))) // many equal
		}
		if n%3 == 0 {
			slices.Sort(xs)
		}
		sorted := slices.Clone(xs)
		slices.SortFunc(sorted, func(a, b float32) int { return int(b - a) })
		k := 1 + rng.IntN(n)
		got := kthLargest(nil, xs, k)
		require.Equal(t, sorted[k-1], got[0])
		slices.SortFunc(got, func(a, b float32) int { return int(b - a) })
		require.Equal(t, sorted[:k], got)
	}
	got := kthLargest(nil, []float32{float32(math.NaN()), 2, negInf, 1}, 3)
	require.Equal(t, negInf, got[0])
}

func TestMassFloor(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := 1; n < 300; n++ {
		p := make([]float32, n)
		for i := range p {
			p[i] = float32(1 + rng.IntN(1+rng.IntN(20))) // sums are exact
		}
		total := 0.0
		for _, x := range p {
			total += float64(x)
		}
		mass := 0.5 + float64(rng.IntN(int(total)))
		sorted := slices.Clone(p)
		slices.SortFunc(sorted, func(a, b float32) int { return int(b - a) })
		need, sum := 0, 0.0
		for sum < mass {
			sum += float64(sorted[need])
			need++
		}
		floor, ties := massFloor(p, mass)
		require.Equal(t, sorted[need-1], floor)
		above := slices.Index(sorted, floor)
		require.Equal(t, need-above, ties)
	}
	floor, ties := massFloor([]float32{0.25, 0.5}, 1)
	require.Less(t, floor, float32(0.25))
	require.Zero(t, ties)
}

// What is drawn has the probabilities that the settings leave.
func TestSamplerFrequencies(t *testing.T) {
	logits := []float32{1, 0, 2, -1, 1.5, negInf}
	tests := []struct {
		name string
		cfg  Config
		keep []int32
	}{
		{"all", Config{Temperature: 0.8}, []int32{0, 1, 2, 3, 4}},
		{"top k", Config{Temperature: 0.8, TopK: 3}, []int32{0, 2, 4}},
		{"top p", Config{Temperature: 0.8, TopP: 0.7}, []int32{2, 4}},
		{"min p", Config{Temperature: 0.8, MinP: 0.25}, []int32{0, 2, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Seed = 7
			s, err := NewSampler(tt.cfg, len(logits))
			require.NoError(t, err)
			require.NoError(t, s.Begin(Prompt{IDs: []int32{0}}, 1<<20))
			const n = 40000
			count := make([]int, len(logits))
			for range n {
				tok, err := s.Next(slices.Clone(logits))
				require.NoError(t, err)
				count[tok.ID]++
			}
			sum := 0.0
			for _, id := range tt.keep {
				sum += math.Exp(float64(logits[id]) / 0.8)
			}
			for id, k := range count {
				p := 0.0
				if slices.Contains(tt.keep, int32(id)) {
					p = math.Exp(float64(logits[id])/0.8) / sum
				}
				got := float64(k) / n
				if sigma := math.Sqrt(p * (1 - p) / n); !(math.Abs(got-p) <= 5*sigma) {
					t.Errorf("token %d: drawn with %.4f, want %.4f", id, got, p)
				}
			}
		})
	}
}

// Beams by chance follow candidates as often as their probability says.
func TestBeamDrawFrequencies(t *testing.T) {
	c := Config{Temperature: 1, MaxNewTokens: 1, Beams: BeamSearch(2)}
	logits := []float32{0, 1, 2, -1}
	first := make([]int, 4)
	const n = 20000
	for seed := range uint64(n) {
		c.Seed = seed
		h, err := c.begin(nil, Prompt{IDs: []int32{0}}, 4, 100)
		require.NoError(t, err)
		b := newBeam(&c, &processors{cfg: &c}, h)
		b.logits = [][]float32{slices.Clone(logits)}
		b.draw(4)
		require.Len(t, b.found, 4)
		seen := map[int32]bool{}
		for _, f := range b.found {
			seen[f.id] = true
		}
		require.Len(t, seen, 4)
		first[b.found[0].id]++
	}
	_, lse := logSumExp(nil, logits)
	for id, k := range first {
		p := math.Exp(float64(logits[id]) - lse)
		if sigma := math.Sqrt(p * (1 - p) / n); !(math.Abs(float64(k)/n-p) <= 5*sigma) {
			t.Errorf("token %d: first with %.4f, want %.4f", id, float64(k)/n, p)
		}
	}
}

func TestSamplerSeed(t *testing.T) {
	run := func(seed uint64) []int32 {
		s, err := NewSampler(Config{Temperature: 1, Seed: seed}, 50)
		require.NoError(t, err)
		require.NoError(t, s.Begin(Prompt{IDs: []int32{0}}, 1<<20))
		rng := rand.New(rand.NewPCG(1, 1))
		for range 30 {
			_, err := s.Next(randomLogits(rng, 50))
			require.NoError(t, err)
		}
		return slices.Clone(s.Generated())
	}
	require.Equal(t, run(1), run(1))
	require.NotEqual(t, run(1), run(2))
}

// Presence and frequency penalties count what was generated, not the prompt.
func TestPresenceAndFrequency(t *testing.T) {
	c := Config{PresencePenalty: 0.5, FrequencyPenalty: 0.25}
	p := processors{cfg: &c}
	logits := make([]float32, 6)
	p.apply(logits, &history{ids: []int32{1, 1, 2, 3, 3, 3, 4}, prompt: 3, limit: 100})
	require.Equal(t, []float32{0, 0, 0, -1.25, -0.75, 0}, logits)
}

func TestLogProbs(t *testing.T) {
	logits := []float32{1, 3, 3, 2, negInf, 3}
	s, err := NewSampler(Config{LogitBias: []Bias{{3, 10}}, LogProbs: true, TopLogProbs: 3}, len(logits))
	require.NoError(t, err)
	require.NoError(t, s.Begin(Prompt{IDs: []int32{0}}, 100))
	sum := math.Exp(1) + 3*math.Exp(3) + math.Exp(2)
	tok, err := s.Next(slices.Clone(logits))
	require.NoError(t, err)
	require.EqualValues(t, 3, tok.ID)
	require.InDelta(t, 2-math.Log(sum), tok.LogProb, 1e-6)
	require.Len(t, tok.Top, 3)
	for i, id := range []int32{1, 2, 5} {
		require.Equal(t, id, tok.Top[i].ID)
		require.InDelta(t, 3-math.Log(sum), tok.Top[i].LogProb, 1e-6)
	}
}

func TestSamplerErrors(t *testing.T) {
	nan := float32(math.NaN())
	for _, cfg := range []Config{{}, {Temperature: 1}, {Temperature: 1, TopK: 2, TopP: 0.5, MinP: 0.1}} {
		for _, logits := range [][]float32{{nan, nan, nan}, {negInf, negInf, negInf}} {
			s, err := NewSampler(cfg, 3)
			require.NoError(t, err)
			require.NoError(t, s.Begin(Prompt{IDs: []int32{0}}, 100))
			_, err = s.Next(slices.Clone(logits))
			require.ErrorIs(t, err, ErrNoToken)
		}
	}
	s, err := NewSampler(Config{MaxLength: 4}, 3)
	require.NoError(t, err)
	require.Error(t, s.Begin(Prompt{}, 100))
	require.ErrorContains(t, s.Begin(Prompt{IDs: []int32{0, 3}}, 100), "token 1 of the prompt is 3")
	require.ErrorContains(t, s.Begin(Prompt{IDs: []int32{-1}}, 100), "-1")
	require.ErrorContains(t, s.Begin(Prompt{IDs: make([]int32, 4)}, 100), "prompt of 4 tokens leaves no room in max_length 4")
	require.ErrorContains(t, s.Begin(Prompt{IDs: make([]int32, 3)}, 3), "prompt of 3 tokens leaves no room in the model's context of 3")
	require.ErrorContains(t, s.Begin(Prompt{IDs: make([]int32, 1), Pad: 3}, 100), "prompt of 4 tokens")
	require.NoError(t, s.Begin(Prompt{IDs: []int32{0}}, 100))
	_, err = s.Next(make([]float32, 2))
	require.Error(t, err)
}

func TestFinish(t *testing.T) {
	tests := []struct {
		name    string
		cfg     Config
		context int
		tokens  int
		finish  Finish
	}{
		{"eos", Config{EOS: []int32{1, 2}}, 100, 1, EOS},
		{"eos that may not come yet", Config{EOS: []int32{2}, MinNewTokens: 3, MaxNewTokens: 3}, 100, 3, Length},
		{"new tokens", Config{MaxNewTokens: 5, MaxLength: 3}, 100, 5, Length},
		{"length", Config{MaxLength: 6}, 100, 4, Length},
		{"context", Config{MaxNewTokens: 50}, 9, 7, Length},
		{"context alone", Config{}, 9, 7, Length},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := NewSampler(tt.cfg, 3)
			require.NoError(t, err)
			require.NoError(t, s.Begin(Prompt{IDs: []int32{0, 0}}, tt.context))
			for i := 1; ; i++ {
				tok, err := s.Next([]float32{0, 0, 1})
				require.NoError(t, err)
				if tok.Finish != Unfinished {
					require.Equal(t, tt.finish, tok.Finish)
					require.Equal(t, tt.tokens, i)
					return
				}
			}
		})
	}
}

func TestCheck(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for setting, cfgs := range map[string][]Config{
		"temperature":                  {{Temperature: -1}, {Temperature: nan}, {Temperature: inf}},
		"top_k":                        {{TopK: -1}},
		"top_p":                        {{TopP: -0.1}, {TopP: 1.1}, {TopP: nan}},
		"min_p":                        {{MinP: -0.1}, {MinP: 1.1}, {MinP: nan}},
		"repetition_penalty":           {{RepetitionPenalty: -1}, {RepetitionPenalty: inf}},
		"presence_penalty":             {{PresencePenalty: nan}},
		"frequency_penalty":            {{FrequencyPenalty: inf}},
		"no_repeat_ngram_size":         {{NoRepeatNGram: -1}},
		"max_new_tokens":               {{MaxNewTokens: -1}},
		"max_length":                   {{MaxLength: -1}},
		"min_new_tokens":               {{MinNewTokens: -1}},
		"min_length":                   {{MinLength: -1}, {MinLength: 8, MaxLength: 7}},
		"num_return_sequences":         {{Return: -1}, {Return: 2}, {Return: 3, Beams: BeamSearch(2)}, {Return: MaxReturn + 1, Temperature: 1}},
		"encoder_repetition_penalty":   {{EncoderRepetitionPenalty: -1}, {EncoderRepetitionPenalty: nan}},
		"encoder_no_repeat_ngram_size": {{EncoderNoRepeatNGram: -1}},
		"eos_token_id":                 {{EOS: []int32{10}}, {EOS: []int32{-1}}},
		"forced_bos_token_id":          {{ForcedBOS: []int32{10}}, {ForcedBOS: []int32{1, 2}}},
		"forced_eos_token_id":          {{ForcedEOS: []int32{10}}},
		"suppress_tokens":              {{Suppress: []int32{10}}},
		"begin_suppress_tokens":        {{BeginSuppress: []int32{-2}}},
		"bad_words_ids":                {{BadWords: [][]int32{{}}}, {BadWords: [][]int32{{1, 10}}}},
		"logit_bias":                   {{LogitBias: []Bias{{10, 1}}}, {LogitBias: []Bias{{1, float32(inf)}}}},
		"num_beams":                    {{Beams: Beams{Width: -1}}, {Beams: Beams{Width: MaxBeams + 1}}},
		"length_penalty":               {{Beams: Beams{LengthPenalty: nan}}},
		"early_stopping":               {{Beams: Beams{Early: 9}}},
		"top_logprobs":                 {{TopLogProbs: -1}},
	} {
		for _, c := range cfgs {
			var bad *ConfigError
			require.ErrorAs(t, c.Check(10), &bad, setting)
			require.Equal(t, setting, bad.Setting)
			_, err := NewSampler(c, 10)
			require.Error(t, err)
		}
	}
	require.NoError(t, (&Config{}).Check(0))
}

// allSettings is a Config that uses everything at once.
func allSettings() Config {
	return Config{
		Temperature: 0.9, TopK: 100, TopP: 0.95, MinP: 0.01,
		RepetitionPenalty: 1.1, PresencePenalty: 0.1, FrequencyPenalty: 0.1,
		LogitBias: []Bias{{5, -1}}, NoRepeatNGram: 3, BadWords: [][]int32{{1, 2}}, Suppress: []int32{3},
		EOS: []int32{2}, MinNewTokens: 10000, LogProbs: true, TopLogProbs: 5,
	}
}

func TestSamplerAllocates(t *testing.T) {
	const vocab = 5000
	rng := rand.New(rand.NewPCG(5, 6))
	logits, x := randomLogits(rng, vocab), make([]float32, vocab)
	all := allSettings()
	noTopK := all
	noTopK.TopK = 0
	for _, cfg := range []Config{{}, {Temperature: 1}, all, noTopK} {
		s, err := NewSampler(cfg, vocab)
		require.NoError(t, err)
		require.NoError(t, s.Begin(Prompt{IDs: make([]int32, 4000)}, 1<<20)) // ids have room to grow
		next := func() {
			copy(x, logits)
			if _, err := s.Next(x); err != nil {
				t.Error(err)
			}
		}
		for range 3 {
			next()
		}
		require.Zero(t, testing.AllocsPerRun(20, next))
	}
}

func BenchmarkNext(b *testing.B) {
	const vocab = 128 << 10
	logits, x := randomLogits(rand.New(rand.NewPCG(5, 6)), vocab), make([]float32, vocab)
	for _, bb := range []struct {
		name string
		cfg  Config
	}{
		{"greedy", Config{}},
		{"temperature", Config{Temperature: 1}},
		{"top-k", Config{Temperature: 1, TopK: 50}},
		{"top-p", Config{Temperature: 1, TopP: 0.9}},
		{"logprobs", Config{LogProbs: true, TopLogProbs: 5}},
		{"all", allSettings()},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s, err := NewSampler(bb.cfg, vocab)
			require.NoError(b, err)
			require.NoError(b, s.Begin(Prompt{IDs: make([]int32, 100)}, 1<<30))
			for b.Loop() {
				copy(x, logits)
				s.history.ids = s.history.ids[:100]
				if _, err := s.Next(x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
