package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func randomVectors(n, dim int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 2))
	v := make([]float32, n*dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func newIndex(t testing.TB, dim int, vectors []float32, opts ...Option) *Index {
	x, err := NewIndex(dim, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, x.Close()) })
	require.NoError(t, x.Add(vectors))
	return x
}

// Every vector sorted by its cosine in float64, of equals the first.
func TestIndexAgainstSorting(t *testing.T) {
	for _, c := range []struct{ n, dim, k int }{
		{1, 1, 1}, {7, 3, 10}, {300, 5, 300}, {1000, 130, 10}, {6000, 384, 25}, {3, 1 << 19, 2},
	} {
		vectors := randomVectors(c.n, c.dim, uint64(c.n))
		if c.n > 50 { // and some twice
			copy(vectors[40*c.dim:45*c.dim], vectors[20*c.dim:25*c.dim])
		}
		x := newIndex(t, c.dim, nil)
		for first := 0; first < c.n; first += 1111 {
			require.NoError(t, x.Add(vectors[first*c.dim:min(first+1111, c.n)*c.dim]))
		}
		require.Equal(t, c.n, x.Len())
		queries := randomVectors(3, c.dim, 9)
		copy(queries[:c.dim], vectors[min(22, c.n-1)*c.dim:])
		var list [][]float32
		for q := range 3 {
			list = append(list, queries[q*c.dim:(q+1)*c.dim])
		}
		got, hits, err := x.AppendSearch(t.Context(), []Hit{{99, 9}}, c.k, list...)
		require.NoError(t, err)
		require.Equal(t, min(c.k, c.n), hits)
		require.Len(t, got, 1+3*hits)
		require.Equal(t, Hit{99, 9}, got[0])
		for q, query := range list {
			found := got[1+q*hits:][:hits]
			scores := make([]float64, c.n)
			for i := range scores {
				scores[i] = cosine64(query, vectors[i*c.dim:(i+1)*c.dim])
			}
			sorted := slices.SortedFunc(slices.Values(scores), func(a, b float64) int { return cmp.Compare(b, a) })
			seen := map[int]bool{}
			for i, h := range found {
				require.InDelta(t, scores[h.Index], h.Score, 1e-6)
				require.InDelta(t, sorted[i], h.Score, 1e-6)
				require.False(t, seen[h.Index])
				seen[h.Index] = true
				require.True(t, i == 0 || found[i-1].before(h))
			}
		}
		if c.n > 50 {
			require.Equal(t, []int{22, 42}, []int{got[1].Index, got[2].Index}, "of equals the first")
		}
	}
}

