package main

import (
	"errors"
	"flag"
	"os"

	"github.com/ladon-ml/ladon/model/picture"
)

var benchPictureCase = command{
	name:    "picture",
	summary: "decoding a picture file and resizing it for a model",
	help: `
The file is read once. A picture becomes edge × edge pixels, bilinear, and the
values that a model reads; on one thread, whatever -threads says.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		var file string
		fs.Var(pathValue{&file}, "image", "the picture `FILE`")
		edge := countFlag(fs, "edge", 224, 1, "`pixels` that the picture is made wide and high")
		budget := budgetFlag(fs)
		return func(c *call) error {
			if err := c.noArgs(); err != nil {
				return err
			}
			if file == "" {
				return errors.New("bench picture: -image is needed")
			}
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			p := picture.Processor{
				Filter: picture.Bilinear, Resize: picture.Size{Width: *edge, Height: *edge},
				Rescale: 1.0 / 255, Std: [3]float32{1, 1, 1},
			}
			var values []float32
			var pic *picture.Picture
			t, err := measure(c.ctx, *budget, func() error {
				if pic, err = picture.Decode(file, data, 0); err == nil {
					values, err = p.Pixels(values[:0], pic)
				}
				return err
			})
			if err != nil {
				return err
			}
			r := newRecord("picture")
			r.string("image", file)
			r.int("width", pic.Width)
			r.int("height", pic.Height)
			r.int("edge", *edge)
			r.timing(t)
			r.float("megapixels_per_s", t.perSecond(float64(pic.Width)*float64(pic.Height)/1e6), 4)
			r.machine(c)
			return r.writeTo(c)
		}
	},
}
