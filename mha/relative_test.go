package mha

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/kernels"
)

func init() { shapes = append(shapes, relatives()...) }

// relatives are cases of relative attention: one sequence and several, few queries and many, odd sizes of heads, tiles
// that do not begin at panels, memory before the queries, distances backwards.
func relatives() []shape {
	r := rand.New(rand.NewPCG(3, 4))
	base := func(p Params, q, k []int, segments bool) shape {
		longest := 0
		for i := range q {
			longest = max(longest, q[i], k[i])
		}
		p.Relative = relative(r, p.Heads, p.HeadDim, -longest-3, longest+16, q, k, segments)
		return shape{Params: p, lengthsQ: q, lengthsK: k}
	}
	self, memory := []int{130, 1, 9}, []int{137, 21, 9}
	list := []shape{
		base(Params{Heads: 2, HeadDim: 64}, []int{128}, []int{128}, false),
		base(Params{Heads: 3, HeadDim: 7}, self, self, true),
		base(Params{Heads: 2, HeadDim: 33, ValueDim: 5}, self, memory, true),
		base(Params{Heads: 1, HeadDim: 1}, []int{70, 0, 4}, []int{70, 4, 140}, false),
		base(Params{Heads: 4, KVHeads: 2, HeadDim: 12, Sinks: make([]float32, 4)}, []int{3, 40, 1}, []int{600, 50, 1}, true),
		base(Params{Heads: 2, HeadDim: 16, Causal: true, Left: 50, Cap: 3}, self, memory, true),
		base(Params{Heads: 2, HeadDim: 9, Masks: []Mask{fullMask(r, 3, 2, 150, 150)}, Biases: []Bias{NewALiBi(2)}}, self, self, true),
		base(Params{Heads: 2, HeadDim: 40}, []int{2}, []int{700}, true),
	}
	back := base(Params{Heads: 2, HeadDim: 10}, self, memory, true)
	back.Relative.Backward = []bool{true, false, true}
	back.Relative.Distances.Set(keyRows(r, 2, 200+200+1, 10), 2, 10, -200, 200)
	list[2].perToken = true
	return append(list, back)
}

func keyRows(r *rand.Rand, heads, tokens, dim int) View {
	return PerToken(normal(r, make([]float32, heads*tokens*dim)), heads, dim)
}

func relative(r *rand.Rand, heads, dim, first, last int, q, k []int, segments bool) *Relative {
	vector := func(n int) []float32 { return normal(r, make([]float32, n*heads*dim)) }
	rel := &Relative{Content: vector(1), Position: vector(1), Distances: new(DistanceKeys)}
	rel.Distances.Set(keyRows(r, heads, last-first+1, dim), heads, dim, first, last)
	if !segments {
		return rel
	}
	rel.Segments, rel.Segment = vector(2), vector(1)
	for i := range q {
		// As two texts and a token of its own at the end have it, with a stray among them.
		for j := range k[i] {
			rel.SegmentsK = append(rel.SegmentsK, int32(2*j/k[i]+(j+1)/k[i]))
		}
		for j := range q[i] {
			rel.SegmentsQ = append(rel.SegmentsQ, int32(j*7%q[i]*3/q[i]))
		}
	}
	return rel
}

// at is the key of a distance, sixteen numbers from one to the next.
func (d *DistanceKeys) at(head, distance int) []float32 {
	c := d.zero + distance
	return d.panels[(head*d.columns+c/16*16)*d.dim+c%16:]
}

// relativeScore is what distance and segments add to a score, before it is scaled.
func relativeScore[T float](p Params, s, head, query, key, distance int, q []float32) T {
	r := p.Relative
	if r.backward(s) {
		distance = -distance
	}
	sum := T(0)
	dot := func(bias, with []float32, step int) {
		for d, x := range bias[head*p.HeadDim:][:p.HeadDim] {
			sum += T((T(q[d]) + T(x)) * T(with[d*step]))
		}
	}
	dot(r.Position, r.Distances.at(head, distance), 16)
	if r.Segments != nil {
		other := 0
		if r.SegmentsQ[query] != r.SegmentsK[key] {
			other = 1
		}
		dot(r.Segment, r.Segments[(other*p.Heads+head)*p.HeadDim:], 1)
	}
	return sum
}

