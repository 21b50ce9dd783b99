package attnview

import (
	"fmt"
	"image"
	"image/draw"
	"math"
	"slices"
)

// row is what is drawn over a picture: how the patches share what the first token
// gives, if that is a class token, else what all give.
func (f *field) row(p plane) []float32 {
	n := f.Picture.Rows * f.Picture.Cols
	if f.self() && f.Picture.First > 0 {
		return p.weights[f.Picture.First:][:n]
	}
	sums := make([]float32, n)
	for q := range f.q {
		for i, w := range p.weights[q*f.k+f.Picture.First:][:n] {
			sums[i] += w / float32(f.q)
		}
	}
	return sums
}

// over says whose weights those are.
func (f *field) over() string {
	if f.self() && f.Picture.First > 0 {
		return f.Queries[0].Label
	}
	return "all tokens"
}

// overlay draws the weights of a plane over the picture, w×h large.
func (c *canvas) overlay(picture image.Image, w, h int, p picked) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Bounds(), picture, image.Point{}, draw.Src)
	weights := c.row(p.plane)
	least, most := slices.Min(weights), slices.Max(weights)
	colours, pic := heatRamp(), c.Picture
	x0 := func(col int) int { return col * pic.PatchWidth * w / pic.Width }
	y0 := func(row int) int { return row * pic.PatchHeight * h / pic.Height }
	for i, x := range weights {
		row, col := i/pic.Cols, i%pic.Cols
		share := 0
		if most > least {
			share = int(255*math.Sqrt(float64((x-least)/(most-least))) + 0.5)
		}
		patch := image.Rect(x0(col), y0(row), x0(col+1), y0(row+1))
		draw.Draw(out, patch, image.NewUniform(colours[share]), image.Point{}, draw.Over)
	}
	return out
}

// glances draws planes small, over the picture.
func (c *canvas) glances() (w, h int, glance func(x, y int, p picked)) {
	picture := c.Picture.resized(96)
	w, h = picture.Rect.Dx(), picture.Rect.Dy()
	return w, h, func(x, y int, p picked) {
		draw.Draw(c.img, image.Rect(x, y, x+w, y+h), c.overlay(picture, w, h, p), image.Point{}, draw.Src)
	}
}

// look draws one plane over the picture.
func (c *canvas) look(title string, p picked) error {
	picture := c.Picture.resized(max(640, min(c.Picture.Width, 1280)))
	w, h := picture.Rect.Dx(), picture.Rect.Dy()
	subtitle := c.describe(p)
	left, top := margin, margin+3*c.height
	if err := c.begin(max(w, c.width(title), c.width(subtitle), legendWidth)+2*margin, top+h+margin+3*c.height); err != nil {
		return err
	}
	c.write(c.img, margin, margin/2, title, ink)
	c.write(c.img, margin, margin/2+c.height, subtitle, faint)
	c.border(left, top, w, h)
	draw.Draw(c.img, image.Rect(left, top, left+w, top+h), c.overlay(picture, w, h, p), image.Point{}, draw.Src)
	c.legend(margin, top+h+margin)
	return nil
}

// pictureLegend draws the colours of weights over a picture.
func (c *canvas) pictureLegend(x, y, w, h int) {
	text := fmt.Sprintf("what %s looks at: its least", c.over())
	c.write(c.img, x, y, text, faint)
	x += c.width(text) + 8
	for i, colour := range heatRamp() {
		colour.A = 255
		draw.Draw(c.img, image.Rect(x+i, y+2, x+i+w/256, y+2+h), image.NewUniform(colour), image.Point{}, draw.Src)
	}
	c.write(c.img, x+w+8, y, "and its largest weight of a patch", faint)
}
