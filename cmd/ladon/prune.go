package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/pipeline"
)

var pruneCommand = command{
	name:    "prune",
	summary: "take heads and neurons out of a checkpoint, which gets smaller and faster",
	help: `
-heads 0:1,3;2:0 takes out heads 1 and 3 of layer 0 and head 0 of layer 2;
-heads 50% that share of all, those that matter least. -ffn 50% takes out that
share of the feed-forward neurons of every layer, and -ffn 768 leaves so many.
Layers of an encoder-decoder's encoder are called encoder.0 and so on.
What matters is found out on the lines of -texts: for heads by -by drift (what the
output loses without them), confidence or entropy. Without -out nothing is written
but a table of all heads. With -texts the report has times and drift.`,
	setup: func(fs *flag.FlagSet) func(*call) error {
		p := &pruneFlags{}
		p.src = needModelFlag(fs)
		fs.Var(pathValue{&p.out}, "out", "the `DIR` to write: empty, or not there yet (default: print the heads)")
		fs.Var(headsValue{&p.heads}, "heads", "the `HEADS` to take out: LAYER:HEAD,…;… or a share")
		fs.Var(ffnValue{&p.ffn}, "ffn", "the share of neurons to take out, or the `NUMBER` that stays")
		fs.Var(pathValue{&p.texts}, "texts", "the `FILE` whose lines say what matters")
		by := "drift"
		fs.Var(choiceValue{&by, []string{"drift", "confidence", "entropy"}}, "by", "what decides about heads: drift, confidence or `entropy`")
		return func(c *call) error {
			var err error
			if p.by, err = model.ParseCriterion(by); err != nil {
				return err
			}
			return p.run(c)
		}
	},
}

type pruneFlags struct {
	src        *modelSource
	out, texts string
	heads      headsFlag
	ffn        ffnFlag
	by         model.Criterion
}

// headsFlag is a list of heads or a share of them.
type headsFlag struct {
	list, ofEncoder map[int][]int
	share           float64
}

type headsValue struct{ to *headsFlag }

func (v headsValue) String() string { return "" }

func (v headsValue) Set(s string) error {
	if !strings.Contains(s, ":") {
		share, err := parseShare(s)
		*v.to = headsFlag{share: share}
		return err
	}
	var list, ofEncoder map[int][]int
	for part := range strings.SplitSeq(s, ";") {
		layer, heads, _ := strings.Cut(part, ":")
		layer, encoder := strings.CutPrefix(strings.TrimSpace(layer), encoderLayer)
		to := &list
		if encoder {
			to = &ofEncoder
		}
		if *to == nil {
			*to = map[int][]int{}
		}
		l, err := strconv.Atoi(strings.TrimSpace(layer))
		if err != nil {
			return fmt.Errorf("want LAYER:HEAD,…;LAYER:… or a share such as 50%%, not %s", abridge(part))
		}
		for head := range strings.SplitSeq(heads, ",") {
			h, err := strconv.Atoi(strings.TrimSpace(head))
			if err != nil {
				return fmt.Errorf("want LAYER:HEAD,…;LAYER:… or a share such as 50%%, not %s", abridge(part))
			}
			(*to)[l] = append((*to)[l], h)
		}
	}
	*v.to = headsFlag{list: list, ofEncoder: ofEncoder}
	return nil
}

// encoderLayer begins the names of an encoder's layers.
const encoderLayer = "encoder."

// listed says whether heads are named.
func (h *headsFlag) listed() bool { return h.list != nil || h.ofEncoder != nil }

// pruning takes out the heads that are named.
func (h *headsFlag) pruning() model.Pruning {
	p := model.Pruning{Heads: h.list}
	if h.ofEncoder != nil {
		p.Other = &model.Pruning{Heads: h.ofEncoder}
	}
	return p
}

// ffnFlag is a share of neurons to take out, or the number that stays.
type ffnFlag struct {
	share float64
	keep  int
}

type ffnValue struct{ to *ffnFlag }

func (v ffnValue) String() string { return "" }

func (v ffnValue) Set(s string) error {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		*v.to = ffnFlag{keep: n}
		return nil
	}
	share, err := parseShare(s)
	*v.to = ffnFlag{share: share}
	return err
}

// parseShare reads "50%" or "0.5".
func parseShare(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	x, err := strconv.ParseFloat(number, 64)
	if percent {
		x /= 100
	}
	if err != nil || !(x > 0 && x < 1) {
		return 0, errors.New("want a share between 0 and 1, or 0% and 100%")
	}
	return x, nil
}

// chosen says whether something needs texts to be chosen by.
func (p *pruneFlags) chosen() bool { return p.heads.share > 0 || p.ffn != ffnFlag{} }

