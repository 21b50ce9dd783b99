package main

import (
	"errors"
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
cannot be read is named, the rest is done, and the exit code is 1. With -labels a
model that matches texts and pictures (CLIP) says which of these labels fit best,
though it was not trained on them; each is put into the template in place of {}.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		src := needModelFlag(fs)
		pictures := fs.Bool("image", false, "classify pictures")
		labels := fs.String("labels", "", "choose from these `LABELS` of pictures, separated by commas")
		template := fs.String("template", "", "the `TEXT` that a label is put into (default \"This is a photo of {}.\")")
		top := countFlag(fs, "top", 0, 0, "give the best `N` labels; 0: all")
		return func(c *call) error {
			if err := src.need("classify"); err != nil {
				return err
			}
			if *pictures && given(fs, "labels") {
				return labelPictures(c, src, splitList(*labels), pipeline.LabelConfig{Template: *template, Top: *top})
			}
			if *pictures {
				return classifyPictures(c, src, *top)
			}
			if given(fs, "labels") || given(fs, "template") {
				return errors.New("classify: -labels and -template need -image")
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

// labelPictures classifies pictures by labels that the model need not know.
func labelPictures(c *call, src *modelSource, labels []string, cfg pipeline.LabelConfig) error {
	if _, err := c.pictureFiles(); err != nil {
		return err
	}
	m, err := src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	matcher, err := m.Matcher()
	if err != nil {
		return err
	}
	cfg.Truncated = func(i, kept int) { c.warnf("label %s is cut to the model's %d tokens", abridge(labels[i]), kept) }
	labeler, err := matcher.Labeler(c.ctx, cfg, labels...)
	if err != nil {
		return err
	}
	return c.eachPicture(func(files []string, pics []*picture.Picture) error {
		answers, err := labeler.Label(c.ctx, pics...)
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
