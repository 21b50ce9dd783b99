package kernels

import "math/big"

// bigFloat computes with as many bits as it takes.
type bigFloat struct{}

func (*bigFloat) fma(x, y, z float32) float32 {
	exact := func(v float32) *big.Float { return new(big.Float).SetPrec(2000).SetFloat64(float64(v)) }
	p := exact(x)
	p.Mul(p, exact(y))
	p.Add(p, exact(z))
	f, _ := p.Float32()
	return f
}
