package attnview

import (
	"context"

	"github.com/ladon-ml/ladon/kernels"
)

// rollout follows attention through the layers, with a residual connection of
// the same weight beside each: R₀ = I, Rₗ = (A+I)/2·Rₗ₋₁, A the mean of the
// layer's heads (Abnar and Zuidema 2020). It gives R of every layer, [n, n].
func rollout(ctx context.Context, means [][]float32, n int) ([][]float32, error) {
	before := make([]float32, n*n)
	for i := range n {
		before[i*n+i] = 1
	}
	half := make([]float32, n*n)
	var list [][]float32
	var x kernels.Exec
	for _, a := range means {
		for i, r := range before {
			half[i] = r / 2
		}
		// The product wants its right side transposed.
		w, err := kernels.PackRows(n, n, func(i int, dst []float32) error {
			for j := range dst {
				dst[j] = before[j*n+i]
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		after := make([]float32, n*n)
		x.Begin(ctx, 0)
		x.MatMul(kernels.Out{C: after, LD: n}, a, n, n, w, kernels.Epilogue{Scale: 0.5, Residual: half, LDR: n})
		if err := x.End(); err != nil {
			return nil, err
		}
		list = append(list, after)
		before = after
	}
	return list, nil
}
