package main

import (
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"strconv"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/ladon-ml/ladon/internal/atomicfile"
	"github.com/ladon-ml/ladon/model/picture"
	"github.com/ladon-ml/ladon/pipeline"
)

var detectCommand = command{
	name:    "detect",
	args:    "FILE…",
	summary: "find objects in pictures",
	help: `
Prints one line of JSON a picture: {"image":…,"objects":[{"label":…,"score":…,
"box":{"xmin":…,"ymin":…,"xmax":…,"ymax":…}}]}, the surest first; boxes are in
pixels of the upright picture. Arguments are files, or folders of them. With -o
the one picture is written as a PNG with its boxes drawn in.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := needModelFlag(fs)
		threshold := 0.5
		fs.Func("threshold", "leave out what has no higher `SCORE` (default 0.5)", func(s string) (err error) {
			if threshold, err = strconv.ParseFloat(s, 64); err != nil || !(threshold >= 0 && threshold <= 1) {
				return errors.New("a number from 0 to 1")
			}
			return nil
		})
		var out string
		fs.Var(pathValue{&out}, "o", "write the picture with its boxes to this PNG `FILE`")
		return func(c *call) error {
			if err := src.need("detect"); err != nil {
				return err
			}
			return runDetect(c, src, float32(threshold), out)
		}
	},
}

func runDetect(c *call, src *modelSource, threshold float32, out string) error {
	if files, err := c.pictureFiles(); err != nil {
		return err
	} else if out != "" && len(files) != 1 {
		return fmt.Errorf("detect: -o takes one picture, not %d", len(files))
	}
	m, err := src.openVision(c)
	if err != nil {
		return err
	}
	defer m.Close()
	return c.eachPicture(func(files []string, pics []*picture.Picture) error {
		found, err := m.Detect(c.ctx, threshold, pics...)
		if err != nil {
			return err
		}
		if out != "" {
			if err := atomicfile.Write(out, func(w io.Writer) error { return png.Encode(w, drawBoxes(pics[0], found[0])) }); err != nil {
				return err
			}
		}
		return writeBoxes(c, files, found)
	})
}

func writeBoxes(c *call, files []string, found [][]pipeline.Box) (err error) {
	var line []byte
	for i, file := range files {
		line = append(appendString(append(line[:0], `{"image":`...), file), `,"objects":[`...)
		for j, b := range found[i] {
			if j > 0 {
				line = append(line, ',')
			}
			if line, err = appendLabel(append(line, '{'), b.Label); err != nil {
				return err
			}
			line = append(line, `,"box":{`...)
			for _, at := range []struct {
				name  string
				value float32
			}{{`"xmin":`, b.XMin}, {`,"ymin":`, b.YMin}, {`,"xmax":`, b.XMax}, {`,"ymax":`, b.YMax}} {
				if line, err = appendFloat(append(line, at.name...), at.value); err != nil {
					return err
				}
			}
			line = append(line, "}}"...)
		}
		if _, err := c.stdout.Write(append(line, "]}\n"...)); err != nil {
			return err
		}
	}
	return c.stdout.Flush()
}

// boxColours are far from each other and from most pictures.
var boxColours = []color.RGBA{{230, 25, 75, 255}, {60, 180, 75, 255}, {0, 130, 200, 255}, {245, 130, 48, 255}, {145, 30, 180, 255}, {0, 160, 160, 255}}

// drawBoxes draws what was found into a picture, the surest on top.
func drawBoxes(pic *picture.Picture, found []pipeline.Box) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, pic.Width, pic.Height))
	for i, rgb := 0, pic.RGB(); i < pic.Width*pic.Height; i++ {
		copy(m.Pix[4*i:], []byte{rgb[3*i], rgb[3*i+1], rgb[3*i+2], 255})
	}
	wide := max(1, min(pic.Width, pic.Height)/200)
	for i := len(found) - 1; i >= 0; i-- {
		b := found[i]
		paint := image.NewUniform(boxColours[i%len(boxColours)])
		r := image.Rect(pixel(b.XMin), pixel(b.YMin), pixel(b.XMax), pixel(b.YMax))
		for _, edge := range []image.Rectangle{
			image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+wide), image.Rect(r.Min.X, r.Max.Y-wide, r.Max.X, r.Max.Y),
			image.Rect(r.Min.X, r.Min.Y, r.Min.X+wide, r.Max.Y), image.Rect(r.Max.X-wide, r.Min.Y, r.Max.X, r.Max.Y),
		} {
			draw.Draw(m, edge, paint, image.Point{}, draw.Src)
		}
		text := fmt.Sprintf("%s %.2f", b.Label.Label, b.Score)
		face := basicfont.Face7x13
		x, y := max(r.Min.X, 0), max(r.Min.Y, 0)
		draw.Draw(m, image.Rect(x, y, x+font.MeasureString(face, text).Ceil()+4, y+face.Height+2), paint, image.Point{}, draw.Src)
		(&font.Drawer{Dst: m, Src: image.White, Face: face, Dot: fixed.P(x+2, y+face.Ascent+1)}).DrawString(text)
	}
	return m
}

// pixel rounds a place that a model may have put anywhere.
func pixel(x float32) int { return int(math.Round(float64(min(max(x, -1e6), 1e6)))) }
