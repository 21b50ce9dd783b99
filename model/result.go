package model

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ladon-ml/ladon/mha"
)

// Names of the results that every model can give, beside those of its heads.
const (
	LastHiddenState = "last_hidden_state" // [tokens, hidden]
	HiddenStates    = "hidden_states"     // hidden_states.0 (the embeddings) to hidden_states.N (after layer N), each [tokens, hidden]
	Attentions      = "attentions"        // attentions.0 to attentions.N-1, each a square a head and sequence: see Output

	// An encoder-decoder gives that of its encoder too. Its HiddenStates are
	// encoder_hidden_states.N and decoder_hidden_states.N, and its Attentions
	// encoder_attentions.N, decoder_attentions.N and cross_attentions.N, whose
	// columns are the tokens of the source.
	EncoderLastHiddenState = "encoder_last_hidden_state"

	// Of models with Permuted: mems.0 to mems.N-1, what each layer took in, [tokens,
	// hidden], from which a Batch's Memory is made. ForwardTensors gives the memory
	// itself. Where a batch has targets, their states and attention weights are
	// target_hidden_states.N and target_attentions.N.
	Memory             = "mems"
	TargetHiddenStates = "target_" + HiddenStates
	TargetAttentions   = "target_" + Attentions
)

// An Output is one named result of a forward pass over a batch.
type Output struct {
	Name string
	// Data is [Rows, Cols]. A row is a token, or a sequence where PerSequence
	// says so. Attentions are squares instead: sequence after sequence
	// [heads, length, length], the weight of each token (row) on each (column);
	// Rows is then the number of all weights and Cols is 1.
	Data        []float32
	Rows, Cols  int
	PerSequence bool
}

// A Result is what a forward pass fills: the outputs that were asked for, and
// no others are computed. It belongs to one Model, keeps its memory from call to
// call, and is used by one goroutine at a time.
type Result struct {
	model *Model

	last       *Output // nil: not wanted
	hidden     []Output
	attentions []Output
	heads      []headResult

	memory        []Output // what each layer took in
	targeted      bool     // the batch has targets
	targetHidden  []Output // of the targets of a batch that has any
	targetWeights []Output
	targetProbes  []*mha.Probe

	probes []*mha.Probe // of every layer, nil where nobody looks; nil: nowhere
	seqK   []int32      // [sequences+1], for the probes

	encoder     *Result // what the encoder gives, its last hidden states at least; nil: there is none
	showEncoder bool    // those are wanted
	cross       []Output
	crossProbes []*mha.Probe // likewise of attention to the source
}

// headResult is where the outputs of one head go. They share one buffer, column
// after column where there are several.
type headResult struct {
	head    int
	outputs []Output
	data    []float32
}

// Outputs lists what ForwardTensors can give: last_hidden_state, the outputs of
// the heads, hidden_states and attentions; of a model that matches texts and
// pictures, others: see there.
func (m *Model) Outputs() []string {
	if m.spec.Matches {
		return m.pairOutputs()
	}
	return m.resultOutputs()
}

// resultOutputs lists what Forward can give.
func (m *Model) resultOutputs() []string {
	list := []string{LastHiddenState}
	for _, h := range m.heads {
		list = append(list, h.Outputs...)
	}
	if m.spec.Crosses() {
		list = append(list, EncoderLastHiddenState)
	}
	if p := m.spec.Permuted; p != nil && !p.Forgets {
		list = append(list, Memory)
	}
	return append(list, HiddenStates, Attentions)
}

// NewResult prepares a Result with the outputs of these names. Without any, it
// has last_hidden_state and what the model's heads give.
func (m *Model) NewResult(names ...string) (*Result, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	return m.newResult(names...)
}

// newResult is NewResult of a model that is open.
func (m *Model) newResult(names ...string) (*Result, error) {
	all := m.resultOutputs()
	if len(names) == 0 {
		names = slices.DeleteFunc(all[:len(all)-2:len(all)-2], func(name string) bool { return name == Memory })
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, inputError("no output %q; this model has %s", name, strings.Join(all, ", "))
		}
	}
	r := &Result{model: m}
	prefix := ""
	if m.spec.Crosses() {
		prefix = "decoder_"
		if err := r.addEncoder(names); err != nil {
			return nil, err
		}
	}
	if slices.Contains(names, LastHiddenState) {
		r.last = &Output{Name: LastHiddenState, Cols: m.spec.outWidth()}
	}
	if slices.Contains(names, HiddenStates) {
		for i := range len(m.spec.Layers) + 1 {
			r.hidden = append(r.hidden, Output{Name: prefix + HiddenStates + "." + strconv.Itoa(i), Cols: m.spec.Hidden})
			if m.spec.Permuted != nil {
				r.targetHidden = append(r.targetHidden, Output{Name: TargetHiddenStates + "." + strconv.Itoa(i), Cols: m.spec.Hidden})
			}
		}
		if !m.spec.LastUnnormed {
			r.hidden[len(m.spec.Layers)].Cols = m.spec.outWidth()
		}
	}
	if slices.Contains(names, Attentions) {
		for i := range m.spec.Layers {
			r.attentions = append(r.attentions, Output{Name: prefix + Attentions + "." + strconv.Itoa(i), Cols: 1})
			r.probes = append(r.probes, &mha.Probe{Look: mha.Look{Weights: true}})
			if m.spec.Permuted != nil {
				r.targetWeights = append(r.targetWeights, Output{Name: TargetAttentions + "." + strconv.Itoa(i), Cols: 1})
				r.targetProbes = append(r.targetProbes, &mha.Probe{Look: mha.Look{Weights: true}})
			}
		}
	}
	if slices.Contains(names, Memory) {
		for i := range m.spec.Layers {
			r.memory = append(r.memory, Output{Name: Memory + "." + strconv.Itoa(i), Cols: m.spec.Hidden})
		}
	}
	for i, h := range m.heads {
		if !slices.ContainsFunc(h.Outputs, func(o string) bool { return slices.Contains(names, o) }) {
			continue
		}
		hr := headResult{head: i}
		width := r.model.columns(h.Head) / len(h.Outputs)
		for _, name := range h.Outputs {
			hr.outputs = append(hr.outputs, Output{Name: name, Cols: width, PerSequence: h.From != EveryToken})
		}
		if h.Spans != nil {
			for j := range hr.outputs {
				hr.outputs[j].Cols, hr.outputs[j].PerSequence = h.Spans.cols(j), true
			}
		}
		r.heads = append(r.heads, hr)
	}
	return r, nil
}

