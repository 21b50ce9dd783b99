package attnview

import (
	"image"
	"image/color"
	"io"

	"golang.org/x/image/draw"
)

// A shownPicture is a picture as the page's script and the JSON have it.
type shownPicture struct {
	Width       int `json:"width"`
	Height      int `json:"height"`
	First       int `json:"first"` // the key of the first patch
	Rows        int `json:"rows"`
	Cols        int `json:"cols"`
	PatchWidth  int `json:"patchWidth"`
	PatchHeight int `json:"patchHeight"`
	*pixels
}

// pixels are what the page alone has: no browser's decoder is asked, so that the
// page's policy need not allow pictures.
type pixels struct {
	Across int    `json:"across"`
	Down   int    `json:"down"`
	RGB    string `json:"rgb"` // [Down][Across][3], deflated, in base64
}

// maxEdge is how long the page's pictures are at most.
const maxEdge = 800

func (p *Picture) described() *shownPicture {
	return &shownPicture{
		Width: p.Width, Height: p.Height, First: p.First, Rows: p.Rows, Cols: p.Cols, PatchWidth: p.PatchWidth, PatchHeight: p.PatchHeight,
	}
}

func (p *Picture) shown() (*shownPicture, error) {
	m := p.resized(min(max(p.Width, p.Height), maxEdge))
	rgb := make([]byte, 0, 3*len(m.Pix)/4)
	for i := 0; i < len(m.Pix); i += 4 {
		rgb = append(rgb, m.Pix[i:i+3]...)
	}
	data, err := deflated(func(w io.Writer) { w.Write(rgb) })
	s := p.described()
	s.pixels = &pixels{Across: m.Rect.Dx(), Down: m.Rect.Dy(), RGB: data}
	return s, err
}

// resized is the picture, its longer edge so many pixels.
func (p *Picture) resized(edge int) *image.RGBA {
	m := p.image()
	long := max(p.Width, p.Height)
	if long == edge {
		return m
	}
	out := image.NewRGBA(image.Rect(0, 0, max(1, p.Width*edge/long), max(1, p.Height*edge/long)))
	draw.CatmullRom.Scale(out, out.Rect, m, m.Rect, draw.Src, nil)
	return out
}

func (p *Picture) image() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		m.Pix[4*i], m.Pix[4*i+1], m.Pix[4*i+2], m.Pix[4*i+3] = p.RGB[3*i], p.RGB[3*i+1], p.RGB[3*i+2], 255
	}
	return m
}

// heat are the colours of weights over a picture, from the least to the largest
// (page.css has them too), and how much of the picture they hide, in percent.
var heat = [...][4]float64{
	{16, 10, 56, 62}, {110, 28, 110, 58}, {214, 62, 78, 60}, {250, 156, 50, 68}, {252, 246, 170, 78},
}

// heatRamp is the colour of every share of the way from the least weight to the
// largest.
func heatRamp() (colours [256]color.NRGBA) {
	for i := range colours {
		at := float64(i) / 255 * float64(len(heat)-1)
		low := min(int(at), len(heat)-2)
		t := at - float64(low)
		mix := func(c int) float64 { return heat[low][c]*(1-t) + heat[low+1][c]*t }
		colours[i] = color.NRGBA{uint8(mix(0) + 0.5), uint8(mix(1) + 0.5), uint8(mix(2) + 0.5), uint8(mix(3)*2.55 + 0.5)}
	}
	return colours
}
