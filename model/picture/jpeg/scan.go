package jpeg

// A band is what a scan holds: some bits of some coefficients.
type band struct {
	first, last int  // in zigzag order
	before, bit uint // coefficients were known up to bit before, and are now up to bit
}

// maxScans bounds the time that a file may take: a scan of a few hundred bytes can
// pass over any number of blocks.
const maxScans = 500

// scan reads one.
func (d *decoder) scan() error {
	b, err := d.body()
	if err != nil {
		return err
	}
	if len(b) < 4 || int(b[0]) < 1 || int(b[0]) > len(d.components) || len(b) != 4+2*int(b[0]) {
		return broken("a scan's header of %d bytes", len(b))
	}
	n := int(b[0])
	s := band{int(b[1+2*n]), int(b[2+2*n]), uint(b[3+2*n] >> 4), uint(b[3+2*n] & 15)}
	if !d.progressive {
		s = band{0, blockSize - 1, 0, 0}
	} else if s.first > s.last || s.last >= blockSize || s.first == 0 && s.last > 0 || s.first > 0 && n > 1 ||
		s.bit > 13 || s.before > 0 && s.before != s.bit+1 {
		return broken("a scan of coefficients %d to %d, bits %d and %d", s.first, s.last, s.before, s.bit)
	}
	if d.scanned++; d.scanned > maxScans {
		return broken("more than %d scans", maxScans)
	}
	list := make([]*component, n)
	blocks, inUnit := 0, 0
	for i := range list {
		c, err := d.choose(b[1+2*i], b[2+2*i], s)
		if err != nil {
			return err
		}
		for _, other := range list[:i] {
			if other == c {
				return broken("a scan with a component twice")
			}
		}
		list[i] = c
		if blocks += c.across * c.down; n == 1 {
			blocks = ceil(c.width, 8) * ceil(c.height, 8)
		}
		inUnit += c.h * c.v
	}
	if n > 1 && inUnit > 10 {
		return broken("a scan with %d blocks in a unit", inUnit)
	}
	// A first coefficient takes a bit or more: a small file that says it is large
	// is found out here, before there is memory for it.
	if s.first == 0 && blocks/8 > len(d.data)-d.at {
		return broken("%d×%d pixels cannot be in %d bytes", d.width, d.height, len(d.data))
	}
	for _, c := range list {
		c.prepare(d.progressive)
	}
	return d.units(list, s)
}

// choose finds a scan's component and its tables.
func (d *decoder) choose(id, tables byte, s band) (*component, error) {
	for i := range d.components {
		c := &d.components[i]
		if c.id != id {
			continue
		}
		dc, ac := tables>>4, tables&15
		if dc > 3 || ac > 3 {
			return nil, broken("a scan with Huffman tables %d and %d", dc, ac)
		}
		c.dc, c.ac = d.dcs[dc], d.acs[ac]
		if s.first == 0 && s.before == 0 && c.dc == nil || s.last > 0 && c.ac == nil {
			return nil, broken("a scan before its Huffman tables")
		}
		switch {
		case c.seen:
		case s.first > 0 || s.before > 0:
			return nil, broken("a scan that goes on with what has not begun")
		case d.quants[c.quant] == nil:
			return nil, broken("a scan before its quantisation")
		default: // that of the first scan is the one that counts
			c.seen, c.steps = true, d.quants[c.quant]
		}
		return c, nil
	}
	return nil, broken("a scan of a component %d that is not there", id)
}

// prepare takes the memory that a component's first scan needs.
func (c *component) prepare(progressive bool) {
	if progressive && c.coefficients == nil {
		c.coefficients = make([]int16, c.across*c.down*blockSize)
	}
	if !progressive && c.pix == nil {
		c.pix = make([]byte, c.stride*8*c.down)
	}
}

