package jpeg

import "encoding/binary"

// quick is up to how many bits of a code, and of the number after it, are looked
// up at once.
const quick = 10

// A huffman table decodes symbols: the upper four bits say how many zeros go
// before, the lower how many bits of a number follow.
type huffman struct {
	// table has for each next bits what they begin with; 0: a longer code.
	table [1 << quick]entry
	// plain has the symbol alone, below its code's length.
	plain [1 << quick]uint16
	// Of codes of each length, the first that is none, at the upper end of 16 bits,
	// and what added to a code gives its symbol's place.
	end     [17]int32
	offset  [17]int32
	symbols [256]byte
}

// An entry is, from its lowest bits, how many bits are used up (8), zeros (4), bits
// of the number that are still to be read (4), and the number if those are 0 (16).
type entry uint32

func (e entry) length() int  { return int(e & 255) }
func (e entry) zeros() int   { return int(e >> 8 & 15) }
func (e entry) more() int    { return int(e >> 12 & 15) }
func (e entry) value() int32 { return int32(e) >> 16 }

func (d *decoder) readHuffman(b []byte) error {
	for len(b) > 0 {
		class, to := b[0]>>4, b[0]&15
		if class > 1 || to > 3 || len(b) < 17 {
			return broken("a Huffman table's header")
		}
		h := new(huffman)
		n, err := h.build(b[1:17], b[17:])
		if err != nil {
			return err
		}
		if class == 0 {
			d.dcs[to] = h
		} else {
			d.acs[to] = h
		}
		b = b[17+n:]
	}
	return nil
}

// build makes a table from how many codes there are of each length, and the
// symbols in the order of their codes. It gives how many those are.
func (h *huffman) build(counts, symbols []byte) (int, error) {
	n := 0
	for _, c := range counts {
		n += int(c)
	}
	if n > 256 || n > len(symbols) {
		return 0, broken("a Huffman table of %d symbols", n)
	}
	copy(h.symbols[:], symbols[:n])
	code, at := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		h.offset[length] = at - code
		for range counts[length-1] {
			if length <= quick {
				h.spread(code, length, h.symbols[at])
			}
			code++
			at++
		}
		if code > 1<<length {
			return 0, broken("a Huffman table with too many codes of %d bits", length)
		}
		h.end[length] = code << (16 - length)
		code <<= 1
	}
	return n, nil
}

// spread enters a code wherever the next bits begin with it.
func (h *huffman) spread(code int32, length int, symbol byte) {
	rest := quick - length
	size := int(symbol & 15)
	if int(code+1)<<rest > len(h.table) {
		return // too many codes: build says so
	}
	for i := range 1 << rest {
		e := entry(length) | entry(symbol>>4)<<8 | entry(size)<<12
		if size <= rest {
			v := extend(int32(i>>(rest-size)), size)
			e = entry(length+size) | entry(symbol>>4)<<8 | entry(uint16(v))<<16
		}
		h.table[int(code)<<rest|i] = e
		h.plain[int(code)<<rest|i] = uint16(length)<<8 | uint16(symbol)
	}
}

// extend gives the number that some bits stand for, T.81 F.2.2.1: those that
// begin with 0 are negative.
func extend(v int32, size int) int32 {
	if v < 1<<size>>1 {
		return v + 1 - 1<<size
	}
	return v
}

// bits reads a scan's data bit by bit.
type bits struct {
	acc    uint64 // the next bits, from the highest on
	n      int    // how many there are
	beyond int    // how many of them stand for data that is missing
}

// fill makes more than 32 bits ready. Beyond the end of a scan's data they are
// zeros; who has used such gets an error.
func (d *decoder) fill() error {
	if d.n > 32 {
		return nil
	}
	if d.at+4 <= len(d.data) {
		w := binary.BigEndian.Uint32(d.data[d.at:])
		if !hasMarker(w) {
			d.acc |= uint64(w) << (32 - d.n)
			d.n += 32
			d.at += 4
			return nil
		}
	}
	return d.fillSlowly()
}

// hasMarker says whether one of four bytes is 255.
func hasMarker(w uint32) bool {
	x := ^w
	return (x-0x01010101)&^x&0x80808080 != 0
}

func (d *decoder) fillSlowly() error {
	if d.n < d.beyond {
		return broken("a scan is cut off at byte %d", d.at)
	}
	for d.n <= 56 {
		b := byte(0)
		switch {
		case d.at >= len(d.data):
			d.beyond += 8
		case d.data[d.at] != 0xff:
			b = d.data[d.at]
			d.at++
		case d.at+1 < len(d.data) && d.data[d.at+1] == 0: // a byte of 255 is followed by 0
			b = 0xff
			d.at += 2
		default:
			d.beyond += 8
		}
		d.acc |= uint64(b) << (56 - d.n)
		d.n += 8
	}
	return nil
}

func (b *bits) drop(n int) {
	b.acc <<= n
	b.n -= n
}

// take gives the next size bits, at most 16, which are there.
func (b *bits) take(size int) int32 {
	v := int32(b.acc >> 32 >> (32 - size))
	b.drop(size)
	return v
}

// long finds a code that is not in the table, in the next 16 bits: its symbol and
// its length, or 0.
func (h *huffman) long(next int32) (symbol byte, length int) {
	for length = quick + 1; length <= 16; length++ {
		if next < h.end[length] {
			return h.symbols[uint8(next>>(16-length)+h.offset[length])], length
		}
	}
	return 0, 0
}

// symbol reads one, without the number that follows it. There must be 16 bits.
func (d *decoder) symbol(h *huffman) (byte, error) {
	if e := h.plain[d.acc>>(64-quick)]; e != 0 {
		d.drop(int(e >> 8))
		return byte(e), nil
	}
	symbol, length := h.long(int32(d.acc >> 48))
	if length == 0 {
		return 0, d.noCode()
	}
	d.drop(length)
	return symbol, nil
}

func (d *decoder) noCode() error { return broken("a code that is none, at byte %d", d.at) }