func (p *pruneFlags) run(c *call) error {
	if err := c.noArgs(); err != nil {
		return err
	}
	if err := p.src.need("prune"); err != nil {
		return err
	}
	switch {
	case c.dtype == model.Int8.String():
		return errors.New("prune: -dtype int8: prune the float checkpoint, then quantise what remains")
	case p.texts == "" && (p.chosen() || p.out == ""):
		return errors.New("prune: -texts is needed to say what matters")
	case p.out != "" && !p.chosen() && !p.heads.listed():
		return errors.New("prune: -heads or -ffn is needed")
	}
	var texts []string
	if p.texts != "" {
		var err error
		if texts, err = readLinesOf(p.texts); err != nil {
			return err
		}
	}
	if texts == nil { // no need to run anything
		report, err := pipeline.Prune(c.ctx, p.src.path, p.out, p.heads.pruning())
		if err != nil {
			return err
		}
		return writeFacts(c, pruneFacts(report))
	}
	before, err := p.src.open(c)
	if err != nil {
		return err
	}
	defer before.Close()
	if before.Model().DType() != model.F32 {
		return fmt.Errorf("%s: quantised: prune the float checkpoint, then quantise what remains", p.src.path)
	}
	pruning := p.heads.pruning()
	if p.chosen() || p.out == "" {
		found, err := p.importance(c, before, texts)
		if err != nil {
			return err
		}
		if p.out == "" {
			return writeImportance(c, found)
		}
		spec := before.Model().Spec()
		p.choose(&pruning, found[0], spec)
		if len(found) > 1 {
			if pruning.Other == nil {
				pruning.Other = new(model.Pruning)
			}
			p.choose(pruning.Other, found[1], *spec.Other)
		}
	}
	report, err := pipeline.Prune(c.ctx, p.src.path, p.out, pruning)
	if err != nil {
		return err
	}
	facts, err := p.compare(c, before, texts)
	if err != nil {
		return err
	}
	return writeFacts(c, append(pruneFacts(report), facts...))
}

// importance runs the model on the texts. Of an encoder-decoder there are two: of
// the decoder, and of the encoder.
func (p *pruneFlags) importance(c *call, m *pipeline.Model, texts []string) ([]*model.Importance, error) {
	batch, err := m.Batch(texts...)
	if err != nil {
		return nil, err
	}
	needed := p.out == "" || p.heads.share > 0 && p.by == model.ByDrift
	bar := newProgress(c.stderr, -1, "forward passes")
	defer bar.finish()
	o := model.ImportanceOptions{NoDrift: !needed, Progress: func(done, _ int) { bar.set(done) }}
	found, err := m.Model().Importance(c.ctx, batch, o)
	if err != nil || batch.Source == nil {
		return []*model.Importance{found}, err
	}
	encoder, err := m.Model().Other().Importance(c.ctx, *batch.Source, o)
	return []*model.Importance{found, encoder}, err
}

// choose adds what the shares say.
func (p *pruneFlags) choose(to *model.Pruning, found *model.Importance, spec model.Spec) {
	if p.heads.share > 0 {
		to.Heads = found.LeastHeads(spec, p.heads.share, p.by)
	}
	if p.ffn.share > 0 {
		to.Neurons = found.LeastNeurons(model.KeepShare(1 - p.ffn.share))
	}
	if p.ffn.keep > 0 {
		to.Neurons = found.LeastNeurons(func(int) int { return p.ffn.keep })
	}
}

func pruneFacts(r model.PruneReport) []fact {
	return []fact{
		{"heads_before", r.HeadsBefore}, {"heads_after", r.HeadsBefore - r.Heads},
		{"neurons_before", r.NeuronsBefore}, {"neurons_after", r.NeuronsBefore - r.Neurons},
		{"parameters_before", r.ParametersBefore}, {"parameters_after", r.ParametersAfter},
		{"bytes_before", int(r.BytesBefore)}, {"bytes_after", int(r.BytesAfter)},
	}
}

// compare tells how fast both are on the texts, and how far apart.
func (p *pruneFlags) compare(c *call, before *pipeline.Model, texts []string) ([]fact, error) {
	after, err := pipeline.Open(p.out, pipeline.WithThreads(c.threads))
	if err != nil {
		return nil, err
	}
	defer after.Close()
	drift, err := pipeline.Drift(c.ctx, before, after, texts...)
	if err != nil {
		return nil, err
	}
	ms, err := c.timeInTurn(texts, before, after)
	if err != nil {
		return nil, err
	}
	return []fact{
		{"texts", len(texts)}, {"ms_before", ms[0]}, {"ms_after", ms[1]},
		{"cosine_mean", finite(drift.Cosine)}, {"cosine_min", finite(drift.CosineMin)},
		{"max_abs", finite(drift.MaxAbs)}, {"top1_agreement", drift.Top1},
	}, nil
}

// timeInTurn gives the median time of a forward pass of each model, in ms. They
// run in turn, so that a clock that drifts slows both.
func (c *call) timeInTurn(texts []string, models ...*pipeline.Model) ([]float64, error) {
	const rounds, budget = 5, 100 * time.Millisecond
	medians := make([][]float64, len(models))
	for range rounds {
		for i, m := range models {
			batch, err := m.Batch(texts...)
			if err != nil {
				return nil, err
			}
			result, err := m.Model().NewResult(model.LastHiddenState)
			if err != nil {
				return nil, err
			}
			t, err := measure(c.ctx, budget, func() error { return m.Model().Forward(c.ctx, batch, result) })
			if err != nil {
				return nil, err
			}
			medians[i] = append(medians[i], float64(t.median.Microseconds())/1000)
		}
	}
	ms := make([]float64, len(models))
	for i, list := range medians {
		slices.Sort(list)
		ms[i] = list[rounds/2]
	}
	return ms, nil
}

// finite keeps out of JSON what it cannot hold.
func finite(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return x
}
