package kernels

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// product64 is A·Wᵀ in float64, and the sum of the magnitudes that went into
// each output.
func product64(a []float32, m, lda int, w []float32, n, k int) (c, size []float64) {
	c, size = make([]float64, m*n), make([]float64, m*n)
	for i := range m {
		for j := range n {
			for kk := range k {
				v := float64(a[i*lda+kk]) * float64(w[j*k+kk])
				c[i*n+j] += v
				size[i*n+j] += math.Abs(v)
			}
		}
	}
	return c, size
}

// integers fills x with small ones, so that products are exact in float32.
func integers(r *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(r.IntN(17) - 8)
	}
}

// shapes exercise every height of a tile, every remainder of rows, columns and
// k, and the few large sizes that split into items.
func matMulShapes() (s [][3]int) {
	for m := 1; m <= 31; m++ {
		s = append(s, [3]int{m, 70, 9})
	}
	for n := 1; n <= 70; n++ {
		s = append(s, [3]int{1 + n%5, n, 5}, [3]int{15, n, 3})
	}
	for k := 1; k <= 20; k++ {
		s = append(s, [3]int{3, 33, k}, [3]int{1, 64, k})
	}
	return append(s, [3]int{1, 500, 257}, [3]int{2, 129, 300}, [3]int{4, 256, 512}, [3]int{7, 48, 1024}, [3]int{150, 200, 64}, [3]int{33, 272, 512}, [3]int{97, 31, 520}, [3]int{3, 40, 2*longK + 5}, [3]int{17, 40, longK + 1})
}

func TestMatMulExact(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(1, 2))
		var x Exec
		for _, s := range matMulShapes() {
			m, n, k := s[0], s[1], s[2]
			lda := k + r.IntN(3)
			a, w, bias := at[float32](m*lda, r.IntN(16)), make([]float32, n*k), make([]float32, n)
			integers(r, a)
			integers(r, w)
			integers(r, bias)
			packed, err := Pack(w, n, k)
			require.NoError(t, err)
			want, _ := product64(a, m, lda, w, n, k)
			ldc := n + r.IntN(3)
			c := make([]float32, m*ldc)
			poison(c)
			e := Epilogue{}
			if r.IntN(2) == 0 {
				e.Bias = bias
			}
			x.MatMul(Out{C: c[:(m-1)*ldc+n], LD: ldc}, a[:(m-1)*lda+k], m, lda, packed, e)
			for i := range m {
				for j := range ldc {
					got := c[i*ldc+j]
					if j >= n {
						require.True(t, got != got, "%v: wrote between rows", s)
						continue
					}
					v := want[i*n+j]
					if e.Bias != nil {
						v += float64(bias[j])
					}
					if float64(got) != v {
						t.Fatalf("%v: C[%d][%d] is %v, want %v", s, i, j, got, v)
					}
				}
			}
		}
	})
}

func TestMatMulError(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(3, 4))
		var x Exec
		for _, s := range [][3]int{{5, 70, 100}, {17, 40, 700}, {1, 130, 2000}, {30, 48, 3072}} {
			m, n, k := s[0], s[1], s[2]
			a, w, c := make([]float32, m*k), make([]float32, n*k), make([]float32, m*n)
			fill(r, a, 1)
			fill(r, w, 1)
			packed, err := Pack(w, n, k)
			require.NoError(t, err)
			x.MatMul(Out{C: c, LD: n}, a, m, k, packed, Epilogue{})
			want, size := product64(a, m, k, w, n, k)
			// The naive product in float32 is the yardstick: twice its largest error
			// and a rounding.
			ours, naive := 0.0, 0.0
			for i := range m {
				for j := range n {
					sum := float32(0)
					for kk := range k {
						sum += float32(a[i*k+kk] * w[j*k+kk])
					}
					o := i*n + j
					naive = max(naive, math.Abs(float64(sum)-want[o]))
					e := math.Abs(float64(c[o]) - want[o])
					if !(e <= size[o]*float64(k)*ulp/2) {
						t.Fatalf("%v: error %g", s, e)
					}
					ours = max(ours, e)
				}
			}
			require.LessOrEqual(t, ours, 2*naive+ulp*math.Sqrt(float64(k)), "%v", s)
		}
	})
}

