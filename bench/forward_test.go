package bench

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ladon-ml/ladon/internal/peak"
	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/pipeline"
	"github.com/ladon-ml/ladon/pipeline/minilm"
)

func openMiniLM(b *testing.B, threads int, dtype model.DType) *pipeline.Model {
	m, err := minilm.Open(pipeline.WithThreads(threads), pipeline.WithDType(dtype))
	if err != nil {
		b.Skipf("no embedded model: %v", err)
	}
	b.Cleanup(func() { m.Close() })
	return m
}

// threadCounts are one and all.
func threadCounts() []int { return slices.Compact([]int{1, runtime.GOMAXPROCS(0)}) }

// BenchmarkForward runs MiniLM on batches of equal texts. The peak of an int8
// run is that of bytes, although its attention computes in float32.
func BenchmarkForward(b *testing.B) {
	for _, dtype := range []model.DType{model.F32, model.Int8} {
		for _, threads := range threadCounts() {
			p := openMiniLM(b, threads, dtype)
			for _, shape := range []struct{ batch, seq int }{{1, 16}, {1, 128}, {8, 128}, {1, 256}} {
				b.Run(fmt.Sprintf("model=minilm/dtype=%s/batch=%d/seq=%d/threads=%d", dtype, shape.batch, shape.seq, threads), func(b *testing.B) {
					lens := slices.Repeat([]int{shape.seq}, shape.batch)
					forward(b, p.Model(), dtype, threads, lens)
				})
			}
		}
	}
}

// BenchmarkRagged runs 32 texts of lengths spread evenly over 5…256 tokens.
func BenchmarkRagged(b *testing.B) {
	lens := make([]int, 32)
	for i := range lens {
		lens[i] = 5 + (256-5)*i/(len(lens)-1)
	}
	for _, dtype := range []model.DType{model.F32, model.Int8} {
		b.Run(fmt.Sprintf("model=minilm/dtype=%s/texts=32/threads=1", dtype), func(b *testing.B) {
			forward(b, openMiniLM(b, 1, dtype).Model(), dtype, 1, lens)
		})
	}
}

func forward(b *testing.B, m *model.Model, dtype model.DType, threads int, lens []int) {
	batch := model.Batch{CuSeqlens: []int32{0}}
	flops := 0.0
	spec := m.Spec()
	for _, n := range lens {
		for i := range n {
			batch.IDs = append(batch.IDs, int32(1000+i*7919%20000))
		}
		batch.CuSeqlens = append(batch.CuSeqlens, int32(len(batch.IDs)))
		flops += peak.ForwardOps(spec, n)
	}
	r, err := m.NewResult(model.LastHiddenState)
	if err != nil {
		b.Fatal(err)
	}
	top := peak.F32
	if dtype == model.Int8 {
		top = peak.Int8
	}
	rate(b, top, threads, flops, func() {
		if err := m.Forward(b.Context(), batch, r); err != nil {
			b.Fatal(err)
		}
	})
	b.ReportMetric(float64(len(batch.IDs))*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

// BenchmarkEmbed goes from text to vector, tokenizer included.
func BenchmarkEmbed(b *testing.B) {
	text := strings.Repeat("a hundred heads watch over the golden apples ", 3)
	for _, texts := range []int{1, 32} {
		b.Run(fmt.Sprintf("model=minilm/dtype=int8/texts=%d/threads=1", texts), func(b *testing.B) {
			e, err := openMiniLM(b, 1, model.Int8).Embedder()
			if err != nil {
				b.Fatal(err)
			}
			list := slices.Repeat([]string{text}, texts)
			dst, err := e.AppendEmbed(b.Context(), nil, list...) // workspaces
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if dst, err = e.AppendEmbed(b.Context(), dst[:0], list...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(texts*b.N)/b.Elapsed().Seconds(), "texts/s")
		})
	}
}
