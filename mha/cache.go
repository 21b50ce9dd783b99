package mha

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ladon-ml/ladon/kernels"
)

// CacheBlock is how many tokens a block of a [Cache] has: those of a tile's block of keys, so that attention finds
// these side by side.
const CacheBlock = KeyBlock

// CacheType is the form in which a cache keeps keys and values.
type CacheType uint8

const (
	CacheF32  CacheType = iota
	CacheF16            // IEEE half precision: 11 bits; magnitudes of 65520 and more become infinite
	CacheInt8           // 8 bits with a float32 scale for every token and head, symmetric around 0
)

// ParseCacheType reads "f32", "f16" or "int8".
func ParseCacheType(s string) (CacheType, error) {
	for t := CacheF32; t <= CacheInt8; t++ {
		if s == t.String() {
			return t, nil
		}
	}
	return CacheF32, fmt.Errorf("mha: unknown cache type %q; known: f32, f16, int8", s)
}

func (t CacheType) String() string {
	switch t {
	case CacheF32:
		return "f32"
	case CacheF16:
		return "f16"
	case CacheInt8:
		return "int8"
	}
	return fmt.Sprintf("CacheType(%d)", uint8(t))
}

// CacheConfig says what a cache holds.
type CacheConfig struct {
	KVHeads  int
	HeadDim  int // size of a key
	ValueDim int // size of a value; 0: HeadDim
	Type     CacheType

	// Window is how many tokens a query sees up to its own place, Params.Left; blocks that no query to come will see
	// are given back. 0: all are kept.
	Window int
}

var errConfig = errors.New("mha: a cache needs heads, sizes of 1 to 256, a known type and no negative window")

// A Cache keeps the keys and values of one sequence in one layer for [Attention.RunCached]. They lie in blocks of
// [CacheBlock] tokens, [kvHead][token][dim], which are appended to and never move; forked caches share the blocks of
// their common prefix. It belongs to one goroutine at a time; caches that share blocks may be on different ones.
type Cache struct {
	config CacheConfig
	pool   *CachePool
	blocks []*cacheBlock
	first  int // the number of blocks dropped, which is that of blocks[0]
	n      int // tokens
}

// A DroppedError says that a cache with a window has dropped what it would need to be cut back.
type DroppedError struct {
	To      int // tokens that were to stay
	Dropped int // tokens that are gone
	Window  int
}

func (e *DroppedError) Error() string {
	return fmt.Sprintf("mha: a cache that has dropped its first %d tokens cannot be cut back to %d with a window of %d", e.Dropped, e.To, e.Window)
}

// NewCache makes an empty cache whose blocks come from pool.
func NewCache(pool *CachePool, c CacheConfig) (*Cache, error) {
	if c.ValueDim == 0 {
		c.ValueDim = c.HeadDim
	}
	if c.KVHeads < 1 || c.HeadDim < 1 || c.HeadDim > MaxDim || c.ValueDim < 1 || c.ValueDim > MaxDim || c.Type > CacheInt8 || c.Window < 0 {
		return nil, errConfig
	}
	return &Cache{config: c, pool: pool}, nil
}

// Len is how many tokens the cache stands for, dropped ones included.
func (c *Cache) Len() int { return c.n }

// Bytes is the memory of its blocks, shared ones included.
func (c *Cache) Bytes() int { return len(c.blocks) * c.config.kind().bytes() }

// Fork gives a cache with the same tokens, without copying them: the first that appends to a block they share and that
// is not full gets a copy of that block.
func (c *Cache) Fork() *Cache {
	f := *c
	f.blocks = slices.Clone(c.blocks)
	for _, b := range f.blocks {
		b.refs.Add(1)
	}
	return &f
}

// Truncate keeps the first n tokens; n must not be negative. With a window it may give a *DroppedError.
func (c *Cache) Truncate(n int) error {
	if err := c.CanTruncate(n); err != nil {
		return err
	}
	switch {
	case n == 0:
		c.Close()
	case n < c.n:
		c.release((n+CacheBlock-1)/CacheBlock - c.first)
		c.n = n
	}
	return nil
}

// CanTruncate gives the error that Truncate would.
func (c *Cache) CanTruncate(n int) error {
	if dropped := c.first * CacheBlock; n > 0 && n < c.n && dropped > max(0, n-c.config.Window+1) {
		return &DroppedError{To: n, Dropped: dropped, Window: c.config.Window}
	}
	return nil
}

// Close gives the blocks back. The cache is empty then, and may be used again.
func (c *Cache) Close() {
	c.release(0)
	c.first, c.n = 0, 0
}

// release gives back the blocks from i on.
func (c *Cache) release(i int) {
	for _, b := range c.blocks[i:] {
		c.pool.put(b)
	}
	clear(c.blocks[i:])
	c.blocks = c.blocks[:i]
}

