package mha

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/ladon-ml/ladon/internal/mem"
)

// ErrPoolClosed is what appending to a cache gives whose pool is closed.
var ErrPoolClosed = errors.New("mha: the cache's pool is closed")

// A CachePool gives caches their blocks, which do not lie on the Go heap. What a cache gives back stays with the pool
// for the next. Its zero value is ready and safe for concurrent use; it must be closed to be freed.
type CachePool struct {
	mu     sync.Mutex
	memory mem.Arena
	free   map[blockKind][]*cacheBlock
	closed bool
}

// blockKind tells blocks of different sizes apart.
type blockKind struct {
	elements, scales int
	kept             CacheType
}

func (k blockKind) bytes() int {
	switch k.kept {
	case CacheF32:
		return 4 * k.elements
	case CacheF16:
		return 2 * k.elements
	}
	return k.elements + 4*k.scales
}

// cacheBlock is the keys and values of up to CacheBlock tokens. Only a cache that alone refers to it writes to it.
type cacheBlock struct {
	kind blockKind
	refs atomic.Int32

	// One of them is set, by the kind.
	f32    []float32
	f16    []uint16
	int8   []int8
	scales []float32 // with int8
}

func (p *CachePool) get(k blockKind) (*cacheBlock, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrPoolClosed
	}
	if list := p.free[k]; len(list) > 0 {
		b := list[len(list)-1]
		p.free[k] = list[:len(list)-1]
		b.refs.Store(1)
		return b, nil
	}
	b := &cacheBlock{kind: k}
	var err error
	switch k.kept {
	case CacheF32:
		b.f32, err = p.memory.Float32s(k.elements)
	case CacheF16:
		b.f16, err = p.memory.Uint16s(k.elements)
	default:
		if b.int8, err = p.memory.Int8s(k.elements); err == nil {
			b.scales, err = p.memory.Float32s(k.scales)
		}
	}
	if err != nil {
		return nil, err
	}
	b.refs.Store(1)
	return b, nil
}

// put is one reference fewer to b.
func (p *CachePool) put(b *cacheBlock) {
	if b.refs.Add(-1) > 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if p.free == nil {
		p.free = map[blockKind][]*cacheBlock{}
	}
	p.free[b.kind] = append(p.free[b.kind], b)
}

// Close frees the memory. Caches of the pool must not be used any more, but for closing them.
func (p *CachePool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.free = true, nil
	return p.memory.Free()
}