// units reads a scan's units: of one component each a block, those alone that
// show; of several as many blocks as they are sampled.
func (d *decoder) units(list []*component, s band) error {
	across, down := ceil(d.width, 8*d.maxH), ceil(d.height, 8*d.maxV)
	if len(list) == 1 {
		across, down = ceil(list[0].width, 8), ceil(list[0].height, 8)
	}
	if err := d.restart(list, -1); err != nil {
		return err
	}
	quants := make([]*[blockSize]int32, len(list))
	for i, c := range list {
		quants[i] = new([blockSize]int32)
		for j, q := range c.steps {
			quants[i][j] = int32(q)
		}
	}
	for unit := range across * down {
		if d.interval > 0 && unit > 0 && unit%d.interval == 0 {
			if err := d.restart(list, unit/d.interval-1); err != nil {
				return err
			}
		}
		x, y := unit%across, unit/across
		for i, c := range list {
			if len(list) == 1 {
				if err := d.block(c, x, y, quants[i], s); err != nil {
					return err
				}
				continue
			}
			for v := range c.v {
				for h := range c.h {
					if err := d.block(c, x*c.h+h, y*c.v+v, quants[i], s); err != nil {
						return err
					}
				}
			}
		}
	}
	if d.n < d.beyond {
		return broken("a scan is cut off at byte %d", d.at)
	}
	return nil
}

// restart begins a scan (number -1), or goes on after its marker of that number.
func (d *decoder) restart(list []*component, number int) error {
	if number >= 0 {
		if d.n < d.beyond {
			return broken("a scan is cut off at byte %d", d.at)
		}
		m, err := d.next()
		if err != nil {
			return err
		}
		if m != rst0+byte(number&7) {
			return broken("marker %#x where a scan restarts", m)
		}
	}
	for _, c := range list {
		c.before = 0
	}
	d.bits, d.run = bits{}, 0
	return nil
}

// block reads what a scan has of a block.
func (d *decoder) block(c *component, x, y int, quant *[blockSize]int32, s band) error {
	if d.progressive {
		return d.refine(c, (*[blockSize]int16)(c.coefficients[(y*c.across+x)*blockSize:]), s)
	}
	var coefficients [blockSize]int32
	last, err := d.sequential(c, &coefficients, quant)
	if err != nil {
		return err
	}
	inverse(&coefficients, last, c.pix[8*(y*c.stride+x):], c.stride)
	return nil
}

// zigzag gives a coefficient's place in its block. Behind the end is more, so
// that a run of zeros may go there.
var zigzag = [blockSize + 16]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
	63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
}

// sequential reads a whole block, T.81 F.2.2, and multiplies by its quantisation.
// It gives the place of the last coefficient in zigzag order.
func (d *decoder) sequential(c *component, dst, quant *[blockSize]int32) (last int, err error) {
	if err := d.fill(); err != nil {
		return 0, err
	}
	e := c.dc.table[d.acc>>(64-quick)]
	diff, size := e.value(), e.more()
	if e != 0 {
		d.drop(e.length())
		size |= e.zeros() << 4
	} else {
		symbol, length := c.dc.long(int32(d.acc >> 48))
		if length == 0 {
			return 0, d.noCode()
		}
		d.drop(length)
		diff, size = 0, int(symbol)
	}
	if size > 15 {
		return 0, broken("a coefficient of %d bits", size)
	}
	if size > 0 {
		diff = extend(d.take(size), size)
	}
	c.before += diff
	dst[0] = c.before * quant[0]

	ac := c.ac
	// The bits in registers.
	acc, n := d.acc, d.n
	for k := 1; k < blockSize; {
		if n <= 32 {
			d.acc, d.n = acc, n
			if err := d.fill(); err != nil {
				return 0, err
			}
			acc, n = d.acc, d.n
		}
		e := ac.table[acc>>(64-quick)]
		value, zeros, size := e.value(), e.zeros(), e.more()
		if e != 0 {
			acc <<= e.length() & 63
			n -= e.length()
		} else {
			symbol, length := ac.long(int32(acc >> 48))
			if length == 0 {
				return 0, d.noCode()
			}
			acc <<= length & 63
			n -= length
			zeros, size = int(symbol>>4), int(symbol&15)
		}
		if size > 0 {
			value = extend(int32(acc>>32>>(32-size&63)), size)
			acc <<= size & 63
			n -= size
		} else if value == 0 { // no number
			if zeros < 15 {
				break // the rest is 0
			}
			k += 16
			continue
		}
		k += zeros
		if k >= blockSize {
			return 0, broken("a block of more than %d coefficients", blockSize)
		}
		dst[zigzag[k]&63] = value * quant[k]
		last = k
		k++
	}
	d.acc, d.n = acc, n
	return last, nil
}
