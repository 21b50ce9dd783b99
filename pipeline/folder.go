package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
)

// maxConfig bounds the small JSON files of a folder; the largest published ones
// are a few kilobytes.
const maxConfig = 1 << 20

// A folder is what a checkpoint's folder says about turning token vectors into
// a text's vector: the sentence-transformers files where there are any.
type folder struct {
	transformer string // the module that holds config.json and the weights, "." for the folder itself
	maxSeq      int    // tokens a text keeps, special ones included; 0: not said
	lower       bool   // lower-case the text before the tokenizer
	prompt      string // stands before every text
	pool        pooling
	stages      []stage // what follows pooling, in order
	activation  string  // the cross-encoder's, as config.json names it; "" if it does not

	// What transformers' pipelines take of config.json: what stands before every
	// source, and settings of the tasks that the model was trained for.
	sourcePrefix string
	tasks        json.RawMessage
}

// A stage is one step after pooling.
type stage struct {
	normalize bool
	dense     *denseConfig // nil unless the step is a Dense module
}

// denseConfig is a sentence-transformers Dense module: y = act(x·Wᵀ + b).
type denseConfig struct {
	dir        string
	In         int    `json:"in_features"`
	Out        int    `json:"out_features"`
	Bias       *bool  `json:"bias"` // absent: true
	Activation string `json:"activation_function"`
	Residual   bool   `json:"use_residual"`
	Input      string `json:"module_input_name"`
	Output     string `json:"module_output_name"`
}

// plainFolder is one without settings of its own.
func plainFolder() folder {
	return folder{transformer: ".", pool: pooling{modes: []poolMode{poolMean}}}
}

// readFolder reads the sentence-transformers files of a folder. One without
// modules.json is a plain checkpoint: its token vectors are averaged and not
// normalised, which is what sentence-transformers does with it.
func readFolder(fsys fs.FS) (folder, error) {
	f := plainFolder()
	var modules []struct {
		Path string `json:"path"`
		Type string `json:"type"`
	}
	found, err := readJSON(fsys, "modules.json", &modules)
	if err != nil {
		return folder{}, err
	}
	if !found {
		return f, f.readTransformer(fsys)
	}
	var transformers, poolings int
	for i, m := range modules {
		dir := path.Clean(m.Path) // "" is "."
		if !fs.ValidPath(dir) {
			return folder{}, fmt.Errorf("modules.json: module %d: path %q leaves the folder", i, m.Path)
		}
		// Releases moved the classes between packages; the last part of the
		// name is what stayed.
		switch kind := m.Type[strings.LastIndexByte(m.Type, '.')+1:]; {
		case kind == "Transformer" && i == 0:
			transformers++
			f.transformer = dir
		case kind == "CLIPModel" && i == 0: // which pools by itself
			transformers++
			poolings++
			f.transformer = dir
		case kind == "Pooling" && i > 0 && poolings == 0:
			poolings++
			if f.pool, err = readPooling(fsys, dir); err != nil {
				return folder{}, err
			}
		case kind == "Dense" && poolings == 1:
			dense, err := readDense(fsys, dir)
			if err != nil {
				return folder{}, err
			}
			f.stages = append(f.stages, stage{dense: dense})
		case kind == "Normalize" && poolings == 1:
			f.stages = append(f.stages, stage{normalize: true})
		case kind == "Dropout": // does nothing outside training
		case slices.Contains([]string{"Transformer", "CLIPModel", "Pooling", "Dense", "Normalize"}, kind):
			return folder{}, fmt.Errorf("modules.json: module %d: %s out of place (supported: one Transformer, one Pooling, then Dense and Normalize)", i, kind)
		default:
			return folder{}, fmt.Errorf("modules.json: module %d: type %q is not supported (Transformer, CLIPModel, Pooling, Dense, Normalize and Dropout are)", i, m.Type)
		}
	}
	if transformers != 1 || poolings != 1 {
		return folder{}, fmt.Errorf("modules.json: a Transformer and a Pooling module are needed, found %d and %d", transformers, poolings)
	}
	if err := f.readPrompts(fsys); err != nil {
		return folder{}, err
	}
	return f, f.readTransformer(fsys)
}