// blockOuts are the ways to lay out n columns of m rows.
func blockOuts(m, n int) map[string]Out {
	outs := map[string]Out{"plain": {LD: n + 1}}
	for _, b := range []int{8, 16, 20, 32, 48, 64, 80} {
		outs[fmt.Sprintf("heads of %d", b)] = Out{LD: b, BlockCols: b, BlockStride: m * b}
		outs[fmt.Sprintf("heads of %d, apart", b)] = Out{LD: b + 3, BlockCols: b, BlockStride: m*(b+3) + 7}
	}
	return outs
}

func TestMatMulOut(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(5, 6))
		var x Exec
		for _, s := range [][3]int{{1, 192, 8}, {2, 100, 8}, {5, 192, 8}, {16, 160, 3}, {29, 64, 5}, {40, 250, 4}} {
			m, n, k := s[0], s[1], s[2]
			a, w := make([]float32, m*k), make([]float32, n*k)
			integers(r, a)
			integers(r, w)
			packed, err := Pack(w, n, k)
			require.NoError(t, err)
			want, _ := product64(a, m, k, w, n, k)
			for name, out := range blockOuts(m, n) {
				bc := out.BlockCols
				if bc == 0 {
					bc = n
				}
				size := 0
				for j := range n {
					size = max(size, j/bc*out.BlockStride+(m-1)*out.LD+j%bc+1)
				}
				out.C = make([]float32, size)
				poison(out.C)
				x.MatMul(out, a, m, k, packed, Epilogue{})
				written := 0
				for i := range m {
					for j := range n {
						o := j/bc*out.BlockStride + i*out.LD + j%bc
						if float64(out.C[o]) != want[i*n+j] {
							t.Fatalf("%v, %s: C[%d][%d] is %v, want %v", s, name, i, j, out.C[o], want[i*n+j])
						}
					}
				}
				for _, v := range out.C {
					if v == v {
						written++
					}
				}
				require.Equal(t, m*n, written, "%v, %s: elements written", s, name)
				out.C = out.C[:size-1]
				require.Panics(t, func() { x.MatMul(out, a, m, k, packed, Epilogue{}) }, "%v, %s", s, name)
			}
		}
	})
}

func TestMatMulEpilogue(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(7, 8))
		var x Exec
		m, n, k := 19, 75, 12
		a, w := make([]float32, m*k), make([]float32, n*k)
		integers(r, a)
		integers(r, w)
		for i := range w {
			w[i] /= 64
		}
		f32, err := Pack(w, n, k)
		require.NoError(t, err)
		i8, err := PackInt8(w, n, k)
		require.NoError(t, err)
		bias, residual := make([]float32, n), make([]float32, m*(n+5))
		fill(r, bias, 1)
		fill(r, residual, 1)
		for _, packed := range []*Matrix{f32, i8} {
			plain := make([]float32, m*n)
			x.MatMul(Out{C: plain, LD: n}, a, m, k, packed, Epilogue{Bias: bias})
			for act := range numActivations {
				by := []*Matrix{f32, i8}[act%2] // of the same type and of the other
				gate := make([]float32, m*n)
				x.MatMul(Out{C: gate, LD: n}, a, m, k, by, Epilogue{Bias: bias})
				Activate(act, gate)
				for _, scale := range []float32{0, 1, 0.25} {
					for mask := range 4 {
						e := Epilogue{Bias: bias, Act: act, Scale: scale}
						want := append([]float32(nil), plain...)
						if scale != 0 {
							Scale(want, want, scale)
						}
						Activate(act, want)
						if mask&1 != 0 {
							e.Gate = Gate{W: by, Bias: bias, Act: act}
							Mul(want, want, gate)
						}
						if mask&2 != 0 {
							e.Residual, e.LDR = residual, n+5
							for i := range m {
								Add(want[i*n:][:n], want[i*n:][:n], residual[i*(n+5):][:n])
							}
						}
						for name, out := range map[string]Out{
							"plain": {LD: n}, "heads": {LD: 16, BlockCols: 16, BlockStride: 16 * m}, "odd heads": {LD: 25, BlockCols: 25, BlockStride: 25 * m},
						} {
							out.C = make([]float32, 5*16*m)
							x.MatMul(out, a, m, k, packed, e)
							bc := out.BlockCols
							if bc == 0 {
								bc = n
							}
							for i := range m {
								for j := range n {
									got := out.C[j/bc*out.BlockStride+i*out.LD+j%bc]
									if got != want[i*n+j] {
										t.Fatalf("%v %v scale %v mask %d %s: C[%d][%d] is %v, want %v", packed.DType(), act, scale, mask, name, i, j, got, want[i*n+j])
									}
								}
							}
						}
					}
				}
			}
		}
	})
}

