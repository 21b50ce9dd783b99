package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/model/generate"
	"github.com/ladon-ml/ladon/model/tokenizer"
)

const (
	// What transformers' pipelines for these tasks take where a checkpoint does not say.
	rewriteBeams     = 4
	rewriteNewTokens = 256

	// usualSource is how many tokens of a source are read at once where neither the
	// tokenizer nor the positions of the encoder say: what T5 was trained with.
	usualSource = 512
	endless     = 1 << 20 // positions, of models that count distances

	// rewriteRows bounds the texts that are written at once, each of which has a cache
	// for every beam.
	rewriteRows = 64
)

// A rewriter writes texts about texts with an encoder-decoder.
type rewriter struct {
	m        *Model
	start    []int32 // what a text begins with
	settings *generate.Settings
	tasks    map[string]taskSettings
	limit    int // tokens of a source, special ones included
	vocab    int
}

// taskSettings are those of one of config.json's task_specific_params.
type taskSettings struct {
	prefix   *string
	settings *generate.Settings
}

func (m *Model) newRewriter(task string) (*rewriter, error) {
	if err := m.can(task); err != nil {
		return nil, err
	}
	if m.settingsErr != nil {
		return nil, m.settingsErr
	}
	spec, source := m.model.Spec(), m.model.Other().Spec()
	r := &rewriter{m: m, settings: m.generation, vocab: spec.Embeddings.Vocab, limit: source.Embeddings.Positions}
	if err := r.settings.Check(r.vocab); err != nil {
		return nil, err
	}
	var err error
	if r.start, err = m.startOf(&spec); err != nil {
		return nil, err
	}
	switch most := m.tokenizer.ModelMaxLen(); {
	case most > 0:
		r.limit = min(r.limit, most)
	case r.limit >= endless:
		r.limit = usualSource
	}
	return r, r.readTasks()
}

// readTasks reads task_specific_params of config.json.
func (r *rewriter) readTasks() error {
	file := r.m.name + "/config.json: task_specific_params"
	if len(r.m.folder.tasks) == 0 {
		return nil
	}
	var tasks map[string]json.RawMessage
	if err := json.Unmarshal(r.m.folder.tasks, &tasks); err != nil {
		return fmt.Errorf("pipeline: %s: not an object", file)
	}
	r.tasks = map[string]taskSettings{}
	for name, data := range tasks {
		if string(data) == "null" {
			continue
		}
		var t struct{ Prefix *string }
		if err := json.Unmarshal(data, &t); err != nil {
			return fmt.Errorf("pipeline: %s: %s: no settings with a prefix that is a text", file, name)
		}
		settings, err := generate.ParseSettings(file+": "+name, data)
		if err == nil {
			err = settings.Check(r.vocab)
		}
		if err != nil {
			return err
		}
		r.tasks[name] = taskSettings{t.Prefix, settings}
	}
	return nil
}

// config is what the checkpoint says of writing for a task, as transformers'
// pipelines read it.
func (r *rewriter) config(task string) generate.Config {
	c := generate.Config{MaxNewTokens: rewriteNewTokens, Beams: generate.BeamSearch(rewriteBeams)}
	c.MaxNewTokens = min(c.MaxNewTokens, r.m.model.Spec().Embeddings.Positions-len(r.start))
	// 20 is what generation_config.json has where nobody chose.
	if s := r.settings; s.MaxNewTokens == nil && s.MaxLength != nil && *s.MaxLength != 20 {
		c.MaxNewTokens = 0
	}
	r.settings.Override(&c)
	if t, ok := r.tasks[task]; ok {
		t.settings.Override(&c)
	}
	return c
}

// prefix stands before every source of a task.
func (r *rewriter) prefix(task string) string {
	if t, ok := r.tasks[task]; ok && t.prefix != nil {
		return *t.prefix
	}
	return r.m.folder.sourcePrefix
}

// A RewriteConfig changes one call of a Translator or a Summarizer. Its zero value
// is the default.
type RewriteConfig struct {
	// Generate changes how texts are written, which is otherwise what
	// transformers' pipelines take: generation_config.json and config.json's
	// task_specific_params, else 4 beams and at most 256 tokens. Nothing is drawn by
	// chance unless it says so.
	Generate func(*generate.Config)
	// Prefix stands before every text, in place of what config.json says. nil: that.
	Prefix *string
	// KV is the type of the cache of keys and values; the zero value is float32.
	KV model.KVType
	// Chunked is called for each text that is longer than the model reads at once,
	// with its index and the number of parts that it is written in.
	Chunked func(text, parts int)
	// Progress is called now and then with the number of parts that are written, and
	// of all of them.
	Progress func(done, parts int)
}

// A job is a call of a rewriter.
type job struct {
	r      *rewriter
	cfg    generate.Config
	prefix string
	dir    direction
	report RewriteConfig

	enc tokenizer.Encoding // scratch
	out []strings.Builder  // by text: what is written
}

// A part of a text is read at once.
type part struct {
	text  int
	ids   []int32
	whole bool   // it is all of the text
	glue  string // stands before what is written about it
}

// write writes about each text. Nothing is written about nothing: a text without a
// letter gives an empty one.
func (r *rewriter) write(ctx context.Context, task string, cfg RewriteConfig, dir direction, texts []string) ([]string, error) {
	j := &job{r: r, cfg: r.config(task), prefix: r.prefix(task), dir: dir, report: cfg, out: make([]strings.Builder, len(texts))}
	if cfg.Prefix != nil {
		j.prefix = *cfg.Prefix
	}
	if dir.target >= 0 {
		j.cfg.ForcedBOS = []int32{dir.target}
	}
	least := j.cfg.MinLength
	if cfg.Generate != nil {
		cfg.Generate(&j.cfg)
	}
	if c := &j.cfg; c.MaxNewTokens == 0 && c.MaxLength > 0 && c.MinLength == least {
		c.MinLength = min(c.MinLength, c.MaxLength) // the caller's is shorter, then
	}
	if err := j.cfg.Check(r.vocab); err != nil {
		return nil, err
	}
	w, err := r.m.gate.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	defer r.m.gate.leave(w)
	var parts []part
	for i, text := range texts {
		more, err := j.split(i, text)
		if err != nil {
			return nil, fmt.Errorf("pipeline: text %d: %w", i, err)
		}
		if parts = append(parts, more...); len(more) > 1 {
			j.reportParts(ctx, i, len(more))
		}
	}
	if err := j.run(ctx, parts); err != nil {
		return nil, fmt.Errorf("pipeline: %s: %w", r.m.name, err)
	}
	answers := make([]string, len(texts))
	for i := range answers {
		answers[i] = j.out[i].String()
	}
	return answers, nil
}

func (j *job) reportParts(ctx context.Context, text, parts int) {
	if j.report.Chunked != nil {
		j.report.Chunked(text, parts)
	}
	if log := j.r.m.settings.log; log.Enabled(ctx, slog.LevelWarn) {
		log.LogAttrs(ctx, slog.LevelWarn, "text longer than the model reads, written in parts", slog.Int("text", text), slog.Int("parts", parts))
	}
}

// run writes about the parts, as many at once as memory should hold.
func (j *job) run(ctx context.Context, parts []part) error {
	rows := max(rewriteRows/max(j.cfg.Beams.Width, 1), 1)
	for first := 0; first < len(parts); {
		next, tokens := first, 0
		for next < len(parts) && next-first < rows && (next == first || tokens+len(parts[next].ids) <= batchTokens) {
			tokens += len(parts[next].ids)
			next++
		}
		if err := j.together(ctx, parts[first:next]); err != nil {
			return err
		}
		if first = next; j.report.Progress != nil {
			j.report.Progress(first, len(parts))
		}
	}
	return nil
}

// together writes about some parts at once, none of which changes another's.
func (j *job) together(ctx context.Context, parts []part) error {
	source := model.Batch{CuSeqlens: []int32{0}}
	var prompts []generate.Prompt
	for _, p := range parts {
		source.IDs = append(source.IDs, p.ids...)
		source.CuSeqlens = append(source.CuSeqlens, int32(len(source.IDs)))
		prompts = append(prompts, generate.Prompt{IDs: j.r.start})
	}
	list, err := generate.SequencesFrom(ctx, j.r.m.model, model.SessionOptions{KV: j.report.KV}, source, prompts, j.cfg)
	if err != nil {
		return err
	}
	each := len(list) / len(parts)
	for i, p := range parts {
		s := list[i*each]
		written := j.r.m.tokenizer.Decode(s.IDs[s.Prompt:], true)
		if p.whole {
			j.out[p.text].WriteString(written)
			continue
		}
		j.out[p.text].WriteString(p.glue)
		j.out[p.text].WriteString(strings.TrimSpace(written))
	}
	return nil
}

// A frame is what stands around each part of a text.
type frame struct {
	code   int32 // -1: none
	prefix string
}

// frame takes off the beginning of a text what each of its parts has to begin with.
func (j *job) frame(text string) (frame, string) {
	f := frame{prefix: j.prefix}
	if f.code, text = j.r.languageCode(text); f.code < 0 {
		f.code = j.dir.code
	}
	if f.prefix != "" {
		return f, text
	}
	for _, t := range j.r.tasks {
		if t.prefix != nil && len(*t.prefix) > len(f.prefix) && strings.HasPrefix(text, *t.prefix) {
			f.prefix = *t.prefix
		}
	}
	return f, text[len(f.prefix):]
}

// encode appends the tokens that the model reads for a part.
func (j *job) encode(dst []int32, f frame, text string) ([]int32, error) {
	e := &j.enc
	e.Reset()
	if _, err := j.r.m.tokenizer.AppendEncode(e, f.prefix+text, tokenizer.Options{MaxLen: -1, IDsOnly: true}); err != nil {
		return nil, err
	}
	if f.code >= 0 {
		dst = append(dst, f.code)
	}
	for _, id := range e.IDs {
		if j.dir.source >= 0 && j.r.isLanguage(id) {
			id = j.dir.source
		}
		dst = append(dst, id)
	}
	return dst, nil
}

// split makes the parts of a text that are read at once.
func (j *job) split(text int, s string) ([]part, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	if !utf8.ValidString(s) {
		return nil, errors.New("not UTF-8")
	}
	f, s := j.frame(s)
	// Of a text that is much too long there is no need to encode all.
	ids, err := j.encode(nil, f, head(s, cutterBytes))
	if err == nil && len(ids) <= j.r.limit && len(s) > cutterBytes {
		ids, err = j.encode(nil, f, s)
	}
	if err != nil {
		return nil, err
	}
	if len(ids) <= j.r.limit {
		return []part{{text: text, ids: ids, whole: true}}, nil
	}
	empty, err := j.encode(nil, f, "")
	if err != nil {
		return nil, err
	}
	room := j.r.limit - len(empty) - 1 // a word may take a token more where a text begins
	if room < 1 {
		return nil, fmt.Errorf("the %d tokens that stand around a text leave no room for it in the %d that the model reads at once", len(empty), j.r.limit)
	}
	cutter := newCutter(j.r.m.tokenizer, s)
	var parts []part
	for glue := ""; ; {
		piece, between := cutter.next(room)
		if piece == "" {
			return parts, nil
		}
		if ids, err = j.encode(nil, f, piece); err != nil {
			return nil, err
		}
		if len(ids) > j.r.limit {
			// It has more tokens alone than as a part of the text: once more, with less.
			if room = room * 3 / 4; room < 1 {
				return nil, fmt.Errorf("%q does not fit into the %d tokens that the model reads at once", piece, j.r.limit)
			}
			cutter.back(piece)
			continue
		}
		parts = append(parts, part{text: text, ids: ids, glue: glue})
		glue = between
	}
}
