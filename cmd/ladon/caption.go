package main

import (
	"flag"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/picture"
	"github.com/ladon-ml/ladon/pipeline"
)

var captionCommand = command{
	name:    "caption",
	args:    "FILE…",
	summary: "say in words what pictures show",
	help: `
Takes an encoder of pictures with a decoder of text (VisionEncoderDecoderModel). Prints
one line of JSON a picture, in order: {"image":…,"caption":…}. Arguments are files, or
folders of them. A picture that cannot be read is named, the rest is done, and the exit
code is 1. How captions are written is said, and generation_config.json obeyed, as by
ladon generate: greedily unless a flag asks for chance or beams.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		f := captionFlags{src: needModelFlag(fs)}
		kvFlag(fs, &f.kv)
		f.generationFlags.register(fs)
		readable := readableFlag(fs)
		return func(c *call) (err error) {
			if err := f.src.need("caption"); err != nil {
				return err
			}
			if f.people, err = c.readable(*readable); err != nil {
				return err
			}
			f.visit(fs)
			return f.run(c)
		}
	},
}

type captionFlags struct {
	generationFlags
	src    *modelSource
	kv     string
	people bool
}

func (f *captionFlags) run(c *call) error {
	if err := f.check(); err != nil {
		return err
	}
	if _, err := c.pictureFiles(); err != nil {
		return err
	}
	kv, err := model.ParseKVType(f.kv)
	if err != nil {
		return err
	}
	m, err := f.src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	captioner, err := m.Captioner()
	if err != nil {
		return err
	}
	f.warn(c, captioner.Settings())
	how := pipeline.CaptionConfig{Config: f.chosen(captioner.Settings()), IgnoreEOS: f.ownEOS(), KV: kv}
	return c.eachPicture(func(files []string, pics []*picture.Picture) error {
		captions, err := captioner.Caption(c.ctx, how, pics...)
		if err != nil {
			return err
		}
		for i, file := range files {
			if err := f.write(c, file, captions[i]); err != nil {
				return err
			}
		}
		return c.stdout.Flush()
	})
}

func (f *captionFlags) write(c *call, file, caption string) error {
	if f.people {
		return c.writeReadable(file, [][]string{{oneLine(caption)}})
	}
	line := appendString([]byte(`{"image":`), file)
	line = appendString(append(line, `,"caption":`...), caption)
	_, err := c.stdout.Write(append(line, "}\n"...))
	return err
}
