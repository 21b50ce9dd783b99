package jpeg

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Markers, T.81 table B.1.
const (
	sof0  = 0xc0 // baseline
	sof1  = 0xc1 // extended
	sof2  = 0xc2 // progressive
	dht   = 0xc4
	jpg   = 0xc8
	dac   = 0xcc
	sof15 = 0xcf
	rst0  = 0xd0
	soi   = 0xd8
	eoi   = 0xd9
	sos   = 0xda
	dqt   = 0xdb
	dnl   = 0xdc
	dri   = 0xdd
	app0  = 0xe0
	app14 = 0xee
	tem   = 0x01
)

// blockSize is how many samples a block has, 8×8.
const blockSize = 64

// A component is a plane on its way.
type component struct {
	id            byte
	h, v          int // samples of it in a unit of the most finely sampled one
	quant         byte
	width, height int // samples
	across, down  int // blocks, units completed
	pix           []byte
	stride        int
	coefficients  []int16 // progressive: [down][across][64], in zigzag order
	dc, ac        *huffman
	before        int32 // the DC coefficient of the block before
	seen          bool  // in a scan
	steps         *[blockSize]uint16
}

type decoder struct {
	data []byte
	at   int // the next byte

	width, height int
	progressive   bool
	components    []component
	maxH, maxV    int
	quants        [4]*[blockSize]uint16 // in zigzag order
	dcs, acs      [4]*huffman
	interval      int // units between restarts; 0: none
	jfif, adobe   bool
	transform     byte

	bits
	run     int // progressive: bands of blocks that are still to be skipped
	scanned int
}

// next finds a marker. What stands before it is skipped, as libjpeg does.
func (d *decoder) next() (byte, error) {
	for ; d.at+1 < len(d.data); d.at++ {
		if m := d.data[d.at+1]; d.data[d.at] == 0xff && m != 0 && m != 0xff {
			d.at += 2
			return m, nil
		}
	}
	return 0, broken("cut off after %d bytes", len(d.data))
}

// body is what belongs to the marker just read.
func (d *decoder) body() ([]byte, error) {
	if d.at+2 > len(d.data) {
		return nil, broken("cut off after %d bytes", len(d.data))
	}
	size := int(binary.BigEndian.Uint16(d.data[d.at:]))
	if size < 2 {
		return nil, broken("a segment of %d bytes", size)
	}
	if d.at+size > len(d.data) {
		return nil, broken("cut off after %d bytes", len(d.data))
	}
	b := d.data[d.at+2 : d.at+size]
	d.at += size
	return b, nil
}

// header reads everything up to the frame's header, which has the size.
func (d *decoder) header() error {
	if len(d.data) < 2 || d.data[0] != 0xff || d.data[1] != soi {
		return broken("does not begin as a JPEG does")
	}
	d.at = 2
	for d.components == nil {
		m, err := d.next()
		if err != nil {
			return err
		}
		if m == sos || m == eoi {
			return broken("no frame before its scans")
		}
		if err := d.segment(m); err != nil {
			return err
		}
	}
	return nil
}

// scans reads the rest.
func (d *decoder) scans() error {
	for {
		m, err := d.next()
		switch {
		case err != nil:
			return err
		case m == eoi:
			return d.finish()
		case m == sos:
			err = d.scan()
		default:
			err = d.segment(m)
		}
		if err != nil {
			return err
		}
	}
}

// segment reads one that is no scan.
func (d *decoder) segment(m byte) error {
	if m >= rst0 && m <= soi || m == tem { // these stand alone
		return nil
	}
	b, err := d.body()
	if err != nil {
		return err
	}
	switch {
	case m == dht:
		return d.readHuffman(b)
	case m == dqt:
		return d.readQuants(b)
	case m == dri:
		if len(b) != 2 {
			return broken("a restart interval of %d bytes", len(b))
		}
		d.interval = int(binary.BigEndian.Uint16(b))
	case m == sof0 || m == sof1 || m == sof2:
		return d.readFrame(b, m == sof2)
	case m == dac || m == dnl || m > sof2 && m <= sof15 && m != jpg:
		return unsupported(m)
	case m == app0:
		d.jfif = d.jfif || len(b) >= 5 && string(b[:5]) == "JFIF\x00"
	case m == app14:
		if len(b) >= 12 && string(b[:5]) == "Adobe" {
			d.adobe, d.transform = true, b[11]
		}
	}
	return nil
}

func (d *decoder) readQuants(b []byte) error {
	for len(b) > 0 {
		wide, to := b[0]>>4, b[0]&15
		size := blockSize << (wide & 1)
		if wide > 1 || to > 3 || len(b) < 1+size {
			return broken("a table of quantisation")
		}
		t := new([blockSize]uint16)
		for i := range t {
			if t[i] = uint16(b[1+i]); wide == 1 {
				t[i] = binary.BigEndian.Uint16(b[1+2*i:])
			}
		}
		d.quants[to], b = t, b[1+size:]
	}
	return nil
}

func (d *decoder) readFrame(b []byte, progressive bool) error {
	if d.components != nil {
		return broken("a second frame")
	}
	if len(b) < 6 || len(b) != 6+3*int(b[5]) {
		return broken("a frame's header of %d bytes", len(b))
	}
	if b[0] != 8 {
		return unsupportedBits(b[0])
	}
	d.progressive = progressive
	d.height, d.width = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	if d.width == 0 || d.height == 0 {
		return broken("%d×%d pixels", d.width, d.height)
	}
	if n := b[5]; n != 1 && n != 3 && n != 4 {
		return broken("%d components", n)
	}
	list := make([]component, b[5])
	for i := range list {
		c := &list[i]
		s := b[6+3*i:]
		c.id, c.h, c.v, c.quant = s[0], int(s[1]>>4), int(s[1]&15), s[2]
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quant > 3 {
			return broken("component %d", i)
		}
		if len(list) == 1 { // whatever it says, its samples are the pixels
			c.h, c.v = 1, 1
		}
		d.maxH, d.maxV = max(d.maxH, c.h), max(d.maxV, c.v)
	}
	for i := range list {
		c := &list[i]
		if d.maxH%c.h != 0 || d.maxV%c.v != 0 {
			return fmt.Errorf("%w: %d samples of a component beside %d of another", ErrUnsupported, c.h*c.v, d.maxH*d.maxV)
		}
		c.width, c.height = ceil(d.width*c.h, d.maxH), ceil(d.height*c.v, d.maxV)
		c.across, c.down = ceil(d.width, 8*d.maxH)*c.h, ceil(d.height, 8*d.maxV)*c.v
		c.stride = 8 * c.across
		if int64(c.stride)*int64(8*c.down) > math.MaxInt32/2 { // what 32 bits can count, with two bytes for each
			return fmt.Errorf("%w: %d×%d pixels", ErrUnsupported, d.width, d.height)
		}
	}
	d.components = list
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }
