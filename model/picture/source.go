package picture

import (
	"image"
	"image/color"

	"github.com/ladon-ml/ladon/model/picture/jpeg"
)

// sourceOf gives the rows of what a decoder made of a file's data.
func sourceOf(m image.Image, format string, data []byte) source {
	switch m := m.(type) {
	case *image.YCbCr:
		return newPlanes(planesOf(m), jpeg.YCbCr, format == "webp")
	case *image.NYCbCrA:
		return newPlanes(planesOf(&m.YCbCr), jpeg.YCbCr, format == "webp")
	case *image.Gray:
		return gray{m.Pix, m.Stride}
	case *image.Gray16:
		return gray16{m.Pix, m.Stride, 2}
	case *image.NRGBA:
		return wide{m.Pix, m.Stride, 4, 1}
	case *image.RGBA: // opaque, as the decoders use it
		return wide{m.Pix, m.Stride, 4, 1}
	case *image.NRGBA64:
		if format == "png" && pngColour(data) == 0 { // grey, one shade of which is transparent
			return gray16{m.Pix, m.Stride, 8}
		}
		return wide{m.Pix, m.Stride, 8, 2}
	case *image.RGBA64:
		return wide{m.Pix, m.Stride, 8, 2}
	case *image.Paletted:
		s := newPaletted(m)
		if format == "gif" {
			for i, colours := 0, gifPalette(data); 3*i < len(colours); i++ {
				s.palette[i] = [3]byte(colours[3*i:])
			}
		}
		return s
	}
	return anything{m}
}

// pngColour is the type of a PNG's colours: 0 is grey.
func pngColour(data []byte) byte {
	const at = 25 // after the signature, and the header's length, name, sizes and depth
	if len(data) <= at {
		return 0
	}
	return data[at]
}

// gray repeats a byte.
type gray struct {
	pix    []byte
	stride int
}

func (s gray) row(y int, dst []byte) {
	src := s.pix[y*s.stride:]
	for x := 0; x < len(dst)/3; x++ {
		v := src[x]
		dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
	}
}

// gray16 is what Pillow makes of 16-bit grey: it does not scale, it cuts at 255.
type gray16 struct {
	pix           []byte
	stride, pixel int
}

func (s gray16) row(y int, dst []byte) {
	src := s.pix[y*s.stride:]
	for x := 0; x < len(dst)/3; x++ {
		v := src[x*s.pixel+1]
		if src[x*s.pixel] > 0 {
			v = 255
		}
		dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
	}
}

// wide has more than three channels in a pixel, whose upper bytes are taken.
type wide struct {
	pix                    []byte
	stride, pixel, channel int
}

func (s wide) row(y int, dst []byte) {
	src := s.pix[y*s.stride:]
	for x := 0; x < len(dst)/3; x++ {
		p := src[x*s.pixel:]
		dst[3*x], dst[3*x+1], dst[3*x+2] = p[0], p[s.channel], p[2*s.channel]
	}
}

type paletted struct {
	pix     []byte
	stride  int
	palette [256][3]byte
}

func newPaletted(m *image.Paletted) *paletted {
	s := &paletted{pix: m.Pix, stride: m.Stride}
	for i, c := range m.Palette {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		s.palette[i] = [3]byte{n.R, n.G, n.B}
	}
	return s
}

func (s *paletted) row(y int, dst []byte) {
	src := s.pix[y*s.stride:]
	for x := 0; x < len(dst)/3; x++ {
		copy(dst[3*x:][:3], s.palette[src[x]][:])
	}
}

// anything is a picture of a type that no decoder gives today.
type anything struct{ image.Image }

func (s anything) row(y int, dst []byte) {
	b := s.Bounds()
	for x := 0; x < len(dst)/3; x++ {
		n := color.NRGBAModel.Convert(s.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
		dst[3*x], dst[3*x+1], dst[3*x+2] = n.R, n.G, n.B
	}
}
