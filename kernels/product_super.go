package kernels

import "unsafe"

// superStretch is how many super-blocks of a panel pass by all rows before those
// after them: with them, and as many of a tile's rows, 20 to 28 KiB are in L1.
const superStretch = 4

// superStrip is blockStrip for K-quants.
func (p *product) superStrip(ws *workspace, panel int, codes, scales *uint8, size, g0, g1 int) {
	f, tiles := p.w.dtype.form(), &p.blocks.super[p.w.dtype]
	supers, super := p.w.k/superWeights, f.superBytes()
	s := superPanel{p: p, rows: tiles.rows, codes: codes, scales: scales, codeStep: super, scaleStep: super, bias: p.panelBias(ws, panel)}
	switch {
	case p.m == 1 && tiles.one != nil:
		s.one = tiles.one
	case tiles.wide:
		s.codes, s.codeStep = (*uint8)(unsafe.Pointer(unsafe.SliceData(ws.q))), superWeights*panelWidth
		for i := range supers {
			f.expandCodes((*uint8)(unsafe.Add(unsafe.Pointer(s.codes), i*s.codeStep)), (*uint8)(unsafe.Add(unsafe.Pointer(codes), i*super)), superLen)
		}
	}
	s.next = scales // where they are, a panel begins
	if panel+1 < panelsOf(p.w.n) {
		s.next, s.left = (*uint8)(unsafe.Add(unsafe.Pointer(scales), size)), size
	}
	offset, _, direct := p.place(panel, 1)
	if !direct {
		for g := g0; g < g1; g++ {
			from, to := p.group(g)
			s.run(from, to, 0, supers, supers, &ws.tile[0], 4*panelWidth)
			p.scatter(ws, panel, 1, from, to)
		}
		return
	}
	stretch := superStretch
	if g1-g0 == 1 {
		stretch = supers
	}
	for at := 0; at < supers; at += stretch {
		for g := g0; g < g1; g++ {
			from, to := p.group(g)
			s.run(from, to, at, min(stretch, supers-at), supers, &p.out.C[offset+(p.row+from)*p.out.LD], 4*p.out.LD)
		}
	}
}

// superPanel is what the tiles of a panel have in common.
type superPanel struct {
	p                   *product
	one                 superTile   // where it is not nil
	rows                []superTile // by rows
	codes, scales       *uint8
	codeStep, scaleStep int
	bias                *float32

	// The next panel is fetched meanwhile, a part by each tile.
	next *uint8
	left int // bytes
}

// run computes the tile of rows [from, to) of the block over n super-blocks from
// at on, of so many in all.
func (s *superPanel) run(from, to, at, n, supers int, c *float32, ldc int) {
	p := s.p
	first, bias := 0, (*float32)(nil)
	if at == 0 {
		first = 1
	}
	if at+n == supers {
		bias = s.bias
	}
	tile := s.one
	if tile == nil {
		tile = s.rows[to-from]
	}
	a := unsafe.Add(p.a, from*p.lda+at*superRecordBytes)
	tile(n, (*uint8)(a), p.lda, (*uint8)(unsafe.Add(unsafe.Pointer(s.codes), at*s.codeStep)),
		(*uint8)(unsafe.Add(unsafe.Pointer(s.scales), at*s.scaleStep)), c, ldc, first, bias, s.next)
	step := n * roundUp(s.scaleStep/8, cacheLine)
	if s.left -= step; s.left > 0 {
		s.next = (*uint8)(unsafe.Add(unsafe.Pointer(s.next), step))
	} else {
		s.next = s.scales // nothing is left to fetch
	}
}
