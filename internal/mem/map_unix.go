//go:build unix && !race

package mem

import (
	"fmt"
	"math"
	"syscall"
)

// hugePage is the size of the pages worth asking for. Blocks of at least one
// begin at a multiple of it: only whole, aligned ranges become huge pages.
const hugePage = 2 << 20

// arenaBlock is the least that an arena maps at once. What it does not touch
// costs addresses only.
const arenaBlock = 32 << 20

func alloc(n int) (*Block, error) {
	size, align := n, 1
	if n >= hugePage {
		if n > math.MaxInt-hugePage {
			return nil, fmt.Errorf("mem: a block of %d bytes", n)
		}
		size, align = n+hugePage, hugePage
	}
	whole, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("mem: mapping %d bytes: %w", n, err)
	}
	data := aligned(whole, n, uintptr(align))
	if n >= hugePage {
		advise(data)
	}
	return &Block{data: data, whole: whole}, nil
}

func release(whole []byte) error {
	if err := syscall.Munmap(whole); err != nil {
		return fmt.Errorf("mem: unmapping %d bytes: %w", len(whole), err)
	}
	return nil
}
