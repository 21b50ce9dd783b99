package kernels

// place is where np panels go in C: the offset of the first in row 0, and the
// bytes from one to the next. ok is false unless all of their columns exist and
// lie in C as a tile stores them.
func (p *product) place(panel, np int) (offset, cstep int, ok bool) {
	j := panel * panelWidth
	bc := p.out.BlockCols
	if j+np*panelWidth > p.w.n {
		return 0, 0, false
	}
	offset = p.at(j)
	if bc == p.w.n {
		return offset, 4 * panelWidth, true
	}
	if bc%panelWidth != 0 {
		return 0, 0, false
	}
	if np == 1 {
		return offset, 0, true
	}
	step := p.at(j+panelWidth) - offset
	for i := 2; i < np; i++ {
		if p.at(j+i*panelWidth)-offset != i*step {
			return 0, 0, false
		}
	}
	return offset, 4 * step, true
}

// placeRun is how many of the next panels, at most left, place allows for at
// once: 0 if not even the first, which then goes through scratch.
func (p *product) placeRun(panel, left int) (np, offset, cstep int) {
	offset, cstep, ok := p.place(panel, 1)
	if !ok {
		return 0, 0, 0
	}
	np = min(left, p.w.n/panelWidth-panel)
	if cstep > 0 || np == 1 { // one block
		return np, offset, cstep
	}
	step := p.at((panel+1)*panelWidth) - offset
	for i := 2; i < np; i++ {
		if p.at((panel+i)*panelWidth)-offset != i*step {
			np = i
		}
	}
	return np, offset, 4 * step
}

// at is the index in C of column j of row 0.
func (p *product) at(j int) int {
	bc := p.out.BlockCols
	j -= p.column
	return j/bc*p.out.BlockStride + j%bc
}

// segment is row i of C from column j up to end or the end of j's block.
func (p *product) segment(i, j, end int) []float32 {
	bc := p.out.BlockCols
	n := min(end, (j/bc+1)*bc) - j
	o := p.at(j) + i*p.out.LD
	return p.out.C[o : o+n : o+n]
}

// openGate sets ws.gate to what the gate is for panels [first, end) and the row
// groups [g0, g1): computed here, into the worker's scratch, unless it was before.
func (p *product) openGate(ws *workspace, first, end, g0, g1 int) {
	g, e := &ws.gate, &p.e.Gate
	*g = *p // with the same rows and tiles
	if p.gateApart {
		g.out = Out{C: p.x.gate, LD: p.w.n, BlockCols: p.w.n}
		return
	}
	from, to := p.rows(g0, g1)
	g.w, g.e, g.finish = e.W, Epilogue{Bias: e.Bias, Act: e.Act}, false
	g.out = Out{C: ws.gates, LD: p.perRange * panelWidth, BlockCols: p.w.n}
	g.row, g.column = -from, first*panelWidth
	g.panels(ws, first, end, g0, g1)
	g.finishRows(ws, from, to, g.column, min(end*panelWidth, p.w.n))
}

// reserveGates makes the scratch that gates take.
func (p *product) reserveGates() {
	if !p.gated() {
		return
	}
	rows := p.itemRows()
	for i := range p.x.workers {
		ws := &p.x.workers[i]
		ws.gates = grow(ws.gates, rows*p.perRange*panelWidth)
	}
}

// finishRows applies what follows the bias to rows [from, to) of the block, columns
// j to end, while they are in cache. A gate is ws.gate.
func (p *product) finishRows(ws *workspace, from, to, j, end int) {
	e := &p.e
	for j < end {
		n := len(p.segment(p.row+from, j, end))
		c := p.out.C[p.at(j)+(p.row+from)*p.out.LD:]
		if e.Scale != 0 && e.Scale != 1 {
			for i := from; i < to; i++ {
				c := p.segment(p.row+i, j, end)
				scale(c, c, e.Scale)
			}
		}
		if e.Act != None {
			activate(e.Act, c, to-from, n, p.out.LD)
		}
		if e.Gate.W != nil {
			g := &ws.gate
			mulStrip(c, p.out.LD, g.out.C[g.at(j)+(g.row+from)*g.out.LD:], g.out.LD, to-from, n)
		}
		if e.Residual != nil {
			addStrip(c, p.out.LD, e.Residual[(p.row+from)*e.LDR+j:], e.LDR, to-from, n)
		}
		j += n
	}
}
