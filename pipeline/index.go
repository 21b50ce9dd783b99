package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/internal/mem"
	"github.com/ladon-ml/ladon/kernels"
)

// An Index holds vectors and finds those whose angle with a query is smallest. It
// compares the query with all of them: the answer is exact, and the same for any number of
// threads. It is safe for concurrent use. Its memory lies outside of Go's heap and
// is freed by Close.
type Index struct {
	dim     int
	rows    int // of a block
	threads int
	gate    *gate[*search]

	mu     sync.RWMutex
	n      int
	blocks []*mem.Block // unit vectors, [rows, dim] each
}

const (
	indexBlock = 8 << 20 // bytes of a block: whole huge pages
	searchItem = 1 << 18 // bytes that a worker compares with all queries before the next: they stay in its cache
	maxDim     = 1 << 20

	// searchQueries is how many queries are compared at once.
	searchQueries = 64
)

// NewIndex makes an empty Index for vectors of dim components. Of the options,
// [WithThreads] counts.
func NewIndex(dim int, opts ...Option) (*Index, error) {
	if err := cpu.Err(); err != nil {
		return nil, err
	}
	if dim < 1 || dim > maxDim {
		return nil, fmt.Errorf("pipeline: an index of vectors of %d components (1 to %d are possible)", dim, maxDim)
	}
	set := defaults
	for _, opt := range opts {
		opt(&set)
	}
	x := &Index{dim: dim, rows: max(1, indexBlock/4/dim), threads: set.threads}
	x.gate = newGate(runtime.GOMAXPROCS(0), func() *search { return &search{index: x} })
	return x, nil
}

// Dim is the number of components of a vector.
func (x *Index) Dim() int { return x.dim }

// Len is the number of vectors.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.n
}

// Close waits for the calls that are running, then frees the vectors. Calls made
// after it give ErrClosed.
func (x *Index) Close() error {
	x.gate.close()
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for _, b := range x.blocks {
		errs = append(errs, b.Free())
	}
	x.blocks, x.n = nil, 0
	return errors.Join(errs...)
}

// Add adds vectors, [n, Dim()], which get the numbers from Len() on. Their lengths
// do not matter. One that holds a NaN or an infinity is an error, and none is added.
func (x *Index) Add(vectors []float32) error {
	if len(vectors)%x.dim != 0 {
		return fmt.Errorf("pipeline: %d numbers do not make vectors of %d components", len(vectors), x.dim)
	}
	for i, v := range vectors {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("pipeline: component %d of vector %d is %v", i%x.dim, i/x.dim, f)
		}
	}
	s, err := x.gate.enter(context.Background())
	if err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	defer x.gate.leave(s)
	x.mu.Lock()
	defer x.mu.Unlock()
	n := len(vectors) / x.dim
	if err := x.grow(n); err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	for i := range n {
		unit(x.row(x.n+i), vectors[i*x.dim:(i+1)*x.dim])
	}
	x.n += n
	return nil
}

// grow makes room for n more vectors.
func (x *Index) grow(n int) error {
	for len(x.blocks)*x.rows < x.n+n {
		b, err := mem.Alloc(4 * x.rows * x.dim)
		if err != nil {
			return err
		}
		x.blocks = append(x.blocks, b)
	}
	return nil
}

// row is vector i.
func (x *Index) row(i int) []float32 {
	return x.blocks[i/x.rows].Float32s()[i%x.rows*x.dim:][:x.dim]
}

// AppendVector appends vector i, which must be below Len(), as a unit vector to dst.
func (x *Index) AppendVector(dst []float32, i int) []float32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return append(dst, x.row(i)...)
}

// unit makes dst the unit vector of src, whose numbers are finite; that of zeros
// is zeros.
func unit(dst, src []float32) {
	most := float32(0)
	for _, v := range src {
		most = max(most, float32(math.Abs(float64(v))))
	}
	if most == 0 {
		clear(dst)
		return
	}
	sum := 0.0 // of squares that neither overflow nor vanish
	for _, v := range src {
		f := float64(v) / float64(most)
		sum += f * f
	}
	by := 1 / (float64(most) * math.Sqrt(sum))
	for i, v := range src {
		dst[i] = float32(float64(v) * by)
	}
}

