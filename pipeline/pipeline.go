// Package pipeline turns texts into answers: vectors, rankings, and other texts.
//
// A [Model] is opened once, from a checkpoint's folder, and is safe for
// concurrent use. What it can do depends on the checkpoint: a sentence encoder
// gives an [Embedder], and that or a cross-encoder a [Ranker]; a sequence classifier
// a [Classifier], and one of entailment a [ZeroShot]; a token classifier a [Tagger],
// a language model a [Generator], a masked one a [MaskFiller], one that marks answers
// an [Answerer], an encoder-decoder a [Translator] and a [Summarizer]. A model without
// the head that a task takes gives a [TaskError].
//
// An [Index] finds the nearest of many vectors.
//
// Nothing is downloaded: a folder holds what sentence-transformers or
// transformers wrote into it. Package pipeline/minilm carries a model inside the
// program.
//
// Texts of different lengths are computed together without padding, and a text
// gets the same bits alone, in any batch and with any number of threads.
package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

// ErrClosed is what calls give after Close.
var ErrClosed = model.ErrClosed

// A Model is a checkpoint with its tokenizer and the settings of its folder. It
// is immutable and safe for concurrent use.
type Model struct {
	name      string // of the folder or file, for messages
	model     *model.Model
	headless  *model.WeightsError // of the head that config.json promises; nil: it is there
	tokenizer *tokenizer.Tokenizer
	folder    folder
	settings  settings
	maxSeq    int // tokens that a text keeps, special ones included
	gate      *gate[*workspace]

	embedder *Embedder // nil: the model gives no vectors
	ranker   *Ranker   // nil: the model ranks nothing

	vision    *VisionModel // nil: it does not look at pictures, or visionErr says why it cannot
	visionErr error

	generation  *generate.Settings // of generation_config.json, which only a Generator minds
	settingsErr error
}

// Open loads a checkpoint: a folder with config.json, model.safetensors (or its
// shards), tokenizer.json or the files that [tokenizer.LoadFS] takes in its place,
// and the files of sentence-transformers where there are any (without those, a
// text's vector is the average of its tokens'); or a GGUF file, or a folder with one
// and no config.json.
func Open(name string, opts ...Option) (*Model, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("pipeline: %s: %w", name, bare(err))
	case !info.IsDir():
		return source{os.DirFS(filepath.Dir(name)), filepath.Base(name), name}.open(opts)
	}
	return source{os.DirFS(name), ".", name}.open(opts)
}

// OpenFS is Open for a folder or file of a file system, "." for its root. Weights whose
// file lies in memory ready-packed are used in place.
func OpenFS(fsys fs.FS, dir string, opts ...Option) (*Model, error) {
	dir = path.Clean(dir)
	return source{fsys, dir, dir}.open(opts)
}

// A source is a checkpoint's folder or file: dir in fsys, which messages call shown.
type source struct {
	fsys       fs.FS
	dir, shown string
}

// fail names the folder in an error that names only a file of it.
func (s source) fail(err error) error {
	return fmt.Errorf("pipeline: %s: %w", s.shown, err)
}

func (s source) open(opts []Option) (_ *Model, err error) {
	if err := cpu.Err(); err != nil {
		return nil, err
	}
	m := &Model{name: s.shown, settings: defaults}
	for _, opt := range opts {
		opt(&m.settings)
	}
	root, err := fs.Sub(s.fsys, s.dir)
	if err != nil {
		return nil, s.fail(err)
	}
	gguf, err := s.gguf()
	switch {
	case err != nil:
	case gguf != "":
		err = s.openGGUF(m, gguf)
	default:
		err = s.openFolder(m, root)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.model.Close()
		}
	}()
	if m.maxSeq, err = m.limit(); err != nil {
		return nil, s.fail(err)
	}
	if spec := m.model.Spec(); !readsSource(&spec) {
		if m.embedder, err = m.newEmbedder(root); err != nil {
			return nil, s.fail(err)
		}
	}
	if m.ranker, err = m.newRanker(); err != nil {
		return nil, s.fail(err)
	}
	// More calls at once than processors would only take memory from each other.
	m.gate = newGate(runtime.GOMAXPROCS(0), m.newWorkspace)
	return m, nil
}

