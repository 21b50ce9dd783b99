package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/weights"
	"github.com/ladon-ml/ladon/pipeline"
)

var generateCommand = command{
	name:    "generate",
	summary: "continue a text, or rows of token ids from a file",
	help: `
The prompt is -prompt, or standard input without its last line end, and is taken
as it is: no chat template is applied. Standard output gets the continuation
alone, as it comes; how fast it came is told on standard error. With an
encoder-decoder (T5, BART, …) the prompt is the source, and what is written about it
follows: translate and summarize do so by their models' own settings. With -json one
object comes at the end: {"text":…,"ids":[…],"finish":"eos"|"stop"|"length",
"prompt_tokens":…,"new_tokens":…}, and with -logprobs "logprobs".

With -in and -out, input_ids [batch, length] and attention_mask come from a
safetensors file, and the tensor sequences goes to one: the rows as given, what
follows them, and padding.

Without flags the likeliest token is taken each time, up to 128. The lengths and
the forced, excluded, last and padding tokens of generation_config.json hold. Its
other settings count only where a flag asks for sampling (-sample, -temperature,
-top-k, -top-p, -min-p) or for beams (-num-beams, -length-penalty,
-early-stopping): then they fill in what the flags leave open.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		var f generateFlags
		f.src = needModelFlag(fs)
		f.register(fs)
		return func(c *call) error { return f.run(c, fs) }
	},
}

type generateFlags struct {
	generationFlags
	src     *modelSource
	prompt  string
	in, out string
	kv      string
}

func (f *generateFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.prompt, "prompt", "", "continue `TEXT`")
	fs.Var(pathValue{&f.in}, "in", "the safetensors `FILE` to read")
	fs.Var(pathValue{&f.out}, "out", "the safetensors `FILE` to write")
	kvFlag(fs, &f.kv)
	f.generationFlags.register(fs)
	f.registerMore(fs)
}

func (f *generateFlags) run(c *call, fs *flag.FlagSet) error {
	if err := c.noArgs(); err != nil {
		return err
	}
	if err := f.src.need("generate"); err != nil {
		return err
	}
	f.visit(fs)
	if err := f.check(); err != nil {
		return err
	}
	switch {
	case f.in == "" && f.set["num-return-sequences"]:
		return errors.New("generate: -num-return-sequences is for -in, not for texts")
	case f.in == "" && f.out == "":
		return f.runText(c)
	case f.in == "" || f.out == "":
		return errors.New("generate: -in and -out go together")
	case f.set["prompt"]:
		return errors.New("generate: -prompt and -in exclude each other")
	case len(f.stop) > 0 || f.logProbs > 0 || c.json:
		return errors.New("generate: -stop, -logprobs and -json are for texts, not for -in")
	}
	return f.runTensors(c)
}

// runTensors generates from a file of ids.
func (f *generateFlags) runTensors(c *call) error {
	inputs, err := readTensors(f.in)
	if err != nil {
		return err
	}
	settings, err := generate.OpenSettings(f.src.path)
	if err != nil {
		return err
	}
	m, err := f.src.load(c)
	if err != nil {
		return err
	}
	defer m.Close()
	vocab := m.Spec().Embeddings.Vocab
	if err := settings.Check(vocab); err != nil {
		return err
	}
	f.warn(c, settings)
	kv, err := model.ParseKVType(f.kv)
	if err != nil {
		return err
	}
	opts, cfg := model.SessionOptions{KV: kv}, f.config(settings)
	var batch *generate.Batch
	var list []generate.Sequence
	if m.Spec().Other != nil {
		batch, list, err = generateFrom(c, m, opts, inputs, settings, cfg)
	} else if batch, err = generate.ReadBatch(inputs, vocab); err == nil {
		list, err = generate.Sequences(c.ctx, m, opts, batch.Prompts, cfg)
	}
	if err != nil {
		return inFile(f.in, err)
	}
	if batch.RightPadded {
		c.warnf("%s: rows are padded on the right; what follows their last tokens stands behind the padding", f.in)
	}
	var fill int32
	switch {
	case settings.Pad != nil:
		fill = int32(*settings.Pad)
	case len(cfg.EOS) > 0:
		fill = cfg.EOS[0]
	}
	return weights.Write(f.out, []weights.Tensor{batch.Tensor(list, fill)}, nil)
}

// generateFrom generates with an encoder-decoder, about a source.
func generateFrom(c *call, m *model.Model, o model.SessionOptions, inputs []weights.Tensor, settings *generate.Settings, cfg generate.Config) (*generate.Batch, []generate.Sequence, error) {
	source, targets, err := m.ReadSource(inputs)
	if err != nil {
		return nil, nil, err
	}
	spec := m.Spec()
	batch, err := generate.ReadTargets(targets, len(source.CuSeqlens)-1, settings.Start(spec.Target.Start), spec.Embeddings.Vocab)
	if err != nil {
		return nil, nil, err
	}
	list, err := generate.SequencesFrom(c.ctx, m, o, source, batch.Prompts, cfg)
	return batch, list, err
}

// runText continues a text.
func (f *generateFlags) runText(c *call) error {
	prompt, err := f.text(c)
	if err != nil {
		return err
	}
	m, err := f.src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	g, err := m.Generator()
	if err != nil {
		return err
	}
	f.warn(c, g.Settings())
	cfg := pipeline.GenerateConfig{Config: f.chosen(g.Settings()), Stop: f.stop, IgnoreEOS: f.ownEOS()}
	if cfg.KV, err = model.ParseKVType(f.kv); err != nil {
		return err
	}
	s, err := g.NewSession(cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	w := textWriter{c: c, tokenizer: m.Tokenizer(), logProbs: f.set["logprobs"]}
	start := time.Now()
	var first time.Time
	for t, err := range s.Generate(c.ctx, prompt) {
		if err != nil {
			return err
		}
		if w.tokens++; w.tokens == 1 {
			first = time.Now()
			if w.prompt = len(s.IDs()) - 1; s.Source() != nil {
				w.prompt = len(s.Source())
			}
		}
		if err := w.token(t); err != nil {
			return err
		}
	}
	if err := w.end(); err != nil {
		return err
	}
	if isTerminal(c.stderr) {
		fmt.Fprintln(c.stderr) // the text seldom ends a line
	}
	if k := cfg.Beams.Width; k > 1 { // all comes at the end of the search
		fmt.Fprintf(c.stderr, "%d tokens of prompt, %d new ones at %s a second with %d beams; ended by %s\n",
			w.prompt, w.tokens, rate(w.tokens, first.Sub(start)), k, w.finish)
		return nil
	}
	fmt.Fprintf(c.stderr, "%d tokens of prompt at %s a second, %d new ones at %s a second; ended by %s\n",
		w.prompt, rate(w.prompt, first.Sub(start)), w.tokens, rate(w.tokens-1, time.Since(first)), w.finish)
	return nil
}

func rate(n int, d time.Duration) string {
	if n < 1 || d <= 0 {
		return "?"
	}
	return fmt.Sprintf("%.1f", float64(n)/d.Seconds())
}

// text is the prompt.
func (f *generateFlags) text(c *call) (string, error) {
	if f.set["prompt"] {
		if !utf8.ValidString(f.prompt) {
			return "", fmt.Errorf("generate: -prompt: byte %d is not UTF-8", invalidUTF8([]byte(f.prompt)))
		}
		return f.prompt, nil
	}
	if isTerminal(c.stdin) {
		fmt.Fprintln(c.stderr, "ladon: reading the prompt from the terminal, until the end of input")
	}
	data, err := io.ReadAll(&contextReader{ctx: c.ctx, r: c.stdin})
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	if i := invalidUTF8(data); i >= 0 {
		return "", fmt.Errorf("standard input: byte %d is not UTF-8", i)
	}
	data = bytes.TrimSuffix(data, []byte{'\n'})
	return string(bytes.TrimSuffix(data, []byte{'\r'})), nil
}
