package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/picture"
)

// A VisionModel looks at pictures: a classifier says what they show, a detector
// where, any gives their vectors. It is immutable and safe for concurrent use.
type VisionModel struct {
	name      string              // of the folder, for messages
	headless  *model.WeightsError // of the head that config.json promises; nil: it is there
	whole     *model.Model        // the checkpoint's
	model     *model.Model        // that looks: the same, or one of the two that it holds
	processor *picture.Processor
}

// boxesOutput is what only detectors give.
const boxesOutput = "pred_boxes"

// OpenVision loads the checkpoint in a folder: config.json, model.safetensors (or
// its shards) and preprocessor_config.json, or the processor_config.json that has
// it inside.
func OpenVision(dir string, opts ...Option) (*VisionModel, error) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("pipeline: %s: %w", dir, bare(err))
	case !info.IsDir():
		return nil, fmt.Errorf("pipeline: %s: a model of pictures is a folder with config.json and preprocessor_config.json, not a file", dir)
	}
	return source{os.DirFS(dir), ".", dir}.openVision(opts)
}

// OpenVisionFS is OpenVision for a folder of a file system, "." for its root.
func OpenVisionFS(fsys fs.FS, dir string, opts ...Option) (*VisionModel, error) {
	dir = path.Clean(dir)
	return source{fsys, dir, dir}.openVision(opts)
}

func (s source) openVision(opts []Option) (*VisionModel, error) {
	if err := cpu.Err(); err != nil {
		return nil, err
	}
	set := defaults
	for _, opt := range opts {
		opt(&set)
	}
	root, err := fs.Sub(s.fsys, s.dir)
	if err != nil {
		return nil, s.fail(err)
	}
	f, err := readFolder(root)
	if err != nil {
		return nil, s.fail(err)
	}
	spec, err := s.checkConfig(f.transformer)
	if err != nil {
		return nil, err
	}
	if spec.Embeddings.Patches == nil && spec.Other == nil {
		return nil, &TaskError{Name: s.shown, Model: kindOf(&spec), Task: "look at pictures", Needs: "a model of pictures", Can: textTasks(&spec)}
	}
	p, err := s.readProcessor(f.transformer)
	if err != nil {
		return nil, err
	}
	m, headless, err := s.loadModel(f.transformer, set.model())
	if err != nil {
		return nil, err
	}
	v := newVision(m, p)
	if v == nil {
		return nil, errors.Join(s.fail(fmt.Errorf("config.json: a %s does not look at pictures", m.Spec().Architecture)), m.Close())
	}
	v.name, v.headless = s.shown, headless
	return v, nil
}

// newVision finds what looks at pictures in a checkpoint; nil if nothing does.
func newVision(m *model.Model, p *picture.Processor) *VisionModel {
	for _, looks := range []*model.Model{m, m.Other()} {
		if looks != nil && looks.Spec().Embeddings.Patches != nil {
			return &VisionModel{whole: m, model: looks, processor: p}
		}
	}
	return nil
}

// readProcessor reads how pictures are prepared. Since its fifth version,
// transformers writes that into a file which also says how texts are, where a
// model takes both.
func (s source) readProcessor(sub string) (*picture.Processor, error) {
	const together, file = "processor_config.json", "preprocessor_config.json"
	root, err := fs.Sub(s.fsys, s.dir)
	if err != nil {
		return nil, s.fail(err)
	}
	var both struct {
		Image json.RawMessage `json:"image_processor"`
	}
	name := path.Join(sub, together)
	if _, err := readJSON(root, name, &both); err != nil {
		return nil, s.fail(err)
	}
	if both.Image != nil {
		return picture.ParseConfig(path.Join(s.shown, name), both.Image)
	}
	name = path.Join(sub, file)
	f, err := root.Open(name)
	if err != nil {
		return nil, s.fail(fmt.Errorf("%s: %w", name, bare(err)))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, s.fail(fmt.Errorf("%s: %w", name, bare(err)))
	}
	return picture.ParseConfig(path.Join(s.shown, name), data)
}

