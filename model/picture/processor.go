package picture

import (
	"errors"
	"fmt"
	"math"
)

// Size says how large a picture is to become: Width and Height; or Shortest for
// the shorter edge, the other in proportion, and with Longest no edge longer than
// that; both then a multiple of Multiple, rounded down. The zero Size leaves it.
type Size struct {
	Width, Height     int
	Shortest, Longest int
	Multiple          int
}

// A Processor is what a preprocessor_config.json says. Each picture is prepared by
// itself: a batch need not be padded to its largest picture, as transformers does
// for YOLOS, whose model then looks at the padding too.
type Processor struct {
	Filter    Filter
	Resize    Size       // then
	Crop      Size       // the middle is cut out, with black around a smaller picture; then
	Rescale   float64    // values are multiplied, then
	Mean, Std [3]float32 // (value-Mean)/Std, for red, green and blue
}

// ErrShape is a picture that a [Processor] would make empty or huge.
var ErrShape = errors.New("picture: shape")

// maxResized is the most pixels that a picture is made to have: a narrow one whose
// shorter edge grows would become very long.
const maxResized = 1 << 25

// Shape is the size that Pixels gives a picture of the given size.
func (p *Processor) Shape(width, height int) (w, h int, err error) {
	w, h = p.Resize.of(width, height)
	if w < 1 || h < 1 || w > maxResized/h {
		return 0, 0, fmt.Errorf("%w: %d×%d pixels would become %d×%d", ErrShape, width, height, w, h)
	}
	if p.Crop.Width > 0 {
		w, h = p.Crop.Width, p.Crop.Height
	}
	return w, h, nil
}

// of is the size that a picture is resized to. The arithmetic, float64 and cut
// off, is transformers' own.
func (s Size) of(width, height int) (w, h int) {
	switch {
	case s.Width > 0:
		return s.Width, s.Height
	case s.Shortest == 0:
		return width, height
	}
	short, long := float64(min(width, height)), float64(max(width, height))
	target := s.Shortest
	exact := float64(target)
	if s.Longest > 0 && long/short*exact > float64(s.Longest) {
		exact = float64(s.Longest) * short / long
		target = int(math.RoundToEven(exact))
	}
	other := int(exact * long / short)
	w, h = other, target
	if width < height || width == height && s.Longest == 0 {
		w, h = target, other
	}
	if int(short) == target && s.Longest > 0 && (s.Multiple == 0 || width >= height) {
		w, h = width, height
	}
	if s.Multiple > 0 {
		w, h = w-w%s.Multiple, h-h%s.Multiple
	}
	return w, h
}

// Scaled is a processor whose pictures are smaller or larger by a factor.
func (p *Processor) Scaled(by float64) *Processor {
	q := *p
	for _, n := range []*int{&q.Resize.Width, &q.Resize.Height, &q.Resize.Shortest, &q.Resize.Longest, &q.Crop.Width, &q.Crop.Height} {
		if *n > 0 {
			*n = max(1, int(float64(*n)*by))
		}
	}
	return &q
}

// Prepare resizes a picture and cuts its middle out: what the model sees, of the
// size that Shape says.
func (p *Processor) Prepare(pic *Picture) (*Picture, error) {
	w, h, err := p.Shape(pic.Width, pic.Height)
	if err != nil {
		return nil, err
	}
	rw, rh := p.Resize.of(pic.Width, pic.Height)
	pic = resize(pic, rw, rh, p.Filter)
	if w == rw && h == rh {
		return pic, nil
	}
	left, top := offset(rw, w), offset(rh, h)
	out := rgb{make([]byte, 3*w*h), 3 * w}
	row := make([]byte, 3*rw)
	for y := max(0, -top); y < min(h, rh-top); y++ {
		pic.row(y+top, row)
		copy(out.pix[y*out.stride+3*max(0, -left):(y+1)*out.stride], row[3*max(0, left):])
	}
	return &Picture{w, h, out}, nil
}

// Pixels appends a picture's values to dst: [3][height][width], of the size that
// Shape says.
func (p *Processor) Pixels(dst []float32, pic *Picture) ([]float32, error) {
	pic, err := p.Prepare(pic)
	if err != nil {
		return nil, err
	}
	return p.Values(dst, pic), nil
}

// Values appends the values of a picture that is already as the model sees it.
func (p *Processor) Values(dst []float32, pic *Picture) []float32 {
	// A byte has 256 values: that is all the arithmetic there is.
	var values [3][256]float32
	for c := range values {
		for v := range values[c] {
			values[c][v] = (float32(float64(v)*p.Rescale) - p.Mean[c]) / p.Std[c]
		}
	}
	w, h := pic.Width, pic.Height
	from := len(dst)
	dst = append(dst, make([]float32, 3*w*h)...)
	red, green, blue := dst[from:][:w*h], dst[from+w*h:][:w*h], dst[from+2*w*h:][:w*h]
	row := make([]byte, 3*w)
	for y := range h {
		pic.row(y, row)
		for x := range w {
			px := row[3*x:][:3]
			red[y*w+x], green[y*w+x], blue[y*w+x] = values[0][px[0]], values[1][px[1]], values[2][px[2]]
		}
	}
	return dst
}

// offset is where a cut of size to begins in from, negative if it is larger.
func offset(from, to int) int {
	if to <= from {
		return (from - to) / 2
	}
	return -((to - from + 1) / 2)
}
