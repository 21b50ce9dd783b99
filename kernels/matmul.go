package kernels

// Out says where a product goes: element (i, j) of C [m, n] is
//
//	C[j/BlockCols*BlockStride + i*LD + j%BlockCols]
//
// BlockCols 0 means one block, which is plain row-major. With BlockCols the
// size of a head and BlockStride the size of all its rows, a product of several
// heads is stored head by head. Blocks whose columns are a multiple of 16 are
// written in place, others through a copy.
type Out struct {
	C           []float32
	LD          int
	BlockCols   int
	BlockStride int
}

// Epilogue is what follows a product: with Y = A·Wᵀ,
//
//	C[i][j] = act((Y[i][j] + Bias[j]) * Scale) * G[i][j] + Residual[i*LDR+j]
//
// where nil slices, a Scale of 0 and a Gate without weights leave their part out.
// Residual must not overlap C.
type Epilogue struct {
	Bias     []float32 // [n]
	Scale    float32
	Act      Activation
	Gate     Gate
	Residual []float32 // [m, n], rows LDR apart
	LDR      int
}

// Gate is a second product of the same A, by whose elements those of the first are
// multiplied (Shazeer 2020): with Y = A·Wᵀ,
//
//	G[i][j] = act(Y[i][j] + Bias[j])
//
// Where there are many rows, it is computed beside the first, some columns at a
// time, and stays in cache. W has the shape of the first's.
type Gate struct {
	W    *Matrix   // nil: no gate
	Bias []float32 // [n]
	Act  Activation
}

// MatMul sets C = A·Wᵀ and what e says, for A [m, k] with rows lda apart:
//
//	for i := range m {
//		for j := range w.N() {
//			y := 0
//			for kk := range w.K() {
//				y += a[i*lda+kk] * W[j][kk]
//			}
//			C[i][j] = y, see Epilogue and Out
//		}
//	}
//
// The sum is one chain in the order of k, fused where the processor does: the
// same bits for every m, any number of workers and any place of the row in A.
// With int8 weights each row of A is quantised to the 256 integers of its range
// and the sum of integers is exact, the same on every tier. With weights in blocks each 32
// elements of a row (K-quants: 256) are quantised to 8 bits with a scale of their own, and each
// operation of floats is rounded once, the same on every tier; F16 and BF16 give
// what their weights widened to float32 would. C must not overlap A. A NaN or an
// infinity in a row of A spreads to that row of C alone, with integers to all of
// it.
func (x *Exec) MatMul(out Out, a []float32, m, lda int, w *Matrix, e Epilogue) {
	checkMatMul(&out, a, m, lda, w, &e)
	if m == 0 {
		return
	}
	x.reserve()
	// Products of different types have different tiles, and with a few rows it is
	// weights that take the time, which are best read one after the other.
	apart := e.Gate.W != nil && (e.Gate.W.dtype != w.dtype || m < gateRows)
	if apart {
		x.gate = grow(x.gate, m*w.n)
		x.MatMul(Out{C: x.gate, LD: w.n}, a, m, lda, e.Gate.W, Epilogue{Bias: e.Gate.Bias, Act: e.Gate.Act})
	}
	p := &x.product
	p.x, p.out, p.w, p.e, p.gateApart = x, out, w, e, apart
	p.finish = e.Act != None || e.Gate.W != nil || e.Residual != nil || e.Scale != 0 && e.Scale != 1
	switch form := w.dtype.form(); {
	case form != nil:
		p.blocks = blockTiles()
		p.layout(m, lda, form.rowBytes(w.k))
	case w.dtype == Int8:
		p.int8 = int8Tiles()
		p.layout(m, lda, p.int8.form.size()*roundUp(w.k, 4))
	default:
		p.f32 = gemmTiles()
		p.floats = &floatsOf()[w.dtype]
		p.layout(m, lda, 4*w.k)
	}
	for row := 0; row < m; row += p.block {
		p.row = row
		p.m = min(p.block, m-row)
		p.operand(a[row*lda:], lda)
		p.plan()
		if w.dtype != F32 && w.dtype != Int8 {
			p.reserveWide()
		}
		p.reserveGates()
		x.each(p.chunks*p.ranges, p.cost, p)
	}
	*p = product{}
}

