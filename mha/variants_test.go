package mha

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/kernels"
)

func init() { shapes = append(shapes, variants()...) }

// variants are cases of what hides keys and changes scores.
func variants() []shape {
	r := rand.New(rand.NewPCG(8, 9))
	base := func(p Params, q, k []int) shape {
		p.HeadDim = 11
		return shape{Params: p, lengthsQ: q, lengthsK: k}
	}
	self := []int{170, 7}
	few, many := []int{1, 2, 4}, []int{600, 520, 20}
	list := []shape{
		base(Params{Heads: 2, Causal: true, TopLeft: true}, []int{70, 5}, []int{20, 200}),
		base(Params{Heads: 2, Causal: true, Offset: 13}, self, self),
		base(Params{Heads: 2, Causal: true, Offset: -13}, self, self),
		base(Params{Heads: 2, Causal: true, Left: 20}, self, self),
		base(Params{Heads: 1, Left: 9, Right: 17}, self, self),
		base(Params{Heads: 1, Left: 1, Right: 1, TopLeft: true}, []int{50}, []int{40}),
		base(Params{Heads: 2, Causal: true, Prefix: []int32{140, 3}}, self, self),
		base(Params{Heads: 1, Causal: true, Left: 5, Prefix: []int32{10, 300}}, self, self),
		base(Params{Heads: 2, Cap: 3, Scale: 2}, self, self),
		base(Params{Heads: 2, Scale: -0.7}, self, self),
		base(Params{Heads: 3, Sinks: []float32{2, -1, float32(math.Inf(-1))}, Causal: true}, self, self),
		base(Params{Heads: 6, Biases: []Bias{NewALiBi(6)}, Causal: true}, self, self),
		base(Params{Heads: 2, Biases: []Bias{NewBuckets(normal(r, make([]float32, 32*2)), 32, 2, 128, true)}}, self, self),
		base(Params{Heads: 2, Biases: []Bias{NewBuckets(normal(r, make([]float32, 32*2)), 32, 2, 20, false)}, Causal: true}, self, self),
		base(Params{Heads: 2, Masks: []Mask{keyMask(r, 3, 300)}}, self, self),
		base(Params{Heads: 2, Masks: []Mask{fullMask(r, 3, 2, 300, 300), {Data: keyMask(r, 3, 300).Data, Seq: 300, Key: 1, Hides: true}}}, self, self),
		base(Params{Heads: 2, Masks: []Mask{{Data: queryMask(300), Query: 1}}}, self, self),
		base(Params{Heads: 2, Biases: []Bias{fullTable(r, 3, 2, 300, 300)}}, self, self),
		base(Params{Heads: 2, Biases: []Bias{&Table{Data: normal(r, make([]float32, 400)), Query: 1, Key: 0}, &Table{Data: normal(r, make([]float32, 900)), Key: 3}}}, self, self),
		base(Params{Heads: 2}, few, many),
		base(Params{Heads: 8, KVHeads: 2, ValueDim: 40, Sinks: normal(r, make([]float32, 8))}, few, many),
		base(Params{Heads: 8, KVHeads: 2, Causal: true, Left: 300}, few, many),
		base(Params{Heads: 4, KVHeads: 2, Masks: []Mask{fullMask(r, 3, 4, 4, 700)}, Biases: []Bias{NewALiBi(4)}, Cap: 5}, few, many),
		base(Params{Heads: 4, KVHeads: 1, Causal: true, TopLeft: true, Sinks: make([]float32, 4)}, few, many),
		base(Params{Heads: 4, Causal: true, Offset: -1000}, few, many),
	}
	for _, dim := range []int{33, 128} {
		one := shape{Params: Params{Heads: 2, HeadDim: dim, ValueDim: 161 - dim, Causal: true}, lengthsQ: []int{1, 2, 1}, lengthsK: []int{600, 261, 257}}
		list = append(list, one)
		one.perToken, one.Heads, one.KVHeads = true, 4, 2
		list = append(list, one)
	}
	list[1].perToken, list[8].perToken = true, true
	return list
}

// keyMask hides a third of the keys, all in the second block of the first sequence.
func keyMask(r *rand.Rand, seqs, keys int) Mask {
	m := Mask{Data: make([]uint8, seqs*keys), Seq: keys, Key: 1}
	for i := range m.Data {
		m.Data[i] = uint8(r.IntN(3))
	}
	for i := KeyBlock; i < min(keys, 2*KeyBlock); i++ {
		m.Data[i] = 0
	}
	return m
}