// The int8 product is exact up to three roundings whose order is fixed: every
// tier gives the bits of this reference.
func TestMatMulInt8(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(9, 10))
		var x Exec
		shapes := append(matMulShapes(), [3]int{3, 20, 66}, [3]int{9, 40, 4099}, [3]int{2, 17, 1 << 16})
		for _, s := range shapes {
			m, n, k := s[0], s[1], s[2]
			a, w, bias := make([]float32, m*k), make([]float32, n*k), make([]float32, n)
			fill(r, a, 2)
			fill(r, w, 0.1)
			fill(r, bias, 1)
			if k > 1<<12 { // the largest sums: all products of one sign
				for i := range a {
					a[i] = 3
				}
				for i := range w {
					w[i] = -5
				}
			}
			packed, err := PackInt8(w, n, k)
			require.NoError(t, err)
			e := Epilogue{}
			if r.IntN(2) == 0 {
				e.Bias = bias
			}
			c := make([]float32, m*n)
			poison(c)
			x.MatMul(Out{C: c, LD: n}, a, m, k, packed, e)
			q, wq := make([]int8, k), make([]int8, n*k)
			ws := make([]float32, n)
			for j := range n {
				ws[j] = QuantizeRow(wq[j*k:(j+1)*k], w[j*k:(j+1)*k])
			}
			for i := range m {
				as, zero := quantizeRange(q, a[i*k:(i+1)*k], 0)
				zero -= 128
				for j := range n {
					sum := int32(0)
					for kk, v := range wq[j*k : (j+1)*k] {
						sum += (int32(q[kk]) - zero) * int32(v)
					}
					want := float32(float32(sum) * float32(as*ws[j]))
					if e.Bias != nil {
						want += bias[j]
					}
					if got := c[i*n+j]; got != want {
						t.Fatalf("%v: C[%d][%d] is %v, want %v", s, i, j, got, want)
					}
				}
			}
		}
	})
}

// Weights from a file may be -128, which packing here never makes: with
// activations at the end of their range these are the largest sums.
func TestMatMulInt8Extremes(t *testing.T) {
	n, k, m := 20, 1<<16, 7
	packed, scales := make([]int8, 32*k), make([]float32, n)
	for i := range packed {
		packed[i] = -128
	}
	for i := range scales {
		scales[i] = 1
	}
	w, err := Int8Matrix(packed, scales, n, k)
	require.NoError(t, err)
	a, c := make([]float32, m*k), make([]float32, m*n)
	for i := range a {
		a[i] = -255
	}
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		var x Exec
		x.MatMul(Out{C: c, LD: n}, a, m, k, w, Epilogue{})
		for _, got := range c {
			require.Equal(t, float32(255*128*k), got)
		}
	})
}

