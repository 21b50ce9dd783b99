package kernels

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ladon-ml/ladon/internal/cpu"
)

var (
	blockTypes = []DType{Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K}
	halfTypes  = []DType{F16, BF16}
)

// randomRows are n rows of k weights as a file holds them: any codes, and scales
// of any sign up to spread, some zero and some denormal.
func randomRows(r *rand.Rand, d DType, n, k int, spread float64) [][]byte {
	elements, bytes := d.Block()
	half := func() uint16 {
		switch r.IntN(16) {
		case 0:
			return 0
		case 1:
			return uint16(r.IntN(1 << 10)) // denormal
		}
		return narrowF16(float32(r.NormFloat64() * spread))
	}
	rows := make([][]byte, n)
	for i := range rows {
		row := make([]byte, k/elements*bytes)
		for j := range row {
			row[j] = byte(r.Uint32())
		}
		for b := range k / elements {
			block := row[b*bytes : (b+1)*bytes]
			switch {
			case d == F32:
				binary.LittleEndian.PutUint32(block, math.Float32bits(float32(r.NormFloat64()*spread)))
			case d == F16:
				binary.LittleEndian.PutUint16(block, half())
			case d == BF16:
				binary.LittleEndian.PutUint16(block, uint16(math.Float32bits(float32(r.NormFloat64()*spread))>>16))
			case d == Q6_K:
				binary.LittleEndian.PutUint16(block[208:], half())
			default:
				binary.LittleEndian.PutUint16(block, half())
				if d.form().kind == kindMins {
					binary.LittleEndian.PutUint16(block[2:], half())
				}
			}
		}
		rows[i] = row
	}
	return rows
}

func packRandom(t testing.TB, r *rand.Rand, d DType, n, k int) (*Matrix, [][]byte) {
	rows := randomRows(r, d, n, k, 0.1)
	m, err := PackBlocks(d, n, k, func(i int, dst []byte) error { copy(dst, rows[i]); return nil })
	require.NoError(t, err)
	return m, rows
}

// The golden file holds blocks of random bytes and what the Python package gguf
// makes of them: testdata/make_blocks.py.
func TestDequantizeGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/blocks.golden")
	require.NoError(t, err)
	const n = 512
	for _, d := range append([]DType{F16, BF16}, blockTypes...) {
		elements, bytes := d.Block()
		src := data[:n/elements*bytes]
		data = data[len(src):]
		got := make([]float32, n)
		Dequantize(d, got, src)
		for i, v := range got {
			want := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			require.Equal(t, want, v, "%v, element %d", d, i)
		}
		data = data[4*n:]
	}
	require.Empty(t, data)
}

func TestPackBlocksKeepsWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for _, d := range append([]DType{F32, F16, BF16}, blockTypes...) {
		for _, n := range []int{1, 15, 16, 17, 40} {
			k := 512
			rows := randomRows(r, d, n, k, 0.1)
			next := 0
			m, err := PackBlocks(d, n, k, func(i int, dst []byte) error {
				require.Equal(t, next, i)
				next++
				copy(dst, rows[i])
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, d, m.DType())
			got, want := make([]float32, k), make([]float32, k)
			for i := range n {
				m.Row(got, i)
				Dequantize(d, want, rows[i])
				require.Equal(t, want, got, "%v, row %d of %d", d, i, n)
			}
			file := (n + 15) / 16 * 16 * len(rows[0])
			require.LessOrEqual(t, float64(m.Bytes()), 1.03*float64(file), "%v", d)
		}
	}
}

func TestPackBlocksRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	for _, d := range append(halfTypes, blockTypes...) {
		elements, bytes := d.Block()
		const n, k = 3, 512
		rows := randomRows(r, d, n, k, 0.1)
		pack := func() error {
			_, err := PackBlocks(d, n, k, func(i int, dst []byte) error { copy(dst, rows[i]); return nil })
			return err
		}
		require.NoError(t, pack())
		at := []int{0}
		if d == Q6_K {
			at[0] = 208
		} else if f := d.form(); f != nil && f.kind == kindMins {
			at = append(at, 2)
		}
		for _, o := range at {
			for _, spoil := range []uint16{0x7fff, 0xffff} {
				block := rows[2][k/elements/2*bytes+o:]
				old := binary.LittleEndian.Uint16(block)
				binary.LittleEndian.PutUint16(block, spoil)
				err := pack()
				require.ErrorIs(t, err, ErrWeights, "%v", d)
				require.ErrorContains(t, err, "row 2")
				binary.LittleEndian.PutUint16(block, old)
			}
		}
		if d.form() != nil {
			_, err := PackBlocks(d, n, k+1, nil)
			require.ErrorIs(t, err, ErrWeights)
			rows[1][at[0]], rows[1][at[0]+1] = 0, 0x7c // Inf
			require.ErrorIs(t, pack(), ErrWeights)
		} else {
			rows[1][1] = 0x7f
			rows[1][0] = 0x80
			if d == F16 {
				rows[1][1], rows[1][0] = 0x7c, 0
			}
			require.NoError(t, pack(), "infinities are weights in %v", d)
		}
		require.PanicsWithValue(t, errLength, func() { Dequantize(d, make([]float32, k), rows[0][1:]) })
	}
	require.PanicsWithValue(t, errDType, func() { _, _ = PackBlocks(Int8, 1, 32, nil) })
	require.PanicsWithValue(t, errDType, func() { _, _ = PackBlocks(99, 1, 32, nil) })
}

// record64 is a row of activations as blocks of n see it, and the sizes of their
// steps.
func record64(x []float32, n int) (out, steps []float64) {
	out = make([]float64, len(x))
	for b := 0; b < len(x); b += n {
		m := float32(0)
		for _, v := range x[b : b+n] {
			m = max(m, float32(math.Abs(float64(v))))
		}
		if m < quantizeMin {
			steps = append(steps, 0)
			continue
		}
		scale, inv := float32(m*(1.0/127)), 127/m
		for i, v := range x[b : b+n] {
			out[b+i] = math.RoundToEven(float64(float32(v*inv))) * float64(scale)
		}
		steps = append(steps, float64(scale))
	}
	return out, steps
}

// shifted is what the product of a row of K-quants with activations of such steps
// can lose where sums of integers are shifted: at most 1 in each (Q5_K: 2).
func shifted(c column, steps []float64) float64 {
	if !c.f.super {
		return 0
	}
	lost := 0.0
	for b := range superLen * len(steps) {
		v := c.values(b)
		most := math.Abs(float64(v[0]))
		if c.f.kind == kindHalves {
			most += math.Abs(float64(v[1]))
		}
		lost += most * steps[b/superLen] * float64(c.f.sumShift())
	}
	return lost
}

// blockShapes reach every height of a tile, one panel and several, whole and
// cut.
var blockShapes = [][3]int{{1, 16, 256}, {1, 70, 768}, {2, 33, 256}, {3, 16, 512}, {4, 40, 256}, {5, 20, 256}, {6, 1, 256}, {7, 17, 256}, {8, 48, 256}, {9, 31, 256}, {10, 16, 256}, {11, 18, 256}, {12, 16, 512}, {13, 16, 256}, {14, 30, 256}, {15, 16, 256}, {16, 35, 256}, {17, 16, 256}, {29, 50, 512}, {130, 96, 256}}

// Products are those of the weights and the rounded activations, and the same
// bits on every set.
func TestMatMulBlocks(t *testing.T) {
	golden := map[string][]float32{}
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(25, 26))
		var x Exec
		for _, d := range blockTypes {
			for _, s := range blockShapes {
				m, n, k := s[0], s[1], s[2]
				if elements, _ := d.Block(); elements == 32 {
					k += 32 * r.IntN(3)
				}
				w, _ := packRandom(t, r, d, n, k)
				lda, ldc := k+r.IntN(3), n+r.IntN(3)
				a, c, bias := at[float32](m*lda, r.IntN(16)), at[float32](m*ldc, r.IntN(16)), make([]float32, n)
				fill(r, a, 1)
				fill(r, bias, 1)
				step, _ := d.Block()
				clear(a[:min(step, k)]) // a block of zeros
				poison(c)
				x.MatMul(Out{C: c, LD: ldc}, a, m, lda, w, Epilogue{Bias: bias})
				rounded, steps := make([][]float64, m), make([][]float64, m)
				for i := range m {
					rounded[i], steps[i] = record64(a[i*lda:i*lda+k], step)
				}
				row := make([]float32, k)
				for j := range n {
					w.Row(row, j)
					for i := range m {
						want, size := float64(bias[j]), math.Abs(float64(bias[j]))
						for kk, v := range rounded[i] {
							want += v * float64(row[kk])
							size += math.Abs(v) * (math.Abs(float64(row[kk])) + 0.1*128)
						}
						if got := float64(c[i*ldc+j]); !(math.Abs(got-want) <= size*1e-6+shifted(w.column(j), steps[i])) {
							t.Fatalf("%v %v: C[%d][%d] is %v, want %v", d, s, i, j, got, want)
						}
					}
				}
				var flat []float32
				for i := range m {
					flat = append(flat, c[i*ldc:i*ldc+n]...)
				}
				key := d.String() + string(rune(m)) + string(rune(n))
				if want, ok := golden[key]; ok {
					requireSame(t, want, flat, "%v %v", d, s)
				}
				golden[key] = flat
			}
		}
	})
}

