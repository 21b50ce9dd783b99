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
	summary: "say which labels hold for texts or pictures",
	help: `
Prints one line of JSON a text, in order: {"text":…,"labels":[{"label":…,"score":…}]},
the best label first. Scores are probabilities, each by itself where several
labels may hold, and plain numbers in a regression; -function chooses. With -labels the model
need not know the labels: one that was trained on entailment tells how far each
follows from the text, put into -template in place of {}; with -multi each gets a
probability by itself. With -image the arguments are picture files, or folders of
them, and "image" stands for "text"; -labels then takes a model that matches texts and
pictures (CLIP). A picture that cannot be read is named, the rest is done, and the
exit code is 1.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		r := classifyRun{src: needModelFlag(fs)}
		pictures := fs.Bool("image", false, "classify pictures")
		fs.Var(countValue{&r.top, 0}, "top", "give the best `N` labels; 0: all")
		function := "default"
		fs.Var(choiceValue{&function, []string{"default", "softmax", "sigmoid", "none"}}, "function", "make scores by `NAME`: default (what the model was trained for), softmax, sigmoid or none")
		labels := fs.String("labels", "", "tell these `LABELS` apart, separated by commas, whatever labels the model has")
		fs.StringVar(&r.zero.Template, "template", "", "the `TEXT` that a label is put into (default \""+pipeline.DefaultTemplate+"\", of pictures \"This is a photo of {}.\")")
		fs.BoolVar(&r.zero.Multi, "multi", false, "let several labels hold, each with a probability by itself")
		readable := readableFlag(fs)
		return func(c *call) (err error) {
			if err := r.src.need("classify"); err != nil {
				return err
			}
			r.zero.Labels = splitList(*labels)
			if r.scores, err = pipeline.ParseScoring(function); err != nil {
				return err
			}
			if r.readable, err = c.readable(*readable); err != nil {
				return err
			}
			r.given = given(fs, "labels")
			switch function := given(fs, "function"); {
			case !r.given && given(fs, "template"):
				return errors.New("classify: -template goes with -labels")
			case (*pictures || r.given) && function:
				return errors.New("classify: -function goes with texts, and without -labels")
			case *pictures && r.zero.Multi:
				return errors.New("classify: -multi goes with texts")
			case r.zero.Multi && function:
				return errors.New("classify: -multi and -function exclude each other")
			case r.zero.Multi:
				r.scores = pipeline.ScoreSigmoid
			}
			switch {
			case *pictures && r.given:
				return r.labelPictures(c)
			case *pictures:
				return r.pictures(c)
			case r.given:
				return r.zeroShot(c)
			}
			return r.texts(c)
		}
	},
}

// A classifyRun is what the flags of classify ask for.
type classifyRun struct {
	src      *modelSource
	top      int
	given    bool // -labels: those of zero, not the model's own
	scores   pipeline.Scoring
	zero     pipeline.ZeroShotConfig
	readable bool
}

func (r *classifyRun) pictures(c *call) error {
	m, err := r.src.openVision(c)
	if err != nil {
		return err
	}
	defer m.Close()
	return c.eachPicture(func(files []string, pics []*picture.Picture) error {
		answers, err := m.Classify(c.ctx, r.top, pics...)
		if err != nil {
			return err
		}
		return r.write(c, "image", files, answers)
	})
}

// labelPictures classifies pictures by labels that the model need not know.
func (r *classifyRun) labelPictures(c *call) error {
	if _, err := c.pictureFiles(); err != nil {
		return err
	}
	m, err := r.src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	matcher, err := m.Matcher()
	if err != nil {
		return err
	}
	labels := r.zero.Labels
	labeler, err := matcher.Labeler(c.ctx, pipeline.LabelConfig{
		Template: r.zero.Template,
		Top:      r.top,
		Truncated: func(i, kept int) {
			c.warnf("label %s is cut to the model's %d tokens", abridge(labels[i]), kept)
		},
	}, labels...)
	if err != nil {
		return err
	}
	return c.eachPicture(func(files []string, pics []*picture.Picture) error {
		answers, err := labeler.Label(c.ctx, pics...)
		if err != nil {
			return err
		}
		return r.write(c, "image", files, answers)
	})
}

func (r *classifyRun) texts(c *call) error {
	m, err := r.src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	classifier, err := m.Classifier()
	if err != nil {
		return err
	}
	return c.eachBatch(func(b *textBatch) error {
		answers, err := classifier.Classify(c.ctx, pipeline.ClassifyConfig{
			Top: r.top, Scores: r.scores, Truncated: b.truncated, Progress: b.progress,
		}, b.texts...)
		if err != nil {
			return err
		}
		return r.write(c, "text", b.texts, answers)
	})
}

func (r *classifyRun) zeroShot(c *call) error {
	m, err := r.src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	z, err := m.ZeroShot()
	if err != nil {
		return err
	}
	return c.eachBatch(func(b *textBatch) error {
		cfg := r.zero
		cfg.Top, cfg.Truncated, cfg.Progress = r.top, b.truncated, b.progress
		answers, err := z.Classify(c.ctx, cfg, b.texts...)
		if err != nil {
			return err
		}
		return r.write(c, "text", b.texts, answers)
	})
}

// write prints what each of the things that were classified is, which kind says
// the name of.
func (r *classifyRun) write(c *call, kind string, names []string, answers [][]pipeline.Label) error {
	if !r.readable {
		return writeLabels(c, kind, names, answers)
	}
	for i, name := range names {
		rows := make([][]string, len(answers[i]))
		for j, l := range answers[i] {
			rows[j] = []string{shownScore(l.Score), oneLine(l.Label)}
		}
		if err := c.writeReadable(name, rows); err != nil {
			return err
		}
	}
	return nil
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
