package kernels

import "unsafe"

// product is the work of one MatMul. Its items are (rows of A, panels of W);
// each output belongs to one of them.
//
// Loops, outermost first: items by chunk of rows and range of panels, chosen so
// that a chunk of A stays in L2; in an item, groups of np panels, which stream
// by once; stretches of kc along k; groups of mr rows, the tiles.
type product struct {
	x   *Exec
	out Out // BlockCols is never 0 here
	w   *Matrix
	e   Epilogue

	// One of them is set, by the type of the weights.
	f32    *gemmConfig[gemmTile] // and of F16, BF16
	int8   *gemmConfig[int8Tile]
	blocks *blockConfig
	floats *floatKernels // beside f32

	finish    bool // something remains to be done after the tiles
	gateApart bool // the gate is in x.gate

	block     int // rows of A that are multiplied at a time
	prepared  bool
	stride    int     // bytes between rows of A, as prepared
	chunkRows int     // rows of A that stay in cache while panels pass by, at most
	shape     int     // index into shapes
	np        int     // panels in that shape
	tileRows  int     // and rows
	rate      float64 // multiply-adds a nanosecond

	// The block in hand.
	row       int            // its first row
	column    int            // the first column that C has
	m         int            // its rows
	a         unsafe.Pointer // first row of A as tiles read it
	lda       int            // bytes
	rowScales []float32      // int8: [m]
	rowZeros  []int32        // int8: [m]

	groups   int // groups of rows, as even as can be
	least    int // rows of a group
	more     int // groups that have one more
	chunks   int
	ranges   int
	perRange int     // panels
	cost     float64 // ns, about
}

// layout decides how rows of A lie that tiles cannot read in place, and how many
// are multiplied at a time. m rows of rowBytes are lda elements apart.
func (p *product) layout(m, lda, rowBytes int) {
	p.stride = ((rowBytes+cacheLine-1)/cacheLine | 1) * cacheLine
	var rows, chunk int
	switch {
	case p.blocks != nil:
		p.np, rows, chunk, p.rate = 1, p.blocks.height(p.w.dtype), p.blocks.chunk, p.blocks.rate
	case p.int8 != nil:
		p.shape = p.int8.pick(m)
		s := &p.int8.shapes[p.shape]
		p.np, rows, chunk, p.rate = s.np, s.rows(), p.int8.chunk, p.int8.rate
	default:
		p.shape = p.f32.pick(m)
		s := &p.f32.shapes[p.shape]
		p.np, rows, chunk, p.rate = s.np, s.rows(), p.f32.chunk, p.f32.rate
	}
	p.tileRows = rows
	p.chunkRows = max(chunk/p.stride, minChunk) / rows * rows
	p.prepared = p.f32 == nil || m > 4 && p.w.n > 8*panelWidth && crowded(4*lda)
	p.block = m
	if p.prepared {
		// A chunk for each worker, so that rows are still in cache when they are
		// multiplied. Blocks are even: a few rows left over would cost a whole pass
		// over the weights.
		blocks := (m-1)/(p.chunkRows*p.x.Width()) + 1
		p.block = (m-1)/blocks + 1
	}
}

// minChunk is the least rows of a chunk: with fewer, weights pass by too often.
const minChunk = 64

// operand points a at the block's rows: in place, or prepared in scratch.
func (p *product) operand(a []float32, lda int) {
	if !p.prepared {
		p.a, p.lda = unsafe.Pointer(&a[0]), 4*lda
		return
	}
	p.x.prepare.start(p, a, lda)
	p.lda = p.stride
}

// plan cuts the block into items.
func (p *product) plan() {
	p.groups = (p.m-1)/p.tileRows + 1
	p.least, p.more = p.m/p.groups, p.m%p.groups
	p.chunks = (p.m-1)/p.chunkRows + 1
	panels := panelsOf(p.w.n)
	panelMACs := float64(p.w.k * panelWidth)
	panelBytes := float64(p.w.Bytes()) / float64(panels)
	perChunkRows := float64(p.m) / float64(p.chunks)
	const bytesRate = 25 // a nanosecond: weights from memory
	panelCost := max(perChunkRows*panelMACs/p.rate, panelBytes/bytesRate)
	if p.gated() {
		panelCost *= 2
	}
	p.cost = panelCost * float64(panels*p.chunks)
	item := min(max(p.cost/float64(4*p.x.Width()), itemMin), itemTarget)
	perRange := max(int(item/panelCost), p.np)
	p.ranges = (panels-1)/perRange + 1
	p.perRange = roundUp((panels-1)/p.ranges+1, p.np)
	p.ranges = (panels-1)/p.perRange + 1
}