// Model gives the checkpoint behind the pipeline.
func (v *VisionModel) Model() *model.Model { return v.whole }

// Close waits for the calls that are running, then frees the model.
func (v *VisionModel) Close() error { return v.whole.Close() }

// cannot is the error of a task whose head the model lacks.
func (v *VisionModel) cannot(task, needs string) error {
	spec := v.whole.Spec()
	kind := kindOf(&spec)
	if v.headless != nil {
		kind = withoutHead(v.headless)
	}
	return &TaskError{Name: v.name, Model: kind, Task: task, Needs: needs, Can: pictureTasks(&spec)}
}

// pictureBatch is how many pictures go through the model in one call.
const pictureBatch = 8

// look runs the model on pictures, some at a time, for some of its outputs. each is
// told a picture's place among all, and in the result its row and its first token.
func (v *VisionModel) look(ctx context.Context, pics []*picture.Picture, outputs []string, each func(i int, r *model.Result, row, token int)) error {
	r, err := v.model.NewResult(outputs...)
	if err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	first := 0
	return v.batches(pics, func(b model.Batch) error {
		if err := v.model.Forward(ctx, b, r); err != nil {
			return fmt.Errorf("pipeline: %w", err)
		}
		for i := range b.Pictures {
			each(first+i, r, i, int(b.CuSeqlens[i]))
		}
		first += len(b.Pictures)
		return nil
	})
}

// A PictureError is about one of the pictures that a call was given: its shape is
// nothing that the model could look at.
type PictureError struct {
	Index int // of the call's pictures
	Err   error
}

func (e *PictureError) Error() string { return fmt.Sprintf("pipeline: picture %d: %v", e.Index, e.Err) }
func (e *PictureError) Unwrap() error { return e.Err }

// check tells why a picture cannot be looked at.
func (v *VisionModel) check(pic *picture.Picture) error {
	w, h, err := v.processor.Shape(pic.Width, pic.Height)
	if err != nil {
		return err
	}
	if p := v.model.Spec().Embeddings.Patches; w < p.Patch[1] || h < p.Patch[0] {
		return fmt.Errorf("%w: %d×%d pixels would become %d×%d, which is less than a patch", picture.ErrShape, pic.Width, pic.Height, w, h)
	}
	return nil
}

// batches prepares pictures, some at a time.
func (v *VisionModel) batches(pics []*picture.Picture, do func(b model.Batch) error) error {
	for i, pic := range pics { // before the work begins
		if err := v.check(pic); err != nil {
			return &PictureError{i, err}
		}
	}
	for first := 0; first < len(pics); first += pictureBatch {
		some := pics[first:min(first+pictureBatch, len(pics))]
		list := make([]model.Pixels, len(some))
		for i, pic := range some {
			pic, err := v.processor.Prepare(pic)
			if err != nil {
				return &PictureError{first + i, err}
			}
			list[i] = model.Pixels{Data: v.processor.Values(nil, pic), Width: pic.Width, Height: pic.Height}
		}
		if err := do(v.model.Pictures(list...)); err != nil {
			return err
		}
	}
	return nil
}

// Classify gives the labels of each picture, the best first; at most top of them,
// all if top is 0. Models that classify no pictures are an error.
func (v *VisionModel) Classify(ctx context.Context, top int, pics ...*picture.Picture) ([][]Label, error) {
	spec := v.model.Spec()
	outputs := v.model.Outputs()
	if !slices.Contains(outputs, logits) || slices.Contains(outputs, boxesOutput) {
		return nil, v.cannot("classify pictures", "an image classification head (…ForImageClassification)")
	}
	answers := make([][]Label, len(pics))
	err := v.look(ctx, pics, []string{logits}, func(i int, r *model.Result, row, _ int) {
		o := r.Get(logits)
		answers[i] = labelsOf(&spec, o.Data[row*o.Cols:(row+1)*o.Cols], top)
	})
	return answers, err
}

