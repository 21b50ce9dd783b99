package attnview

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// A pen writes text into a picture. The font is the Go font, outlines that cover
// Latin, Greek and Cyrillic and stay readable at any size; basicfont has ASCII
// alone. A rune that it lacks is written as its code, or as what stands for it.
type pen struct {
	font   *opentype.Font
	face   font.Face
	height int // of a line
	ascent int
}

func newPen(size float64) (*pen, error) {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, err
	}
	m := face.Metrics()
	return &pen{font: f, face: face, height: m.Height.Ceil(), ascent: m.Ascent.Ceil()}, nil
}

// plain is what stands for the marks that labels have for white space, where the
// font lacks them.
var plain = map[rune]string{'␣': "_", '▁': "_", '↵': `\n`, '⇥': `\t`, '␀': `""`}

// known replaces the runes that the font lacks.
func (p *pen) known(s string) string {
	var b strings.Builder
	var buf sfnt.Buffer
	for _, r := range s {
		i, err := p.font.GlyphIndex(&buf, r)
		switch mark, ok := plain[r]; {
		case err == nil && i != 0:
			b.WriteRune(r)
		case ok:
			b.WriteString(mark)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

// width is how many pixels a text takes.
func (p *pen) width(s string) int { return font.MeasureString(p.face, s).Ceil() }

// write writes a text whose box has its left top corner at (x, y).
func (p *pen) write(dst draw.Image, x, y int, s string, c color.Color) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: p.face, Dot: fixed.P(x, y+p.ascent)}
	d.DrawString(s)
}

// writeUp writes a text upwards from (x, bottom), its top to the left.
func (p *pen) writeUp(dst *image.RGBA, x, bottom int, s string, c color.Color) {
	w := p.width(s)
	mask := image.NewAlpha(image.Rect(0, 0, w, p.height))
	p.write(mask, 0, 0, s, color.Opaque)
	up := image.NewAlpha(image.Rect(0, 0, p.height, w))
	for i := range w {
		for j := range p.height {
			up.SetAlpha(j, w-1-i, mask.AlphaAt(i, j))
		}
	}
	draw.DrawMask(dst, image.Rect(x, bottom-w, x+p.height, bottom), image.NewUniform(c), image.Point{}, up, image.Point{}, draw.Over)
}
