package kernels

import "unsafe"

// A single row reads weights as they are packed, panel after panel: from memory
// nothing is faster.

// floatRow is the product of one row with so many panels [k][16] of float32, or of
// 16-bit floats that stand for it, one after the other:
//
//	for p := range panels {
//		for j := range 16 {
//			acc := 0
//			for kk := range k {
//				acc = fma(a[kk], B[p][kk][j], acc)
//			}
//			C[p][j] = acc + bias[16*p+j] // if bias is not nil
//		}
//	}
//
// The outputs of panels are cstep bytes apart.
type floatRow func(k int, a *float32, packed *uint8, panels int, c *float32, cstep int, bias *float32)

// floatRows are those of one set of instructions; nil where tiles are no slower.
type floatRows [numDTypes]floatRow

var rowsGeneric floatRows

// rowStrip computes the next panels, at most left of them, for the one row of
// the block, and returns how many it has done.
func (p *product) rowStrip(ws *workspace, panel, left int) int {
	at := panel * panelWidth * p.w.k
	var packed *uint8
	if p.w.dtype == F32 {
		packed = (*uint8)(unsafe.Pointer(&p.w.f32[at]))
	} else {
		packed = (*uint8)(unsafe.Pointer(&p.w.i8[2*at]))
	}
	np, c, cstep := p.rowOut(ws, panel, left)
	p.row1(p.w.k, (*float32)(p.a), packed, np, c, cstep, p.panelBias(ws, panel))
	p.rowDone(ws, panel, c)
	return np
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
