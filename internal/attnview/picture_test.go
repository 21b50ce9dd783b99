package attnview

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pictured looks at 2×3 patches of 4×5 pixels, with a pixel left over on both
// sides, from a class token, them and an object; a text looks at them too.
func pictured(seed uint64) *Report {
	r := rand.New(rand.NewPCG(seed, 2))
	p := &Picture{RGB: make([]byte, 3*16*9), Width: 16, Height: 9, First: 1, Rows: 2, Cols: 3, PatchWidth: 5, PatchHeight: 4}
	for i := range p.RGB {
		p.RGB[i] = byte(r.Uint32())
	}
	list := []Token{{Token: "[class]", Label: "[class]", Special: true}}
	for i := range 6 {
		name := fmt.Sprintf("patch %d, %d", i/3, i%3)
		list = append(list, Token{ID: -1, Token: name, Label: name})
	}
	list = append(list, Token{Token: "[object 0]", Label: "[object 0]", Special: true})
	return &Report{Model: "vit", Text: "a.jpg", Maps: []Map{
		{Name: "self-attention", Queries: list, Picture: p, Layers: []Layer{{3, random(r, 3, 8, 8)}, {2, random(r, 2, 8, 8)}}},
		{Name: "cross-attention", Queries: tokens(4), Keys: list, Picture: p, Layers: []Layer{{2, random(r, 2, 4, 8)}}},
	}}
}

func TestStatisticsOfPictures(t *testing.T) {
	m := &Map{
		Queries: make([]Token, 5), Picture: &Picture{First: 1, Rows: 2, Cols: 2},
		Layers: []Layer{{1, []float32{
			0, 1, 0, 0, 0,
			0, .5, 0, .5, 0, // one away, half of the time
			.5, 0, 0, 0, .5, // of what is on the picture, all one away
			0, 0, .25, 0, .75, // √2, one
			1, 0, 0, 0, 0,
		}}},
	}
	f := mustField(t, m)
	for i, s := range f.statistics() {
		require.NotContains(t, []string{"distance", "previous", "next", "special"}, s.Key)
		if s.Key == "apart" {
			require.InDelta(t, (.5+1+.25*math.Sqrt2+.75)/3, f.measure(f.planes[0][0])[i], 1e-6)
		}
	}
	require.Equal(t, "apart", f.statistics()[2].Key)
}

func TestPictureInJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, pictured(1).JSON(t.Context(), &b, Selection{Layer: -1}))
	var got struct {
		Maps []struct{ Picture map[string]int }
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	want := map[string]int{"width": 16, "height": 9, "first": 1, "rows": 2, "cols": 3, "patchWidth": 5, "patchHeight": 4}
	require.Equal(t, want, got.Maps[0].Picture)
	require.Equal(t, want, got.Maps[1].Picture)
}

func TestPictureInPNG(t *testing.T) {
	for _, r := range []*Report{pictured(2), {Model: "m", Maps: pictured(3).Maps[1:]}} {
		for _, s := range []Selection{{Layer: -1}, {Layer: 0}, {Layer: 0, Plane: "1"}, {Layer: 0, Plane: MeanPlane}} {
			var b bytes.Buffer
			require.NoError(t, r.PNG(t.Context(), &b, s))
			img, err := png.Decode(&b)
			require.NoError(t, err)
			require.Less(t, img.Bounds().Dx(), 1000)
		}
	}
}

func TestClassTokensAreWhole(t *testing.T) {
	f := mustField(t, &pictured(7).Maps[0])
	e, err := f.encodeWithin(1, 1<<20)
	require.NoError(t, err)
	require.Equal(t, 1, e.Whole)
	data := unpack(t, encoded{Data: e.WholeData})
	require.Len(t, data, 9*8)
	for _, layer := range f.planes {
		for _, p := range layer {
			for i, w := range p.weights[:8] {
				require.Equal(t, quantum(w), data[i])
			}
			data = data[8:]
		}
	}
	f = mustField(t, &pictured(7).Maps[1])
	e, err = f.encodeWithin(1, 1<<20)
	require.NoError(t, err)
	require.Zero(t, e.Whole, "a text's tokens have no such")
}

