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

// at is the index in C of column j of row 0.
func (p *product) at(j int) int {
	bc := p.out.BlockCols
	return j/bc*p.out.BlockStride + j%bc
}

// segment is row i of C from column j up to end or the end of j's block.
func (p *product) segment(i, j, end int) []float32 {
	bc := p.out.BlockCols
	n := min(end, (j/bc+1)*bc) - j
	o := p.at(j) + i*p.out.LD
	return p.out.C[o : o+n : o+n]
}

// finishRows applies what follows the bias to rows [from, to) of C, columns j to
// end, while they are in cache.
func (p *product) finishRows(from, to, j, end int) {
	e := &p.e
	for j < end {
		n := len(p.segment(from, j, end))
		if e.Scale != 0 && e.Scale != 1 {
			for i := from; i < to; i++ {
				c := p.segment(i, j, end)
				scale(c, c, e.Scale)
			}
		}
		if e.Act != None {
			activate(e.Act, p.out.C[p.at(j)+from*p.out.LD:], to-from, n, p.out.LD)
		}
		if e.Gate != nil {
			mulStrip(p.out.C[p.at(j)+from*p.out.LD:], p.out.LD, e.Gate[from*e.LDG+j:], e.LDG, to-from, n)
		}
		if e.Residual != nil {
			addStrip(p.out.C[p.at(j)+from*p.out.LD:], p.out.LD, e.Residual[from*e.LDR+j:], e.LDR, to-from, n)
		}
		j += n
	}
}
