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
	if bits < 8 {
		u.low = mask(m, lowNibbles)
	}
	switch bits {
	case 5:
		u.high = mask(m, 0x10101010)
	case 6:
		u.high = mask(m, 0x30303030)
	}
	return u
}

// pair gives groups q and q+4 of the block at src, one after the other.
func (u *unpacker) pair(q int, f func(g int, codes vm.V)) {
	m := u.m
	line, code := m.V(), m.V()
	m.Load(u.src, blockLine*q, line)
	m.And(code, line, u.low)
	u.plane(q, code)
	f(q, code)
	code = m.V()
	m.Shr(code, line, 4)
	m.And(code, code, u.low)
	u.plane(q+4, code)
	f(q+4, code)
}

// plane adds the upper bits of group g, which lie in lines after the nibbles.
func (u *unpacker) plane(g int, code vm.V) {
	m := u.m
	var line, at int // bit 4 is at bit at of that line
	switch u.bits {
	case 5:
		line, at = 4, g
	case 6:
		line, at = 4+g/4, g%4*2
	default:
		return
	}
	t := m.V()
	m.Load(u.src, blockLine*line, t)
	switch {
	case at < 4:
		m.Shl(t, t, 4-at)
	case at > 4:
		m.Shr(t, t, at-4)
	}
	m.And(t, t, u.high)
	m.Or(code, code, t)
}

// groups gives all eight groups of a block: those of whole bytes as they are.
func (u *unpacker) groups(f func(g int, codes vm.V)) {
	if u.bits < 8 {
		for q := 0; q < 4; q++ {
			u.pair(q, f)
		}
		return
	}
	for g := 0; g < 8; g++ {
		v := u.m.V()
		u.m.Load(u.src, blockLine*g, v)
		f(g, v)
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
}

// superScale emits d = the half-precision numbers at base+at times the bytes at p+off, from which bias is taken.
func superScale(m vm.Machine, base vm.GP, at int, p vm.GP, off int, bias bool) vm.V {
	w, d := m.V(), m.V()
	m.Load8(p, off, w)
	m.ToFloat(w, w)
	if bias {
		m.Sub(w, w, f32(128))
	}
	m.LoadF16(base, at, d)
	m.Mul(w, w, d)
	return w
}

func superScales(m vm.Machine) {
	const row = 64
	vm.Function(m, "SuperMins", "dst *float32, src *uint8, n int", `SuperMins sets dst[s][b][0] = d[s]·scale[s][b] and dst[s][b][1] = -dmin[s]·min[s][b] for n super-blocks s of 8 blocks b,
16 outputs each. src has d and dmin in half precision, 8 rows of scales and 8 of minimums in bytes.`)
	dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
	m.Label("super")
	for b := 0; b < 8; b++ {
		m.Store(superScale(m, src, 0, src, 64+16*b, false), dst, 2*row*b)
		w := superScale(m, src, 32, src, 192+16*b, false)
		m.Xor(w, w, signBit)
		m.Store(w, dst, 2*row*b+row)
	}
	m.AddI(src, 320)
	m.AddI(dst, 16*row)
	m.SubJump(n, 1, vm.NE, "super")
	m.Ret()
	vm.Function(m, "SuperHalves", "dst *float32, src *uint8, n int", `SuperHalves sets dst[s][h] = d[s]·(scale[s][h] - 128) for n super-blocks s of 16 half blocks h, 16 outputs each. src has
d in half precision and 16 rows of scales in bytes.`)
	dst, src, n = m.Param("dst"), m.Param("src"), m.Param("n")
	m.Label("super")
	for h := 0; h < 16; h++ {
		m.Store(superScale(m, src, 0, src, 32+16*h, true), dst, row*h)
	}
	m.AddI(src, 288)
	m.AddI(dst, 16*row)
	m.SubJump(n, 1, vm.NE, "super")
	m.Ret()
}

// quantiseMin is the least magnitude that is told from 0, as in package kernels.
var quantiseMin = f32(1e-35)

func quantiseBlocks(m vm.Machine) {
	for _, halves := range []bool{false, true} {
		name, sums := "QuantiseBlocks", "then factor·Σ of the integers, exact, as int32 and Σ as float32"
		if halves {
			name, sums = "QuantiseHalves", "then factor·Σ of the first 16 integers and of the others, exact, as int32"
		}
		vm.Function(m, name, "dst *uint8, src *float32, n int, factor float32", fmt.Sprintf(`%s fills n records of 48 bytes from 32 elements each: round(x·(127/m)) as int8, m being their largest
magnitude; m·(1/127) as float32; %s. Below 1e-35, m counts as 0; where it is not
finite the scale is NaN.`, name, sums))
		dst, src, n := m.Param("dst"), m.Param("src"), m.Param("n")
		factor := m.BroadcastParam("factor")
		m.Label("block")
		a, b, top, t := m.V(), m.V(), m.V(), m.V()
		m.Load(src, 0, a)
		m.Load(src, 64, b)
		m.And(top, a, absMask)
		m.And(t, b, absMask)
		m.MaxInt(top, top, t)
		m.MaxIntLanes(top)
		inv := m.Splat(f32(127))
		m.Div(inv, inv, top)
		m.ZeroIfLess(inv, top, quantiseMin)
		scale, spoilt := m.V(), m.V()
		m.Mul(scale, top, f32(1.0/127))
		m.Mul(spoilt, top, vm.Const(0))
		m.Add(scale, scale, spoilt)
		m.ZeroIfLess(scale, top, quantiseMin)
		m.StoreLane0(scale, dst, recordScale)
		for i, v := range []vm.V{a, b} {
			m.Mul(v, v, inv)
			m.Round(v, v)
			q := m.V()
			m.ToInt(q, v)
			m.StoreInt8(q, dst, 16*i)
		}
		put := func(v vm.V, at int) {
			m.Mul(v, v, factor)
			m.ToInt(v, v)
			m.StoreLane0(v, dst, at)
		}
		if halves {
			m.SumLanes(a)
			put(a, recordOffset)
			m.SumLanes(b)
			put(b, recordSum)
		} else {
			m.Add(a, a, b)
			m.SumLanes(a)
			m.StoreLane0(a, dst, recordSum)
			put(a, recordOffset)
		}
		m.AddI(src, 128)
		m.AddI(dst, recordBytes)
		m.SubJump(n, 1, vm.NE, "block")
		m.Ret()
	}
}
