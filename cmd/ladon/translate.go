package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/pipeline"
)

const rewriteHelp = `
A text longer than the model reads at once is taken in parts, cut between lines or
sentences, and a warning says so; nothing is lost. With -file a whole file is one text
(- is standard input), and the line is {"file":…,%q:…}. With -readable only what is
written is printed, one line a text. Texts that are together on standard input go
through the model together, which changes no result.

How it is written is as transformers' pipelines have it: what flags say, else
config.json's task_specific_params, generation_config.json, and 4 beams and at most 256
tokens. -temperature and other flags of chance take one beam, unless -num-beams asks for
more.`

var translateCommand = command{
	name:    "translate",
	args:    "TEXT… (or lines on standard input)",
	summary: "write texts in another language",
	help: `
Takes an encoder-decoder (T5, BART, Marian, …). Prints one line of JSON a text, in
order: {"text":…,"translation":…}. Models of several languages are told them with
-target-lang and -source-lang: en and de for T5, whose prefixes config.json has, fra for
Marian's >>fra<<, which may also begin a text, and fr_XX for mBART.
` + fmt.Sprintf(rewriteHelp, "translation"),
	setup: func(fs *flag.FlagSet) func(*call) error {
		f := &rewriteFlags{command: "translate", member: "translation"}
		f.register(fs)
		var cfg pipeline.TranslateConfig
		fs.StringVar(&cfg.Source, "source-lang", "", "translate from `LANGUAGE`, as the model calls it")
		fs.StringVar(&cfg.Target, "target-lang", "", "translate into `LANGUAGE`, as the model calls it")
		f.make = func(m *pipeline.Model) (rewriter, error) {
			t, err := m.Translator()
			if err != nil {
				return rewriter{}, err
			}
			return rewriter{t.Settings(), t.MaxSource(), func(ctx context.Context, rc pipeline.RewriteConfig, texts []string) ([]string, error) {
				cfg := cfg
				cfg.RewriteConfig = rc
				return t.Translate(ctx, cfg, texts...)
			}}, nil
		}
		return func(c *call) error { return f.run(c, fs) }
	},
}

var summarizeCommand = command{
	name:    "summarize",
	args:    "TEXT… (or lines on standard input)",
	summary: "write what is in texts in fewer words",
	help: `
Takes an encoder-decoder (BART, T5, Pegasus, …). Prints one line of JSON a text, in
order: {"text":…,"summary":…}.
` + fmt.Sprintf(rewriteHelp, "summary"),
	setup: func(fs *flag.FlagSet) func(*call) error {
		f := &rewriteFlags{command: "summarize", member: "summary"}
		f.register(fs)
		f.make = func(m *pipeline.Model) (rewriter, error) {
			s, err := m.Summarizer()
			if err != nil {
				return rewriter{}, err
			}
			return rewriter{s.Settings(), s.MaxSource(), func(ctx context.Context, rc pipeline.RewriteConfig, texts []string) ([]string, error) {
				return s.Summarize(ctx, pipeline.SummarizeConfig{RewriteConfig: rc}, texts...)
			}}, nil
		}
		return func(c *call) error { return f.run(c, fs) }
	},
}

// A rewriter is a pipeline that writes texts about texts.
type rewriter struct {
	settings *generate.Settings
	limit    int // tokens of a text that it reads at once
	write    func(context.Context, pipeline.RewriteConfig, []string) ([]string, error)
}

// rewriteFlags are those of the commands that write texts about texts.
type rewriteFlags struct {
	generationFlags
	command, member string // member of the JSON has what is written
	make            func(*pipeline.Model) (rewriter, error)

	src          *modelSource
	kv           model.KVType
	prefix, file string
	readableFlag *bool
	people       bool
}

func (f *rewriteFlags) register(fs *flag.FlagSet) {
	f.src = needModelFlag(fs)
	fs.Func("kv-dtype", "keep keys and values in `TYPE`: f32, f16 or int8 (default f32)", func(s string) (err error) {
		f.kv, err = model.ParseKVType(s)
		return err
	})
	fs.StringVar(&f.prefix, "prefix", "", "put `TEXT` before every text, in place of what config.json says")
	fs.Var(pathValue{&f.file}, "file", "read one text from `FILE`, - for standard input")
	f.generationFlags.register(fs)
	f.readableFlag = readableFlag(fs)
}

func (f *rewriteFlags) run(c *call, fs *flag.FlagSet) (err error) {
	if err := f.src.need(f.command); err != nil {
		return err
	}
	if f.people, err = c.readable(*f.readableFlag); err != nil {
		return err
	}
	f.visit(fs)
	if err := f.check(); err != nil {
		return err
	}
	if !utf8.ValidString(f.prefix) {
		return fmt.Errorf("%s: -prefix: byte %d is not UTF-8", f.command, invalidUTF8([]byte(f.prefix)))
	}
	var text string
	if f.file != "" {
		if text, err = f.document(c); err != nil {
			return err
		}
	}
	m, err := f.src.open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	r, err := f.make(m)
	if err != nil {
		return err
	}
	f.warn(c, r.settings)
	if f.file != "" {
		return f.writeDocument(c, r, text)
	}
	return c.eachBatch(func(b *textBatch) error {
		rc := f.rewriteConfig(c, r, b.place)
		rc.Progress = func(done, parts int) { b.progress(done * len(b.texts) / parts) }
		written, err := r.write(c.ctx, rc, b.texts)
		if err != nil {
			return err
		}
		for i, text := range b.texts {
			if err := f.write(c, "text", text, written[i]); err != nil {
				return err
			}
		}
		return c.stdout.Flush()
	})
}