// gateRows is from how many rows on a gate is computed beside its product, not
// before it.
const gateRows = 8

func checkMatMul(out *Out, a []float32, m, lda int, w *Matrix, e *Epilogue) {
	if w == nil || w.n == 0 {
		panic(errMatrix)
	}
	if m < 0 || out.BlockCols < 0 {
		panic(errShape)
	}
	if e.Act >= numActivations {
		panic(errActivation)
	}
	if e.Bias != nil && len(e.Bias) != w.n {
		panic(errLength)
	}
	if g := &e.Gate; g.W != nil {
		switch {
		case g.W.n != w.n || g.W.k != w.k:
			panic(errMatrix)
		case g.Act >= numActivations:
			panic(errActivation)
		case g.Bias != nil && len(g.Bias) != w.n:
			panic(errLength)
		}
	}
	if m == 0 {
		return
	}
	checkRows(a, m, w.k, lda)
	if e.Residual != nil {
		checkRows(e.Residual, m, w.n, e.LDR)
	}
	if out.BlockCols == 0 || out.BlockCols >= w.n {
		out.BlockCols, out.BlockStride = w.n, 0
		checkRows(out.C, m, w.n, out.LD)
		return
	}
	if m > 1 && out.LD < out.BlockCols || out.BlockStride < 0 {
		panic(errStride)
	}
	blocks := (w.n - 1) / out.BlockCols
	last := w.n - blocks*out.BlockCols
	if len(out.C) < (m-1)*out.LD+max(blocks*out.BlockStride+last, (blocks-1)*out.BlockStride+out.BlockCols) {
		panic(errShort)
	}
}

// checkRows panics unless x holds m rows of n, ld apart.
func checkRows(x []float32, m, n, ld int) {
	if m > 1 && ld < n {
		panic(errStride)
	}
	if len(x) < (m-1)*ld+n {
		panic(errShort)
	}
}

// LayerNorms normalises rows of n, one after the other in x and dst, by
// [LayerNorm]. Unless more is nil, it is added to src before:
//
//	src[i] += more[i]
//	dst[i] = LayerNorm(src[i])
//
// dst may be src or more.
func (x *Exec) LayerNorms(dst, src, more []float32, rows, n int, weight, bias []float32, eps float32) {
	if bias != nil && len(bias) != n {
		panic(errLength)
	}
	x.normRows(norms{dst: dst, src: src, more: more, rows: rows, n: n, weight: weight, bias: bias, eps: eps})
}

// RMSNorms is LayerNorms by [RMSNorm].
func (x *Exec) RMSNorms(dst, src, more []float32, rows, n int, weight []float32, eps float32) {
	x.normRows(norms{dst: dst, src: src, more: more, rows: rows, n: n, weight: weight, eps: eps, rms: true})
}

func (x *Exec) normRows(of norms) {
	rows, n := of.rows, of.n
	if rows < 0 || n < 1 {
		panic(errShape)
	}
	if len(of.weight) != n {
		panic(errLength)
	}
	if len(of.dst) < rows*n || len(of.src) < rows*n || of.more != nil && len(of.more) < rows*n {
		panic(errShort)
	}
	const perItem = 16 << 10 // elements, some µs
	j := &x.norms
	*j = of
	j.step = max(1, perItem/n)
	x.each((rows+j.step-1)/j.step, float64(rows*n)*normCost, j)
	*j = norms{}
}

// normCost is about how many ns a norm takes for an element.
const normCost = 0.3

// norms is the work of LayerNorms and RMSNorms.
type norms struct {
	dst, src     []float32 // [rows, n]
	more         []float32 // [rows, n], or nil
	weight, bias []float32 // [n]
	eps          float32
	n, rows      int
	step         int // rows of an item
	rms          bool
}

func (j *norms) Run(_, item int) {
	for r := item * j.step; r < min((item+1)*j.step, j.rows); r++ {
		dst, src := j.dst[r*j.n:(r+1)*j.n], j.src[r*j.n:(r+1)*j.n]
		if j.more != nil {
			Add(src, src, j.more[r*j.n:(r+1)*j.n])
		}
		if j.rms {
			rmsNorm(dst, src, j.weight, j.eps)
		} else {
			layerNorm(dst, src, j.weight, j.bias, j.eps)
		}
	}
}