// The widest sums that codes can make, with the largest scales.
func TestMatMulBlocksExtremes(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		var x Exec
		for _, d := range blockTypes {
			const n, k = 17, 512
			for _, code := range []byte{0, 0x7f, 0x80, 0x81, 0xff} {
				elements, bytes := d.Block()
				row := make([]byte, k/elements*bytes)
				for i := range row {
					row[i] = code
				}
				for b := range k / elements {
					for _, o := range []int{0, 2, 208} {
						if o == 208 == (d == Q6_K) && (o != 2 || d.form().kind == kindMins) {
							binary.LittleEndian.PutUint16(row[b*bytes+o:], 0x3c00) // 1
						}
					}
				}
				w, err := PackBlocks(d, n, k, func(_ int, dst []byte) error { copy(dst, row); return nil })
				require.NoError(t, err)
				weights := make([]float32, k)
				w.Row(weights, n-1)
				for _, m := range []int{1, 3, 20} {
					a, c := make([]float32, m*k), make([]float32, m*n)
					for i := range a {
						a[i] = 127
						if i/k%2 == 1 {
							a[i] = -127
						}
					}
					x.MatMul(Out{C: c, LD: n}, a, m, k, w, Epilogue{})
					for i := range m {
						want := 0.0
						for kk, v := range weights {
							want += float64(v) * float64(a[i*k+kk])
						}
						for _, got := range c[i*n : (i+1)*n] {
							require.InEpsilon(t, want+1e9, float64(got)+1e9, 1e-6, "%v, codes %#x, m %d", d, code, m)
						}
					}
				}
			}
		}
	})
}

// 16-bit floats are what their weights in float32 are, to the bit.
func TestMatMulHalves(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(27, 28))
		var x Exec
		for _, d := range halfTypes {
			for _, s := range [][3]int{{1, 16, 7}, {1, 70, 33}, {1, 128, 40}, {1, 300, 1}, {1, 5, 513}, {2, 33, 16}, {5, 64, 100}, {15, 100, 31}, {40, 47, 64}} {
				m, n, k := s[0], s[1], s[2]
				half, rows := packRandom(t, r, d, n, k)
				full, err := PackRows(n, k, func(i int, dst []float32) error { Dequantize(d, dst, rows[i]); return nil })
				require.NoError(t, err)
				a, bias := at[float32](m*k, r.IntN(16)), make([]float32, n)
				fill(r, a, 1)
				fill(r, bias, 1)
				got, want := make([]float32, m*n), make([]float32, m*n)
				x.MatMul(Out{C: got, LD: n}, a, m, k, half, Epilogue{Bias: bias})
				x.MatMul(Out{C: want, LD: n}, a, m, k, full, Epilogue{Bias: bias})
				require.Equal(t, want, got, "%v %v", d, s)
			}
		}
	})
}