// group is the rows [from, to) of group g of the block.
func (p *product) group(g int) (from, to int) {
	from = g*p.least + min(g, p.more)
	if g < p.more {
		return from, from + p.least + 1
	}
	return from, from + p.least
}

// gated tells whether items compute their part of the gate too.
func (p *product) gated() bool { return p.e.Gate.W != nil && !p.gateApart }

// Run does item i: the panels of one range for the rows of one chunk.
func (p *product) Run(worker, i int) {
	chunk, first := i/p.ranges, i%p.ranges*p.perRange
	g0, g1 := chunk*p.groups/p.chunks, (chunk+1)*p.groups/p.chunks
	end := min(first+p.perRange, panelsOf(p.w.n))
	ws := &p.x.workers[worker]
	if p.e.Gate.W != nil {
		p.openGate(ws, first, end, g0, g1)
	}
	p.panels(ws, first, end, g0, g1)
	if p.finish {
		from, to := p.rows(g0, g1)
		p.finishRows(ws, from, to, first*panelWidth, min(end*panelWidth, p.w.n))
	}
	ws.gate = product{}
}

// rows are those of the block that the groups [g0, g1) have.
func (p *product) rows(g0, g1 int) (from, to int) {
	from, _ = p.group(g0)
	_, to = p.group(g1 - 1)
	return from, to
}

// itemRows is how many rows an item has at most.
func (p *product) itemRows() int { return min(p.m, (p.groups/p.chunks+1)*(p.least+1)) }

// panels computes the panels [first, end) for the row groups [g0, g1).
func (p *product) panels(ws *workspace, first, end, g0, g1 int) {
	for panel := first; panel < end; {
		switch {
		case p.blocks != nil:
			panel += p.blockStrip(ws, panel, end-panel, g0, g1)
		case p.floats != nil && p.floats.row != nil && p.m == 1:
			panel += p.rowStrip(ws, panel, end-panel)
		default:
			panel += p.strip(ws, panel, end-panel, g0, g1)
		}
	}
}

// strip computes the next panels, at most left of them, for the row groups
// [g0, g1), and returns how many it has done.
func (p *product) strip(ws *workspace, panel, left, g0, g1 int) int {
	tallest := p.least + min(p.more, 1)
	s, np := p.shape, p.np
	for np > left || !p.has(s, tallest) {
		s++
		np = p.width(s)
	}
	offset, cstep, direct := p.place(panel, np)
	for !direct && np > 1 && (panel+np)*panelWidth <= p.w.n && p.out.BlockCols%panelWidth == 0 {
		// The panels do not lie evenly: take fewer.
		s++
		for !p.has(s, tallest) {
			s++
		}
		np = p.width(s)
		offset, cstep, direct = p.place(panel, np)
	}
	if !direct {
		p.stripApart(ws, s, np, panel, g0, g1)
		return np
	}
	var bias *float32
	if p.e.Bias != nil {
		bias = &p.e.Bias[panel*panelWidth]
	}
	t := p.tiles(ws, s, panel, bias)
	ldc := 4 * p.out.LD
	for more := true; more; more = t.onward() {
		for g := g0; g < g1; g++ {
			from, to := p.group(g)
			t.run(from, to, &p.out.C[offset+(p.row+from)*p.out.LD], ldc, cstep)
		}
	}
	return np
}

// stripApart computes panels that cannot be stored as they are, because they
// reach past the last column or across blocks, and copies what there is of
// them.
func (p *product) stripApart(ws *workspace, s, np, panel, g0, g1 int) {
	j0 := panel * panelWidth
	var bias *float32
	if p.e.Bias != nil {
		cols := min(np*panelWidth, p.w.n-j0)
		clear(ws.bias[copy(ws.bias[:], p.e.Bias[j0:j0+cols]):])
		bias = &ws.bias[0]
	}
	t := p.tiles(ws, s, panel, bias)
	for g := g0; g < g1; g++ {
		from, to := p.group(g)
		t.k0, t.n = 0, t.k
		t.run(from, to, &ws.tile[0], 4*np*panelWidth, 4*panelWidth)
		p.scatter(ws.tile[:], panel, np, from, to)
	}
}

