package attnview

import "image/color"

// The colours of weights from 0 to 1, by their root, as the page has them too
// (page.css): from paper to ink.
var stops = [...][3]float64{
	{250, 250, 247}, {206, 228, 220}, {122, 184, 184}, {40, 116, 146}, {14, 42, 84},
}

var (
	paper = color.RGBA{255, 255, 255, 255}
	ink   = color.RGBA{33, 37, 41, 255}
	faint = color.RGBA{110, 117, 125, 255}
	frame = color.RGBA{206, 210, 214, 255}
)

// ramp is the colour of every quantum.
func ramp() (colours [256]color.RGBA) {
	for i := range colours {
		at := float64(i) / 255 * float64(len(stops)-1)
		low := min(int(at), len(stops)-2)
		t := at - float64(low)
		mix := func(c int) uint8 { return uint8(stops[low][c]*(1-t) + stops[low+1][c]*t + 0.5) }
		colours[i] = color.RGBA{mix(0), mix(1), mix(2), 255}
	}
	return colours
}
