package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/picture"
)

// A Matcher says how well texts and pictures match: it makes vectors of both, in
// one space. It is safe for concurrent use, and ends with its Model.
type Matcher struct {
	texts    *Embedder
	pictures *VisionModel
	scale    float32 // of cosines
}

// Matcher gives the model's comparison of texts and pictures, which models with a
// tower for each have.
func (m *Model) Matcher() (*Matcher, error) {
	if m.model.Spec().Matches && m.visionErr != nil {
		return nil, m.visionErr
	}
	if err := m.can("match"); err != nil {
		return nil, err
	}
	return &Matcher{texts: m.embedder, pictures: m.vision, scale: m.model.MatchScale()}, nil
}

// Dim is the number of components of a vector.
func (m *Matcher) Dim() int { return m.texts.Dim() }

// Texts gives the vector of each text, of length 1. [len(texts), Dim()]
func (m *Matcher) Texts(ctx context.Context, cfg EmbedConfig, texts ...string) ([]float32, error) {
	vectors, err := m.texts.AppendEmbedWith(ctx, nil, cfg, texts...)
	for row := range slices.Chunk(vectors, m.Dim()) {
		normalize(row)
	}
	return vectors, err
}

// Pictures gives the vector of each picture, of length 1. [len(pics), Dim()]
func (m *Matcher) Pictures(ctx context.Context, pics ...*picture.Picture) ([]float32, error) {
	list, err := m.pictures.Embed(ctx, pics...)
	if err != nil {
		return nil, err
	}
	vectors := make([]float32, 0, len(pics)*m.Dim())
	for _, row := range list {
		normalize(row)
		vectors = append(vectors, row...)
	}
	return vectors, nil
}

// A Match is how well a text and a picture do.
type Match struct {
	Cosine float32 // of their vectors
	Logit  float32 // the cosine, times what the model learned
	Score  float32 // the softmax of the picture's logits: how much of it each text has
}

// Logit is the logit of a text and a picture whose vectors have that cosine.
func (m *Matcher) Logit(cosine float32) float32 { return cosine * m.scale }

// Compare compares pictures' vectors with texts': one row a picture, in which
// every text has its match. [pictures][texts]
func (m *Matcher) Compare(texts, pictures []float32) [][]Match {
	dim := m.Dim()
	rows := make([][]Match, 0, len(pictures)/dim)
	scores := make([]float32, len(texts)/dim)
	for p := range slices.Chunk(pictures, dim) {
		row := make([]Match, 0, len(scores))
		for t := range slices.Chunk(texts, dim) {
			cosine := kernels.Dot(p, t)
			row = append(row, Match{Cosine: cosine, Logit: m.Logit(cosine)})
		}
		for i := range row {
			scores[i] = row[i].Logit
		}
		kernels.Softmax(scores, scores)
		for i := range row {
			row[i].Score = scores[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// LabelConfig changes a Labeler. Its zero value is the default.
type LabelConfig struct {
	// Template makes a text of a label, which takes the place of {}; "" is that of
	// transformers, "This is a photo of {}."
	Template string
	Top      int // so many labels of each picture, the best; 0: all
	// Truncated is called for each label whose text is longer than the model takes,
	// with its index and the number of tokens that it keeps.
	Truncated func(label, kept int)
}

// photoOf is the template of transformers' zero-shot-image-classification.
const photoOf = "This is a photo of {}."

// A Labeler says which of some labels, which its model need not know, fit a
// picture. It is safe for concurrent use.
type Labeler struct {
	m      *Matcher
	labels []string
	texts  []float32
	top    int
}

// Labeler reads the labels once, for any number of pictures.
func (m *Matcher) Labeler(ctx context.Context, cfg LabelConfig, labels ...string) (*Labeler, error) {
	if len(labels) == 0 {
		return nil, errors.New("pipeline: no labels")
	}
	template := cfg.Template
	if template == "" {
		template = photoOf
	}
	if !strings.Contains(template, "{}") {
		return nil, fmt.Errorf("pipeline: template %q has no {} for the label", template)
	}
	texts := make([]string, len(labels))
	for i, label := range labels {
		texts[i] = strings.ReplaceAll(template, "{}", label)
	}
	vectors, err := m.Texts(ctx, EmbedConfig{Truncated: cfg.Truncated}, texts...)
	if err != nil {
		return nil, err
	}
	return &Labeler{m: m, labels: slices.Clone(labels), texts: vectors, top: cfg.Top}, nil
}

// Label gives the labels of each picture, the best first. Their scores add up to 1.
func (l *Labeler) Label(ctx context.Context, pics ...*picture.Picture) ([][]Label, error) {
	vectors, err := l.m.Pictures(ctx, pics...)
	if err != nil {
		return nil, err
	}
	answers := make([][]Label, len(pics))
	for i, row := range l.m.Compare(l.texts, vectors) {
		list := make([]Label, len(row))
		for j, match := range row {
			list[j] = Label{l.labels[j], match.Score}
		}
		answers[i] = best(list, l.top)
	}
	return answers, nil
}