// Rows are the same bits alone, in any company, at any place and with any
// number of workers.
func TestMatMulSameBits(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(11, 12))
		n, k, m := 300, 1100, 160
		a, w, bias := make([]float32, m*k), make([]float32, n*k), make([]float32, n)
		fill(r, a, 1)
		fill(r, w, 1)
		fill(r, bias, 1)
		for _, pack := range []func([]float32, int, int) (*Matrix, error){Pack, PackInt8} {
			packed, err := pack(w, n, k)
			require.NoError(t, err)
			e := Epilogue{Bias: bias, Act: GELU}
			var x Exec
			all := make([]float32, m*n)
			x.MatMul(Out{C: all, LD: n}, a, m, k, packed, e)
			for _, threads := range threadCounts() {
				c := make([]float32, m*n)
				x.Begin(context.Background(), threads)
				x.MatMul(Out{C: c, LD: n}, a, m, k, packed, e)
				require.NoError(t, x.End())
				requireSame(t, all, c, "%d threads", threads)
			}
			for _, rows := range []int{1, 2, 3, 5, 7, 13, 15, 31} {
				from := r.IntN(m - rows)
				c := make([]float32, rows*n)
				x.MatMul(Out{C: c, LD: n}, a[from*k:], rows, k, packed, e)
				requireSame(t, all[from*n:][:rows*n], c, "%d rows alone", rows)
			}
		}
	})
}

// A gate is what it would be as a product by itself: in several blocks and chunks
// of rows, whatever the types, with any number of workers.
func TestMatMulGate(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(13, 14))
		const m, n, k = 200, 77, 512
		a := make([]float32, m*k)
		fill(r, a, 1)
		dtypes := []DType{F32, BF16, Q8_0, Q4_1, Q4_K, Q6_K}
		if testing.Short() {
			dtypes = []DType{F32, Q8_0, Q4_K}
		}
		for i, d := range dtypes {
			w, _ := packRandom(t, r, d, n, k)
			for _, gated := range []DType{d, dtypes[(i+1)%len(dtypes)]} {
				by, _ := packRandom(t, r, gated, n, k)
				var x Exec
				want, gate := make([]float32, m*n), make([]float32, m*n)
				x.MatMul(Out{C: want, LD: n}, a, m, k, w, Epilogue{})
				x.MatMul(Out{C: gate, LD: n}, a, m, k, by, Epilogue{Act: SiLU})
				Mul(want, want, gate)
				for _, threads := range threadCounts() {
					for _, rows := range []int{m, gateRows, 1} {
						got := make([]float32, m*n)
						x.Begin(context.Background(), threads)
						x.MatMul(Out{C: got, LD: n}, a, rows, k, w, Epilogue{Gate: Gate{W: by, Act: SiLU}})
						require.NoError(t, x.End())
						requireSame(t, want[:rows*n], got[:rows*n], "%v by %v, %d threads", d, gated, threads)
					}
				}
			}
		}
	})
}

// Every step is one fused multiply-add in every tier of assembly: the same bits.
func TestMatMulTiersAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	m, n, k := 21, 83, 700
	a, w := make([]float32, m*k), make([]float32, n*k)
	fill(r, a, 1)
	fill(r, w, 1)
	packed, err := Pack(w, n, k)
	require.NoError(t, err)
	var first []float32
	for _, set := range cpu.Available() {
		if set.Tier == cpu.Generic {
			continue
		}
		restore := cpu.Use(set)
		c := make([]float32, m*n)
		var x Exec
		x.MatMul(Out{C: c, LD: n}, a, m, k, packed, Epilogue{Act: GELUTanh})
		restore()
		if first == nil {
			first = c
		}
		require.Equal(t, first, c, "%v", set)
	}
}

