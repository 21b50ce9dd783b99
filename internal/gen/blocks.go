package main

import (
	"fmt"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// Weights in blocks of 32, described once for every machine. Package kernels has the layouts and the contracts:
// blocks.go, blocks_expand.go, blocks_quantize.go, blocks_tile.go.

const (
	blockLine  = 64            // bytes: four codes of 16 outputs
	wideBlock  = 8 * blockLine // the codes of a block in bytes
	lowNibbles = vm.Const(0x0f0f0f0f)
	signBytes  = vm.Const(0x80808080)

	recordBytes  = 48
	recordScale  = 32
	recordOffset = 36
	recordSum    = 40
)

// blockSize is the bytes of a block's codes of so many bits.
func blockSize(bits int) int { return blockLine * bits }

// unpacker makes codes of 4, 5 or 6 bits to bytes.
type unpacker struct {
	m    vm.Machine
	bits int
	src  vm.GP
	at   int    // of the block, from src on
	low  vm.Src // masks
	high vm.Src
}

// mask is a constant that is used often: in a register where operations cannot take it from memory.
func mask(m vm.Machine, c vm.Const) vm.Src {
	if x, ok := m.(*vm.X86); ok && x.Bytes() == 32 {
		return c // registers are short, and constants come from memory as they are
	}
	return m.Fixed(c)
}

func newUnpacker(m vm.Machine, bits int, src vm.GP) *unpacker {
	u := &unpacker{m: m, bits: bits, src: src}
	switch bits {
	case 4:
		u.low = mask(m, lowNibbles)
	case 5:
		u.low, u.high = mask(m, lowNibbles), mask(m, 0x10101010)
	case 6:
		u.low = mask(m, 0x3f3f3f3f)
	}
	return u
}

// line loads line l of the block.
func (u *unpacker) line(l int) vm.V {
	v := u.m.V()
	u.m.Load(u.src, u.at+blockLine*l, v)
	return v
}

// pair gives groups q and q+4 of a block of 4 or 5 bits, which has its fifth bits in upper.
func (u *unpacker) pair(q int, upper vm.V, f func(g int, codes vm.V)) {
	line, code := u.line(u.bits-4+q), u.m.V()
	u.code(q, line, upper, code)
	f(q, code)
	u.m.Shr(line, line, 4)
	u.code(q+4, line, upper, line)
	f(q+4, line)
}

// half gives groups 4h to 4h+3 of a block of 6 bits: three as they are, and one in what is left of their bytes.
func (u *unpacker) half(h int, f func(g int, codes vm.V)) {
	code, last := u.m.V(), u.m.V()
	for l := 0; l < 3; l++ {
		line := u.line(3*h + l)
		u.m.And(code, line, u.low)
		f(4*h+l, code)
		u.rest(last, line, l)
	}
	f(4*h+3, last)
}

// rest adds to last the two bits that line l has for it.
func (u *unpacker) rest(last, line vm.V, l int) {
	u.m.Shr(line, line, 2*l+2)
	bits := vm.Const(0x30303030 >> (2 * l))
	if l == 0 {
		u.m.And(last, line, bits)
		return
	}
	u.m.OrAnd(last, line, bits)
}

// group gives group g alone.
func (u *unpacker) group(g int) vm.V {
	switch {
	case u.bits == 8:
		return u.line(g)
	case u.bits == 6 && g%4 == 3:
		last := u.m.V()
		for l := 0; l < 3; l++ {
			u.rest(last, u.line(g/4*3+l), l)
		}
		return last
	case u.bits == 6:
		v := u.line(g/4*3 + g%4)
		u.m.And(v, v, u.low)
		return v
	}
	v, upper := u.line(u.bits-4+g%4), vm.V(nil)
	if g >= 4 {
		u.m.Shr(v, v, 4)
	}
	if u.bits == 5 {
		upper = u.line(0)
	}
	u.code(g, v, upper, v)
	return v
}

// code makes the codes of group g of its nibbles, which are the low ones of line, and of the fifth bits, which upper has
// beside others. It may be line itself.
func (u *unpacker) code(g int, line, upper, code vm.V) {
	m := u.m
	if u.bits == 4 {
		m.And(code, line, u.low)
		return
	}
	t := upper
	switch {
	case g < 4:
		t = m.V()
		m.Shl(t, upper, 4-g)
	case g > 4:
		t = m.V()
		m.Shr(t, upper, g-4)
	}
	m.And(code, line, u.low)
	m.OrAnd(code, t, u.high)
}

// groups gives all eight groups of a block: those of whole bytes as they are.
func (u *unpacker) groups(f func(g int, codes vm.V)) {
	switch u.bits {
	case 8:
		for g := 0; g < 8; g++ {
			f(g, u.line(g))
		}
	case 6:
		u.half(0, f)
		u.half(1, f)
	default:
		var upper vm.V
		if u.bits == 5 {
			upper = u.line(0)
		}
		for q := 0; q < 4; q++ {
			u.pair(q, upper, f)
		}
	}
}

func expansions(m vm.Machine) {
	for _, bits := range []int{4, 5, 6} {
		name := fmt.Sprintf("Expand%d", bits)
		vm.Function(m, name, "dst, src *uint8, n int", fmt.Sprintf("%s makes the codes of n blocks of a panel, %d bits each, to bytes: [n][8][16][4].", name, bits))
		dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
		u := newUnpacker(m, bits, src)
		m.Label("block")
		m.Prefetch(src, prefetchAhead)
		u.groups(func(g int, codes vm.V) { m.Store(codes, dst, blockLine*g) })
		m.AddI(src, blockSize(bits))
		m.AddI(dst, wideBlock)
		m.SubJump(n, 1, vm.NE, "block")
		m.Ret()
	}
	for _, f := range blockFormats {
		name := "Expand" + f.name
		vm.Function(m, name, "codes *uint8, scales *float32, packed *uint8, n int", fmt.Sprintf(`%s makes the codes of n blocks of a panel, as they are packed, to bytes, [n][8][16][4], and
their scales to float32, [n][%d][16].`, name, f.kind.values()))
		dst, scales, src, n := m.Param("codes"), m.Param("scales"), m.Param("packed"), m.Param("n")
		u := newUnpacker(m, f.bits, src)
		f.eachSpan(m, u, n, func(b int) {
			u.groups(func(g int, codes vm.V) { m.Store(codes, dst, blockLine*g) })
			m.AddI(dst, wideBlock)
			for i := 0; i < f.kind.values(); i++ {
				v := m.V()
				m.LoadF16(src, f.scalesAt(b)+blockLine/2*i, v)
				m.Store(v, scales, 0)
				m.AddI(scales, 64)
			}
		})
		m.Ret()
	}
}

// quantiseMin is the least magnitude that is told from 0, as in package kernels.
var quantiseMin = f32(1e-35)

func quantiseBlocks(m vm.Machine) {
	vm.Function(m, "QuantiseBlocks", "dst *uint8, src *float32, n int, factor float32", `QuantiseBlocks fills n records of 48 bytes from 32 elements each: round(x·(127/m)) as int8, m being their largest
magnitude; m·(1/127) as float32; then factor·Σ of the integers, exact, as int32 and Σ as float32. Below 1e-35, m counts as 0;
where it is not finite the scale is NaN.`)
	dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
	factor := m.BroadcastParam("factor")
	m.Label("block")
	inv := quantiseScale(m, src, 2, dst, recordScale)
	sum := quantisePair(m, src, 0, inv, dst, 0)
	m.StoreLane0(sum, dst, recordSum)
	m.Mul(sum, sum, factor)
	m.ToInt(sum, sum)
	m.StoreLane0(sum, dst, recordOffset)
	m.AddI(src, 128)
	m.AddI(dst, recordBytes)
	m.SubJump(n, 1, vm.NE, "block")
	m.Ret()
}

// quantiseScale stores the scale of n vectors from src on and gives its inverse.
func quantiseScale(m vm.Machine, src vm.GP, n int, dst vm.GP, at int) vm.V {
	top, t := m.V(), m.V()
	m.Load(src, 0, top)
	m.And(top, top, absMask)
	for i := 1; i < n; i++ {
		m.Load(src, 64*i, t)
		m.And(t, t, absMask)
		m.MaxInt(top, top, t)
	}
	m.MaxIntLanes(top)
	inv := m.Splat(f32(127))
	m.Div(inv, inv, top)
	m.ZeroIfLess(inv, top, quantiseMin)
	scale, spoilt := m.V(), m.V()
	m.Mul(scale, top, f32(1.0/127))
	m.Mul(spoilt, top, vm.Const(0))
	m.Add(scale, scale, spoilt)
	m.ZeroIfLess(scale, top, quantiseMin)
	m.StoreLane0(scale, dst, at)
	return inv
}

// quantiseVector stores 16 integers and gives them as floats.
func quantiseVector(m vm.Machine, src vm.GP, from int, inv vm.V, dst vm.GP, to int) vm.V {
	v, q := m.V(), m.V()
	m.Load(src, from, v)
	m.Mul(v, v, inv)
	m.Round(v, v)
	m.ToInt(q, v)
	m.StoreInt8(q, dst, to)
	return v
}

// quantisePair stores 32 integers and gives their sum in every lane.
func quantisePair(m vm.Machine, src vm.GP, from int, inv vm.V, dst vm.GP, to int) vm.V {
	a := quantiseVector(m, src, from, inv, dst, to)
	b := quantiseVector(m, src, from+64, inv, dst, to+16)
	m.Add(a, a, b)
	m.SumLanes(a)
	return a
}

func quantiseSuper(m vm.Machine) {
	const doc = `%s fills n records of 336 bytes from 256 elements each: round(x·(127/m)) as int8, m being their largest
magnitude; m·(1/127) as float32; at 272 %s. Below 1e-35, m counts as 0;
where it is not finite the scale is NaN.`
	for _, halves := range []bool{false, true} {
		name, sums := "QuantiseSuper", "the sums of every 32 integers as int16"
		if halves {
			name, sums = "QuantiseSuperHalves", "-32·Σ of every 16 integers, and 0 and 1 by turns, as int32"
		}
		vm.Function(m, name, "dst *uint8, src *float32, n int", fmt.Sprintf(doc, name, sums))
		dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
		m.Label("super")
		inv := quantiseScale(m, src, 16, dst, superRecordScale)
		for b := 0; b < superLen; b++ {
			if !halves {
				sum := quantisePair(m, src, 128*b, inv, dst, 32*b)
				m.ToInt(sum, sum)
				m.StoreLane0(sum, dst, superRecordSums+2*b) // the upper half is stored over by the next
				continue
			}
			for h := 2 * b; h < 2*b+2; h++ {
				sum := quantiseVector(m, src, 64*h, inv, dst, 16*h)
				m.SumLanes(sum)
				m.Mul(sum, sum, f32(-32))
				m.ToInt(sum, sum)
				if h%2 == 1 {
					m.AddInt(sum, sum, vm.Const(1))
				}
				m.StoreLane0(sum, dst, superRecordSums+4*h)
			}
		}
		m.AddI(src, 4*superWeights)
		m.AddI(dst, superRecordBytes)
		m.SubJump(n, 1, vm.NE, "super")
		m.Ret()
	}
}
