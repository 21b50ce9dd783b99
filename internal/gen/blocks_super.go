package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"

	"github.com/ladon-ml/ladon/internal/gen/vm"
)

// Products with K-quants: package kernels has the layout and the contract, blocks_super.go.

const (
	superLen         = 8 // blocks
	superWeights     = 32 * superLen
	superRecordBytes = 336
	superRecordScale = 256
	superRecordSums  = 272
)

// superFormat is one of GGUF's K-quants, as kernels packs it.
type superFormat struct {
	name   string
	bits   int
	halves bool // scales for halves of blocks, no minimums
}

var superFormats = []superFormat{{"Q4K", 4, false}, {"Q5K", 5, false}, {"Q6K", 6, true}}

// shift is the bits that a sum of products loses.
func (f superFormat) shift() int {
	if f.bits == 5 {
		return 2
	}
	return 1
}

// scaleLines is the lines of scales of a super-block, before that of d.
func (f superFormat) scaleLines() int {
	if f.halves {
		return 4
	}
	return 3
}

// head is the size of the scales, which come first.
func (f superFormat) head() int { return 64 * (f.scaleLines() + 1) }

// bytes is the size of a super-block of a panel.
func (f superFormat) bytes() int {
	return f.head() + superLen*blockSize(f.bits)
}

const superTileDoc = `%s adds to the sums of so many tiles, or sets them if first is not 0, the product of %d rows each of records,
lda bytes apart, with so many super-blocks of a panel (kernels.superTile). If c is not nil they go there, rows ldc bytes
apart, plus bias if that is not nil.`

const superTileSignature = "tiles, supers int, a *uint8, lda int, codes, scales *uint8, sums *float32, first int, c *float32, ldc int, bias *float32, next *uint8"

func superTileBegin(m vm.Machine, name string, mr int) {
	doc := fmt.Sprintf(superTileDoc, name, mr)
	if superFetches(mr) {
		doc += "\nOf the memory at next, an eighth of the super-blocks' size is prefetched for each tile."
	}
	vm.Function(m, name, superTileSignature, doc)
	m.Label("tile")
	if mr == 1 {
		return
	}
	out, ldc := m.Param("c"), m.Param("ldc")
	m.SubJump(out, 0, vm.EQ, "begin")
	for i := 0; i < mr; i++ {
		m.Prefetch(out, 0)
		m.AddR(out, ldc)
	}
	m.Label("begin")
}

// superFetches tells whether a tile asks for the next panel. Few rows wait for memory, which is read in order: the processor
// fetches ahead by itself, and less well if it is asked for more.
func superFetches(mr int) bool { return mr > 4 }

// superScales reads the scales of a super-block, which lie at base.
type superScales struct {
	m    vm.Machine
	f    superFormat
	base vm.GP
}

// pair gives the scales of blocks 2p and 2p+1, or of halves 2p and 2p+1, in the lower and the upper 16 bits; with p from 4
// on the minimums of blocks 2(p-4) and the next.
func (s superScales) pair(p int) vm.V {
	m, v := s.m, s.m.V()
	line := func(l int, d vm.V) { m.Load(s.base, 64*l, d) }
	if s.f.halves {
		c := m.(*vm.X86).Ctx()
		line(p/2, v)
		for _, r := range v {
			if p%2 == 0 {
				c.VPSLLW(operand.Imm(8), r, r)
			}
			c.VPSRAW(operand.Imm(8), r, r)
		}
		return v
	}
	bits := func(l, from int, mask vm.Const, d vm.V) {
		line(l, d)
		switch {
		case from > 0:
			m.Shr(d, d, from)
		case from < 0:
			m.Shl(d, d, -from)
		}
		m.And(d, d, mask)
	}
	t := m.V()
	switch p {
	case 6:
		bits(0, 12, 0x000f000f, v)
		bits(1, 8, 0x00300030, t)
		m.Or(v, v, t)
	case 7:
		bits(1, 14, 0x00030003, v)
		bits(2, 10, 0x003c003c, t)
		m.Or(v, v, t)
	default:
		bits(p/2, p%2*6, 0x003f003f, v)
	}
	return v
}

