package pipeline

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/weights"
)

// The tensors of an index's safetensors file: unit vectors [n, dim] as float32, and
// where there are texts, all of them as one and where each ends.
const (
	indexFormat  = "ladon-index" // metadata "format"
	indexVectors = "vectors"
	indexTexts   = "texts"     // uint8
	indexEnds    = "text_ends" // int64 [n]
)

// Write writes the vectors, and a text for each unless texts is nil, to a safetensors
// file, which appears whole or not at all.
func (x *Index) Write(path string, texts []string) error {
	s, err := x.gate.enter(context.Background())
	if err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	defer x.gate.leave(s)
	x.mu.RLock()
	defer x.mu.RUnlock()
	if texts != nil && len(texts) != x.n {
		return fmt.Errorf("pipeline: %d texts for %d vectors", len(texts), x.n)
	}
	sources := []weights.Source{{Name: indexVectors, DType: weights.F32, Shape: []int{x.n, x.dim}, Write: x.writeVectors}}
	if texts != nil {
		ends, size := make([]int64, len(texts)), 0
		for i, text := range texts {
			size += len(text)
			ends[i] = int64(size)
		}
		sources = append(sources, weights.Of(indexEnds, []int{len(texts)}, ends).Source(), weights.Source{
			Name: indexTexts, DType: weights.U8, Shape: []int{size}, Write: func(w io.Writer) error {
				for _, text := range texts {
					if _, err := io.WriteString(w, text); err != nil {
						return err
					}
				}
				return nil
			},
		})
	}
	return weights.WriteSources(path, sources, map[string]string{"format": indexFormat})
}

func (x *Index) writeVectors(w io.Writer) error {
	for i, b := range x.blocks {
		rows := min(x.rows, x.n-i*x.rows)
		if rows <= 0 {
			break
		}
		if _, err := w.Write(b.Bytes()[:4*rows*x.dim]); err != nil {
			return err
		}
	}
	return nil
}

// OpenIndex reads what [Index.Write] wrote; texts is nil if it holds none.
func OpenIndex(path string, opts ...Option) (x *Index, texts []string, err error) {
	set, err := weights.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer set.Close()
	return readIndex(set, opts)
}

func readIndex(set *weights.Set, opts []Option) (_ *Index, texts []string, err error) {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("pipeline: %s: %w", set, fmt.Errorf(format, args...))
	}
	info, ok := set.Lookup(indexVectors)
	switch {
	case set.Metadata()["format"] != indexFormat || !ok:
		return nil, nil, fail("not an index of vectors")
	case info.DType != weights.F32 || len(info.Shape) != 2:
		return nil, nil, fail("tensor %q is %v %v, want F32 of two dimensions", indexVectors, info.DType, info.Shape)
	}
	n, dim := info.Shape[0], info.Shape[1]
	if texts, err = readTexts(set, n); err != nil {
		return nil, nil, fail("%w", err)
	}
	x, err := NewIndex(dim, opts...)
	if err != nil {
		return nil, nil, fail("%w", err)
	}
	if err := x.read(set, n); err != nil {
		x.Close()
		return nil, nil, fail("%w", err)
	}
	return x, texts, nil
}

// read fills an empty index with n vectors, as they are.
func (x *Index) read(set *weights.Set, n int) error {
	for x.n < n {
		rows := min(x.rows, n-x.n)
		if err := x.grow(rows); err != nil {
			return err
		}
		block := x.blocks[len(x.blocks)-1].Float32s()[:rows*x.dim]
		if err := set.ReadFloat32s(block, indexVectors, int64(x.n)*int64(x.dim)); err != nil {
			return err
		}
		for i := range rows {
			v := block[i*x.dim : (i+1)*x.dim]
			if sum := float64(kernels.Dot(v, v)); sum != 0 && !(math.Abs(sum-1) < 1e-3) {
				return fmt.Errorf("tensor %q: row %d is no unit vector: its square is %v", indexVectors, x.n+i, sum)
			}
		}
		x.n += rows
	}
	return nil
}

// readTexts reads the texts of an index of n vectors, nil if it has none.
func readTexts(set *weights.Set, n int) ([]string, error) {
	if _, ok := set.Lookup(indexTexts); !ok {
		return nil, nil
	}
	letters, err := set.Tensor(indexTexts)
	if err != nil {
		return nil, err
	}
	places, err := set.Tensor(indexEnds)
	if err != nil {
		return nil, err
	}
	ends, err := places.Int64s(nil)
	switch {
	case err != nil:
		return nil, err
	case letters.DType != weights.U8 || !slices.Equal(places.Shape, []int{n}):
		return nil, fmt.Errorf("tensors %q and %q do not hold %d texts", indexTexts, indexEnds, n)
	case !utf8.Valid(letters.Data):
		return nil, fmt.Errorf("tensor %q is not UTF-8", indexTexts)
	}
	all, from := string(letters.Data), int64(0)
	texts := make([]string, n)
	for i, to := range ends {
		if to < from || to > int64(len(all)) {
			return nil, fmt.Errorf("tensor %q: text %d ends at %d, after one that ends at %d, of %d", indexEnds, i, to, from, len(all))
		}
		texts[i], from = all[from:to], to
	}
	if from != int64(len(all)) {
		return nil, fmt.Errorf("tensor %q: the last text ends at %d of %d", indexEnds, from, len(all))
	}
	return texts, nil
}
