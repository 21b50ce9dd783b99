package jpeg

// refine reads what a progressive scan has of a block, T.81 G.
func (d *decoder) refine(c *component, b *[blockSize]int16, s band) error {
	if err := d.fill(); err != nil {
		return err
	}
	switch {
	case s.first == 0 && s.before == 0:
		size, err := d.symbol(c.dc)
		if err != nil {
			return err
		}
		if size > 15 {
			return broken("a coefficient of %d bits", size)
		}
		c.before += extend(d.take(int(size)), int(size))
		b[0] = int16(c.before << s.bit)
		return nil
	case s.first == 0:
		b[0] |= int16(d.take(1) << s.bit)
		return nil
	case s.before == 0:
		return d.firstBits(c.ac, b, s)
	}
	return d.nextBit(c.ac, b, s)
}

// endRun begins a run of blocks whose bands end, the one at hand included.
func (d *decoder) endRun(size int) {
	d.run = 1<<size + int(d.take(size))
}

// firstBits reads the upper bits of a band.
func (d *decoder) firstBits(ac *huffman, b *[blockSize]int16, s band) error {
	if d.run > 0 {
		d.run--
		return nil
	}
	for k := s.first; k <= s.last; k++ {
		if err := d.fill(); err != nil {
			return err
		}
		symbol, err := d.symbol(ac)
		if err != nil {
			return err
		}
		zeros, size := int(symbol>>4), int(symbol&15)
		if size == 0 {
			if zeros < 15 {
				d.endRun(zeros)
				d.run--
				return nil
			}
			k += 15
			continue
		}
		if k += zeros; k > s.last {
			return broken("a band of more than %d coefficients", s.last-s.first+1)
		}
		b[k] = int16(extend(d.take(size), size) << s.bit)
	}
	return nil
}

// nextBit reads one more bit of the coefficients of a band: those that are not 0
// have one each, and between them new ones begin.
func (d *decoder) nextBit(ac *huffman, b *[blockSize]int16, s band) error {
	k := s.first
	for d.run == 0 && k <= s.last {
		if err := d.fill(); err != nil {
			return err
		}
		symbol, err := d.symbol(ac)
		if err != nil {
			return err
		}
		zeros, size, value := int(symbol>>4), int(symbol&15), int16(0)
		switch {
		case size > 1:
			return broken("a new coefficient of %d bits in a scan that refines", size)
		case size == 1:
			value = int16(1 << s.bit)
			if d.take(1) == 0 {
				value = -value
			}
		case zeros < 15:
			d.endRun(zeros)
		}
		if d.run > 0 {
			break
		}
		if k, err = d.correct(b, k, s, zeros); err != nil {
			return err
		}
		if value != 0 {
			if k > s.last {
				return broken("a band of more than %d coefficients", s.last-s.first+1)
			}
			b[k] = value
		}
		k++
	}
	if d.run > 0 {
		d.run--
		_, err := d.correct(b, k, s, blockSize)
		return err
	}
	return nil
}

// correct reads a bit for each coefficient from k on that is not 0, and stops at
// the next 0 after so many of them, whose place it gives.
func (d *decoder) correct(b *[blockSize]int16, k int, s band, zeros int) (int, error) {
	for ; k <= s.last; k++ {
		if b[k] == 0 {
			if zeros == 0 {
				break
			}
			zeros--
			continue
		}
		if err := d.fill(); err != nil {
			return 0, err
		}
		if d.take(1) == 0 {
			continue
		}
		if bit := int16(1 << s.bit); b[k]&bit != 0 { // has it: the file says so twice
			continue
		} else if b[k] > 0 {
			b[k] += bit
		} else {
			b[k] -= bit
		}
	}
	return k, nil
}

// finish makes samples of what progressive scans have gathered.
func (d *decoder) finish() error {
	for i := range d.components {
		c := &d.components[i]
		if !c.seen {
			return broken("no scan of component %d", i)
		}
		if !d.progressive {
			continue
		}
		c.pix = make([]byte, c.stride*8*c.down)
		for block := range c.across * c.down {
			var coefficients [blockSize]int32
			last := 0
			for k, v := range c.coefficients[block*blockSize:][:blockSize] {
				if v != 0 {
					coefficients[zigzag[k]&63] = int32(v) * int32(c.steps[k])
					last = k
				}
			}
			x, y := block%c.across, block/c.across
			inverse(&coefficients, last, c.pix[8*(y*c.stride+x):], c.stride)
		}
		c.coefficients = nil
	}
	return nil
}