func TestMatMulBlocksSameBits(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ cpu.Set) {
		r := rand.New(rand.NewPCG(29, 30))
		for _, d := range append(halfTypes, blockTypes...) {
			n, k, m := 200, 512, 90
			w, _ := packRandom(t, r, d, n, k)
			a := make([]float32, m*k)
			fill(r, a, 1)
			var x Exec
			all := make([]float32, m*n)
			e := Epilogue{Act: SiLU}
			x.MatMul(Out{C: all, LD: n}, a, m, k, w, e)
			for _, threads := range threadCounts() {
				c := make([]float32, m*n)
				x.Begin(context.Background(), threads)
				x.MatMul(Out{C: c, LD: n}, a, m, k, w, e)
				require.NoError(t, x.End())
				requireSame(t, all, c, "%v, %d threads", d, threads)
			}
			for _, rows := range []int{1, 2, 7, 17} {
				from := r.IntN(m - rows)
				c := make([]float32, rows*n)
				x.MatMul(Out{C: c, LD: n}, a[from*k:], rows, k, w, e)
				requireSame(t, all[from*n:][:rows*n], c, "%v, %d rows alone", d, rows)
			}
			// Heads apart, through scratch and in place.
			for _, cols := range []int{16, 20, 64} {
				for _, rows := range []int{1, 3} {
					out := Out{LD: cols, BlockCols: cols, BlockStride: rows * cols}
					out.C = make([]float32, ((n-1)/cols+1)*rows*cols)
					x.MatMul(out, a, rows, k, w, e)
					for i := range rows {
						for j := range n {
							if got := out.C[j/cols*out.BlockStride+i*cols+j%cols]; got != all[i*n+j] {
								t.Fatalf("%v, heads of %d: C[%d][%d] is %v, want %v", d, cols, i, j, got, all[i*n+j])
							}
						}
					}
				}
			}
			for _, spoil := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
				b := append([]float32(nil), a[:5*k]...)
				b[2*k+40] = spoil
				c := make([]float32, 5*n)
				x.MatMul(Out{C: c, LD: n}, b, 5, k, w, Epilogue{})
				for i := range 5 {
					for j, v := range c[i*n : (i+1)*n] {
						if (d.form() != nil || spoil != spoil) && (i == 2) != (v != v) {
							t.Fatalf("%v: C[%d][%d] is %v", d, i, j, v)
						}
					}
				}
			}
			run := func() {
				x.MatMul(Out{C: all, LD: n}, a, m, k, w, e)
				x.MatMul(Out{C: all, LD: n}, a, 1, k, w, e)
			}
			run()
			require.Zero(t, testing.AllocsPerRun(3, run), "%v", d)
		}
	})
}

// fma rounds once: sums that need more than float64 holds, ties, and what is
// beyond either end.
func TestFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	check := func(x, y, z float32) {
		t.Helper()
		exact := new(bigFloat).fma(x, y, z)
		if got := fma(x, y, z); got != exact && (got == got || exact == exact) {
			t.Fatalf("fma(%v, %v, %v) is %v, want %v", x, y, z, got, exact)
		}
	}
	rounds := 200000
	if testing.Short() {
		rounds /= 5
	}
	for range rounds {
		x := math.Float32frombits(r.Uint32()&0x807fffff | uint32(64+r.IntN(127))<<23)
		y := math.Float32frombits(r.Uint32()&0x807fffff | uint32(64+r.IntN(127))<<23)
		z := math.Float32frombits(r.Uint32()&0x80ffffff | uint32(1+r.IntN(253))<<23)
		check(x, y, z)
		check(float32(1+r.IntN(1<<12)), float32(1+r.IntN(1<<12)), float32(r.IntN(1<<24))*0x1p-30)
		check(x, y, -float32(float64(x)*float64(y)))
	}
	// Half way between two float32, and a bit beyond what float64 keeps.
	check(1+0x1p-12, 1+0x1p-12, 0x1p-60)
	check(0x1p12+1, 0x1p12+1, -0x1p-60)
	check(0, 0, 0)
	check(math.MaxFloat32, 2, -math.MaxFloat32)
}

// Parts that are packed at the same time make the matrix that one pass makes.
func TestPackerInParts(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const n, k = 75, 512
	for _, d := range append([]DType{F32, F16, BF16}, blockTypes...) {
		rows := randomRows(r, d, n, k, 0.1)
		row := func(i int, dst []byte) error { copy(dst, rows[i]); return nil }
		whole, err := PackBlocks(d, n, k, row)
		require.NoError(t, err)
		p, err := NewPacker(heap{}, d, n, k)
		require.NoError(t, err)
		parts := make(chan error)
		bounds := []int{0, 16, 48, n}
		for i := range len(bounds) - 1 {
			go func() { parts <- p.Pack(bounds[i], bounds[i+1], row) }()
		}
		for range len(bounds) - 1 {
			require.NoError(t, <-parts)
		}
		require.Equal(t, whole, p.Matrix(), d)
		require.Panics(t, func() { p.Pack(8, 16, row) })
	}
}