func cosine64(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

func TestIndexSameForAnyThreads(t *testing.T) {
	const dim = 48
	vectors := randomVectors(20_000, dim, 1)
	for i := range vectors { // many ties
		vectors[i] = float32(math.Round(float64(vectors[i])))
	}
	queries := [][]float32{vectors[:dim], vectors[77*dim : 78*dim], make([]float32, dim)}
	var want []Hit
	for _, threads := range []int{1, 2, 3, 8} {
		x := newIndex(t, dim, vectors, WithThreads(threads))
		got, _, err := x.AppendSearch(t.Context(), nil, 50, queries...)
		require.NoError(t, err)
		if want == nil {
			want = got
		}
		require.Equal(t, want, got)
		one, _, err := x.AppendSearch(t.Context(), nil, 50, queries[1])
		require.NoError(t, err)
		require.Equal(t, want[50:100], one, "alone and with others")
	}
	for i := range 50 { // a query without a direction: the first ones
		require.Equal(t, Hit{i, 0}, want[100+i])
	}
}

func TestIndexLengths(t *testing.T) {
	x := newIndex(t, 2, []float32{3e38, 3e38, 1e-45, 0, 0, 0, -1e-30, 1e-30})
	got, _, err := x.AppendSearch(t.Context(), nil, 4, []float32{1e-40, 1e-40}, []float32{0, -2e38})
	require.NoError(t, err)
	var scores []float64
	var order []int
	for _, h := range got {
		scores, order = append(scores, float64(h.Score)), append(order, h.Index)
	}
	h := math.Sqrt(0.5)
	require.InDeltaSlice(t, []float64{1, h, 0, 0, 0, 0, -h, -h}, scores, 1e-4)
	require.Equal(t, []int{0, 1, 2, 3}, order[:4])
	require.InDeltaSlice(t, []float32{0, 0}, x.AppendVector(nil, 2), 0)
}

func TestIndexErrors(t *testing.T) {
	for _, dim := range []int{0, -1, 1<<20 + 1} {
		_, err := NewIndex(dim)
		require.ErrorContains(t, err, fmt.Sprint(dim))
	}
	x := newIndex(t, 2, []float32{1, 2})
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	require.ErrorContains(t, x.Add([]float32{1}), "vectors of 2")
	require.ErrorContains(t, x.Add([]float32{1, 2, 3, nan}), "component 1 of vector 1 is NaN")
	require.Equal(t, 1, x.Len())
	dst := []Hit{{5, 1}}
	for want, query := range map[string][]float32{
		"query 1 has 1 components":       {1},
		"component 0 of query 1 is NaN":  {nan, 1},
		"component 1 of query 1 is -Inf": {0, inf},
	} {
		got, _, err := x.AppendSearch(t.Context(), dst, 1, []float32{1, 1}, query)
		require.ErrorContains(t, err, want)
		require.Equal(t, dst, got)
	}
	_, _, err := x.AppendSearch(t.Context(), nil, 0, []float32{1, 1})
	require.Error(t, err)
	empty := newIndex(t, 3, nil)
	got, hits, err := empty.AppendSearch(t.Context(), nil, 3, []float32{1, 2, 3})
	require.NoError(t, err)
	require.Zero(t, hits)
	require.Empty(t, got)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = x.AppendSearch(ctx, nil, 1, []float32{1, 1})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, x.Close())
	_, _, err = x.AppendSearch(t.Context(), nil, 1, []float32{1, 1})
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, x.Add([]float32{1, 2}), ErrClosed)
}

func TestIndexAllocatesNothing(t *testing.T) {
	x := newIndex(t, 32, randomVectors(5000, 32, 3))
	queries := [][]float32{randomVectors(1, 32, 4), randomVectors(1, 32, 5)}
	dst := make([]Hit, 0, 20)
	search := func() {
		if _, _, err := x.AppendSearch(t.Context(), dst, 10, queries...); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		search()
	}
	require.Zero(t, testing.AllocsPerRun(20, search))
}

func TestIndexConcurrently(t *testing.T) {
	const dim = 16
	x := newIndex(t, dim, randomVectors(100, dim, 6))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			q := randomVectors(1, dim, uint64(g))
			for i := range 30 {
				if g == 0 {
					if err := x.Add(randomVectors(50, dim, uint64(i))); err != nil {
						t.Error(err)
					}
				}
				got, hits, err := x.AppendSearch(context.Background(), nil, 5, q)
				if err != nil && !errors.Is(err, ErrClosed) || err == nil && (hits != 5 || len(got) != 5) {
					t.Error(hits, err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1600, x.Len())
}

// 100,000 vectors of 384: by threads and queries at once.
func BenchmarkIndex(b *testing.B) {
	const n, dim = 100_000, 384
	vectors := randomVectors(n, dim, 1)
	for _, threads := range []int{1, 2} {
		x := newIndex(b, dim, vectors, WithThreads(threads))
		for _, queries := range []int{1, 32} {
			b.Run(fmt.Sprintf("threads=%d/queries=%d", threads, queries), func(b *testing.B) {
				var list [][]float32
				for q := range queries {
					list = append(list, vectors[q*dim:(q+1)*dim])
				}
				var dst []Hit
				b.ReportAllocs()
				b.SetBytes(4 * n * dim)
				for b.Loop() {
					var err error
					if dst, _, err = x.AppendSearch(b.Context(), dst[:0], 10, list...); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