func TestMatMulNonFinite(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		m, n, k := 16, 40, 24
		for _, pack := range []func([]float32, int, int) (*Matrix, error){Pack, PackInt8} {
			a, w := make([]float32, m*k), make([]float32, n*k)
			for i := range w {
				w[i] = float32(i%7) - 3
			}
			packed, err := pack(w, n, k)
			require.NoError(t, err)
			a[5*k+3] = float32(math.NaN())
			c := make([]float32, m*n)
			var x Exec
			x.MatMul(Out{C: c, LD: n}, a, m, k, packed, Epilogue{Act: ReLU})
			for i := range m {
				for j := range n {
					if got := c[i*n+j]; i == 5 {
						require.True(t, got != got, "row of the NaN: %v", got)
					} else if i != 5 {
						require.Zero(t, got, "row %d", i)
					}
				}
			}
		}
		// Infinite weights multiply zeros to NaN, as they should.
		w := make([]float32, n*k)
		w[0] = float32(math.Inf(1))
		packed, err := Pack(w, n, k)
		require.NoError(t, err)
		c := make([]float32, n)
		var x Exec
		x.MatMul(Out{C: c, LD: n}, make([]float32, k), 1, k, packed, Epilogue{})
		require.True(t, c[0] != c[0])
		require.Zero(t, c[1])
	})
}

func TestMatMulNoAllocations(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		var x Exec
		m, n, k := 40, 200, 512
		a, c := make([]float32, m*k), make([]float32, m*n)
		f32, err := Pack(make([]float32, n*k), n, k)
		require.NoError(t, err)
		i8, err := PackInt8(make([]float32, n*k), n, k)
		require.NoError(t, err)
		ln := make([]float32, n)
		x.Begin(context.Background(), 2)
		defer x.End()
		run := func() {
			x.MatMul(Out{C: c, LD: n}, a, m, k, f32, Epilogue{Act: SiLU})
			x.MatMul(Out{C: c, LD: n}, a, m, k, i8, Epilogue{Act: GELU})
			x.MatMul(Out{C: c, LD: n}, a, 1, k, i8, Epilogue{})
			x.LayerNorms(c, c, nil, m, n, ln, ln, 1e-5)
		}
		run()
		require.Zero(t, testing.AllocsPerRun(5, run))
	})
}

func TestMatMulChecks(t *testing.T) {
	w, err := Pack(make([]float32, 6*4), 6, 4)
	require.NoError(t, err)
	var x Exec
	ok := func() (Out, []float32, int, int, *Matrix, Epilogue) {
		return Out{C: make([]float32, 12), LD: 6}, make([]float32, 8), 2, 4, w, Epilogue{}
	}
	for name, spoil := range map[string]struct {
		want string
		f    func(out *Out, a *[]float32, m, lda *int, w **Matrix, e *Epilogue)
	}{
		"short A":     {errShort, func(_ *Out, a *[]float32, _, _ *int, _ **Matrix, _ *Epilogue) { *a = (*a)[:7] }},
		"short C":     {errShort, func(o *Out, _ *[]float32, _, _ *int, _ **Matrix, _ *Epilogue) { o.C = o.C[:11] }},
		"stride of A": {errStride, func(_ *Out, _ *[]float32, _, lda *int, _ **Matrix, _ *Epilogue) { *lda = 3 }},
		"stride of C": {errStride, func(o *Out, _ *[]float32, _, _ *int, _ **Matrix, _ *Epilogue) { o.LD = 5 }},
		"rows":        {errShape, func(_ *Out, _ *[]float32, m, _ *int, _ **Matrix, _ *Epilogue) { *m = -1 }},
		"bias":        {errLength, func(_ *Out, _ *[]float32, _, _ *int, _ **Matrix, e *Epilogue) { e.Bias = make([]float32, 5) }},
		"gate":        {errMatrix, func(_ *Out, _ *[]float32, _, _ *int, w **Matrix, e *Epilogue) { e.Gate.W = new(Matrix) }},
		"gate bias": {errLength, func(_ *Out, _ *[]float32, _, _ *int, w **Matrix, e *Epilogue) {
			e.Gate = Gate{W: *w, Bias: make([]float32, 1)}
		}},
		"gate act":     {errActivation, func(_ *Out, _ *[]float32, _, _ *int, w **Matrix, e *Epilogue) { e.Gate = Gate{W: *w, Act: 200} }},
		"residual":     {errStride, func(_ *Out, _ *[]float32, _, _ *int, _ **Matrix, e *Epilogue) { e.Residual = make([]float32, 12) }},
		"activation":   {errActivation, func(_ *Out, _ *[]float32, _, _ *int, _ **Matrix, e *Epilogue) { e.Act = 99 }},
		"matrix":       {errMatrix, func(_ *Out, _ *[]float32, _, _ *int, w **Matrix, _ *Epilogue) { *w = nil }},
		"freed matrix": {errMatrix, func(_ *Out, _ *[]float32, _, _ *int, w **Matrix, _ *Epilogue) { *w = &Matrix{} }},
	} {
		out, a, m, lda, w, e := ok()
		spoil.f(&out, &a, &m, &lda, &w, &e)
		require.PanicsWithValue(t, spoil.want, func() { x.MatMul(out, a, m, lda, w, e) }, name)
	}
	out, a, m, lda, w, e := ok()
	x.MatMul(out, a, m, lda, w, e)
	x.MatMul(Out{}, nil, 0, 0, w, e)
}