// fullMask hides a third of everything and all from some queries.
func fullMask(r *rand.Rand, seqs, heads, queries, keys int) Mask {
	m := Mask{Data: make([]uint8, seqs*heads*queries*keys), Seq: heads * queries * keys, Head: queries * keys, Query: keys, Key: 1}
	for i := range m.Data {
		if i/keys%13 != 3 {
			m.Data[i] = uint8(r.IntN(3))
		}
	}
	return m
}

// queryMask hides everything from every third query.
func queryMask(queries int) []uint8 {
	m := make([]uint8, queries)
	for i := range m {
		m[i] = uint8(i % 3)
	}
	return m
}

func fullTable(r *rand.Rand, seqs, heads, queries, keys int) *Table {
	t := &Table{Data: normal(r, make([]float32, seqs*heads*queries*keys)), Seq: heads * queries * keys, Head: queries * keys, Query: keys, Key: 1}
	for i := 0; i < len(t.Data); i += 17 {
		t.Data[i] = hidden
	}
	return t
}

// TestRandomVariants draws shapes and variants together: the same ones at every run, since the error of the naive
// formula, which the tolerance is made of, is a matter of luck in small tensors. LADON_TEST_SEED draws others.
func TestRandomVariants(t *testing.T) {
	seed := uint64(1)
	if s := os.Getenv("LADON_TEST_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 12 {
		randomShape(r).compare(t, seed)
	}
}

func randomShape(r *rand.Rand) shape {
	kv := 1 + r.IntN(3)
	s := shape{Params: Params{Heads: kv * (1 + r.IntN(3)), KVHeads: kv, HeadDim: 1 + r.IntN(70), ValueDim: 1 + r.IntN(70)}, perToken: r.IntN(2) == 0}
	longest := []int{3, 40, 300}[r.IntN(3)]
	for range 1 + r.IntN(3) {
		s.lengthsQ = append(s.lengthsQ, r.IntN([]int{3, 40, 150}[r.IntN(3)]))
		s.lengthsK = append(s.lengthsK, r.IntN(longest+1))
	}
	chance := func() bool { return r.IntN(4) == 0 }
	s.Causal, s.TopLeft = r.IntN(2) == 0, chance()
	if chance() {
		s.Offset = r.IntN(40) - 20
	}
	if chance() {
		s.Left = 1 + r.IntN(200)
	}
	if chance() {
		s.Right = 1 + r.IntN(200)
	}
	if chance() {
		for range s.lengthsQ {
			s.Prefix = append(s.Prefix, int32(r.IntN(300)))
		}
	}
	if chance() {
		s.Cap = 1 + 10*r.Float32()
	}
	if chance() {
		s.Sinks = normal(r, make([]float32, s.Heads))
	}
	if chance() {
		s.Masks = append(s.Masks, fullMask(r, len(s.lengthsQ), s.Heads, 150, 300))
	}
	if chance() {
		s.Masks = append(s.Masks, keyMask(r, len(s.lengthsQ), 300))
	}
	if chance() {
		s.Biases = append(s.Biases, fullTable(r, 1, 1, 150, 300))
		s.Biases[0].(*Table).Seq, s.Biases[0].(*Table).Head = 0, 0
	}
	if chance() {
		s.Biases = append(s.Biases, NewALiBi(s.Heads))
	}
	return s
}

