package model

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ladon-ml/ladon/kernels"
	"github.com/ladon-ml/ladon/model/weights"
)

// QuantizeOptions says how Quantize writes a model. The zero value keeps all of it.
type QuantizeOptions struct {
	// WithoutHeads leaves out what last_hidden_state does not need.
	WithoutHeads bool
}

// QuantizeReport says what Quantize did.
type QuantizeReport struct {
	Parameters  int      // learned numbers
	Quantized   int      // of them, stored as int8
	BytesBefore int64    // of the checkpoint's tensors
	BytesAfter  int64    // of the new one's
	Copied      []string // other files that were copied as they are, slash-separated
	Made        []string // files that were made of a GGUF file's metadata
	Lost        []string // what of a GGUF file's tokenizer they cannot say
}

// Quantize reads the float checkpoint in srcDir and writes it to dstDir with its
// matrices and word embeddings as int8, in the form that ownform.go describes:
// packed as they are multiplied by, so that loading is reading. config.json,
// which gains a quantization_config, and the files of tokenizers and
// sentence-transformers go with it.
//
// srcDir may be a GGUF file too, whose metadata then become config.json,
// tokenizer.json and generation_config.json.
//
// dstDir must be empty or not exist. It appears whole or not at all.
func Quantize(ctx context.Context, srcDir, dstDir string, o QuantizeOptions) (QuantizeReport, error) {
	var report QuantizeReport
	p, gguf, err := placeOf(srcDir)
	if err != nil {
		return report, err
	}
	err = newFolder(dstDir, func(tmp string) error {
		opts := []Option{WithDType(Int8)}
		if o.WithoutHeads {
			opts = append(opts, WithoutHeads())
		}
		config, before, err := p.describe(gguf)
		if err != nil {
			return err
		}
		m, err := Load(srcDir, opts...)
		if err != nil {
			return err
		}
		defer m.Close()
		if err := ctx.Err(); err != nil {
			return err
		}
		if joined := m.other != nil && (m.spec.Writer != "" || !m.spec.Crosses()); o.WithoutHeads && joined {
			return &UnsupportedError{filepath.Join(srcDir, configFile), "without its heads, model_type", m.spec.Architecture, []string{"models that have a class without heads"}}
		}
		report.BytesBefore = before
		report.Parameters, _ = m.Parameters()
		if err := m.write(ctx, tmp, &report); err != nil {
			return err
		}
		if gguf != "" {
			if err := m.saidBy(gguf, config); err != nil {
				return err
			}
			if err := writeConfig(gguf, config, tmp, m.spec.class()); err != nil {
				return err
			}
			return cmp.Or(report.writeTokenizer(gguf, tmp), ctx.Err())
		}
		if err := writeConfig(filepath.Join(srcDir, configFile), config, tmp, m.spec.class()); err != nil {
			return err
		}
		if report.Copied, err = copyCompanions(ctx, srcDir, tmp); err != nil {
			return err
		}
		return ctx.Err()
	})
	return report, err
}

// writeTokenizer makes the tokenizer of a GGUF file one of a folder.
func (r *QuantizeReport) writeTokenizer(gguf, dir string) error {
	set, err := weights.Open(gguf)
	if err != nil {
		return err
	}
	defer set.Close()
	g, err := ggufToConfig(set)
	if err != nil {
		return err
	}
	r.Made, r.Lost, err = writeTokenizer(set, g, dir)
	return err
}

// describe gives the config.json of a checkpoint, and the bytes of its tensors.
func (p place) describe(gguf string) (config []byte, bytes int64, err error) {
	if gguf == "" {
		if bytes, err = floatBytes(p.shown); err != nil {
			return nil, 0, err
		}
		file := filepath.Join(p.shown, configFile)
		if config, err = os.ReadFile(file); err != nil {
			return nil, 0, fileError(file, err)
		}
		return config, bytes, nil
	}
	set, err := weights.Open(gguf)
	if err != nil {
		return nil, 0, err
	}
	defer set.Close()
	g, err := ggufToConfig(set)
	if err != nil {
		return nil, 0, err
	}
	for _, name := range set.Names() {
		info, _ := set.Lookup(name)
		bytes += info.Size
	}
	config, err = g.json()
	return config, bytes, err
}

// saidBy refuses a model of which a config.json does not say all.
func (m *Model) saidBy(file string, config []byte) error {
	_, said, err := parseSpec(file, config, m.spec.Class != "")
	if err != nil {
		return err
	}
	if what := differs(&m.spec, &said); what != "" {
		return &UnsupportedError{file, "for safetensors,", what, []string{"what config.json can say"}}
	}
	return nil
}

// floatBytes sums the tensors of a checkpoint, which must not be quantised already.
func floatBytes(dir string) (int64, error) {
	set, err := weights.Open(dir)
	if err != nil {
		return 0, err
	}
	defer set.Close()
	c, err := newCheckpoint(set)
	if err != nil {
		return 0, err
	}
	if c.own {
		return 0, fmt.Errorf("model: %s: already quantised", set)
	}
	total := int64(0)
	for _, name := range set.Names() {
		info, _ := set.Lookup(name)
		total += info.Size
	}
	return total, nil
}