// aloneRelative is what is left of r for sequence s alone.
func aloneRelative(r *Relative, b Batch, s int) *Relative {
	if r == nil {
		return nil
	}
	alone := *r
	if r.Backward != nil {
		alone.Backward = r.Backward[s : s+1]
	}
	if r.Segments != nil {
		alone.SegmentsQ, alone.SegmentsK = r.SegmentsQ[b.SeqQ[s]:b.SeqQ[s+1]], r.SegmentsK[b.SeqK[s]:b.SeqK[s+1]]
	}
	return &alone
}

func TestDistanceKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var d DistanceKeys
	for _, c := range [][2]int{{-31, 31}, {-5, 0}, {0, 0}, {3, 40}, {-70, -2}, {-33, 100}} {
		for _, dim := range []int{1, 9, 16, 64, 250} {
			v := keyRows(r, 3, c[1]-c[0]+1, dim)
			d.Set(v, 3, dim, c[0], c[1])
			for h := range 3 {
				for distance := c[0]; distance <= c[1]; distance++ {
					got := d.at(h, distance)
					for i, want := range v.head(h, distance-c[0])[:dim] {
						if got[i*16] != want {
							t.Fatalf("%v head %d distance %d: element %d is %v, want %v", c, h, distance, i, got[i*16], want)
						}
					}
				}
			}
			require.True(t, d.Covers(c[0], c[1]))
			require.False(t, d.Covers(c[0]-1, c[1]))
			require.False(t, d.Covers(c[0], c[1]+1))
		}
	}
}

func TestBadRelativePanics(t *testing.T) {
	good := shape{Params: Params{Heads: 2, HeadDim: 8}, lengthsQ: []int{4, 2}, lengthsK: []int{5, 2}}
	for name, spoil := range map[string]func(r *Relative){
		"content":             func(r *Relative) { r.Content = r.Content[1:] },
		"position":            func(r *Relative) { r.Position = nil },
		"no distances":        func(r *Relative) { r.Distances = nil },
		"distances of others": func(r *Relative) { r.Distances.Set(keyRows(rand.New(rand.NewPCG(1, 1)), 2, 30, 7), 2, 7, -10, 10) },
		"no distance -4":      func(r *Relative) { r.Distances.first = -3 },
		"no distance 3":       func(r *Relative) { r.Distances.last = 2 },
		"backward":            func(r *Relative) { r.Backward = []bool{true} },
		"segments":            func(r *Relative) { r.Segments = r.Segments[1:] },
		"segment of queries":  func(r *Relative) { r.SegmentsQ = r.SegmentsQ[1:] },
		"segment of keys":     func(r *Relative) { r.SegmentsK = nil },
	} {
		b, out, q, k, v := good.inputs(t, 1)
		p := good.Params
		p.Relative = relative(rand.New(rand.NewPCG(1, 2)), 2, 8, -4, 3, good.lengthsQ, good.lengthsK, true)
		var a Attention
		var x kernels.Exec
		a.Run(&x, p, b, out, q, k, v)
		spoil(p.Relative)
		require.PanicsWithValue(t, errRelative, func() { a.Run(&x, p, b, out, q, k, v) }, name)
	}
}

func TestRelativeAllocatesNothing(t *testing.T) {
	skipIfRacing(t)
	for _, s := range relatives() {
		b, out, q, k, v := s.inputs(t, 5)
		var a Attention
		var x kernels.Exec
		a.Run(&x, s.Params, b, out, q, k, v)
		require.Zero(t, testing.AllocsPerRun(5, func() { a.Run(&x, s.Params, b, out, q, k, v) }), "%v", s)
	}
}
