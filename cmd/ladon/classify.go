package main

import (
	"flag"

	"github.com/ladon-ml/ladon/model/picture"
	"github.com/ladon-ml/ladon/pipeline"
)

var classifyCommand = command{
	name:    "classify",
	args:    "TEXT… (or lines on standard input), or -image FILE…",
	summary: "say which of a classifier's labels hold for texts or pictures",
	help: `
Prints one line of JSON a text, in order: {"text":…,"labels":[{"label":…,"score":…}]},
the best label first. Scores are probabilities, each by itself where several
labels may hold, and plain numbers in a regression. With -image the arguments are
picture files, or folders of them, and "image" stands for "text". A picture that
cannot be read is named, the rest is done, and the exit code is 1.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := needModelFlag(fs)
		pictures := fs.Bool("image", false, "classify pictures")
		top := countFlag(fs, "top", 0, 0, "give the best `N` labels; 0: all")
		return func(c *call) error {
			if err := src.need("classify"); err != nil {
				return err
			}
			if *pictures {
				return classifyPictures(c, src, *top)
			}
			return classifyTexts(c, src, *top)
		}
	},
}

func classifyPictures(c *call, src *modelSource, top int) error {
	m, err := src.openVision(c)
	if err != nil {
		return err
	}
	defer m.Close()
	return c.eachPicture(func(files []string, pics []*picture.Picture) error {
		answers, err := m.Classify(c.ctx, top, pics...)
		if err != nil {
			return err
		}
		return writeLabels(c, "image", files, answers)
	})
}

func classifyTexts(c *call, src *modelSource, top int) error {
	m, err := src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	classifier, err := m.Classifier()
	if err != nil {
		return err
	}
	return c.eachBatch(func(b *textBatch) error {
		answers, err := classifier.Classify(c.ctx, pipeline.ClassifyConfig{Top: top, Truncated: func(i, kept int) {
			c.warnf("%s is cut to the model's %d tokens", b.place(i), kept)
		}}, b.texts...)
		if err != nil {
			return err
		}
		return writeLabels(c, "text", b.texts, answers)
	})
}

// writeLabels prints a line for each of the things that were classified, which
// kind says the name of.
func writeLabels(c *call, kind string, names []string, answers [][]pipeline.Label) (err error) {
	var line []byte
	for i, name := range names {
		line = append(append(append(line[:0], `{"`...), kind...), `":`...)
		line = append(appendString(line, name), `,"labels":[`...)
		for j, l := range answers[i] {
			if j > 0 {
				line = append(line, ',')
			}
			if line, err = appendLabel(append(line, '{'), l); err != nil {
				return err
			}
			line = append(line, '}')
		}
		if _, err := c.stdout.Write(append(line, "]}\n"...)); err != nil {
			return err
		}
	}
	return c.stdout.Flush()
}

// appendLabel appends a label's members.
func appendLabel(line []byte, l pipeline.Label) ([]byte, error) {
	line = appendString(append(line, `"label":`...), l.Label)
	return appendFloat(append(line, `,"score":`...), l.Score)
}