// openFolder reads a folder's settings, tokenizer and model.
func (s source) openFolder(m *Model, root fs.FS) (err error) {
	if m.folder, err = readFolder(root); err != nil {
		return s.fail(err)
	}
	sub := m.folder.transformer
	spec, err := s.checkConfig(sub)
	if err != nil {
		return err
	}
	if spec.Embeddings.Patches != nil && spec.Other == nil {
		return &TaskError{Name: s.shown, Model: kindOf(&spec), Task: "read texts", Needs: "a model of texts", Can: pictureTasks(&spec)}
	}
	if m.tokenizer, err = tokenizer.LoadFS(s.fsys, path.Join(s.dir, sub)); err != nil {
		return s.fail(err)
	}
	m.generation, m.settingsErr = generate.LoadSettings(s.fsys, path.Join(s.dir, sub), filepath.Join(s.shown, sub))
	if m.model, m.headless, err = s.loadModel(sub, m.settings.model()); err != nil || newVision(m.model, nil) == nil {
		return err
	}
	p, err := s.readProcessor(sub)
	if m.visionErr = err; err == nil { // without it the model still reads texts
		m.vision = newVision(m.model, p)
	}
	return nil
}

// checkConfig reads config.json before anything else: of a checkpoint that cannot
// run, the architecture is to be named, not its tokenizer.
func (s source) checkConfig(sub string) (model.Spec, error) {
	name := path.Join(sub, "config.json")
	data, err := fs.ReadFile(s.fsys, path.Join(s.dir, name))
	if err != nil {
		return model.Spec{}, s.fail(fmt.Errorf("%s: %w", name, bare(err)))
	}
	return model.ParseConfig(filepath.Join(s.shown, name), data)
}

// loadModel loads the checkpoint. Where the weights lack no more than the head that
// config.json promises, it loads the rest, and gives the error of the head.
func (s source) loadModel(sub string, opts []model.Option) (m *model.Model, headless *model.WeightsError, err error) {
	m, err = s.loadWith(sub, opts)
	if missing, ok := errors.AsType[*model.WeightsError](err); ok && missing.Headless != "" {
		headless = missing
		m, err = s.loadWith(sub, append(opts, model.WithoutHeads()))
	}
	return m, headless, err
}

// loadWith loads by the checkpoint's path where there is one, which errors then
// name.
func (s source) loadWith(sub string, opts []model.Option) (*model.Model, error) {
	if s.dir != s.shown {
		return model.Load(filepath.Join(s.shown, sub), opts...)
	}
	return model.LoadFS(s.fsys, path.Join(s.dir, sub), opts...)
}

// limit is the number of tokens that a text keeps: what sentence-transformers'
// settings say, else the tokenizer's, and at most what the model takes.
func (m *Model) limit() (int, error) {
	limit := m.model.Spec().Embeddings.Positions
	for _, n := range []int{m.folder.maxSeq, m.tokenizer.ModelMaxLen(), m.tokenizer.MaxLen()} {
		if n > 0 {
			limit = min(limit, n)
			break
		}
	}
	if special := m.tokenizer.SpecialCount(false); limit <= special {
		return 0, fmt.Errorf("a limit of %d tokens leaves none beside the %d special ones", limit, special)
	}
	return limit, nil
}

// Close waits for the calls that are running, then frees the model. Calls made
// after it give ErrClosed, as does a second Close.
func (m *Model) Close() error {
	m.gate.close()
	return m.model.Close()
}

// Model gives the checkpoint behind the pipeline.
func (m *Model) Model() *model.Model { return m.model }

// Tokenizer gives the checkpoint's tokenizer.
func (m *Model) Tokenizer() *tokenizer.Tokenizer { return m.tokenizer }

// MaxSeq is the number of tokens that a text keeps, special ones included;
// longer texts are cut.
func (m *Model) MaxSeq() int { return m.maxSeq }