func TestMatMulCancelled(t *testing.T) {
	n, k, m := 512, 512, 512
	w, err := Pack(make([]float32, n*k), n, k)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var x Exec
	x.Begin(ctx, 0)
	x.MatMul(Out{C: make([]float32, m*n), LD: n}, make([]float32, m*k), m, k, w, Epilogue{})
	require.ErrorIs(t, x.End(), context.Canceled)
}

// Rows are normalised as alone, after something is added to them or not.
func TestNorms(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(15, 16))
		const n = 301
		w, b := make([]float32, n), make([]float32, n)
		fill(r, w, 1)
		fill(r, b, 1)
		var x Exec
		for name, norms := range map[string]struct {
			row  func(dst, src []float32)
			rows func(dst, src, more []float32, rows int)
		}{
			"rms": {
				func(dst, src []float32) { RMSNorm(dst, src, w, 1e-6) },
				func(dst, src, more []float32, rows int) { x.RMSNorms(dst, src, more, rows, n, w, 1e-6) },
			},
			"layer": {
				func(dst, src []float32) { LayerNorm(dst, src, w, b, 1e-6) },
				func(dst, src, more []float32, rows int) { x.LayerNorms(dst, src, more, rows, n, w, b, 1e-6) },
			},
		} {
			for _, rows := range []int{0, 1, 3, 400} {
				src, more, sum := make([]float32, rows*n), make([]float32, rows*n), make([]float32, rows*n)
				fill(r, src, 3)
				fill(r, more, 3)
				Add(sum, src, more)
				want, wantSum, got := make([]float32, rows*n), make([]float32, rows*n), make([]float32, rows*n)
				for i := range rows {
					norms.row(want[i*n:][:n], src[i*n:][:n])
					norms.row(wantSum[i*n:][:n], sum[i*n:][:n])
				}
				x.Begin(context.Background(), 2)
				norms.rows(got, src, nil, rows)
				require.Equal(t, want, got, name)
				norms.rows(more, src, more, rows)
				require.Equal(t, wantSum, more, "%s, in place of what is added", name)
				require.Equal(t, sum, src, name)
				norms.rows(src, src, nil, rows)
				require.NoError(t, x.End())
				require.Equal(t, wantSum, src, "%s, in place", name)
			}
		}
		short, whole := make([]float32, 5), make([]float32, n)
		require.PanicsWithValue(t, errShort, func() { x.RMSNorms(whole, whole, short, 1, n, w, 1) })
		require.PanicsWithValue(t, errShort, func() { x.LayerNorms(short, whole, nil, 1, n, w, b, 1) })
		require.PanicsWithValue(t, errLength, func() { x.RMSNorms(nil, nil, nil, 1, n, w[1:], 1) })
		require.PanicsWithValue(t, errLength, func() { x.LayerNorms(nil, nil, nil, 1, n, w, b[1:], 1) })
	})
}
