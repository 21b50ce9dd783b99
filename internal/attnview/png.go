package attnview

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	margin     = 16
	maxPixels  = 64 << 20
	labelRunes = 20 // of a token
	titleRunes = 90
)

// PNG draws the selected planes of the first map: one with its tokens' labels,
// or several small ones, a row a layer.
func (r *Report) PNG(ctx context.Context, w io.Writer, s Selection) error {
	if err := r.check(); err != nil {
		return err
	}
	f, err := newField(ctx, &r.Maps[0])
	if err != nil {
		return err
	}
	picks, err := f.pick(s)
	if err != nil {
		return err
	}
	p, err := newPen(13)
	if err != nil {
		return err
	}
	c := &canvas{pen: p, ramp: ramp(), field: f}
	title := p.known(cutRunes(visible(fmt.Sprintf("%s: %s", r.Model, r.Text), map[rune]string{'\n': " ", '\t': " ", '\r': ""}), titleRunes))
	switch {
	case s.one() && f.Picture != nil:
		err = c.look(title, picks[0][0])
	case s.one():
		err = c.heatmap(title, picks[0][0])
	default:
		err = c.overview(title, picks)
	}
	if err != nil {
		return err
	}
	return png.Encode(w, c.img)
}

// A canvas is a picture on its way.
type canvas struct {
	*pen
	*field
	ramp [256]color.RGBA
	img  *image.RGBA
}

// begin makes the picture, white.
func (c *canvas) begin(w, h int) error {
	if w*h > maxPixels {
		return fmt.Errorf("attnview: a picture of %d×%d: give it a shorter text, or one head", w, h)
	}
	c.img = image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(c.img, c.img.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	return nil
}

// heatmap draws one plane, with the queries' labels beside its rows and the
// keys' above its columns.
func (c *canvas) heatmap(title string, p picked) error {
	cell := min(max(1200/max(c.q, c.k), 3), 26)
	queries, left := c.labels(c.Queries)
	keys, top := c.labels(c.keys())
	left += margin + 6
	top += margin + 3*c.height
	subtitle := c.describe(p)
	width := max(left+c.k*cell, margin+c.width(title), margin+c.width(subtitle), margin+legendWidth)
	if err := c.begin(width+margin, top+c.q*cell+margin+2*c.height+margin); err != nil {
		return err
	}
	c.write(c.img, margin, margin/2, title, ink)
	c.write(c.img, margin, margin/2+c.height, subtitle, faint)
	// Where a cell is lower than a line, every so many tokens have a label.
	step := (c.height + cell - 1) / cell
	for i := 0; i < c.q; i += step {
		c.write(c.img, left-6-c.width(queries[i]), top+i*cell+(cell-c.height)/2, queries[i], c.colour(c.Queries[i]))
	}
	for i := 0; i < c.k; i += step {
		c.writeUp(c.img, left+i*cell+(cell-c.height)/2, top-6, keys[i], c.colour(c.keys()[i]))
	}
	c.border(left, top, c.k*cell, c.q*cell)
	for q := range c.q {
		for k := range c.k {
			c.fill(left+k*cell, top+q*cell, cell, c.ramp[quantum(p.weights[q*c.k+k])])
		}
	}
	c.legend(margin, top+c.q*cell+margin)
	return nil
}

// labels gives the tokens' labels and the width of the widest.
func (c *canvas) labels(tokens []Token) (list []string, width int) {
	for i := range tokens {
		list = append(list, c.known(tokens[i].shown(labelRunes)))
		width = max(width, c.width(list[i]))
	}
	return list, width
}

// describe names a plane and says what it does.
func (c *canvas) describe(p picked) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, layer %d, ", c.Name, p.layer)
	switch p.name {
	case MeanPlane:
		b.WriteString("mean of the heads")
	case RolloutPlane:
		b.WriteString("rollout from the first layer")
	default:
		b.WriteString("head " + p.name)
	}
	for i, x := range c.measure(p.plane) {
		s := c.statistics()[i]
		fmt.Fprintf(&b, ", %s %.2f", s.Name, x)
		if s.Unit != "" {
			b.WriteString(" " + s.Unit)
		}
	}
	return b.String()
}

