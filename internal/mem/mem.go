// Package mem holds weights: large, zeroed, 64-byte aligned memory that the
// garbage collector neither scans nor counts.
//
// On unix it is anonymous mappings, advised to use huge pages on linux; in race
// builds, whose detector does not see such memory, and elsewhere it is the Go
// heap. There are no finalizers: who allocates frees, and whoever reads a slice
// after that crashes.
package mem

import (
	"fmt"
	"unsafe"
)

// Align is the alignment of all that this package hands out, in bytes: a cache
// line, and the widest vector.
const Align = 64

// Block is one allocation. It is not safe for concurrent use; its bytes are as
// safe as any slice.
type Block struct {
	data  []byte
	whole []byte // what release gives back; nil on the Go heap
}

// Alloc returns a block of n zero bytes. Pages that are never written take no
// memory, on unix.
func Alloc(n int) (*Block, error) {
	if n < 0 {
		return nil, fmt.Errorf("mem: a block of %d bytes", n)
	}
	if n == 0 {
		return &Block{}, nil
	}
	return alloc(n)
}

// Bytes is the whole block.
func (b *Block) Bytes() []byte { return b.data }

// Int8s is the whole block.
func (b *Block) Int8s() []int8 { return view[int8](b.data) }

// Float32s is the block but for up to three bytes at its end.
func (b *Block) Float32s() []float32 { return view[float32](b.data) }

// Free gives the memory back; no slice of it may be used any more. Freeing again
// does nothing.
func (b *Block) Free() error {
	whole := b.whole
	*b = Block{}
	if whole == nil {
		return nil
	}
	return release(whole)
}

func view[T int8 | uint16 | float32](b []byte) []T {
	var zero T
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(zero)))
}

// aligned is n bytes of b, which has at least n+align-1, at a multiple of align.
func aligned(b []byte, n int, align uintptr) []byte {
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (align - 1))
	return b[off : off+n : off+n]
}
