//go:build !unix || race

package mem

import (
	"fmt"
	"math"
)

// arenaBlock is small where what is not touched may cost memory.
const arenaBlock = 1 << 20

func alloc(n int) (*Block, error) {
	if n > maxHeap {
		return nil, fmt.Errorf("mem: a block of %d bytes", n)
	}
	return &Block{data: aligned(make([]byte, n+Align), n, Align)}, nil
}

// maxHeap is the most to ask make for, which panics far above.
const maxHeap = min(math.MaxInt-Align, 1<<46)

func release([]byte) error { return nil }