// A Hit is a vector that was found.
type Hit struct {
	Index int     // its number
	Score float32 // the cosine of its angle with the query
}

// before says whether a hit is better than another; of equals the first added is.
func (h Hit) before(o Hit) bool {
	return h.Score > o.Score || h.Score == o.Score && h.Index < o.Index
}

// AppendSearch appends the best vectors for each query, at most k of them, to dst:
// first those of the first query, the best first, of equals the first added. Each
// query has min(k, Len()) hits; they are given as hits, how many that is. Several queries
// at once are much faster than one after the other. Once it has warmed up, and with
// room in dst, it allocates nothing.
//
// It stops soon after ctx is cancelled. With an error, dst comes back as it was.
func (x *Index) AppendSearch(ctx context.Context, dst []Hit, k int, queries ...[]float32) (all []Hit, hits int, err error) {
	if k < 1 {
		return dst, 0, fmt.Errorf("pipeline: the best %d vectors", k)
	}
	for i, q := range queries {
		if len(q) != x.dim {
			return dst, 0, fmt.Errorf("pipeline: query %d has %d components, the index has vectors of %d", i, len(q), x.dim)
		}
		for j, v := range q {
			if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
				return dst, 0, fmt.Errorf("pipeline: component %d of query %d is %v", j, i, f)
			}
		}
	}
	s, err := x.gate.enter(ctx)
	if err != nil {
		return dst, 0, fmt.Errorf("pipeline: %w", err)
	}
	defer x.gate.leave(s)
	x.mu.RLock()
	defer x.mu.RUnlock()
	all, hits = dst, min(k, x.n)
	for first := 0; first < len(queries); first += searchQueries {
		some := queries[first:min(first+searchQueries, len(queries))]
		if all, err = s.run(ctx, all, hits, some); err != nil {
			return dst, 0, fmt.Errorf("pipeline: %w", err)
		}
	}
	return all, hits, nil
}

// A search is what one running call needs, kept for the next.
type search struct {
	index *Index
	exec  kernels.Exec

	hits    int
	count   int       // of queries
	queries []float32 // unit vectors
	rows    int       // of an item
	found   [][]Hit   // by worker and query: heaps, the worst at the top
}

// run appends the hits of some queries.
func (s *search) run(ctx context.Context, dst []Hit, hits int, queries [][]float32) ([]Hit, error) {
	x := s.index
	s.hits, s.count = hits, len(queries)
	s.queries = grow(s.queries, len(queries)*x.dim)
	for i, q := range queries {
		unit(s.queries[i*x.dim:(i+1)*x.dim], q)
	}
	// Items do not reach into the next block.
	s.rows = min(x.rows, max(1, searchItem/4/x.dim))
	items := (x.rows + s.rows - 1) / s.rows * ((x.n + x.rows - 1) / x.rows)
	s.exec.Begin(ctx, x.threads)
	workers := s.exec.Width()
	for len(s.found) < workers*s.count {
		s.found = append(s.found, nil)
	}
	for i := range s.found {
		s.found[i] = s.found[i][:0]
	}
	s.exec.Do(items, s)
	if err := s.exec.End(); err != nil {
		return nil, err
	}
	for q := range s.count {
		best := s.found[q]
		for w := 1; w < workers; w++ {
			for _, h := range s.found[w*s.count+q] {
				best = offer(best, h, hits)
			}
		}
		s.found[q] = best
		dst = appendSorted(dst, best)
	}
	return dst, nil
}

// Run compares the vectors of item i with all queries.
func (s *search) Run(worker, i int) {
	x := s.index
	perBlock := (x.rows + s.rows - 1) / s.rows
	block := i / perBlock
	first := i % perBlock * s.rows
	last := min(first+s.rows, x.rows, x.n-block*x.rows)
	if first >= last {
		return
	}
	vectors := x.blocks[block].Float32s()
	for q := range s.count {
		query := s.queries[q*x.dim : (q+1)*x.dim]
		best := s.found[worker*s.count+q]
		for r := first; r < last; r++ {
			h := Hit{block*x.rows + r, kernels.Dot(query, vectors[r*x.dim:(r+1)*x.dim])}
			if len(best) < s.hits || h.before(best[0]) {
				best = offer(best, h, s.hits)
			}
		}
		s.found[worker*s.count+q] = best
	}
}