// scatter copies a tile in scratch, rows [from, to) of the block and np panels, to
// where it belongs in C.
func (p *product) scatter(tile []float32, panel, np, from, to int) {
	j0, width := panel*panelWidth, np*panelWidth
	cols := min(width, p.w.n-j0)
	for i := range to - from {
		src := tile[i*width : i*width+cols]
		for j := j0; len(src) > 0; {
			dst := p.segment(p.row+from+i, j, j+len(src))
			n := copy(dst, src)
			src, j = src[n:], j+n
		}
	}
}

// panelTiles is what the tiles of one group of panels have in common.
type panelTiles struct {
	p     *product
	f32   []gemmTile
	int8  []int8Tile
	k     int // or groups of four
	k0, n int // the stretch in hand: a long k is taken in several, which add to C
	b     unsafe.Pointer
	bstep int // bytes of a panel
	bias  *float32
	scale *float32 // int8: of the columns
	sum   *int32

	// Tiles fetch the panels after these, each a part of fetch bytes from next as
	// long as turns lasts. Without that, the first tile on them waits for memory.
	next  unsafe.Pointer
	fetch int
	turns int
}

// tiles prepares the tiles of shape s on the panels from panel.
func (p *product) tiles(ws *workspace, s, panel int, bias *float32) (t panelTiles) {
	w := p.w
	np, k := p.width(s), w.k
	t.p, t.bias = p, bias
	if p.int8 != nil {
		k = roundUp(w.k, 4) / 4
		t.int8 = p.int8.shapes[s].tiles
		t.b = unsafe.Pointer(&w.i8[panel*4*panelWidth*k])
		t.scale, t.sum = &w.scales[panel*panelWidth], &w.sums[panel*panelWidth]
	} else {
		t.f32 = p.f32.shapes[s].tiles
		if w.dtype.half() {
			t.b = unsafe.Pointer(p.widen(ws, panel, np))
		} else {
			t.b = unsafe.Pointer(&w.f32[panel*panelWidth*k])
		}
	}
	t.k, t.n, t.bstep = k, k, 4*panelWidth*k
	if p.int8 == nil && p.f32.kc > 0 {
		t.n = min(k, p.f32.kc)
	}
	if panel+2*np <= panelsOf(w.n) && !w.dtype.half() {
		t.next, t.fetch, t.turns = unsafe.Add(t.b, np*t.bstep), 16*k, 4*np
	}
	return t
}

// onward turns to the next stretch of k, and tells whether there is one.
func (t *panelTiles) onward() bool {
	t.k0 += t.n
	t.n = min(t.n, t.k-t.k0)
	return t.n > 0
}

// run computes the tile of rows [from, to) of the block.
func (t *panelTiles) run(from, to int, c *float32, ldc, cstep int) {
	next := t.b
	if t.turns > 0 {
		next = t.next
		t.next = unsafe.Add(t.next, t.fetch)
		t.turns--
	}
	p := t.p
	a := unsafe.Add(p.a, from*p.lda)
	if t.int8 != nil {
		t.int8[to-from](t.k, (*uint8)(a), p.lda, (*int8)(t.b), t.bstep, c, ldc, cstep,
			&p.rowScales[from], &p.rowZeros[from], t.scale, t.sum, t.bias, (*int8)(next))
		return
	}
	bias := t.bias
	if t.k0+t.n < t.k {
		bias = nil
	}
	t.f32[to-from](t.n, (*float32)(unsafe.Add(a, 4*t.k0)), p.lda, (*float32)(unsafe.Add(t.b, 4*panelWidth*t.k0)), t.bstep,
		c, ldc, cstep, t.k0, bias, (*float32)(next))
}

// has tells whether shape s has tiles of mr rows.
func (p *product) has(s, mr int) bool {
	if p.int8 != nil {
		return p.int8.shapes[s].has(mr)
	}
	return p.f32.shapes[s].has(mr)
}

// width is the panels of shape s.
func (p *product) width(s int) int {
	if p.int8 != nil {
		return p.int8.shapes[s].np
	}
	return p.f32.shapes[s].np
}
