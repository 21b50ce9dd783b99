package kernels

import "unsafe"

// Products of weights in blocks and of 16-bit floats. Several rows share the
// work of expanding a panel to bytes and float32, in scratch that stays in
// cache; a single row reads the panel as it is packed.

// blockStrip computes the next panels, at most left of them, for the row groups
// [g0, g1), and returns how many it has done.
func (p *product) blockStrip(ws *workspace, panel, left, g0, g1 int) int {
	f := p.w.dtype.form()
	blocks := p.w.k / blockLen
	size := f.panelBytes(blocks)
	packed := (*uint8)(unsafe.Pointer(&p.w.i8[panel*size]))
	if row := p.blocks.rows[p.w.dtype]; p.m == 1 && row != nil {
		return p.blockRow(ws, row, panel, left, packed)
	}
	if f.super {
		p.superStrip(ws, panel, packed, size, g0, g1)
		return 1
	}
	bias := p.panelBias(ws, panel)
	offset, _, direct := p.place(panel, 1)
	codes := (*uint8)(unsafe.Pointer(unsafe.SliceData(ws.q)))
	p.blocks.expand[p.w.dtype](codes, &ws.scales[0], packed, blocks)
	// The next panel is fetched meanwhile, a part by each tile. What is left over is
	// its beginning, up to where the processor has read ahead.
	next, step, turns := packed, 0, 0
	if panel+1 < panelsOf(p.w.n) {
		step = cacheLine * blocks
		turns = min(size/step, g1-g0)
		next = (*uint8)(unsafe.Add(unsafe.Pointer(packed), 2*size-turns*step))
	}
	for g := g0; g < g1; g++ {
		from, to := p.group(g)
		c, ldc := &ws.tile[0], 4*panelWidth
		if direct {
			c, ldc = &p.out.C[offset+(p.row+from)*p.out.LD], 4*p.out.LD
		}
		a := (*uint8)(unsafe.Add(p.a, from*p.lda))
		p.blocks.tiles[f.kind][to-from](blocks, a, p.lda, codes, &ws.scales[0], c, ldc, bias, next)
		if turns > 0 {
			next = (*uint8)(unsafe.Add(unsafe.Pointer(next), step))
			turns--
		}
		if !direct {
			p.scatter(ws.tile[:], panel, 1, from, to)
		}
	}
	return 1
}

// panelBias is the bias from a panel's columns on, at least 16 of them, nil if
// there is none.
func (p *product) panelBias(ws *workspace, panel int) *float32 {
	if p.e.Bias == nil {
		return nil
	}
	b := p.e.Bias[panel*panelWidth:]
	if len(b) < panelWidth {
		clear(ws.bias[copy(ws.bias[:panelWidth], b):panelWidth])
		b = ws.bias[:]
	}
	return &b[0]
}

// expandCodes turns the codes of so many blocks into bytes.
func (f *blockForm) expandCodes(dst, codes *uint8, blocks int) {
	switch f.bits {
	case 4:
		expand4(dst, codes, blocks)
	case 5:
		expand5(dst, codes, blocks)
	case 6:
		expand6(dst, codes, blocks)
	}
}

// reserveWide makes the scratch that expanding panels takes.
func (p *product) reserveWide() {
	k := p.w.k
	codes, floats, sums := 0, 0, 0
	switch f := p.w.dtype.form(); {
	case f == nil && p.m == 1 && p.floats.row != nil:
		return
	case f == nil:
		floats = p.np * panelWidth * k
	case p.m == 1 && p.blocks.rows[p.w.dtype] != nil:
		return
	case f.super:
		codes, sums = min(k, superStretch*superWeights)*panelWidth, p.itemRows()*panelWidth
	default:
		codes, floats = k*panelWidth, k/blockLen*f.kind.values()*panelWidth
	}
	for i := range p.x.workers {
		ws := &p.x.workers[i]
		ws.q = grow(ws.q, codes)
		ws.scales = grow(ws.scales, floats)
		ws.sums = grow(ws.sums, sums)
	}
}
