package picture

import (
	"errors"
	"fmt"
)

// DefaultMaxPixels is the most pixels that Decode takes unless told otherwise:
// what Pillow refuses begins at twice its warning, which this is.
const DefaultMaxPixels = 178_956_970

var (
	// ErrFormat is a file that is none of the formats, or a broken one.
	ErrFormat = errors.New("not a picture that can be read")
	// ErrTooLarge is a picture with more pixels than the limit.
	ErrTooLarge = errors.New("too many pixels")
)

// A Picture is a decoded picture, upright, in 8-bit RGB.
type Picture struct {
	Width, Height int
	source
}

// source gives rows of a picture.
type source interface {
	// row sets dst, three times the width, to the red, green and blue of row y.
	row(y int, dst []byte)
}

// RGB is the whole picture, [height][width][3].
func (p *Picture) RGB() []byte {
	if b, ok := p.source.(rgb); ok {
		return b.pix
	}
	stride := 3 * p.Width
	pix := make([]byte, p.Height*stride)
	for y := range p.Height {
		p.row(y, pix[y*stride:][:stride])
	}
	return pix
}

// FromRGB is a picture of 8-bit pixels, [height][width][3], which it keeps.
func FromRGB(pix []byte, width, height int) (*Picture, error) {
	if width < 1 || height < 1 || len(pix)/width/3 < height {
		return nil, fmt.Errorf("picture: %d bytes are no %d×%d pixels", len(pix), width, height)
	}
	return &Picture{width, height, rgb{pix[:3*width*height], 3 * width}}, nil
}

// rgb is a picture in memory.
type rgb struct {
	pix    []byte
	stride int
}

func (s rgb) row(y int, dst []byte) { copy(dst, s.pix[y*s.stride:]) }