func (c *canvas) colour(t Token) color.Color {
	if t.Special {
		return faint
	}
	return ink
}

// overview draws many planes small.
func (c *canvas) overview(title string, rows [][]picked) error {
	const gap = 8
	w, h, thumb := c.thumbs()
	names := columnsOf(rows)
	left, top := margin+c.width("layer 00 "), margin/2+2*c.height+margin/2
	pitchX, pitchY := max(w, c.width(RolloutPlane))+gap, h+gap
	width := max(left+len(names)*pitchX, margin+c.width(title), margin+legendWidth)
	if err := c.begin(width+margin, top+len(rows)*pitchY+2*c.height+margin); err != nil {
		return err
	}
	c.write(c.img, margin, margin/2, title, ink)
	for i, name := range names {
		c.write(c.img, left+i*pitchX, top-c.height-2, name, faint)
	}
	for i, row := range rows {
		y := top + i*pitchY
		if len(row) > 0 {
			c.write(c.img, margin, y+h/2-c.height/2, fmt.Sprintf("layer %d", row[0].layer), ink)
		}
		for _, p := range row {
			x := left + slices.Index(names, p.name)*pitchX
			c.border(x, y, w, h)
			thumb(x, y, p)
		}
	}
	c.legend(margin, top+len(rows)*pitchY+4)
	return nil
}

// columnsOf names the columns: all planes of the layer that has most. The others
// lack some heads of it.
func columnsOf(rows [][]picked) []string {
	most := slices.MaxFunc(rows, func(a, b []picked) int { return len(a) - len(b) })
	names := make([]string, len(most))
	for i, p := range most {
		names[i] = p.name
	}
	return names
}

// thumbs gives the size of planes drawn small, and how one is.
func (c *canvas) thumbs() (w, h int, draw func(x, y int, p picked)) {
	if c.Picture != nil {
		return c.glances()
	}
	cell := max(1, 88/max(c.q, c.k)) // pixels a token
	step := 1                        // tokens a pixel
	for max(c.q, c.k)/step > 128 {
		step++
	}
	return (c.k + step - 1) / step * cell, (c.q + step - 1) / step * cell, func(x, y int, p picked) { c.thumb(x, y, cell, step, p) }
}

// thumb draws a plane small: of step×step weights the largest.
func (c *canvas) thumb(x, y, cell, step int, p picked) {
	for q := 0; q < c.q; q += step {
		for k := 0; k < c.k; k += step {
			most := float32(0)
			for i := q; i < min(q+step, c.q); i++ {
				for _, w := range p.weights[i*c.k+k : i*c.k+min(k+step, c.k)] {
					most = max(most, w)
				}
			}
			c.fill(x+k/step*cell, y+q/step*cell, cell, c.ramp[quantum(most)])
		}
	}
}

func (c *canvas) fill(x, y, size int, to color.RGBA) {
	for j := y; j < y+size; j++ {
		for i := x; i < x+size; i++ {
			c.img.SetRGBA(i, j, to)
		}
	}
}

// border draws a line around a box, outside it.
func (c *canvas) border(x, y, w, h int) {
	draw.Draw(c.img, image.Rect(x-1, y-1, x+w+1, y+h+1), image.NewUniform(frame), image.Point{}, draw.Src)
}

const legendWidth = 420

// legend draws the ramp with the weights along it.
func (c *canvas) legend(x, y int) {
	const w, h = 256, 12
	if c.Picture != nil {
		c.pictureLegend(x, y, w, h)
		return
	}
	c.write(c.img, x, y, "weight", faint)
	x += c.width("weight") + 12
	for i := range w {
		draw.Draw(c.img, image.Rect(x+i, y+2, x+i+1, y+2+h), image.NewUniform(c.ramp[i]), image.Point{}, draw.Src)
	}
	for _, v := range []float32{0, 0.05, 0.2, 0.5, 1} {
		s := fmt.Sprint(v)
		c.write(c.img, x+int(quantum(v))-c.width(s)/2, y+h+3, s, faint)
	}
}

// cutRunes shortens a text.
func cutRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
