package model

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/weights"
)

// A model that matches texts and pictures is two: what each gives, its results
// have under a name of their own, and beside them what the two give together.
const (
	textPart   = "text_model_output."
	visionPart = "vision_model_output."

	logitsPerImage = "logits_per_image" // [pictures, texts]
	logitsPerText  = "logits_per_text"  // [texts, pictures]
	textEmbeds     = "text_embeds"      // [texts, projection], of length 1
	imageEmbeds    = "image_embeds"     // [pictures, projection], of length 1
)

var pairTogether = []string{logitsPerImage, logitsPerText, textEmbeds, imageEmbeds}

// pairOutputs lists what ForwardTensors can give.
func (m *Model) pairOutputs() []string {
	list := slices.Clone(pairTogether)
	for _, part := range []struct {
		prefix string
		model  *Model
	}{{textPart, m}, {visionPart, m.other}} {
		all := part.model.resultOutputs()
		for _, name := range all[:len(all)-2] {
			list = append(list, part.prefix+name)
		}
	}
	return append(list, HiddenStates, Attentions)
}

// forwardPair is ForwardTensors of a model that matches texts and pictures.
func (m *Model) forwardPair(ctx context.Context, inputs []weights.Tensor, outputs []string) ([]weights.Tensor, error) {
	all := m.pairOutputs()
	if len(outputs) == 0 {
		outputs = all[:len(all)-2]
	}
	for _, name := range outputs {
		if !slices.Contains(all, name) {
			return nil, inputError("no output %q; this model has %s", name, strings.Join(all, ", "))
		}
	}
	ofPictures := m.other.inputNames()
	known := slices.Concat(m.inputNames(), ofPictures[:2])
	var texts, pictures []weights.Tensor
	for _, t := range inputs {
		switch {
		case !slices.Contains(known, t.Name):
			return nil, inputError("unknown input tensor %q; this model takes %s", t.Name, strings.Join(known, ", "))
		case slices.Contains(ofPictures[:2], t.Name):
			pictures = append(pictures, t)
		default:
			texts = append(texts, t)
		}
	}
	list, text, err := m.part(ctx, textPart, texts, outputs)
	if err != nil {
		return nil, err
	}
	more, picture, err := m.other.part(ctx, visionPart, pictures, outputs)
	if err != nil {
		return nil, err
	}
	list = append(list, more...)
	return append(list, m.together(text, picture, outputs)...), nil
}

// part runs one of the two for the outputs that are named as its, and for its
// vectors.
func (m *Model) part(ctx context.Context, prefix string, inputs []weights.Tensor, outputs []string) (list []weights.Tensor, vectors weights.Tensor, err error) {
	vectorsName := m.heads[0].Outputs[0]
	names := []string{vectorsName}
	for _, name := range outputs {
		own, ok := strings.CutPrefix(name, prefix)
		if ok && own != vectorsName || name == HiddenStates || name == Attentions {
			names = append(names, own)
		}
	}
	results, err := m.forwardTensors(ctx, inputs, names...)
	if err != nil {
		return nil, weights.Tensor{}, err
	}
	for _, t := range results {
		if t.Name == vectorsName {
			vectors = t
			if !slices.Contains(outputs, prefix+t.Name) {
				continue
			}
		}
		t.Name = prefix + t.Name
		list = append(list, t)
	}
	return list, vectors, nil
}

// together compares every text with every picture.
func (m *Model) together(text, picture weights.Tensor, outputs []string) (list []weights.Tensor) {
	dim := text.Shape[1]
	texts, pictures := unit(text), unit(picture)
	n, of := len(texts)/dim, len(pictures)/dim
	perText, perImage := make([]float32, n*of), make([]float32, n*of)
	for i := range n {
		for j := range of {
			logit := kernels.Dot(texts[i*dim:(i+1)*dim], pictures[j*dim:(j+1)*dim]) * m.MatchScale()
			perText[i*of+j], perImage[j*n+i] = logit, logit
		}
	}
	for _, t := range []weights.Tensor{
		weights.Of(logitsPerImage, []int{of, n}, perImage),
		weights.Of(logitsPerText, []int{n, of}, perText),
		weights.Of(textEmbeds, []int{n, dim}, texts),
		weights.Of(imageEmbeds, []int{of, dim}, pictures),
	} {
		if slices.Contains(outputs, t.Name) {
			list = append(list, t)
		}
	}
	return list
}

// unit gives the rows of t, each divided by its length; one of zeros stays so.
func unit(t weights.Tensor) []float32 {
	values, _ := t.Float32s(nil) // of a result, which is float32
	for i := range t.Shape[0] {
		row, sum := values[i*t.Shape[1]:(i+1)*t.Shape[1]], 0.0
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		if sum > 0 {
			kernels.Scale(row, row, float32(1/math.Sqrt(sum)))
		}
	}
	return values
}

// MatchScale is what the cosine of a text's and a picture's vector is multiplied
// by, where the Spec says that they match; otherwise it is 0.
func (m *Model) MatchScale() float32 {
	if m.matchScale == nil {
		return 0
	}
	return float32(math.Exp(float64(m.matchScale[0])))
}
