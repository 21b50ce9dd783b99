package kernels

import "unsafe"

// superStretch is how many super-blocks of a panel pass by all rows before those
// after them: with them, and as many of a tile's rows, 20 to 28 KiB are in L1.
const superStretch = 4

// superStrip is blockStrip for K-quants.
func (p *product) superStrip(ws *workspace, panel int, packed *uint8, size, g0, g1 int) {
	tiles := &p.blocks.super[p.w.dtype]
	from, to := p.rows(g0, g1)
	s := superPanel{p: p, ws: ws, from: from, packed: packed, bytes: p.w.dtype.form().superBytes(), bias: p.panelBias(ws, panel), next: packed}
	if panel+1 < panelsOf(p.w.n) {
		s.next, s.left = (*uint8)(unsafe.Add(unsafe.Pointer(packed), size)), size
	}
	out, ldc := &ws.sums[0], 4*panelWidth
	offset, _, direct := p.place(panel, 1)
	if direct {
		out, ldc = &p.out.C[offset+(p.row+from)*p.out.LD], 4*p.out.LD
	}
	supers, stretch := p.w.k/superWeights, superStretch
	once := g1-g0 == 1 && to-from < len(tiles.packed)
	if once {
		stretch = supers
	}
	for at := 0; at < supers; at += stretch {
		s.at, s.n = at, min(stretch, supers-at)
		if at+s.n == supers {
			s.out, s.ldc = out, ldc
		}
		switch {
		case once || len(tiles.wide) == 0:
			s.run(tiles.packed, g0, g1)
		case len(tiles.keep) == 0:
			s.expand()
			s.run(tiles.wide, g0, g1)
		default:
			s.run(tiles.keep, g0, g0+1)
			s.run(tiles.wide, g0+1, g1)
		}
	}
	if !direct {
		p.scatter(ws.sums, panel, 1, from, to)
	}
}

// superPanel is what the tiles of a panel have in common.
type superPanel struct {
	p      *product
	ws     *workspace
	from   int // the first row
	packed *uint8
	bytes  int // of a super-block
	bias   *float32

	at, n int      // the super-blocks in hand
	out   *float32 // where row from goes after the last of them
	ldc   int      // bytes

	// The next panel is fetched meanwhile, a part by each tile.
	next *uint8
	left int // bytes
}

// expand sets the worker's scratch to the codes in hand.
func (s *superPanel) expand() {
	f := s.p.w.dtype.form()
	dst, src := unsafe.Pointer(unsafe.SliceData(s.ws.q)), unsafe.Add(unsafe.Pointer(s.packed), f.superHead())
	for i := range s.n {
		f.expandCodes((*uint8)(unsafe.Add(dst, i*superWeights*panelWidth)), (*uint8)(unsafe.Add(src, (s.at+i)*s.bytes)), superLen)
	}
}

// run computes the tiles of the row groups [g0, g1).
func (s *superPanel) run(tiles []superTile, g0, g1 int) {
	p := s.p
	first := 0
	if s.at == 0 {
		first = 1
	}
	for g := g0; g < g1; {
		end := g1
		if g < p.more {
			end = min(g1, p.more) // those after it have one row less
		}
		from, to := p.group(g)
		out := s.out
		if out != nil {
			out = (*float32)(unsafe.Add(unsafe.Pointer(out), (from-s.from)*s.ldc))
		}
		tiles[to-from](end-g, s.n, (*uint8)(unsafe.Add(p.a, from*p.lda+s.at*superRecordBytes)), p.lda,
			(*uint8)(unsafe.Pointer(unsafe.SliceData(s.ws.q))), (*uint8)(unsafe.Add(unsafe.Pointer(s.packed), s.at*s.bytes)),
			&s.ws.sums[(from-s.from)*panelWidth], first, out, s.ldc, s.bias, s.next)
		s.fetched(end - g)
		g = end
	}
}

// fetched moves next past what so many tiles have asked for.
func (s *superPanel) fetched(tiles int) {
	step := tiles * s.n * roundUp(s.bytes/8, cacheLine)
	if s.left -= step; s.left > 0 {
		s.next = (*uint8)(unsafe.Add(unsafe.Pointer(s.next), step))
	} else {
		s.next = s.packed // nothing is left to fetch
	}
}
