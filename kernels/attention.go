package kernels

import (
	"math"
)

// AttentionTile is up to 32 queries of one head on their way through the keys:
// the scores of a block of keys, the running softmax, the output so far. Package
// mha strings its verbs together:
//
//	Queries   pack them, scaled
//	Scores    s[key][query] = Σ_d k[key][d]·q[query][d]
//	          which Cap, AddBias and writing -Inf to Score may change
//	Softmax   the online softmax (Milakov and Gimelshein 2018), s becomes weights
//	Values    out = out·alpha + Σ_key s[key][query]·v[key]
//
// Lanes are queries. Every sum is one chain in the order of its index, so the
// bits depend on the block boundaries alone: not on the number of queries beside
// one, nor, among AVX2, AVX-512 and NEON, on the instruction set.
//
// Its zero value is ready; it belongs to one goroutine at a time.
type AttentionTile struct {
	lanes, rows   int
	dim, valueDim int
	started       bool
	rowwise       bool // see ReadOnce

	q   []float32 // [lanes/16][dim][16]
	s   []float32 // [keys][lanes]
	b   []float32 // [keys rounded up to 16][lanes], biases
	row []float32 // [lanes][keys rounded up to 16 and one line], biases as given
	o   []float32 // [rows][valueDim rounded up to 16]
	v   []float32 // [keys][16], the last columns of V where valueDim is no multiple of 16
	pad []float32 // [16][dim], queries where there are fewer than 16

	max, sum, alpha, final [2 * panelWidth]float32
}

// hiddenMax is where the running maximum begins: below every score but -Inf, so
// that a hidden score is 2^-Inf = 0 beside it.
const hiddenMax = -1e30

// MaxTileQueries is the most that TileQueries gives.
const MaxTileQueries = 2 * panelWidth

// TileQueries is how many queries a tile takes at most.
func TileQueries() int { return attention().lanes }

// Queries begins a tile: rows queries, 1 to TileQueries, ld elements apart, of
// dim elements each, times scale·log2(e); and a value size for Values.
func (t *AttentionTile) Queries(q []float32, ld, rows, dim, valueDim int, scale float32) {
	cfg := attention()
	if rows < 1 || rows > cfg.lanes || dim < 1 || valueDim < 1 || len(q) < (rows-1)*ld+dim {
		panic(errShape)
	}
	t.lanes, t.rows, t.dim, t.valueDim, t.started, t.rowwise = cfg.lanes, rows, dim, valueDim, false, false
	if rows <= panelWidth {
		t.lanes = panelWidth
	}
	t.q = grow(t.q, t.lanes*dim)
	scale *= math.Log2E
	for p := 0; p < t.lanes/panelWidth; p++ {
		n := min(panelWidth, rows-p*panelWidth)
		part, stride := q[p*panelWidth*ld:], ld
		if n < panelWidth {
			t.pad = grow(t.pad, panelWidth*dim)
			for i := range n {
				copy(t.pad[i*dim:][:dim], part[i*ld:][:dim])
			}
			clear(t.pad[n*dim : panelWidth*dim])
			part, stride = t.pad, dim
		}
		cfg.transpose(t.q[p*panelWidth*dim:], panelWidth, part, stride, dim, scale)
	}
	for i := range t.max {
		t.max[i], t.sum[i] = hiddenMax, 0
	}
}

// Scores computes the scores of n keys, ld elements apart, in units of log2.
func (t *AttentionTile) Scores(k []float32, ld, n int) {
	if n < 1 || len(k) < (n-1)*ld+t.dim {
		panic(errShape)
	}
	t.s = grow(t.s, n*t.lanes)
	if t.rowwise {
		t.scoreRows(k, ld, n)
		return
	}
	np := t.lanes / panelWidth
	tiles := scoreTiles(np)
	groups := (n + len(tiles) - 2) / (len(tiles) - 1)
	for g, i := 0, 0; g < groups; g++ {
		rows := (n - i + groups - g - 1) / (groups - g)
		tiles[rows](t.dim, &k[i*ld], 4*ld, &t.q[0], 4*panelWidth*t.dim, &t.s[i*t.lanes], 4*t.lanes, 4*panelWidth, 0, nil, &k[i*ld])
		i += rows
	}
}

// Score is the scores, or after Softmax the weights relative to the maximum so
// far, of key i of the block: one per query. -Inf hides a key from a query.
func (t *AttentionTile) Score(i int) []float32 { return t.s[i*t.lanes:][:t.rows] }

// Softmax turns the scores of n keys into weights, and takes them into the sums.
func (t *AttentionTile) Softmax(n int) {
	attention().softmax(n, t.lanes, &t.s[0], &t.max[0], &t.sum[0], &t.alpha[0], &t.final[0])
}