// reserve makes room for more tokens after those there are, and drops what none of them will see. If it fails the
// cache is as it was, but for what it has dropped.
func (c *Cache) reserve(tokens int) error {
	if unseen := (c.n - c.config.Window + 1) / CacheBlock; c.config.Window > 0 && unseen > c.first {
		gone := min(unseen-c.first, len(c.blocks))
		for _, b := range c.blocks[:gone] {
			c.pool.put(b)
		}
		c.blocks = slices.Delete(c.blocks, 0, gone)
		c.first += gone
	}
	kind := c.config.kind()
	if fill := c.n % CacheBlock; fill > 0 && tokens > 0 {
		i := c.n/CacheBlock - c.first
		if old := c.blocks[i]; old.refs.Load() > 1 {
			b, err := c.pool.get(kind)
			if err != nil {
				return err
			}
			c.config.copyTokens(b, old, fill)
			c.blocks[i] = b
			c.pool.put(old)
		}
	}
	for last := (c.n + tokens + CacheBlock - 1) / CacheBlock; c.first+len(c.blocks) < last; {
		b, err := c.pool.get(kind)
		if err != nil {
			return err
		}
		c.blocks = append(c.blocks, b)
	}
	return nil
}

// kind is what a block of the cache is made of: all keys, then all values, [kvHead][token][dim].
func (c *CacheConfig) kind() blockKind {
	k := blockKind{elements: CacheBlock * c.KVHeads * (c.HeadDim + c.ValueDim), kept: c.Type}
	if c.Type == CacheInt8 {
		k.scales = CacheBlock * c.KVHeads * 2
	}
	return k
}

// row is where a block's elements of a token's head begin: its key, or with value 1 its value.
func (c *CacheConfig) row(value, head, token int) (at, dim int) {
	if value == 0 {
		return (head*CacheBlock + token) * c.HeadDim, c.HeadDim
	}
	return CacheBlock*c.KVHeads*c.HeadDim + (head*CacheBlock+token)*c.ValueDim, c.ValueDim
}

// scale is where its scale is.
func (c *CacheConfig) scale(value, head, token int) int {
	return (value*c.KVHeads+head)*CacheBlock + token
}

func (c *CacheConfig) copyTokens(dst, src *cacheBlock, n int) {
	for value := range 2 {
		for h := range c.KVHeads {
			at, dim := c.row(value, h, 0)
			switch end := at + n*dim; c.Type {
			case CacheF32:
				copy(dst.f32[at:end], src.f32[at:end])
			case CacheF16:
				copy(dst.f16[at:end], src.f16[at:end])
			case CacheInt8:
				copy(dst.int8[at:end], src.int8[at:end])
				s := c.scale(value, h, 0)
				copy(dst.scales[s:s+n], src.scales[s:])
			}
		}
	}
}

// store writes a head's keys or values for the tokens after those there are, from view v: rows from … from+tokens-1.
func (c *Cache) store(value, head int, v View, from, tokens int) {
	for t := 0; t < tokens; {
		b, place := c.blocks[(c.n+t)/CacheBlock-c.first], (c.n+t)%CacheBlock
		n := min(tokens-t, CacheBlock-place)
		for ; n > 0; n-- {
			at, dim := c.config.row(value, head, place)
			src := v.head(head, from+t)[:dim]
			switch c.config.Type {
			case CacheF32:
				copy(b.f32[at:at+dim], src)
			case CacheF16:
				kernels.F32ToF16(b.f16[at:at+dim], src)
			case CacheInt8:
				b.scales[c.config.scale(value, head, place)] = kernels.QuantizeRow(b.int8[at:at+dim], src)
			}
			t, place = t+1, place+1
		}
	}
}

// rows gives a head's keys or values of n tokens from token on, which lie in one block, and the distance between them.
// Narrow ones are widened into scratch.
func (c *Cache) rows(value, head, token, n int, scratch *[]float32) (rows []float32, ld int) {
	b, place := c.blocks[token/CacheBlock-c.first], token%CacheBlock
	at, dim := c.config.row(value, head, place)
	if c.config.Type == CacheF32 {
		return b.f32[at : at+n*dim], dim
	}
	*scratch = grow(*scratch, CacheBlock*dim)
	rows = (*scratch)[:n*dim]
	if c.config.Type == CacheF16 {
		kernels.F16ToF32(rows, b.f16[at:at+n*dim])
		return rows, dim
	}
	for i, scale := range b.scales[c.config.scale(value, head, place):][:n] {
		kernels.Int8ToF32(rows[i*dim:(i+1)*dim], b.int8[at+i*dim:at+(i+1)*dim], scale)
	}
	return rows, dim
}