// one gives the scale of block or half u alone, with a sign if it has one: in the lower 16 bits, or in all 32.
func (s superScales) one(u int, wide bool) vm.V {
	m, v := s.m, s.m.V()
	if s.f.halves {
		m.Load(s.base, 64*(u/4), v)
		at := []int{0, 16, 8, 24}[u%4]
		if at < 24 {
			m.Shl(v, v, 24-at)
		}
		if wide {
			m.Sar(v, v, 24)
			return v
		}
		m.Sar(v, v, 8)
		m.Shr(v, v, 16)
		return v
	}
	p := u / 2
	m.Load(s.base, 64*(p/2), v)
	if by := p%2*6 + u%2*16; by > 0 {
		m.Shr(v, v, by)
	}
	m.And(v, v, vm.Const(63))
	return v
}

// d gives the scale of the scales, with the bits that sums have lost, and dmin.
func (s superScales) d() (d, dmin vm.V) {
	m, at := s.m, 64*s.f.scaleLines()
	d = m.V()
	m.LoadF16(s.base, at, d)
	m.Mul(d, d, f32(float64(int(1)<<s.f.shift())))
	if !s.f.halves {
		dmin = m.V()
		m.LoadF16(s.base, at+32, dmin)
	}
	return d, dmin
}

// superBegin is what the sum of block b begins at, where that is a constant: half of what is shifted out, up or down.
func (f superFormat) begin(b int) vm.Const { return vm.Const(b%2 + f.shift() - 1) }

// superClear sets the sums to 0 if first says so.
func superClear(m vm.Machine, sums vm.GP, mr int) {
	first := m.Param("first")
	m.SubJump(first, 0, vm.EQ, "add")
	zero := m.Splat(0)
	for i := 0; i < mr; i++ {
		m.Store(zero, sums, 64*i)
	}
	m.Label("add")
}

// superTileEnd writes the sums where they are wanted, and goes on to the next tile.
func superTileEnd(m vm.Machine, sums vm.GP, mr int) {
	out, bias := m.Param("c"), m.Param("bias")
	m.SubJump(out, 0, vm.EQ, "next")
	b, t, ldc := m.V(), m.V(), m.Param("ldc")
	write := func(end string, f func()) {
		for i := 0; i < mr; i++ {
			m.Load(sums, 64*i, t)
			f()
			m.Store(t, out, 0)
			m.AddR(out, ldc)
		}
		m.Jump(end)
	}
	m.SubJump(bias, 0, vm.EQ, "plain")
	m.Load(bias, 0, b)
	write("written", func() { m.Add(t, t, b) })
	m.Label("plain")
	write("written", func() {})
	m.Label("written")
	m.SetParam("c", out)
	m.Label("next")
	m.AddI(sums, 64*mr)
	m.SetParam("sums", sums)
	a, lda := m.Param("a"), m.Param("lda")
	for i := 0; i < mr; i++ {
		m.AddR(a, lda)
	}
	m.SetParam("a", a)
	left := m.Param("tiles")
	m.AddI(left, -1)
	m.SetParam("tiles", left)
	m.SubJump(left, 0, vm.NE, "tile")
	m.Ret()
}