// transformerConfigs are the names that releases of sentence-transformers gave
// the Transformer module's own settings.
var transformerConfigs = []string{
	"sentence_bert_config.json",
	"sentence_roberta_config.json",
	"sentence_distilbert_config.json",
	"sentence_camembert_config.json",
	"sentence_albert_config.json",
	"sentence_xlm-roberta_config.json",
	"sentence_xlnet_config.json",
}

// readTransformer reads the settings that stand beside the checkpoint.
func (f *folder) readTransformer(fsys fs.FS) error {
	var settings struct {
		MaxSeq *float64 `json:"max_seq_length"`
		Lower  bool     `json:"do_lower_case"`
	}
	for _, name := range transformerConfigs {
		name = path.Join(f.transformer, name)
		found, err := readJSON(fsys, name, &settings)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		f.lower = settings.Lower
		if f.maxSeq, err = maxTokens(settings.MaxSeq); err != nil {
			return fmt.Errorf("%s: max_seq_length: %w", name, err)
		}
		break
	}
	var config struct {
		Sentence struct {
			Activation string `json:"activation_fn"`
		} `json:"sentence_transformers"`
		Old    string          `json:"sbert_ce_default_activation_function"`
		Prefix json.RawMessage `json:"prefix"`
		Tasks  json.RawMessage `json:"task_specific_params"`
	}
	// A missing config.json is for the model's loader to report.
	if _, err := readJSON(fsys, path.Join(f.transformer, "config.json"), &config); err != nil {
		return err
	}
	if json.Unmarshal(config.Prefix, &f.sourcePrefix) != nil {
		f.sourcePrefix = "" // of prefix tuning, and no text
	}
	f.tasks = config.Tasks
	f.activation = config.Sentence.Activation
	if f.activation == "" {
		f.activation = config.Old
	}
	return nil
}

// maxTokens checks a length limit of a file. transformers writes 1e30 for "no
// limit"; that and an absent one give 0.
func maxTokens(limit *float64) (int, error) {
	switch {
	case limit == nil || *limit > math.MaxInt32:
		return 0, nil
	case !(*limit >= 1) || *limit != math.Trunc(*limit):
		return 0, fmt.Errorf("%v is no length", *limit)
	}
	return int(*limit), nil
}

// readPrompts reads the prompt that stands before every text unless told otherwise.
func (f *folder) readPrompts(fsys fs.FS) error {
	const name = "config_sentence_transformers.json"
	var config struct {
		Prompts map[string]string `json:"prompts"`
		Default *string           `json:"default_prompt_name"`
	}
	if _, err := readJSON(fsys, name, &config); err != nil || config.Default == nil {
		return err
	}
	prompt, ok := config.Prompts[*config.Default]
	if !ok {
		return fmt.Errorf("%s: default_prompt_name %q is none of its prompts", name, *config.Default)
	}
	f.prompt = prompt
	return nil
}

func readDense(fsys fs.FS, dir string) (*denseConfig, error) {
	name := path.Join(dir, "config.json")
	d := &denseConfig{dir: dir}
	found, err := readJSON(fsys, name, d)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case d.In < 1 || d.Out < 1 || d.In > 1<<20 || d.Out > 1<<20:
		return nil, fmt.Errorf("%s: %d to %d features", name, d.In, d.Out)
	case d.Residual:
		return nil, fmt.Errorf("%s: use_residual is not supported", name)
	case d.Input != "" && d.Input != "sentence_embedding", d.Output != "" && d.Output != "sentence_embedding":
		return nil, fmt.Errorf("%s: only sentence_embedding as input and output is supported, not %q and %q", name, d.Input, d.Output)
	}
	return d, nil
}

// readJSON reads a small JSON file into v and says whether there was one.
func readJSON(fsys fs.FS, name string, v any) (found bool, err error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%s: %w", name, bare(err))
	case info.Size() > maxConfig:
		return false, fmt.Errorf("%s: %d bytes, more than such a file holds (%d)", name, info.Size(), maxConfig)
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, bare(err))
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

// bare takes the operation and the path off a file error: ours names the file.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// text is what the tokenizer gets for a text.
func (f *folder) text(s string) string {
	if f.prompt != "" {
		s = f.prompt + s
	}
	if f.lower {
		s = strings.ToLower(s) // allocates only if it changes anything
	}
	return s
}
