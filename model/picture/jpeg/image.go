package jpeg

import (
	"errors"
	"fmt"
)

var (
	// ErrFormat is a file that breaks the rules of the format, or is cut off.
	ErrFormat = errors.New("jpeg: broken")
	// ErrUnsupported is a file of a kind that is not decoded: 12 bits, arithmetic
	// coding, lossless or hierarchical.
	ErrUnsupported = errors.New("jpeg: not supported")
)

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// A Space is what the components of an image mean.
type Space uint8

const (
	Grey  Space = iota // luma
	YCbCr              // luma and two differences of colour, centred at 128
	RGB
	CMYK // 255 is no ink
	YCCK // YCbCr of the inks' complements, and black as in CMYK
)

// An Image is a decoded file.
type Image struct {
	Width, Height int
	Space         Space
	Planes        []Plane // one a component
}

// A Plane holds one component's samples, of which one may stand for several pixels.
type Plane struct {
	Pix           []byte // [>= Height][Stride]
	Stride        int
	Width, Height int // samples that show; others complete a block
	PerX, PerY    int // pixels that a sample stands for
}

// Size reads an image's size without decoding it.
func Size(data []byte) (width, height int, err error) {
	d := decoder{data: data}
	if err := d.header(); err != nil {
		return 0, 0, err
	}
	return d.width, d.height, nil
}

// Decode decodes a file. The memory it takes is at most 1600 times the file's size.
func Decode(data []byte) (*Image, error) {
	d := decoder{data: data}
	if err := d.header(); err != nil {
		return nil, err
	}
	if err := d.scans(); err != nil {
		return nil, err
	}
	m := &Image{Width: d.width, Height: d.height, Space: d.space()}
	for i := range d.components {
		c := &d.components[i]
		m.Planes = append(m.Planes, Plane{
			Pix: c.pix, Stride: c.stride, Width: c.width, Height: c.height,
			PerX: d.maxH / c.h, PerY: d.maxV / c.v,
		})
	}
	return m, nil
}

// space tells what the components mean, by libjpeg's rules: JFIF's marker, then
// Adobe's, then the components' names.
func (d *decoder) space() Space {
	switch len(d.components) {
	case 1:
		return Grey
	case 4:
		if d.adobe && d.transform != 0 {
			return YCCK
		}
		return CMYK
	}
	switch {
	case d.jfif:
		return YCbCr
	case d.adobe:
		if d.transform == 0 {
			return RGB
		}
	case d.components[0].id == 'R' && d.components[1].id == 'G' && d.components[2].id == 'B':
		return RGB
	}
	return YCbCr
}

func unsupported(marker byte) error {
	return fmt.Errorf("%w: frames of kind %#x (arithmetic coding, lossless, hierarchical)", ErrUnsupported, marker)
}

func unsupportedBits(n byte) error {
	return fmt.Errorf("%w: samples of %d bits", ErrUnsupported, n)
}