func (f *rewriteFlags) rewriteConfig(c *call, r rewriter, place func(int) string) pipeline.RewriteConfig {
	rc := pipeline.RewriteConfig{
		KV:       f.kv,
		Generate: func(cfg *generate.Config) { f.over(r.settings, cfg) },
		Chunked: func(i, parts int) {
			c.warnf("%s is longer than the %d tokens that the model reads at once, and is taken in %d parts", place(i), r.limit, parts)
		},
	}
	if f.set["prefix"] {
		rc.Prefix = &f.prefix
	}
	return rc
}

// document is the text of -file.
func (f *rewriteFlags) document(c *call) (string, error) {
	if len(c.args) > 0 {
		return "", fmt.Errorf("%s: -file and the text %s exclude each other", f.command, abridge(c.args[0]))
	}
	where, data, err := f.file, []byte(nil), error(nil)
	if f.file == "-" {
		where = "standard input"
		if isTerminal(c.stdin) {
			fmt.Fprintln(c.stderr, "ladon: reading a text from the terminal, until the end of input")
		}
		if data, err = io.ReadAll(&contextReader{ctx: c.ctx, r: c.stdin}); err != nil {
			return "", fmt.Errorf("%s: %w", where, err)
		}
	} else if data, err = os.ReadFile(f.file); err != nil {
		return "", err
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("%s: byte %d is not UTF-8", where, invalidUTF8(data))
	}
	return string(data), nil
}

func (f *rewriteFlags) writeDocument(c *call, r rewriter, text string) error {
	bar := newProgress(c.stderr, -1, "parts")
	defer bar.finish()
	rc := f.rewriteConfig(c, r, func(int) string { return f.file })
	rc.Progress = func(done, _ int) { bar.set(done) }
	written, err := r.write(c.ctx, rc, []string{text})
	if err != nil {
		return err
	}
	bar.finish()
	if f.people {
		// Its lines are the document's.
		_, err := fmt.Fprintln(c.stdout, written[0])
		return err
	}
	return f.write(c, "file", f.file, written[0])
}

// write prints what is written about a text, or a file, which kind says.
func (f *rewriteFlags) write(c *call, kind, about, written string) error {
	if f.people {
		_, err := fmt.Fprintln(c.stdout, oneLine(written))
		return err
	}
	line := appendString(append(append([]byte(`{"`), kind...), `":`...), about)
	line = appendString(append(append(append(line, `,"`...), f.member...), `":`...), written)
	_, err := c.stdout.Write(append(line, "}\n"...))
	return err
}

// over puts the flags that were given over what a checkpoint says.
func (f *generationFlags) over(s *generate.Settings, c *generate.Config) {
	own := f.chosen(s)
	if f.sampling() {
		c.Temperature, c.TopK, c.TopP, c.MinP, c.Seed = own.Temperature, own.TopK, own.TopP, own.MinP, own.Seed
		c.Beams.Width = 1
	}
	if f.set["max-length"] {
		c.MaxNewTokens = 0
	}
	keep(f, "max-new-tokens", &c.MaxNewTokens, own.MaxNewTokens)
	keep(f, "max-length", &c.MaxLength, own.MaxLength)
	keep(f, "min-new-tokens", &c.MinNewTokens, own.MinNewTokens)
	keep(f, "min-length", &c.MinLength, own.MinLength)
	keep(f, "repetition-penalty", &c.RepetitionPenalty, own.RepetitionPenalty)
	keep(f, "encoder-repetition-penalty", &c.EncoderRepetitionPenalty, own.EncoderRepetitionPenalty)
	keep(f, "presence-penalty", &c.PresencePenalty, own.PresencePenalty)
	keep(f, "frequency-penalty", &c.FrequencyPenalty, own.FrequencyPenalty)
	keep(f, "no-repeat-ngram-size", &c.NoRepeatNGram, own.NoRepeatNGram)
	keep(f, "encoder-no-repeat-ngram-size", &c.EncoderNoRepeatNGram, own.EncoderNoRepeatNGram)
	keep(f, "logit-bias", &c.LogitBias, own.LogitBias)
	keep(f, "suppress-tokens", &c.Suppress, own.Suppress)
	keep(f, "begin-suppress-tokens", &c.BeginSuppress, own.BeginSuppress)
	keep(f, "forced-bos-token-id", &c.ForcedBOS, own.ForcedBOS)
	keep(f, "forced-eos-token-id", &c.ForcedEOS, own.ForcedEOS)
	keep(f, "num-beams", &c.Beams.Width, own.Beams.Width)
	keep(f, "length-penalty", &c.Beams.LengthPenalty, own.Beams.LengthPenalty)
	keep(f, "early-stopping", &c.Beams.Early, own.Beams.Early)
	if f.ignoreEOS {
		c.EOS = nil
	}
	keep(f, "eos-token-id", &c.EOS, own.EOS)
}
