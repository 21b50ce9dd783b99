package picture

import "image"

// ycbcr is a picture whose colour has its own, mostly coarser, grid.
type ycbcr struct {
	*image.YCbCr
	studio     bool // luma is 16 to 235, as VP8 has it; else 0 to 255, as JPEG has it
	up         func(s *ycbcr, plane []byte, y int, dst []byte)
	cb, cr     []byte // a row of each at full width
	sums       []int32
	chromaW    int
	chromaH    int
	horizontal int // luma columns per chroma column
	vertical   int
}

func newYCbCr(m *image.YCbCr, format string) source {
	s := &ycbcr{YCbCr: m, studio: format == "webp", horizontal: 1, vertical: 1}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		s.horizontal = 2
	case image.YCbCrSubsampleRatio420:
		s.horizontal, s.vertical = 2, 2
	case image.YCbCrSubsampleRatio440:
		s.vertical = 2
	case image.YCbCrSubsampleRatio411:
		s.horizontal = 4
	case image.YCbCrSubsampleRatio410:
		s.horizontal, s.vertical = 4, 2
	}
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	s.chromaW, s.chromaH = (w+s.horizontal-1)/s.horizontal, (h+s.vertical-1)/s.vertical
	s.cb, s.cr, s.sums = make([]byte, w+2), make([]byte, w+2), make([]int32, s.chromaW)
	switch {
	case s.studio && s.horizontal == 2 && s.vertical == 2:
		s.up = (*ycbcr).smoothVP8
	case s.horizontal == 2 && s.chromaW > 2 || s.horizontal == 1 && s.vertical == 2:
		s.up = (*ycbcr).smoothJPEG
	default:
		s.up = (*ycbcr).repeat
	}
	return s
}

func (s *ycbcr) row(y int, dst []byte) {
	w := len(dst) / 3
	luma := s.Y[y*s.YStride:][:w]
	s.up(s, s.Cb, y, s.cb)
	s.up(s, s.Cr, y, s.cr)
	cb, cr := s.cb[:w], s.cr[:w]
	if s.studio {
		for x, l := range luma {
			vp8RGB(dst[3*x:][:3], int32(l), int32(cb[x]), int32(cr[x]))
		}
		return
	}
	for x, l := range luma {
		// JFIF's matrix in 16 bits of fraction, rounded as libjpeg rounds it.
		y, b, r := int32(l), int32(cb[x])-128, int32(cr[x])-128
		p := dst[3*x:][:3]
		p[0] = clamp(y + (91881*r+1<<15)>>16)
		p[1] = clamp(y + (-22554*b-46802*r+1<<15)>>16)
		p[2] = clamp(y + (116130*b+1<<15)>>16)
	}
}

func clamp(v int32) byte {
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}

// vp8RGB is BT.601's studio range in 14 bits of fraction, as libwebp computes it.
func vp8RGB(dst []byte, y, u, v int32) {
	l := y * 19077 >> 8
	dst[0] = clamp((l + v*26149>>8 - 14234) >> 6)
	dst[1] = clamp((l - u*6419>>8 - v*13320>>8 + 8708) >> 6)
	dst[2] = clamp((l + u*33050>>8 - 17685) >> 6)
}

// chromaRow is a row of a colour plane.
func (s *ycbcr) chromaRow(plane []byte, y int) []byte {
	return plane[min(max(y, 0), s.chromaH-1)*s.CStride:][:s.chromaW]
}

// repeat takes the nearest sample.
func (s *ycbcr) repeat(plane []byte, y int, dst []byte) {
	src := s.chromaRow(plane, y/s.vertical)
	for x := range s.Bounds().Dx() {
		dst[x] = src[x/s.horizontal]
	}
}

// smoothJPEG interpolates with weights of 3/4 and 1/4 in each direction that is
// halved, rounding up and down in turns: libjpeg's "fancy upsampling".
func (s *ycbcr) smoothJPEG(plane []byte, y int, dst []byte) {
	if s.vertical == 1 {
		src, last := s.chromaRow(plane, y), s.chromaW-1
		for i, v := range src {
			c := 3 * int32(v)
			dst[2*i] = byte((c + int32(src[max(i-1, 0)]) + 1) >> 2)
			dst[2*i+1] = byte((c + int32(src[min(i+1, last)]) + 2) >> 2)
		}
		return
	}
	near, far := s.chromaRow(plane, y/2), s.chromaRow(plane, y/2-1+y%2*2)
	if s.horizontal == 1 {
		round := int32(1 + y%2)
		for i, v := range near {
			dst[i] = byte((3*int32(v) + int32(far[i]) + round) >> 2)
		}
		return
	}
	sums, last := s.sums, len(s.sums)-1
	for i := range sums {
		sums[i] = 3*int32(near[i]) + int32(far[i])
	}
	before := sums[0]
	for i := 0; i < last; i++ {
		c, after := sums[i], sums[i+1]
		dst[2*i] = byte((3*c + before + 8) >> 4)
		dst[2*i+1] = byte((3*c + after + 7) >> 4)
		before = c
	}
	dst[2*last] = byte((3*sums[last] + before + 8) >> 4)
	dst[2*last+1] = byte((4*sums[last] + 7) >> 4)
}

// smoothVP8 interpolates with weights of 9, 3, 3 and 1 sixteenths, rounded as
// libwebp's "fancy upsampling" rounds.
func (s *ycbcr) smoothVP8(plane []byte, y int, dst []byte) {
	// Rows lie between chroma rows: 2k-1 and 2k between k-1 and k.
	near, far := s.chromaRow(plane, y/2), s.chromaRow(plane, y/2-1+y%2*2)
	edge := func(i int) byte { return byte((3*int32(near[i]) + int32(far[i]) + 2) >> 2) }
	dst[0] = edge(0)
	for i := 1; i < s.chromaW; i++ {
		n0, n1, f0, f1 := int32(near[i-1]), int32(near[i]), int32(far[i-1]), int32(far[i])
		sum := n0 + n1 + f0 + f1 + 8
		dst[2*i-1] = byte(((sum+2*(n1+f0))>>3 + n0) >> 1)
		dst[2*i] = byte(((sum+2*(n0+f1))>>3 + n1) >> 1)
	}
	dst[2*s.chromaW-1] = edge(s.chromaW - 1)
}