// write writes the parameters of m, which was loaded as int8.
func (m *Model) write(ctx context.Context, dir string, report *QuantizeReport) error {
	var sources []weights.Source
	for i := range m.params {
		p := &m.params[i]
		for _, s := range p.sources() {
			fill := s.Write
			s.Write = func(w io.Writer) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return fill(w)
			}
			sources = append(sources, s)
			if s.DType == weights.I8 {
				report.Quantized += p.rows * p.cols
			}
		}
	}
	path := filepath.Join(dir, "model.safetensors")
	if err := weights.WriteSources(path, sources, map[string]string{metaFormat: ownFormat, metaVersion: ownVersion}); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return fileError(path, err)
	}
	report.BytesAfter = info.Size()
	return nil
}

// sources are the tensors that a parameter is stored as in our own form.
func (p *param) sources() []weights.Source {
	switch {
	case p.kind == vector:
		return []weights.Source{weights.Of(p.name, []int{p.cols}, *p.vector).Source()}
	case p.kind == rows && p.table.i8 != nil:
		return p.int8Sources([]int{p.rows, p.cols}, p.table.i8, p.table.scales)
	case p.kind == rows:
		return []weights.Source{weights.Of(p.name, []int{p.rows, p.cols}, p.table.f32).Source()}
	case (*p.matrix).DType() == kernels.Int8:
		packed, scales := (*p.matrix).Packed()
		return p.int8Sources(packedShape(p.rows, p.cols), packed, scales)
	}
	return []weights.Source{{Name: p.name, DType: weights.F32, Shape: []int{p.rows, p.cols}, Write: p.writeRows}}
}

func (p *param) int8Sources(shape []int, values []int8, scales []float32) []weights.Source {
	return []weights.Source{
		weights.Of(p.name, shape, values).Source(),
		weights.Of(p.name+ownScale, []int{p.rows}, scales).Source(),
	}
}

// writeRows unpacks a float32 matrix.
func (p *param) writeRows(w io.Writer) error {
	row := make([]float32, p.cols)
	for i := range p.rows {
		(*p.matrix).Row(row, i)
		if _, err := w.Write(weights.Of("", nil, row).Data); err != nil {
			return err
		}
	}
	return nil
}

// writeConfig writes the config.json of src and says in it what became of the
// weights, in the key by which transformers sees that it cannot load them, and
// which class they now are.
func writeConfig(src string, data []byte, dstDir, class string) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return &ConfigError{src, []string{err.Error()}}
	}
	values["quantization_config"] = json.RawMessage(`{"quant_method":"` + ownFormat + `","version":` + ownVersion + `}`)
	var err error
	if values["architectures"], err = json.Marshal([]string{class}); err != nil {
		return &ConfigError{src, []string{err.Error()}}
	}
	data, err = json.MarshalIndent(values, "", "  ")
	if err != nil {
		return &ConfigError{src, []string{err.Error()}}
	}
	dst := filepath.Join(dstDir, configFile)
	if err := os.WriteFile(dst, append(data, '\n'), 0o644); err != nil {
		return fileError(dst, err)
	}
	return nil
}

// companionSuffixes are what the files beside the weights end with: tokenizers,
// sentence-transformers' modules, licences and model cards.
var companionSuffixes = []string{".json", ".txt", ".model", ".spm", ".md", "LICENSE", "NOTICE"}

// maxCompanion keeps out what is no such file.
const maxCompanion = 64 << 20

// copyCompanions copies the files that belong to a model but are neither its
// config nor its weights, also those of sentence-transformers' modules one
// folder down.
func copyCompanions(ctx context.Context, srcDir, dstDir string) (copied []string, err error) {
	fsys := os.DirFS(srcDir)
	err = fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.IsDir() {
			if path != "." && (strings.HasPrefix(d.Name(), ".") || strings.Contains(path, "/")) {
				return fs.SkipDir
			}
			return nil
		}
		// Stat follows the links that download caches are made of.
		info, err := fs.Stat(fsys, path)
		if err != nil {
			return err
		}
		if !isCompanion(path) || !info.Mode().IsRegular() || info.Size() > maxCompanion {
			return nil
		}
		data, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		dst := filepath.Join(dstDir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
			return err
		}
		copied = append(copied, path)
		return os.WriteFile(dst, data, 0o644)
	})
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("model: copying %s: %w", srcDir, err)
	}
	return copied, err
}

func isCompanion(path string) bool {
	if path == configFile || strings.HasSuffix(path, ".safetensors.index.json") || strings.HasSuffix(path, ".bin.index.json") {
		return false
	}
	return slices.ContainsFunc(companionSuffixes, func(s string) bool { return strings.HasSuffix(path, s) })
}