// TestHiddenKeysDoNotMatter spoils keys and values that some queries do not see: those keep their bits.
func TestHiddenKeysDoNotMatter(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachTier(t, func(t *testing.T) {
		for _, s := range []shape{
			{Params: Params{Heads: 2, HeadDim: 20, ValueDim: 37, Causal: true}, lengthsQ: []int{150}, lengthsK: []int{150}},
			{Params: Params{Heads: 2, HeadDim: 20, ValueDim: 16, Causal: true}, lengthsQ: []int{150}, lengthsK: []int{150}, perToken: true},
			{Params: Params{Heads: 4, KVHeads: 2, HeadDim: 20, Causal: true}, lengthsQ: []int{4}, lengthsK: []int{600}},
			{Params: Params{Heads: 2, HeadDim: 20, Masks: []Mask{{Data: make([]uint8, 150), Key: 1}}}, lengthsQ: []int{150}, lengthsK: []int{150}},
		} {
			for i := range s.Masks {
				for j := range s.lengthsK[0] - 3 {
					s.Masks[i].Data[j] = 1
				}
			}
			for _, bad := range []float32{nan, inf} {
				b, out, q, k, v := s.inputs(t, 5)
				p := s.Params.withDefaults()
				var a Attention
				var x kernels.Exec
				a.Run(&x, p, b, out, q, k, v)
				want := append([]float32(nil), out.Data...)
				// The last three keys are seen by the last three queries at most.
				for h := range p.KVHeads {
					for j := s.lengthsK[0] - 3; j < s.lengthsK[0]; j++ {
						k.head(h, j)[7], v.head(h, j)[5], v.head(h, j)[p.ValueDim-1] = bad, bad, -bad
					}
				}
				a.Run(&x, p, b, out, q, k, v)
				n := (s.lengthsQ[0] - 3) * p.Heads * p.ValueDim
				require.Equal(t, bits(want[:n]), bits(out.Data[:n]), "%v", s)
			}
		}
	})
}

// TestFutureDoesNotMatter changes later tokens one by one.
func TestFutureDoesNotMatter(t *testing.T) {
	s := shape{Params: Params{Heads: 1, HeadDim: 8, Causal: true}, lengthsQ: []int{140}, lengthsK: []int{140}}
	eachTier(t, func(t *testing.T) {
		b, out, q, k, v := s.inputs(t, 5)
		var a Attention
		var x kernels.Exec
		a.Run(&x, s.Params, b, out, q, k, v)
		want := append([]float32(nil), out.Data...)
		for _, token := range []int{1, 17, 127, 128, 139} {
			oldK, oldV := k.head(0, token)[0], v.head(0, token)[0]
			k.head(0, token)[0], v.head(0, token)[0] = 3, -3
			a.Run(&x, s.Params, b, out, q, k, v)
			require.Equal(t, bits(want[:token*8]), bits(out.Data[:token*8]), "token %d", token)
			require.NotEqual(t, bits(want[token*8:]), bits(out.Data[token*8:]), "token %d", token)
			k.head(0, token)[0], v.head(0, token)[0] = oldK, oldV
		}
	})
}

func TestVariantsAllocateNothing(t *testing.T) {
	skipIfRacing(t)
	for _, s := range variants() {
		b, out, q, k, v := s.inputs(t, 5)
		w := s.weights(b)
		var a Attention
		var x kernels.Exec
		run := func() {
			a.Run(&x, s.Params, b, out, q, k, v)
			a.Weights(&x, s.Params, b, w, q, k)
		}
		run()
		require.Zero(t, testing.AllocsPerRun(2, run), "%v", s)
	}
}

func TestALiBiSlopes(t *testing.T) {
	require.Equal(t, []float32{1. / 2, 1. / 4, 1. / 8, 1. / 16, 1. / 32, 1. / 64, 1. / 128, 1. / 256}, NewALiBi(8).Slopes)
	require.Equal(t, []float32{1. / 4, 1. / 16, 1. / 64, 1. / 256, 1. / 2, 1. / 8}, NewALiBi(6).Slopes)
}

func TestBadVariantsPanic(t *testing.T) {
	good := shape{Params: Params{Heads: 2, HeadDim: 8}, lengthsQ: []int{4, 2}, lengthsK: []int{5, 2}}
	for message, list := range map[string][]Params{
		errSight: {{Left: -1}, {Right: -1}, {Cap: -1}, {Cap: float32(math.NaN())}, {Prefix: []int32{1}}, {Prefix: []int32{1, -1}}},
		errSinks: {{Sinks: []float32{1}}},
		errMask: {
			{Masks: []Mask{{}}},
			{Masks: []Mask{{Data: make([]uint8, 4), Key: 1}}},
			{Masks: []Mask{{Data: make([]uint8, 99), Key: -1}}},
			{Biases: []Bias{&Table{Data: make([]float32, 24), Query: 5, Key: 1, Head: 5}}},
			{Biases: []Bias{NewALiBi(1)}},
			{Biases: []Bias{&Distances{Data: make([]float32, 3), Len: 2}}},
		},
	} {
		for _, p := range list {
			b, out, q, k, v := good.inputs(t, 1)
			p.Heads, p.HeadDim = 2, 8
			var a Attention
			var x kernels.Exec
			require.PanicsWithValue(t, message, func() { a.Run(&x, p, b, out, q, k, v) })
		}
	}
}
