package picture

import (
	"image"

	"github.com/ladon-ml/ladon/model/picture/jpeg"
)

// planes is a picture whose components lie apart, those of colour mostly on a
// coarser grid.
type planes struct {
	list   []jpeg.Plane
	colour func(dst []byte, rows *[4][]byte)
	up     []upsampler
	buffer [4][]byte // a row of each at full width
	rows   [4][]byte
}

// newPlanes is a picture of planes. studio says that luma is 16 to 235
// and that colour is smoothed as VP8 has both.
func newPlanes(list []jpeg.Plane, space jpeg.Space, studio bool) *planes {
	s := &planes{list: list}
	switch {
	case studio:
		s.colour = studioRGB
	case space == jpeg.Grey:
		s.colour = greyRGB
	case space == jpeg.YCbCr:
		s.colour = ycbcrRGB
	case space == jpeg.RGB:
		s.colour = interleave
	case space == jpeg.CMYK:
		s.colour = cmykRGB
	case space == jpeg.YCCK:
		s.colour = ycckRGB
	}
	for i := range list {
		p := &list[i]
		s.up = append(s.up, smoothing(p, studio))
		if s.up[i] != nil {
			s.buffer[i] = make([]byte, p.PerX*p.Width)
		}
	}
	return s
}

// planesOf takes the planes of a picture that another decoder made.
func planesOf(m *image.YCbCr) []jpeg.Plane {
	perX, perY := 1, 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		perX = 2
	case image.YCbCrSubsampleRatio420:
		perX, perY = 2, 2
	case image.YCbCrSubsampleRatio440:
		perY = 2
	case image.YCbCrSubsampleRatio411:
		perX = 4
	case image.YCbCrSubsampleRatio410:
		perX, perY = 4, 2
	}
	b := m.Bounds()
	w, h := (b.Dx()+perX-1)/perX, (b.Dy()+perY-1)/perY
	return []jpeg.Plane{
		{Pix: m.Y, Stride: m.YStride, Width: b.Dx(), Height: b.Dy(), PerX: 1, PerY: 1},
		{Pix: m.Cb, Stride: m.CStride, Width: w, Height: h, PerX: perX, PerY: perY},
		{Pix: m.Cr, Stride: m.CStride, Width: w, Height: h, PerX: perX, PerY: perY},
	}
}

func (s *planes) row(y int, dst []byte) {
	w := len(dst) / 3
	for i := range s.list {
		p := &s.list[i]
		if s.up[i] == nil {
			s.rows[i] = p.Pix[y*p.Stride:][:w]
			continue
		}
		s.up[i](p, y, s.buffer[i])
		s.rows[i] = s.buffer[i][:w]
	}
	s.colour(dst, &s.rows)
}

func clamp(v int32) byte {
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}

func greyRGB(dst []byte, rows *[4][]byte) {
	for x, v := range rows[0] {
		p := dst[3*x:][:3]
		p[0], p[1], p[2] = v, v, v
	}
}

func interleave(dst []byte, rows *[4][]byte) {
	red, green, blue := rows[0], rows[1], rows[2]
	for x, r := range red {
		p := dst[3*x:][:3]
		p[0], p[1], p[2] = r, green[x], blue[x]
	}
}

// ycbcrRGB is JFIF's matrix in 16 bits of fraction, rounded as libjpeg rounds it.
func ycbcrRGB(dst []byte, rows *[4][]byte) {
	luma := rows[0]
	cb, cr := rows[1][:len(luma)], rows[2][:len(luma)]
	dst = dst[:3*len(luma)]
	for x, l := range luma {
		y, b, r := int32(l), int32(cb[x])-128, int32(cr[x])-128
		red := y + (91881*r+1<<15)>>16
		green := y + (-22554*b-46802*r+1<<15)>>16
		blue := y + (116130*b+1<<15)>>16
		if uint32(red|green|blue) > 255 { // one of them is too small or too large
			red, green, blue = int32(clamp(red)), int32(clamp(green)), int32(clamp(blue))
		}
		p := dst[3*x:][:3]
		p[0], p[1], p[2] = byte(red), byte(green), byte(blue)
	}
}

// studioRGB is BT.601's studio range in 14 bits of fraction, as libwebp has it.
func studioRGB(dst []byte, rows *[4][]byte) {
	cb, cr := rows[1], rows[2]
	for x, l := range rows[0] {
		y, u, v := int32(l)*19077>>8, int32(cb[x]), int32(cr[x])
		p := dst[3*x:][:3]
		p[0] = clamp((y + v*26149>>8 - 14234) >> 6)
		p[1] = clamp((y - u*6419>>8 - v*13320>>8 + 8708) >> 6)
		p[2] = clamp((y + u*33050>>8 - 17685) >> 6)
	}
}

// cmykRGB takes each ink from the white that black leaves. 255 is no ink.
func cmykRGB(dst []byte, rows *[4][]byte) {
	for x, k := range rows[3] {
		inked(dst[3*x:][:3], rows[0][x], rows[1][x], rows[2][x], k)
	}
}

func ycckRGB(dst []byte, rows *[4][]byte) {
	ycbcrRGB(dst, rows)
	for x, k := range rows[3] {
		p := dst[3*x:][:3]
		inked(p, p[0], p[1], p[2], k)
	}
}

// inked is white less inks, by their complements: those of cyan, magenta and
// yellow take from what black's leaves.
func inked(dst []byte, c, m, y, white byte) {
	for i, v := range [3]byte{c, m, y} {
		t := uint32(255-v)*uint32(white) + 128 // (t>>8 + t)>>8 is t/255, rounded
		dst[i] = clamp(int32(white) - int32((t>>8+t)>>8))
	}
}
