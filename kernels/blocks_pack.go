package kernels

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// PackBlocks packs W [n, k] in the format d, on the Go heap: row(i, dst) sets dst
// to row i as files store it, [DType.Block] for every so many elements. It is
// called once for each row, in order; its error ends the packing and is returned
// as it is.
//
// It refuses scales that are not finite, weights that are NaN, and rows that are
// not whole blocks. Int8 has no such form: Pack functions of its own make it.
func PackBlocks(d DType, n, k int, row func(i int, dst []byte) error) (*Matrix, error) {
	return PackBlocksIn(heap{}, d, n, k, row)
}

// PackBlocksIn is [PackBlocks] into memory of the caller's choice, whose error it
// returns.
func PackBlocksIn(in Memory, d DType, n, k int, row func(i int, dst []byte) error) (*Matrix, error) {
	p, err := NewPacker(in, d, n, k)
	if err != nil {
		return nil, err
	}
	if err := p.Pack(0, n, row); err != nil {
		return nil, err
	}
	return p.Matrix(), nil
}

// A Packer is [PackBlocksIn] in parts, which may be packed at the same time.
type Packer struct{ m Matrix }

// NewPacker takes the memory for W [n, k] in the format d.
func NewPacker(in Memory, d DType, n, k int) (*Packer, error) {
	checkShape(n, k)
	elements, _ := d.Block()
	if elements == 0 {
		panic(errDType)
	}
	if k%elements != 0 {
		return nil, weightsError(fmt.Sprintf("kernels: rows of %d weights are not whole blocks of %d", k, elements))
	}
	p := &Packer{Matrix{n: n, k: k, dtype: d}}
	var err error
	switch {
	case d == F32:
		p.m.f32, err = in.Float32s(panelsOf(n) * panelWidth * k)
	case d.half():
		p.m.i8, err = in.Int8s(panelsOf(n) * panelWidth * 2 * k)
	default:
		p.m.i8, err = in.Int8s(panelsOf(n) * d.form().panelBytes(k/blockLen))
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// PackerRows is what the first row of a part must be a multiple of.
const PackerRows = panelWidth

// Pack packs the rows from first up to end. row is called for each of them, in
// order. Parts of different rows may be packed by several goroutines at once.
func (p *Packer) Pack(first, end int, row func(i int, dst []byte) error) error {
	p.check(first, end)
	elements, bytes := p.m.dtype.Block()
	src := make([]byte, p.m.k/elements*bytes)
	switch {
	case p.m.dtype == F32:
		return p.PackFloats(first, end, func(i int, dst []float32) error {
			if err := row(i, src); err != nil {
				return err
			}
			Dequantize(F32, dst, src)
			return nil
		})
	case p.m.dtype.half():
		return p.packHalves(first, end, src, row)
	}
	for i := first; i < end; i++ {
		if err := row(i, src); err != nil {
			return err
		}
		column := p.m.column(i)
		for b := range p.m.k / elements {
			if err := column.set(b, src[b*bytes:(b+1)*bytes]); err != nil {
				return weightsError(fmt.Sprintf("kernels: row %d, block %d of the weights: %v", i, b, err))
			}
		}
	}
	return nil
}

func (p *Packer) check(first, end int) {
	if first < 0 || first%PackerRows != 0 || first > end || end > p.m.n {
		panic(errRow)
	}
}

// Matrix gives the matrix once all rows are packed. The Packer must not be used
// afterwards.
func (p *Packer) Matrix() *Matrix { return &p.m }

// PackFloats is Pack for rows that are float32 in memory, and matrices of F32.
func (p *Packer) PackFloats(first, end int, row func(i int, dst []float32) error) error {
	p.check(first, end)
	if p.m.dtype != F32 {
		panic(errDType)
	}
	k := p.m.k
	wide := make([]float32, packBlock*k)
	return packPanels(p.m.f32, first, end, k, func(i int) ([]float32, error) {
		dst := wide[i%packBlock*k:][:k:k]
		return dst, row(i, dst)
	})
}

// packHalves interleaves rows of 16-bit floats to panels.
func (p *Packer) packHalves(first, end int, src []byte, row func(i int, dst []byte) error) error {
	m := &p.m
	infinity := uint16(0x7c00)
	if m.dtype == BF16 {
		infinity = 0x7f80
	}
	for i := first; i < end; i++ {
		if err := row(i, src); err != nil {
			return err
		}
		at, step := m.halfPanel(i / panelWidth)
		dst := m.halves()[at+i%panelWidth:]
		for j := range m.k {
			h := binary.LittleEndian.Uint16(src[2*j:])
			if h&0x7fff > infinity {
				return weightsError(fmt.Sprintf("kernels: weight at row %d, column %d is NaN", i, j))
			}
			dst[j*step] = h
		}
	}
	return nil
}

// column is one row of W in its panel.
type column struct {
	f     *blockForm
	codes []byte // the panel from the row's first code on
	panel []byte
	lane  int
}

func (m *Matrix) column(i int) column {
	f := m.dtype.form()
	size := f.panelBytes(m.k / blockLen)
	panel := bytesOf(m.i8[i/panelWidth*size:][:size])
	lane := i % panelWidth
	return column{f, panel[4*lane:], panel, lane}
}

// set packs block b of the file's row, a super-block where the format has them.
func (c *column) set(b int, src []byte) error {
	f := c.f
	h, n := f.halves(src)
	for _, v := range h[:n] {
		if v&0x7c00 == 0x7c00 {
			return fmt.Errorf("its scale is %v", widenF16(v))
		}
	}
	blocks := f.elements / blockLen
	c.setScales(b, src, h)
	for sub := range blocks {
		c.setWords(f.codesAt(b*blocks+sub), f.words(src, sub))
	}
	return nil
}

// setWords packs the codes of one block, whose first line is at o.
func (c *column) setWords(o int, w codeWords) {
	const line = 4 * panelWidth
	put := func(i int, v uint32) {
		binary.LittleEndian.PutUint32(c.codes[o+i*line:], v)
	}
	if c.f.bits == 8 {
		for g, v := range w {
			put(g, v)
		}
		return
	}
	if c.f.bits == 6 {
		for l := range 6 {
			h, g := l/3*4, l%3
			put(l, w[h+g]|w[h+3]>>(4-2*g)&lowPairs<<6)
		}
		return
	}
	planes := c.f.bits - 4
	for g := range 4 {
		put(planes+g, w[g]&lowNibbles|w[g+4]&lowNibbles<<4)
	}
	if c.f.bits == 5 {
		var plane uint32
		for g, v := range w {
			plane |= v >> 4 & lowBits << g
		}
		put(0, plane)
	}
}

func (c *column) setScales(b int, src []byte, h [2]uint16) {
	if c.f.super {
		bytes := c.f.superScales(src)
		c.setSuper(b, h, &bytes)
		return
	}
	o := c.f.scalesAt(b) + 2*c.lane
	for i, v := range h[:c.f.kind.values()] {
		binary.LittleEndian.PutUint16(c.panel[o+2*panelWidth*i:], v)
	}
}

// row widens the column to dst.
func (c *column) row(dst []float32) {
	for b := range len(dst) / blockLen {
		c.f.widen((*[blockLen]float32)(dst[b*blockLen:]), c.words(c.f.codesAt(b)), c.values(b))
	}
}

// words are the codes that setWords packs.
func (c *column) words(o int) (w codeWords) {
	lines := unsafe.Slice((*uint32)(unsafe.Pointer(&c.codes[o])), (c.f.bits-1)*panelWidth+1)
	for g := range w {
		w[g] = unpackGroup(lines, c.f.bits, g)
	}
	return w
}

// values are the scales of block b.
func (c *column) values(b int) [2]float32 {
	if c.f.super {
		h, bytes := c.super(b / superLen)
		return c.f.values(h, &bytes, b%superLen)
	}
	var h [2]uint16
	o := c.f.scalesAt(b) + 2*c.lane
	for i := range c.f.kind.values() {
		h[i] = binary.LittleEndian.Uint16(c.panel[o+2*panelWidth*i:])
	}
	return c.f.values(h, &[2 * superLen]byte{}, 0)
}

// bytesOf is x as bytes.
func bytesOf(x []int8) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

func float32FromBits(b uint32) float32 { return math.Float32frombits(b) }

// widenHalf is one element of a 16-bit format.
func widenHalf(d DType, h uint16) float32 {
	if d == BF16 {
		return math.Float32frombits(uint32(h) << 16)
	}
	return widenF16(h)
}
