package picture

import "github.com/ladon-ml/ladon/model/picture/jpeg"

// An upsampler sets dst to row y of a plane at full width.
type upsampler func(p *jpeg.Plane, y int, dst []byte)

// smoothing chooses as the decoders of the reference choose. nil: nothing is to
// be done.
func smoothing(p *jpeg.Plane, studio bool) upsampler {
	switch {
	case p.PerX == 1 && p.PerY == 1:
		return nil
	case studio && p.PerX == 2 && p.PerY == 2:
		return smoothVP8
	case p.PerX == 1 && p.PerY == 2:
		return smoothDown
	case p.PerX == 2 && p.PerY == 1 && p.Width > 2:
		return smoothAlong
	case p.PerX == 2 && p.PerY == 2 && p.Width > 2:
		return smoothBoth
	}
	return repeat
}

// rowOf is a row of a plane's samples: those outside are as the nearest inside.
func rowOf(p *jpeg.Plane, y int) []byte {
	return p.Pix[min(max(y, 0), p.Height-1)*p.Stride:][:p.Width]
}

// repeat takes the nearest sample.
func repeat(p *jpeg.Plane, y int, dst []byte) {
	for i, v := range rowOf(p, y/p.PerY) {
		for x := range dst[i*p.PerX:][:p.PerX] {
			dst[i*p.PerX+x] = v
		}
	}
}

// What follows interpolates with weights of 3/4 and 1/4 in each direction that is
// halved, rounding up and down in turns: libjpeg's "fancy upsampling".

func smoothAlong(p *jpeg.Plane, y int, dst []byte) {
	src, last := rowOf(p, y), p.Width-1
	for i, v := range src {
		c := 3 * int32(v)
		dst[2*i] = byte((c + int32(src[max(i-1, 0)]) + 1) >> 2)
		dst[2*i+1] = byte((c + int32(src[min(i+1, last)]) + 2) >> 2)
	}
}

func smoothDown(p *jpeg.Plane, y int, dst []byte) {
	near, far := rowOf(p, y/2), rowOf(p, y/2-1+y%2*2)
	round := int32(1 + y%2)
	for i, v := range near {
		dst[i] = byte((3*int32(v) + int32(far[i]) + round) >> 2)
	}
}

func smoothBoth(p *jpeg.Plane, y int, dst []byte) {
	near, far := rowOf(p, y/2), rowOf(p, y/2-1+y%2*2)
	far = far[:len(near)]
	c := 3*int32(near[0]) + int32(far[0])
	before := c
	pairs := dst[:2*len(near)]
	for i := 1; i < len(near); i++ {
		after := 3*int32(near[i]) + int32(far[i])
		d := pairs[2*i-2:][:2]
		d[0], d[1] = byte((3*c+before+8)>>4), byte((3*c+after+7)>>4)
		before, c = c, after
	}
	d := pairs[2*len(near)-2:]
	d[0], d[1] = byte((3*c+before+8)>>4), byte((4*c+7)>>4)
}

// smoothVP8 interpolates with weights of 9, 3, 3 and 1 sixteenths, rounded as
// libwebp's "fancy upsampling" rounds.
func smoothVP8(p *jpeg.Plane, y int, dst []byte) {
	// Rows lie between chroma rows: 2k-1 and 2k between k-1 and k.
	near, far := rowOf(p, y/2), rowOf(p, y/2-1+y%2*2)
	edge := func(i int) byte { return byte((3*int32(near[i]) + int32(far[i]) + 2) >> 2) }
	dst[0] = edge(0)
	for i := 1; i < len(near); i++ {
		n0, n1, f0, f1 := int32(near[i-1]), int32(near[i]), int32(far[i-1]), int32(far[i])
		sum := n0 + n1 + f0 + f1 + 8
		dst[2*i-1] = byte(((sum+2*(n1+f0))>>3 + n0) >> 1)
		dst[2*i] = byte(((sum+2*(n0+f1))>>3 + n1) >> 1)
	}
	dst[2*len(near)-1] = edge(len(near) - 1)
}
