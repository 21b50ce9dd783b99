package kernels

import "unsafe"

// A single row reads weights as they are packed, panel after panel: from memory
// nothing is faster.

// floatRow is the product of one row with so many panels [k][16] of float32, or
// pairs of them [k][32] of 16-bit floats that stand for it, one after the other:
//
//	for p := range panels {
//		for j := range 16 { // 32
//			acc := 0
//			for kk := range k {
//				acc = fma(a[kk], B[p][kk][j], acc)
//			}
//			C[p][j] = acc + bias[16*p+j] // if bias is not nil
//		}
//	}
//
// Every 16 outputs are cstep bytes after those before.
type floatRow func(k int, a *float32, packed *uint8, panels int, c *float32, cstep int, bias *float32)

// halfOne is the same for one panel of 16-bit floats, elements step bytes apart.
type halfOne func(k int, a *float32, packed *uint8, step int, c, bias *float32)

// widenPanel widens such a panel to [k][16].
type widenPanel func(dst *float32, packed *uint8, step, k int)

// floatKernels are those of one format and set of instructions.
type floatKernels struct {
	row   floatRow // nil where tiles are no slower
	one   halfOne
	widen widenPanel
}

var floatsGeneric = [numDTypes]floatKernels{F16: {widen: widenF16Generic}, BF16: {widen: widenBF16Generic}}

func widenF16Generic(dst *float32, packed *uint8, step, k int) {
	widenGeneric(F16, dst, packed, step, k)
}

func widenBF16Generic(dst *float32, packed *uint8, step, k int) {
	widenGeneric(BF16, dst, packed, step, k)
}

func widenGeneric(d DType, dst *float32, packed *uint8, step, k int) {
	for kk := range k {
		src := (*[panelWidth]uint16)(unsafe.Add(unsafe.Pointer(packed), kk*step))
		out := (*[panelWidth]float32)(unsafe.Add(unsafe.Pointer(dst), 4*panelWidth*kk))
		for j, h := range src {
			out[j] = widenHalf(d, h)
		}
	}
}

// rowStrip computes the next panels, at most left of them, for the one row of
// the block, and returns how many it has done.
func (p *product) rowStrip(ws *workspace, panel, left int) int {
	np, c, cstep := p.rowOut(ws, panel, left)
	a, bias := (*float32)(p.a), p.panelBias(ws, panel)
	switch {
	case p.w.dtype == F32:
		p.floats.row(p.w.k, a, (*uint8)(unsafe.Pointer(&p.w.f32[panel*panelWidth*p.w.k])), np, c, cstep, bias)
	case (panel+p.w.odd)%2 == 0 && np > 1:
		np &^= 1
		packed, _ := p.w.halfBytes(panel)
		p.floats.row(p.w.k, a, packed, np/2, c, cstep, bias)
	default:
		np = 1
		packed, step := p.w.halfBytes(panel)
		p.floats.one(p.w.k, a, packed, step, c, bias)
	}
	p.rowDone(ws, panel, c)
	return np
}

// halfBytes is halfPanel in bytes.
func (m *Matrix) halfBytes(panel int) (packed *uint8, step int) {
	at, step := m.halfPanel(panel)
	return (*uint8)(unsafe.Pointer(&m.i8[2*at])), 2 * step
}

// widen sets the worker's scratch to np panels of 16-bit floats as float32.
func (p *product) widen(ws *workspace, panel, np int) *float32 {
	for i := range np {
		packed, step := p.w.halfBytes(panel + i)
		p.floats.widen(&ws.scales[i*panelWidth*p.w.k], packed, step, p.w.k)
	}
	return &ws.scales[0]
}

// blockRow is rowStrip for weights in blocks.
func (p *product) blockRow(ws *workspace, row blockRow, panel, left int, packed *uint8) int {
	np, c, cstep := p.rowOut(ws, panel, left)
	elements, _ := p.w.dtype.Block()
	row(p.w.k/elements, (*uint8)(p.a), packed, np, c, cstep, p.panelBias(ws, panel))
	p.rowDone(ws, panel, c)
	return np
}

// rowOut is where the outputs of the next panels go: as many of them as lie evenly
// in C, cstep bytes apart, or one in scratch.
func (p *product) rowOut(ws *workspace, panel, left int) (np int, c *float32, cstep int) {
	np, offset, cstep := p.placeRun(panel, left)
	if np == 0 {
		return 1, &ws.tile[0], 0
	}
	return np, &p.out.C[offset+p.row*p.out.LD], cstep
}

// rowDone copies what rowOut has sent to scratch to where it belongs.
func (p *product) rowDone(ws *workspace, panel int, c *float32) {
	if c == &ws.tile[0] {
		p.scatter(ws.tile[:], panel, 1, 0, 1)
	}
}
