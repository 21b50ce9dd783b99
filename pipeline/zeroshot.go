package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// DefaultTemplate is what a label is put into where a ZeroShotConfig has no other.
const DefaultTemplate = "This example is {}."

// A ZeroShot classifies texts by labels that its model never saw: the model, trained
// to tell whether one sentence follows from another, says whether "This example is
// sports." follows from the text (Yin et al. 2019). It is safe for concurrent use,
// and ends with its Model.
type ZeroShot struct {
	m                  *Model
	entails, contrasts int // among the model's labels
}

// ZeroShot gives the model's classification by given labels. Only classifiers
// with a label whose name begins with "entail", in whatever case, have it.
func (m *Model) ZeroShot() (*ZeroShot, error) {
	if err := m.can("classify -labels"); err != nil {
		return nil, err
	}
	spec := m.model.Spec()
	z := &ZeroShot{m: m, entails: entailment(&spec)}
	if z.entails == 0 { // as transformers chooses it
		z.contrasts = len(spec.Labels) - 1
	}
	return z, nil
}

// entailment is which of a classifier's labels says that a text follows from
// another; -1: none does.
func entailment(s *model.Spec) int {
	for i, label := range s.Labels {
		if strings.HasPrefix(strings.ToLower(label), "entail") {
			return i
		}
	}
	return -1
}

// ZeroShotConfig says what to tell apart. Labels are needed.
type ZeroShotConfig struct {
	Labels []string
	// Template makes a sentence of a label, which takes the place of "{}".
	// "": DefaultTemplate.
	Template string
	// Multi: several labels may hold, and each gets a probability by itself. Else
	// the probabilities of all labels add up to 1.
	Multi bool
	Top   int // so many labels of each text, the best; 0: all
	// Truncated is called for each text that is longer than the model takes, with
	// its index and the number of tokens that it keeps, those of a label included.
	Truncated func(text, kept int)
	// Progress is called now and then with the number of texts that are done.
	Progress func(done int)
}

// sentences puts the labels into the template.
func (c *ZeroShotConfig) sentences() ([]string, error) {
	template := c.Template
	if template == "" {
		template = DefaultTemplate
	}
	switch {
	case len(c.Labels) == 0:
		return nil, errors.New("pipeline: no labels to classify by")
	case !strings.Contains(template, "{}"):
		return nil, fmt.Errorf("pipeline: the template %q has no {} for a label", template)
	}
	list := make([]string, len(c.Labels))
	for i, label := range c.Labels {
		list[i] = strings.ReplaceAll(template, "{}", label)
	}
	return list, nil
}

// Classify gives the labels of each text, the best first. It costs a pass of the
// model for every pair of text and label.
func (z *ZeroShot) Classify(ctx context.Context, cfg ZeroShotConfig, texts ...string) ([][]Label, error) {
	sentences, err := cfg.sentences()
	if err != nil {
		return nil, err
	}
	w, err := z.m.gate.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	defer z.m.gate.leave(w)
	answers := make([][]Label, 0, len(texts))
	pairs := make([][2]float32, 0, len(sentences)) // of one text: the logits of contradiction and entailment
	add := func(text string, i int) (bool, error) {
		return w.add(text, tokenizer.Options{Pair: sentences[i], HasPair: true, Cut: tokenizer.CutFirst})
	}
	err = z.m.eachLogits(ctx, w, texts, len(sentences), cfg.Truncated, add, func(done int, out model.Output) {
		for row := range out.Rows {
			x := out.Data[row*out.Cols:]
			pairs = append(pairs, [2]float32{x[z.contrasts], x[z.entails]})
			if len(pairs) == len(sentences) {
				answers = append(answers, cfg.score(pairs))
				pairs = pairs[:0]
			}
		}
		if cfg.Progress != nil {
			cfg.Progress(done)
		}
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

// score makes probabilities of the logits of a text's labels.
func (c *ZeroShotConfig) score(pairs [][2]float32) []Label {
	list := make([]Label, len(pairs))
	entails := make([]float32, len(pairs))
	for i, p := range pairs {
		entails[i] = p[1]
	}
	most, sum := softmaxOf(entails)
	for i, p := range pairs {
		list[i].Label = c.Labels[i]
		if c.Multi || len(pairs) == 1 {
			most, sum = softmaxOf(p[:])
		}
		list[i].Score = float32(math.Exp(float64(p[1])-most) / sum)
	}
	return best(list, c.Top)
}