func TestOverlay(t *testing.T) {
	// On black, a patch has the colour of its place between the least and the most.
	r := pictured(4)
	p := r.Maps[0].Picture
	clear(p.RGB)
	copy(r.Maps[0].Layers[0].Weights, []float32{0, .1, .2, .1, .3, .1, .1, .1})
	f := mustField(t, &r.Maps[0])
	c := &canvas{field: f}
	const scale = 10
	img := c.overlay(c.Picture.resized(16*scale), 16*scale, 9*scale, picked{plane: f.planes[0][0]})
	for i, share := range []int{0, 180, 0, 255, 0, 0} {
		over := heatRamp()[share]
		got := img.At((i%3*5+2)*scale, (i/3*4+2)*scale).(color.RGBA)
		require.InDelta(t, int(over.R)*int(over.A)/255, got.R, 2, "patch %d", i)
		require.InDelta(t, int(over.G)*int(over.A)/255, got.G, 2, "patch %d", i)
	}
	require.Equal(t, color.RGBA{A: 255}, img.At(16*scale-2, 2), "what no patch sees")
}

func TestHeatIsThePages(t *testing.T) {
	css, err := page.ReadFile("page/page.css")
	require.NoError(t, err)
	var list []string
	for _, s := range heat {
		list = append(list, fmt.Sprintf("%.0f %.0f %.0f %.0f", s[0], s[1], s[2], s[3]))
	}
	require.True(t, strings.Contains(string(css), "--heat: "+strings.Join(list, ", ")+";"))
}

func TestPictureErrors(t *testing.T) {
	for _, change := range []func(p *Picture){
		func(p *Picture) { p.First = 3 },
		func(p *Picture) { p.First = -1 },
		func(p *Picture) { p.Rows = 0 },
		func(p *Picture) { p.PatchHeight = 5 },
		func(p *Picture) { p.RGB = p.RGB[1:] },
	} {
		r := pictured(5)
		change(r.Maps[0].Picture)
		for _, write := range writers {
			require.ErrorContains(t, write(r, t.Context(), new(bytes.Buffer), Selection{}), "patches")
		}
	}
}

func TestPictureInBrowser(t *testing.T) {
	browser := chromium(t)
	path := filepath.Join(t.TempDir(), "page.html")
	require.NoError(t, os.WriteFile(path, []byte(pageOf(t, pictured(6), Selection{Layer: -1})), 0o600))

	data, dom := visit(t, browser, path, "")
	for key, want := range map[string]string{"layer": "1", "head": RolloutPlane, "tiles": "9", "looks": "0"} {
		require.Equal(t, want, data[key], key)
	}
	require.True(t, strings.Contains(dom, `id="lines-section" hidden`))
	require.False(t, strings.Contains(dom, `id="look-section" hidden`))
	require.True(t, strings.Contains(dom, "[class]</bdi> gives "))

	data, dom = visit(t, browser, path, "#layer=0&head=1&token=q5&theme=dark")
	require.Equal(t, "5", data["looks"])
	require.True(t, strings.Contains(dom, "patch 1, 1</bdi> gives "))
	weights := pictured(6).Maps[0].Layers[0].Weights[(1*8+5)*8:][1:7]
	most := float32(0)
	for _, w := range weights {
		most = max(most, weight(quantum(w)))
	}
	percent := fmt.Sprintf("%.0f%%", 100*most)
	if most < 0.0995 {
		percent = fmt.Sprintf("%.1f%%", 100*most)
	}
	require.Equal(t, percent, data["most"])

	// A text that looks at a picture: at first all of it together.
	data, dom = visit(t, browser, path, "#map=1&layer=0&head=0")
	require.Equal(t, "-1", data["looks"])
	require.True(t, strings.Contains(dom, "All tokens together give "))
	data, _ = visit(t, browser, path, "#map=1&token=q2&overview=entropy")
	require.Equal(t, "2", data["looks"])
}