// A Box is a thing that was found: what it is, how surely, and where, in pixels
// of the picture.
type Box struct {
	Label
	XMin, YMin, XMax, YMax float32
}

// Detect finds things in each picture: those with a score above threshold, the
// surest first. Models that detect nothing are an error.
func (v *VisionModel) Detect(ctx context.Context, threshold float32, pics ...*picture.Picture) ([][]Box, error) {
	spec := v.model.Spec()
	if !slices.Contains(v.model.Outputs(), boxesOutput) {
		return nil, v.cannot("detect objects", "an object detection head (…ForObjectDetection)")
	}
	answers := make([][]Box, len(pics))
	err := v.look(ctx, pics, []string{logits, boxesOutput}, func(i int, r *model.Result, row, _ int) {
		classes, places := r.Get(logits), r.Get(boxesOutput)
		n := spec.Embeddings.Patches.Detection
		answers[i] = boxesOf(spec.Labels, classes.Data[row*n*classes.Cols:(row+1)*n*classes.Cols], places.Data[row*n*4:(row+1)*n*4], threshold, pics[i])
	})
	return answers, err
}

// boxesOf turns logits of the labels and of no object, and boxes of centre and
// size as fractions of the picture, into what was found.
func boxesOf(labels []string, logits, boxes []float32, threshold float32, pic *picture.Picture) []Box {
	found := []Box{}
	w, h := float32(pic.Width), float32(pic.Height)
	for t := range len(boxes) / 4 {
		row := logits[t*(len(labels)+1):][:len(labels)+1]
		best, sum, most := 0, 0.0, slices.Max(row)
		for c, x := range row {
			if c < len(labels) && x > row[best] {
				best = c
			}
			sum += math.Exp(float64(x - most))
		}
		score := float32(math.Exp(float64(row[best]-most)) / sum)
		if !(score > threshold) {
			continue
		}
		b := boxes[4*t:]
		found = append(found, Box{Label{labels[best], score}, (b[0] - b[2]/2) * w, (b[1] - b[3]/2) * h, (b[0] + b[2]/2) * w, (b[1] + b[3]/2) * h})
	}
	slices.SortStableFunc(found, func(a, b Box) int { return cmp.Compare(b.Score, a.Score) })
	return found
}

// Dim is the length of the vectors that Embed gives.
func (v *VisionModel) Dim() int {
	if h := v.projection(); h != nil {
		return h.Layers[len(h.Layers)-1].Width
	}
	return v.model.Spec().Hidden
}

// projection is the head that brings pictures to the space of texts, or nil.
func (v *VisionModel) projection() *model.Head {
	heads := v.model.Spec().Heads
	for i := range heads {
		if v.whole.Spec().Matches || slices.Contains(heads[i].Outputs, "image_embeds") {
			return &heads[i]
		}
	}
	return nil
}

// Embed gives each picture's vector: the class token's last hidden state, or where
// the model was trained to match texts and pictures, its projection to the space
// of both, as transformers' get_image_features gives it: not normalised.
func (v *VisionModel) Embed(ctx context.Context, pics ...*picture.Picture) ([][]float32, error) {
	answers := make([][]float32, len(pics))
	if h := v.projection(); h != nil {
		err := v.look(ctx, pics, h.Outputs, func(i int, r *model.Result, row, _ int) {
			o := r.Get(h.Outputs[0])
			answers[i] = slices.Clone(o.Data[row*o.Cols : (row+1)*o.Cols])
		})
		return answers, err
	}
	err := v.look(ctx, pics, []string{model.LastHiddenState}, func(i int, r *model.Result, _, token int) {
		o := r.Get(model.LastHiddenState)
		answers[i] = slices.Clone(o.Data[token*o.Cols : (token+1)*o.Cols])
	})
	return answers, err
}
