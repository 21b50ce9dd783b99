package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/ladon-ml/ladon/internal/cpu"
	"github.com/ladon-ml/ladon/model"
	"github.com/ladon-ml/ladon/pipeline"
)

var infoCommand = command{
	name:    "info",
	summary: "say what a checkpoint is, what it takes and what would run it",
	setup: func(flags *flag.FlagSet) func(*call) error {
		src := modelFlag(flags)
		return func(c *call) error {
			if err := c.noArgs(); err != nil {
				return err
			}
			return runInfo(c, src)
		}
	},
}

// A fact is one line of info, and one key of its JSON form.
type fact struct {
	key   string
	value any // string, int, float64 or []string
}

func runInfo(c *call, src *modelSource) error {
	facts, err := modelFacts(c, src)
	if err != nil {
		return err
	}
	facts = append(facts,
		fact{"tier", cpu.Active().String()},
		fact{"cpu", cpu.Detected().String()},
		fact{"threads", c.width()},
	)
	return writeFacts(c, facts)
}

// writeFacts prints facts as lines for people, or with -json as an object.
func writeFacts(c *call, facts []fact) error {
	if c.json {
		_, err := c.stdout.Write(appendFacts(nil, facts))
		return err
	}
	w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
	for _, f := range facts {
		value := fmt.Sprint(f.value)
		switch v := f.value.(type) {
		case []string:
			value = strings.Join(v, ", ")
		case float64:
			value = strconv.FormatFloat(v, 'g', 7, 64)
		}
		fmt.Fprintf(w, "%s\t%s\n", strings.ReplaceAll(f.key, "_", " "), value)
	}
	return w.Flush()
}

// modelFacts loads the checkpoint, with its tokenizer where it has one.
func modelFacts(c *call, src *modelSource) ([]fact, error) {
	p, err := src.open(c)
	if err == nil {
		defer p.Close()
		return append(specFacts(src, p.Model()), taskFacts(p)...), nil
	}
	// A model that reads no texts has tasks of its own.
	task, ok := errors.AsType[*pipeline.TaskError](err)
	if src.path == "" || !ok && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, model.ErrNoTokenizer) {
		return nil, err
	}
	// forward needs no tokenizer, so there is something to tell without one.
	m, merr := src.load(c)
	switch {
	case merr != nil && ok:
		return nil, merr
	case merr != nil:
		return nil, err
	}
	defer m.Close()
	facts := specFacts(src, m)
	if ok && len(task.Can) > 0 {
		facts = append(facts, fact{"tasks", task.Can})
	}
	return facts, nil
}

func specFacts(src *modelSource, m *model.Model) []fact {
	spec := m.Spec()
	parameters, bytes := m.Parameters()
	facts := []fact{{"model", src.name()}, {"architecture", spec.Architecture}, {"class", spec.Class}}
	facts = append(facts, stackFacts("", &spec.Stack)...)
	if other := spec.Other; other != nil {
		prefix := "other_"
		if spec.Crosses() {
			prefix = "encoder_"
		}
		facts = append(facts, fact{prefix + "architecture", other.Architecture})
		facts = append(facts, stackFacts(prefix, &other.Stack)...)
	}
	facts = append(facts, fact{"parameters", parameters}, fact{"dtype", m.DType().String()}, fact{"weight_bytes", bytes}, fact{"outputs", m.Outputs()})
	if m.DType() == model.Stored {
		facts = append(facts, fact{"stored_as", formatCounts(m)})
	}
	if len(spec.Labels) > 0 && strings.Contains(spec.Class, "Classification") {
		facts = append(facts, fact{"labels", spec.Labels})
	}
	return facts
}

// stackFacts describes a stack by its first layer.
func stackFacts(prefix string, s *model.Stack) []fact {
	layer := s.Layers[0]
	facts := []fact{
		{prefix + "layers", len(s.Layers)},
		{prefix + "hidden", s.Hidden},
		{prefix + "heads", layer.Attention.Heads},
		{prefix + "kv_heads", layer.Attention.KVHeads},
		{prefix + "head_dim", layer.Attention.HeadDim},
		{prefix + "ffn", layer.FeedForward.Width},
	}
	if s.Embeddings.Patches == nil {
		facts = append(facts, fact{prefix + "vocab", s.Embeddings.Vocab})
	}
	return append(facts, fact{prefix + "positions", s.Embeddings.Positions})
}

// formatCounts lists the forms of the weights, with how many numbers each has.
func formatCounts(m *model.Model) []string {
	var list []string
	for format, n := range m.Formats() {
		list = append(list, fmt.Sprintf("%v %d", format, n))
	}
	slices.Sort(list)
	return list
}

// taskFacts tells what the pipeline makes of the model.
func taskFacts(p *pipeline.Model) []fact {
	facts := []fact{{"tasks", p.Tasks()}, {"max_tokens", p.MaxSeq()}}
	if e, err := p.Embedder(); err == nil {
		facts = append(facts, fact{"embedding", e.Dim()})
	}
	if r, err := p.Ranker(); err == nil {
		by := "cosine"
		if r.CrossEncoder() {
			by = "cross-encoder"
		}
		facts = append(facts, fact{"ranks_by", by})
	}
	return facts
}

// appendFacts appends an object with the facts in their order.
func appendFacts(dst []byte, facts []fact) []byte {
	sep := byte('{')
	for _, f := range facts {
		dst = append(dst, sep)
		dst = append(appendString(dst, f.key), ':')
		switch v := f.value.(type) {
		case int:
			dst = strconv.AppendInt(dst, int64(v), 10)
		case float64:
			dst = strconv.AppendFloat(dst, v, 'g', 7, 64)
		case string:
			dst = appendString(dst, v)
		case []string:
			dst = appendStrings(dst, v)
		}
		sep = ','
	}
	return append(dst, '}', '\n')
}
