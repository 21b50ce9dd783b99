package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ladon-ml/ladon/internal/mem"
	"github.com/ladon-ml/ladon/kernels"
)

// maxBenchElements bounds a matrix or tensor of a case: 4 GiB of float32.
const maxBenchElements = 1 << 30

var benchGEMMCase = command{
	name:    "gemm",
	summary: "the product C[m,n] = A[m,k]·W[n,k]ᵀ on packed weights",
	help: `
-dtype int8 includes quantising the rows of A and gives float32; so do GGUF's blocks, q8_0 to q6_k. f16 and bf16 hold
weights only. weights_gb_per_s is the rate at which W passed by, once a product.`,
	dtypes: benchDTypes(),
	setup: func(fs *flag.FlagSet) func(*call) error {
		m := countFlag(fs, "m", 1024, 1, "`rows` of A and C")
		n := countFlag(fs, "n", 1024, 1, "`outputs`: rows of W, columns of C")
		k := countFlag(fs, "k", 1024, 1, "`inputs`: columns of A and W")
		epilogue := "none"
		fs.Var(choiceValue{&epilogue, []string{"none", "bias", "bias-gelu"}}, "epilogue", "what `follows` the product: none, bias or bias-gelu")
		budget := budgetFlag(fs)
		return func(c *call) error {
			if err := c.noArgs(); err != nil {
				return err
			}
			return runBenchGEMM(c, *m, *n, *k, epilogue, *budget)
		}
	},
}

func runBenchGEMM(c *call, m, n, k int, epilogue string, budget time.Duration) error {
	for _, size := range [][2]int{{m, k}, {n, k}, {m, n}} {
		if err := checkSize(size[0], size[1]); err != nil {
			return err
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	dtype := c.dtype
	if dtype == "auto" {
		dtype = "f32"
	}
	w, err := randomMatrix(rng, dtype, n, k)
	if err != nil {
		return err
	}
	defer w.free()
	ceiling := dtype
	if d, ok := blockDType(dtype); ok && d >= kernels.Q8_0 {
		ceiling = "int8"
	}
	a, out := randomFloats(rng, m*k), make([]float32, m*n)
	var e kernels.Epilogue
	if epilogue != "none" {
		e.Bias = randomFloats(rng, n)
	}
	if epilogue == "bias-gelu" {
		e.Act = kernels.GELU
	}
	var x kernels.Exec
	t, peak, err := c.measureBeside(ceiling, budget, func() error {
		x.Begin(c.ctx, c.threads)
		x.MatMul(kernels.Out{C: out, LD: n}, a, m, k, w.Matrix, e)
		return x.End()
	})
	if err != nil {
		return err
	}
	r := newRecord("gemm")
	r.int("m", m)
	r.int("n", n)
	r.int("k", k)
	r.string("dtype", dtype)
	r.string("epilogue", epilogue)
	r.timing(t)
	r.rate(t.perSecond(2*float64(m)*float64(n)*float64(k)), peak)
	r.float("weights_gb_per_s", t.perSecond(float64(w.Bytes()))/1e9, 4)
	r.machine(c)
	return r.writeTo(c)
}

// benchDTypes are the types of weights beside those of -dtype: 16-bit floats,
// and GGUF's blocks.
func benchDTypes() (names []string) {
	for d := kernels.F16; d <= kernels.Q6_K; d++ {
		names = append(names, d.String())
	}
	return names
}

// blockDType is the type of that name, if it is one of benchDTypes.
func blockDType(name string) (kernels.DType, bool) {
	i := slices.Index(benchDTypes(), name)
	return kernels.F16 + kernels.DType(max(i, 0)), i >= 0
}

// benchMatrix is a matrix in memory as a model's is: off the heap, in huge pages.
type benchMatrix struct {
	*kernels.Matrix
	arena *mem.Arena
}

func (m *benchMatrix) free() {
	m.Matrix.Free()
	_ = m.arena.Free()
}

// randomMatrix is one of random weights; in blocks, of random codes and scales
// below 1.
func randomMatrix(rng *rand.Rand, dtype string, n, k int) (*benchMatrix, error) {
	m := &benchMatrix{arena: new(mem.Arena)}
	floats := func(_ int, dst []float32) error {
		for i := range dst {
			dst[i] = 2*rng.Float32() - 1
		}
		return nil
	}
	var err error
	switch d, ok := blockDType(dtype); {
	case ok:
		m.Matrix, err = kernels.PackBlocksIn(m.arena, d, n, k, func(_ int, dst []byte) error {
			for i := range dst {
				dst[i] = byte(rng.Uint32()) & 0x3b // two of them make a half below 1
			}
			return nil
		})
	case dtype == "int8":
		m.Matrix, err = kernels.PackInt8RowsIn(m.arena, n, k, floats)
	default:
		m.Matrix, err = kernels.PackRowsIn(m.arena, n, k, floats)
	}
	if err != nil {
		_ = m.arena.Free()
		return nil, err
	}
	return m, nil
}

// checkSize refuses a matrix too large to measure.
func checkSize(dims ...int) error {
	total := 1
	for _, d := range dims {
		if total > maxBenchElements/d {
			return fmt.Errorf("a tensor of %v elements is too large to measure (limit %d)", dims, maxBenchElements)
		}
		total *= d
	}
	return nil
}

// repeated is a batch of equal lengths.
func repeated(length, batch int) ([]int, error) {
	const most = 1 << 20
	if batch > most {
		return nil, fmt.Errorf("a batch of %d sequences is too large to measure (limit %d)", batch, most)
	}
	return slices.Repeat([]int{length}, batch), nil
}

// randomFloats gives n numbers spread evenly over -1…1.
func randomFloats(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 2*rng.Float32() - 1
	}
	return x
}