// Values takes n rows of V, ld elements apart, into the output by the weights of
// Softmax. The last block writes it, divided by the sum of weights, to out, whose
// rows are ldo elements apart; queries that see no key get zeros.
func (t *AttentionTile) Values(v []float32, ld, n int, last bool, out []float32, ldo int) {
	if n < 1 || len(v) < (n-1)*ld+t.valueDim || last && len(out) < (t.rows-1)*ldo+t.valueDim {
		panic(errShape)
	}
	if t.rowwise {
		t.valueRows(v, ld, n, last, out, ldo)
		return
	}
	whole := t.valueDim / panelWidth * panelWidth
	lo := (t.valueDim + panelWidth - 1) / panelWidth * panelWidth
	t.o = grow(t.o, t.rows*lo)
	cfg := attention()
	widest := cfg.valuePanels
	if t.rows < len(cfg.values4) {
		widest = 4 // few rows leave registers for more columns
	}
	for d := 0; d < whole; {
		np := widest
		for d+np*panelWidth > whole {
			np /= 2
		}
		to, ldt := t.o[d:], lo
		if last {
			to, ldt = out[d:], ldo
		}
		t.values(cfg, np, v[d:], ld, n, d, lo, last, to, ldt)
		d += np * panelWidth
	}
	if whole < t.valueDim {
		t.v = grow(t.v, n*panelWidth)
		width := t.valueDim - whole
		for i := range n {
			copy(t.v[i*panelWidth:][:width], v[i*ld+whole:])
			clear(t.v[i*panelWidth+width : (i+1)*panelWidth])
		}
		t.values(cfg, 1, t.v, panelWidth, n, whole, lo, last, t.o[whole:], lo)
		if last {
			for i := range t.rows {
				copy(out[i*ldo+whole:][:width], t.o[i*lo+whole:])
			}
		}
	}
	t.started = !last
}

// values does columns d… of np panels for all rows, in balanced groups.
func (t *AttentionTile) values(cfg *attentionConfig, np int, v []float32, ldv, n, d, lo int, last bool, out []float32, ldo int) {
	tiles := cfg.values(np)
	groups := (t.rows + len(tiles) - 2) / (len(tiles) - 1)
	for g, i := 0, 0; g < groups; g++ {
		rows := (t.rows - i + groups - g - 1) / (groups - g)
		var alpha, final *float32
		if t.started {
			alpha = &t.alpha[i]
		}
		if last {
			final = &t.final[i]
		}
		tiles[rows](n, &t.s[i], 4*t.lanes, &v[0], 4*ldv, &t.o[i*lo+d], 4*lo, alpha, &out[i*ldo], 4*ldo, final)
		i += rows
	}
}

// valueTile sets, for mr queries i and 16·np columns j,
//
//	O[i][j] = (alpha == nil ? 0 : In[i][j]·alpha[i]) + Σ P[key][i]·V[key][j]
//
// one chain in the order of the keys, n of them, then times final[i] if final is
// not nil. Strides are bytes.
type valueTile func(n int, p *float32, ldp int, v *float32, ldv int, in *float32, ldi int, alpha, out *float32, ldo int, final *float32)

// attentionConfig is how one set of instructions does attention.
type attentionConfig struct {
	name        string
	lanes       int // of a tile
	valuePanels int // widest value tile, in panels
	values1     []valueTile
	values2     []valueTile
	values4     []valueTile
	softmax     func(keys, lanes int, s, rowMax, rowSum, alpha, final *float32)
	// transpose sets dst[dim][16], rows ldd apart, to src[16][dim]·scale, rows ld apart
	transpose func(dst []float32, ldd int, src []float32, ld, dim int, scale float32)
	scoresRow func(n, dim int, q, k *float32, ldk int, s *float32, lds int)
	valuesRow func(n, dim int, w *float32, ldw int, v *float32, ldv int, o *float32)
	keptConfig
}

func (c *attentionConfig) values(np int) []valueTile {
	switch np {
	case 4:
		return c.values4
	case 2:
		return c.values2
	}
	return c.values1
}

// scoreTiles are the product's tiles of np panels: rows are keys, columns queries.
func scoreTiles(np int) []gemmTile {
	for _, s := range gemmTiles().shapes {
		if s.np == np {
			return s.tiles
		}
	}
	return nil
}

// keptConfig is what looks into scores that were kept, sixteen lanes at a time.
type keptConfig struct {
	weighLanes  func(keys int, s *float32, ld int, row, entropy *float32)
	groupLanes  func(groups, size int, s *float32, ld int, max *float32)
	topLanes    func(keys int, s *float32, ld, k int, best *float32, index *int32, first int32)
	massLanes   func(keys int, s *float32, ld int, u, mass *float32)
	spreadLanes func(keys int, s *float32, ld int, offset, sum *float32)
	nearLanes   func(keys int, s *float32, ld int, offset, sum *float32, limit float32)
}
