package kernels

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ladon-ml/ladon/internal/cpu"
)

// FuzzOperations gives every operation the same bytes as numbers, on every set
// of instructions, and holds the results against the contract.
func FuzzOperations(f *testing.F) {
	f.Add([]byte{0, 0, 128, 63, 0, 0, 128, 191}, uint8(3))
	f.Add(make([]byte, 300), uint8(0))
	var all []byte
	for _, x := range specials() {
		all = binary.LittleEndian.AppendUint32(all, math.Float32bits(x))
	}
	f.Add(all, uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, misalign uint8) {
		n := min(len(data)/4, 1<<10)
		if n == 0 {
			return
		}
		x := at[float32](n, int(misalign%16))
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		for _, set := range cpu.Tested() {
			restore := cpu.Use(set)
			for k := range operations {
				o := &operations[k]
				if o.whole && !tame(x) {
					continue // sums may overflow where float64 does not
				}
				in := make([][]float32, o.inputs)
				for i := range in {
					in[i] = x
				}
				dst := make([]float32, n)
				o.run(dst, in)
				o.check(t, dst, in)
			}
			restore()
		}
	})
}

// tame tells whether sums of squares of x are far from overflow and underflow.
func tame(x []float32) bool {
	for _, v := range x {
		if a := math.Abs(float64(v)); !(a < 1e6) || a != 0 && a < 1e-6 {
			return false
		}
	}
	return true
}

// FuzzMatMul multiplies small integers, which must come out exact, in shapes,
// strides and blocks of any kind.
func FuzzMatMul(f *testing.F) {
	f.Add(uint16(3), uint16(40), uint16(17), uint16(16), uint8(1), uint64(1))
	f.Add(uint16(1), uint16(64), uint16(384), uint16(0), uint8(0), uint64(2))
	f.Add(uint16(29), uint16(250), uint16(64), uint16(25), uint8(2), uint64(3))
	f.Fuzz(func(t *testing.T, rows, cols, depth, block uint16, gap uint8, seed uint64) {
		m, n, k := int(rows%70)+1, int(cols%300)+1, int(depth%600)+1
		r := rand.New(rand.NewPCG(seed, 0))
		lda := k + int(gap%5)
		a, w, bias := make([]float32, m*lda), make([]float32, n*k), make([]float32, n)
		integers(r, a)
		integers(r, w)
		integers(r, bias)
		packed, err := Pack(w, n, k)
		if err != nil {
			t.Fatal(err)
		}
		out := Out{LD: n + int(gap%3)}
		bc := n
		if b := int(block % 100); b > 0 && b < n {
			bc = b
			out = Out{LD: b + int(gap%3), BlockCols: b}
			out.BlockStride = m * out.LD
		}
		want, _ := product64(a, m, lda, w, n, k)
		for _, set := range cpu.Tested() {
			restore := cpu.Use(set)
			out.C = make([]float32, ((n-1)/bc+1)*m*out.LD)
			var x Exec
			x.MatMul(out, a, m, lda, packed, Epilogue{Bias: bias})
			restore()
			for i := range m {
				for j := range n {
					got := out.C[j/bc*out.BlockStride+i*out.LD+j%bc]
					if float64(got) != want[i*n+j]+float64(bias[j]) {
						t.Fatalf("%v: %d×%d×%d, %+v: C[%d][%d] is %v, want %v", set, m, n, k, Out{nil, out.LD, out.BlockCols, out.BlockStride}, i, j, got, want[i*n+j]+float64(bias[j]))
					}
				}
			}
		}
	})
}