// addEncoder adds what the encoder gives, and the weights of attention to it.
func (r *Result) addEncoder(names []string) (err error) {
	list := []string{LastHiddenState}
	for _, name := range []string{HiddenStates, Attentions} {
		if slices.Contains(names, name) {
			list = append(list, name)
		}
	}
	if r.encoder, err = r.model.other.newResult(list...); err != nil {
		return err
	}
	for o := range r.encoder.all {
		o.Name = "encoder_" + o.Name
	}
	r.showEncoder = slices.Contains(names, EncoderLastHiddenState)
	if !slices.Contains(names, Attentions) {
		return nil
	}
	for i := range r.model.spec.Layers {
		r.cross = append(r.cross, Output{Name: "cross_" + Attentions + "." + strconv.Itoa(i), Cols: 1})
		r.crossProbes = append(r.crossProbes, &mha.Probe{Look: mha.Look{Weights: true}})
	}
	return nil
}

// columns is how many columns a head's outputs have together.
func (m *Model) columns(h Head) int {
	if h.Mean != nil {
		return m.columns(m.heads[h.Mean[0]].Head)
	}
	if len(h.Layers) == 0 {
		return m.spec.outWidth() * h.From.states()
	}
	return h.Layers[len(h.Layers)-1].Width
}

// Get returns the output of that name, as the last Forward left it. Its data is
// overwritten by the next. The zero Output says that it was not asked for.
func (r *Result) Get(name string) Output {
	for o := range r.all {
		if o.Name == name {
			return *o
		}
	}
	return Output{}
}

// All yields the outputs that were asked for.
func (r *Result) All(yield func(Output) bool) {
	r.all(func(o *Output) bool { return yield(*o) })
}

func (r *Result) all(yield func(*Output) bool) {
	if r.last != nil && !yield(r.last) {
		return
	}
	if r.encoder != nil && !r.allOfEncoder(yield) {
		return
	}
	lists := [][]Output{r.hidden, r.attentions, r.cross, r.memory, r.targetHidden, r.targetWeights}
	if !r.targeted {
		lists = lists[:4]
	}
	for _, list := range lists {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
	for i := range r.heads {
		for j := range r.heads[i].outputs {
			if !yield(&r.heads[i].outputs[j]) {
				return
			}
		}
	}
}

// allOfEncoder is all for what was asked for of the encoder.
func (r *Result) allOfEncoder(yield func(*Output) bool) bool {
	for o := range r.encoder.all {
		if o == r.encoder.last && !r.showEncoder {
			continue
		}
		if !yield(o) {
			return false
		}
	}
	return true
}

// resize gives every output room for the batch.
func (r *Result) resize(b *Batch) {
	outputs, seqs := b.outputs(), b.sequences()
	if r.last != nil {
		r.last.resize(outputs)
	}
	for _, list := range [][]Output{r.hidden, r.memory} {
		for i := range list {
			list[i].resize(b.tokens())
		}
	}
	r.targeted = b.Targets != nil
	for i := 0; r.targeted && i < len(r.targetHidden); i++ {
		r.targetHidden[i].resize(outputs)
	}
	for i := range r.heads {
		h := &r.heads[i]
		rows := outputs
		of := &r.model.heads[h.head]
		if of.From != EveryToken {
			rows = seqs * of.From.of(&r.model.spec.Stack)
		}
		if of.Spans != nil {
			rows = seqs
		}
		width := 0
		for j := range h.outputs {
			width += h.outputs[j].Cols
		}
		h.data = grow(h.data, rows*width)
		left := h.data
		for j := range h.outputs {
			o := &h.outputs[j]
			n := rows * o.Cols
			o.Rows, o.Data, left = rows, left[:n], left[n:]
		}
	}
}

func (o *Output) resize(rows int) {
	o.Rows, o.Data = rows, grow(o.Data, rows*o.Cols)
}

// needs says whether an output is wanted that reads those rows.
func (r *Result) needs(from Rows) bool {
	for i := range r.heads {
		if r.model.heads[r.heads[i].head].From == from {
			return true
		}
	}
	return false
}

// onlyRows is the row of each sequence that all reads which is wanted, or
// EveryToken if there is more to read.
func (r *Result) onlyRows() Rows {
	if r.last != nil || r.hidden != nil || r.crossProbes != nil || len(r.heads) == 0 {
		return EveryToken
	}
	from := r.model.heads[r.heads[0].head].From
	if !from.single() || r.model.heads[r.heads[0].head].Mean != nil {
		return EveryToken
	}
	for i := range r.heads {
		if r.model.heads[r.heads[i].head].From != from {
			return EveryToken
		}
	}
	return from
}

// grow returns a slice of n elements, in buf's memory where it is large enough.
// The contents are arbitrary.
func grow[T any](buf []T, n int) []T {
	if cap(buf) < n {
		// Some room to spare, so that batches that grow slowly do not allocate
		// each time.
		return make([]T, n, n+n/8)
	}
	return buf[:n]
}