// superTile is for machines with short registers: block after block, or half after half, each multiplied by its scale. Codes
// are expanded to bytes if wide.
func superTile(m vm.Machine, d dots, f superFormat, wide bool, mr int) {
	name := "Block"
	if d.vnni {
		name += "VNNI"
	}
	if wide {
		name += "Wide"
	}
	superTileBegin(m, fmt.Sprintf("%s%s%d", name, f.name, mr), mr)
	n, src, sum := m.Param("supers"), m.Param("scales"), m.Param("sums")
	superClear(m, sum, mr)
	scales := superScales{m, f, src}
	bits, head := f.bits, f.head()
	if wide {
		bits, head, src = 8, 0, m.Param("codes")
	}
	u := newUnpacker(m, bits, src)
	a, lda := m.Param("a"), m.Param("lda")
	rows := make([]*record, mr)
	for i := range rows {
		base := a
		if i > 0 {
			base = m.GP()
			m.MovR(base, rows[i-1].base)
			m.AddR(base, lda)
		}
		rows[i] = d.newRecord(base)
	}
	m.Label("super")
	isum := make([]vm.V, mr)
	for i := range isum {
		isum[i] = m.V()
		m.Mov(isum[i], vm.Const(0))
	}
	units := superLen
	if f.halves {
		units = 2 * superLen
	}
	for unit := 0; unit < units; unit++ {
		sums := make([]vm.V, mr)
		for i, r := range rows {
			sums[i] = m.V()
			if f.halves {
				m.Broadcast(r.base, superRecordSums+4*unit, sums[i])
			} else {
				m.Mov(sums[i], f.begin(unit))
			}
		}
		from, to := 0, 8 // groups
		b := unit
		if f.halves {
			b, from, to = unit/2, unit%2*4, unit%2*4+4
		}
		u.at = head + b*blockSize(bits)
		for g := from; g < to; g++ {
			if g%4 == 0 {
				for _, r := range rows {
					d.load(r, 2*b+g/4)
				}
			}
			v := u.group(g)
			for i, r := range rows {
				d.add(sums[i], codes{v: v}, r, 8*b+g)
			}
		}
		d.addScaled(isum, sums, scales, unit)
	}
	dScale, dmin := scales.d()
	for _, v := range isum {
		m.ToFloat(v, v)
		m.Mul(v, v, dScale)
	}
	if !f.halves {
		for i, r := range rows {
			imin := d.minimums(scales, r)
			m.ToFloat(imin, imin)
			m.FNMA(isum[i], imin, dmin)
		}
	}
	for i, r := range rows {
		acc := m.V()
		m.Load(sum, 64*i, acc)
		d.fma(acc, isum[i], r, superRecordScale)
		m.Store(acc, sum, 64*i)
		m.AddI(r.base, superRecordBytes)
	}
	if wide {
		m.AddI(src, superLen*wideBlock)
	}
	m.AddI(scales.base, f.bytes())
	m.SubJump(n, 1, vm.NE, "super")
	superTileEnd(m, sum, mr)
}

// addScaled emits isum += (sum shifted)·(the scale of block or half unit) for all rows.
func (d dots) addScaled(isum, sums []vm.V, s superScales, unit int) {
	for _, v := range sums {
		d.m.Sar(v, v, s.f.shift())
	}
	n, neon := d.m.(*vm.NEON)
	scale := s.one(unit, neon)
	for i, v := range sums {
		for j := range v {
			if neon {
				n.MulAddInt(vm.V{isum[i][j]}, vm.V{v[j]}, scale[j])
				continue
			}
			c := d.m.Ctx()
			c.VPMADDWD(scale[j], v[j], v[j])
			c.VPADDD(v[j], isum[i][j], isum[i][j])
		}
	}
}

// minimums gives the sum of the record's sums times the minimums.
func (d dots) minimums(s superScales, r *record) vm.V {
	m := d.m
	sum := m.V()
	m.Mov(sum, vm.Const(0))
	for p := 0; p < superLen/2; p++ {
		pair := s.pair(4 + p)
		if n, ok := m.(*vm.NEON); ok {
			low, t := n.V(), n.Vec()
			n.And(low, pair, vm.Const(63))
			n.BroadcastInt16(r.base, superRecordSums+4*p, t)
			n.MulAddInt(sum, low, t)
			n.Shr(pair, pair, 16)
			n.BroadcastInt16(r.base, superRecordSums+4*p+2, t)
			n.MulAddInt(sum, pair, t)
			continue
		}
		x := m.(*vm.X86)
		t := x.Vec()
		x.Ctx().VPBROADCASTD(operand.Mem{Base: r.base, Disp: superRecordSums + 4*p}, t)
		for j, w := range pair {
			x.Ctx().VPMADDWD(t, w, w)
			x.Ctx().VPADDD(w, sum[j], sum[j])
		}
	}
	return sum
}
