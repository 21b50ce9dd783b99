package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // formats register themselves
	_ "image/png"

	"golang.org/x/image/webp"

	"github.com/ladon-ml/ladon/model/picture/jpeg"
)

// Decode reads a PNG, JPEG, WebP or GIF; of an animated one its first frame. name
// stands for the file in errors. A picture that says it has more than maxPixels
// is refused before memory is taken for it; 0 means [DefaultMaxPixels].
//
// Pixels are what Pillow's convert("RGB") makes of them: grey is repeated,
// palettes are looked up, of 16 bits the upper 8 count, alpha is dropped without
// blending, CMYK is converted without a colour profile.
func Decode(name string, data []byte, maxPixels int) (p *Picture, err error) {
	if maxPixels <= 0 {
		maxPixels = DefaultMaxPixels
	}
	// The decoders are others' and promise not to panic. What depends on a file
	// that somebody sent should not depend on that promise.
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("picture: %s: %w: the decoder failed: %v", name, ErrFormat, r)
		}
	}()
	width, height, format, err := sizeOf(data)
	if err != nil {
		return nil, fmt.Errorf("picture: %s: %w: %v", name, ErrFormat, err)
	}
	if width < 1 || height < 1 {
		return nil, fmt.Errorf("picture: %s: %w: %d×%d pixels", name, ErrFormat, width, height)
	}
	if width > maxPixels/height {
		return nil, fmt.Errorf("picture: %s: %w: %d×%d, but the limit is %d", name, ErrTooLarge, width, height, maxPixels)
	}
	p = &Picture{Width: width, Height: height}
	if p.source, err = decode(data, format, width, height); err != nil {
		return nil, fmt.Errorf("picture: %s: %w: %v", name, ErrFormat, err)
	}
	p.orient(orientation(data, format))
	return p, nil
}

// sizeOf reads no more than a file's header.
func sizeOf(data []byte) (width, height int, format string, err error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xd8}) {
		width, height, err = jpeg.Size(data)
		return width, height, "jpeg", err
	}
	if f := firstFrame(data); f != nil {
		return f.width, f.height, "webp", nil
	}
	c, format, err := image.DecodeConfig(bytes.NewReader(data))
	return c.Width, c.Height, format, err
}

func decode(data []byte, format string, width, height int) (source, error) {
	if format == "jpeg" {
		m, err := jpeg.Decode(data)
		if err != nil {
			return nil, err
		}
		return newPlanes(m.Planes, m.Space, false), nil
	}
	var at image.Point
	if f := firstFrame(data); f != nil {
		c, err := webp.DecodeConfig(bytes.NewReader(f.file))
		if err != nil {
			return nil, err
		}
		if at = f.at; c.Width > width-at.X || c.Height > height-at.Y {
			return nil, errors.New("webp: a frame beyond the picture")
		}
		data = f.file
	}
	m, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	s := sourceOf(m, format, data)
	if b := m.Bounds().Add(at); b != image.Rect(0, 0, width, height) { // a frame may be smaller than the whole
		s = onCanvas(b, s, width, height)
	}
	return s, nil
}

// onCanvas puts a frame onto a black picture of the given size.
func onCanvas(b image.Rectangle, s source, width, height int) source {
	canvas := rgb{make([]byte, 3*width*height), 3 * width}
	row := make([]byte, 3*b.Dx())
	for y := range b.Dy() {
		s.row(y, row)
		if at := y + b.Min.Y; at >= 0 && at < height && b.Min.X >= 0 && b.Min.X < width {
			copy(canvas.pix[at*canvas.stride+3*b.Min.X:(at+1)*canvas.stride], row)
		}
	}
	return canvas
}

// orient turns a picture upright by the number that EXIF gives its orientation.
func (p *Picture) orient(o int) {
	if o <= 1 || o > 8 {
		return
	}
	w, h, src := p.Width, p.Height, p.RGB()
	if o >= 5 { // its rows are columns
		p.Width, p.Height = h, w
	}
	dst := make([]byte, len(src))
	for y := range p.Height {
		for x := range p.Width {
			sx, sy := x, y
			switch o {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			copy(dst[3*(y*p.Width+x):][:3], src[3*(sy*w+sx):])
		}
	}
	p.source = rgb{dst, 3 * p.Width}
}
