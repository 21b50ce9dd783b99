package kernels

import "github.com/ladon-ml/ladon/internal/par"

// Exec runs operations on many rows, spread over the workers of its pass, and
// owns their scratch memory. Its zero value is ready. It belongs to one
// goroutine at a time and must not be copied. Once the largest shapes have been
// seen, nothing is allocated.
//
// Between Begin and End its operations run on several processors; without, on
// the caller alone. Results are the same bits for any number of workers.
// Cancelling the context of Begin leaves outputs unfinished; End reports it.
type Exec struct {
	par.Pass

	product product
	prepare prepare
	norms   norms

	a       []float32 // rows of A with a friendlier stride
	gate    []float32 // a gate of another type than its product
	q       []int64   // quantised rows of A
	rows    []float32 // their scales
	zeros   []int32   // their zeros
	workers []workspace
}

// workspace is one worker's scratch.
type workspace struct {
	tile [tileScratch]float32 // a tile that C has no room for
	bias [maxPanels * panelWidth]float32
	q    []int8    // a row, or the codes of a panel
	sums []float32 // of the rows of an item by a panel
	// of a panel in blocks, or panels of 16-bit floats widened
	scales []float32

	gate  product   // of an item, where there is one
	gates []float32 // what it gives
	_     [cacheLine]byte
}

const (
	maxPanels   = 4    // the widest tile, in panels
	tileScratch = 448  // the largest tile, 14×32
	serialBelow = 20e3 // ns: what is faster stays on the caller
	itemTarget  = 60e3 // ns: length of a work item, at most about
	itemMin     = 10e3 // ns: and at least
)

// each hands n items to the workers, or does them here if all of them together
// take less than handing over pays for.
func (x *Exec) each(n int, ns float64, b par.Body) {
	if ns >= serialBelow || x.Width() == 1 {
		x.Do(n, b)
		return
	}
	for i := range n {
		b.Run(0, i)
	}
}

// reserve makes scratch for every worker.
func (x *Exec) reserve() {
	if w := x.Width(); len(x.workers) < w {
		x.workers = make([]workspace, w)
	}
}

// Stride is the best distance between rows of n float32: at least n, a whole
// number of cache lines, and such that rows do not fall on the same few cache
// sets. Products read rows laid out like this in place; others may be copied
// first.
func Stride(n int) int {
	lines := (4*n + cacheLine - 1) / cacheLine
	return (lines | 1) * cacheLine / 4
}

// crowded tells whether rows that are stride bytes apart fall on so few of L1's
// 64 sets that a tile's rows throw each other out.
func crowded(stride int) bool { return stride%(16*cacheLine*2) == 0 }
